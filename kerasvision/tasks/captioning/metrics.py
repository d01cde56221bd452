"""The metrics of a captioner, each a function of weighted captions: one table for scores, resamples and slices.

Every metric consists of sums over images. So each image gives a row of numbers, and a weighting is a weighted sum of rows:
1,000 resamples are one matrix product. For 2,000 images with 5 captions of 5 to 13 words, the rows took 2.0 s of processor
time, and all intervals 0.2 s (time.process_time() around `judged_captions` and `intervals`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasvision import config as c
from kerasvision.tasks.added_metrics import TruthAndAnswers, added_measures
from kerasvision.tasks.captioning.bleu import COUNTS, MOST_WORDS, bleu_scores
from kerasvision.tasks.captioning.captions import MEANS, Captions
from kerasvision.tasks.metrics import Floats, Measure, quotient

# exp(700) is near the largest float64: even a very bad model has a finite perplexity.
MOST_NATS = 700.0


@dataclass(frozen=True)
class WeightedCaptions:
    """Images with their captions under R weightings.

    Attributes:
        captions: of the whole data set.
        rows: int64 (M,), the positions of the images that are weighted.
        weights: float64 (M, R), at least 0, and not all 0 in a column.
    """

    captions: Captions
    rows: npt.NDArray[np.integer[Any]]
    weights: Floats

    @cached_property
    def sums(self) -> Floats:
        """float64 (18, R), the weighted sums of `Captions.statistics`."""
        sums: Floats = self.captions.statistics[self.rows].T @ self.weights
        return sums

    @cached_property
    def compared(self) -> Floats:
        """float64 (R,), the total weight of the images that have captions to compare with."""
        compared: Floats = self.sums[COUNTS]
        return compared

    @cached_property
    def bleu(self) -> Floats:
        """float64 (4, R), BLEU-1 to BLEU-4."""
        return np.where(self.compared > 0, bleu_scores(self.sums[:COUNTS]), np.nan)

    def mean(self, place: int) -> Floats:
        """float64 (R,), the mean over the images that have captions, of the metric at a place of `MEANS`."""
        return quotient(self.sums[COUNTS + 1 + place], self.compared)


def metric_table(added: Sequence[c.Metric] = ()) -> dict[str, Measure[WeightedCaptions]]:
    """name -> how it is measured, in the order of a page.

    `bleu_1` to `bleu_4`, of the whole data set; `rouge_l`, `meteor`, `cider_d` and `exact_match` (an answer has the words of
    one of the image's captions), means over images that have captions; `perplexity`, the exponential of the mean negative
    log-likelihood of a token; `mean_words` of all answers, and `distinct_captions`, the share of different answers.

    CIDEr-D weighs words as in the whole data set. `distinct_captions` exists for one weighting only, because a resample
    itself repeats captions.

    Args:
        added: custom metrics.
    """
    return {
        **{f"bleu_{n}": Measure(partial(_bleu, n=n)) for n in range(1, MOST_WORDS + 1)},
        **{name: Measure(partial(WeightedCaptions.mean, place=place)) for place, name in enumerate(MEANS)},
        "perplexity": Measure(_perplexity),
        "mean_words": Measure(lambda one: quotient(one.sums[-1], one.sums[-2])),
        "distinct_captions": Measure(_distinct_captions, applies=lambda one: one.weights.shape[1] == 1),
        **added_measures(added, _truth_and_answers),
    }


def _truth_and_answers(one: WeightedCaptions) -> TruthAndAnswers:
    """object (M,) of tuples of str, and object (M,) of str."""
    truth, answers = np.empty(len(one.rows), object), np.empty(len(one.rows), object)
    truth[:] = [tuple(one.captions.truth[row]) for row in one.rows]
    answers[:] = [one.captions.answers[row] for row in one.rows]
    return truth, answers


def _bleu(one: WeightedCaptions, *, n: int) -> Floats:
    found: Floats = one.bleu[n - 1]
    return found


def _perplexity(one: WeightedCaptions) -> Floats:
    log_likelihood, tokens = one.sums[-4], one.sums[-3]
    return np.exp(np.minimum(quotient(-log_likelihood, tokens), MOST_NATS))


def _distinct_captions(one: WeightedCaptions) -> Floats:
    different = {one.captions.answers[row] for row in one.rows[one.weights[:, 0] > 0]}
    return quotient(np.array([float(len(different))]), one.sums[-2])
