"""Scores of answers with several tags: of a whole data set, of weightings of some images, and how each is measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasvision import config as c
from kerasvision.tasks.added_metrics import added_evidence
from kerasvision.tasks.base import Bounded, Counted, Evidence
from kerasvision.tasks.metrics import Floats, weighted_scores
from kerasvision.tasks.multi_label.measures import MOST_PAIRS, Answers, WeightedTags, metric_table

# With more tags, resamples and slices have no scores of single tags; the whole data set does.
MOST_TAGS_IN_SLICES = 200


@dataclass(frozen=True)
class JudgedTags:
    """The answers for a data set, with the metrics that judge them."""

    answers: Answers
    added: Sequence[c.Metric] = ()

    @property
    def has_few_tags(self) -> bool:
        """Whether slices and resamples have scores of single tags."""
        return len(self.answers.names) <= MOST_TAGS_IN_SLICES

    def whole(self) -> dict[str, float]:
        """metric -> value over all images, NaN where it has none; with those of all single tags."""
        count = len(self.answers.truth)
        table, weighted = metric_table(added=self.added), WeightedTags(self.answers, np.ones((count, 1)))
        found = weighted_scores(table, weighted, classes=self.answers.names)
        return {name: float(value[0]) for name, value in found.items()}

    def weighted(self, rows: npt.NDArray[np.integer[Any]], weights: Floats) -> dict[str, Floats]:
        """metric -> float64 (R,), NaN if it has no value: scores of some rows, int64 (M,), under weights float64 (M, R)."""
        table = metric_table(added=self.added, per_tag=self.has_few_tags)
        return weighted_scores(table, WeightedTags(self.answers.of(rows), weights), classes=self.answers.names)

    def evidence(self, rows: npt.NDArray[np.integer[Any]]) -> dict[str, Evidence]:
        """How each metric is measured on some rows, int64 (M,); metrics of a tag that none of them has are left out.

        F1 is 2 s / (1 + s), where s is the share of hits among the images that have a tag or are answered with it.
        """
        chosen, count = self.answers.of(rows), len(rows)
        true, answered, hits = (part.sum(axis=0).tolist() for part in (chosen.truth, chosen.chosen, chosen.hits))
        # An unseen image changes the mean over the tags by at most 1 / this number.
        occurring = [number for number in true if number]
        least = len(occurring) * min(occurring, default=0)
        equal = int((chosen.truth == chosen.chosen).all(axis=1).sum())
        found: dict[str, Evidence] = {
            "mean_average_precision": Bounded(0.0, 1.0, least),
            "macro_f1": Bounded(0.0, 1.0, least),
            **{name: Bounded(0.0, 1.0, count) for name in OVER_PAIRS},
            "subset_accuracy": Counted(equal, count),
            **added_evidence(self.added, count),
        }
        for number in np.flatnonzero(true).tolist():
            name, has, hit, said = chosen.names[number], true[number], hits[number], answered[number]
            found[f"precision[{name}]"] = Counted(hit, said)
            found[f"recall[{name}]"] = Counted(hit, has)
            found[f"f1[{name}]"] = Counted(hit, has + said - hit, _f1_of_share)
            found[f"average_precision[{name}]"] = Bounded(0.0, 1.0, has)
        return found

    def why_left_out(self, metric: str) -> str:
        """Why a metric has no value over all images."""
        if "[" in metric:
            return "no image has this tag"
        if metric == "micro_average_precision" and self.answers.truth.size > MOST_PAIRS:
            return f"there are more than {MOST_PAIRS:,} pairs of image and tag"
        if metric == "micro_precision":
            return "no tag is answered"
        return "no image has a tag"


# Metrics of all pairs of image and tag. The pairs of an image are not independent, so an image counts as one example.
OVER_PAIRS = ("micro_average_precision", "micro_f1", "micro_precision", "micro_recall", "hamming_loss")


def _f1_of_share(share: float) -> float:
    return 2 * share / (1 + share)
