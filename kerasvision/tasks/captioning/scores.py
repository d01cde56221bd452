"""Scores of a captioner on a whole data set, of many weightings of it at once, and the evidence for their intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasvision import config as c
from kerasvision.tasks.added_metrics import added_evidence, check_added_scores
from kerasvision.tasks.base import Bounded, Counted, Evidence
from kerasvision.tasks.captioning.bleu import COUNTS, MOST_WORDS
from kerasvision.tasks.captioning.captions import MEANS, Captions
from kerasvision.tasks.captioning.cider import SCALE as MOST_CIDER_D
from kerasvision.tasks.captioning.metrics import MOST_NATS, WeightedCaptions, metric_table
from kerasvision.tasks.metrics import Floats, weighted_scores


def caption_scores(captions: Captions, *, added: Sequence[c.Metric] = ()) -> dict[str, float]:
    """metric -> value, for the metrics of `metric_table` that have one.

    Raises:
        ConfigError, StageError: a custom metric raises an error, or returns values that are not allowed.

    >>> scores = caption_scores(Captions(
    ...     [("A red cat sat.",), ("a dog", "a black dog ran")], ["a red cat sat", "a black cat"],
    ...     log_likelihoods=np.log([.5, .125]), tokens=np.array([1.0, 3.0])))
    >>> scores["perplexity"], scores["exact_match"], scores["mean_words"], scores["distinct_captions"]
    (2.0, 0.5, 3.5, 1.0)
    >>> round(scores["bleu_1"], 3)  # 6 of 7 words, about as long as the references
    0.857
    """
    every = np.arange(len(captions.answers))
    measured = scores_of_rows(captions, every, np.ones((len(every), 1)), added=added)
    scores = {name: float(value[0]) for name, value in measured.items()}
    check_added_scores(added, scores, count=len(every))
    return {name: value for name, value in scores.items() if not np.isnan(value)}


def scores_of_rows(
    captions: Captions, rows: npt.NDArray[np.integer[Any]], weights: Floats, *, added: Sequence[c.Metric] = ()
) -> dict[str, Floats]:
    """The same metrics for some rows under R weightings: metric -> float64 (R,), NaN if a metric has no value.

    Args:
        captions: for all rows.
        rows: int64 (M,), the positions of some rows.
        weights: float64 (M, R).
        added: custom metrics.
    """
    return weighted_scores(metric_table(added), WeightedCaptions(captions, rows, weights))


def evidence(
    captions: Captions, rows: npt.NDArray[np.integer[Any]], *, added: Sequence[c.Metric] = ()
) -> dict[str, Evidence]:
    """How each metric is measured on some rows, int64 (M,): exact matches are counted; all others have bounds."""
    found = captions.statistics[rows]
    compared = found[:, COUNTS] > 0
    count, lengths = int(compared.sum()), found[:, -1]
    bounds: dict[str, Evidence] = {}
    if count:
        matches = found[compared, COUNTS + 1 + MEANS.index("exact_match")]
        most = {"cider_d": MOST_CIDER_D}
        bounded = [*(f"bleu_{n}" for n in range(1, MOST_WORDS + 1)), "rouge_l", "meteor", "cider_d"]
        bounds |= {name: Bounded(0.0, most.get(name, 1.0), count) for name in bounded}
        bounds["exact_match"] = Counted(int(matches.sum()), count)
        # There is no upper bound: use the perplexity of the image whose captions were least likely.
        worst = float(np.exp(min(captions.losses[rows][compared].max(), MOST_NATS)))
        bounds["perplexity"] = Bounded(1.0, max(1.0, worst), count)
    if len(rows):
        bounds["mean_words"] = Bounded(float(lengths.min()), float(lengths.max()), len(rows))
    return bounds | added_evidence(added, len(rows))
