"""A classifier's answers for a data set, and the sums of them that metrics consist of."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kerasvision.tasks.metrics import Floats
from kerasvision.tasks.ranking import ranking_scores

LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class Answers:
    """A classifier's answers for a data set.

    Attributes:
        labels: int64 (N,), true class numbers.
        probabilities: float32 or float64 (N, C), rows that sum to 1.
        classes: the C names.
        top_k: the k of top-k accuracy.
    """

    labels: npt.NDArray[np.integer[Any]]
    probabilities: npt.NDArray[np.floating[Any]]
    classes: Sequence[str]
    top_k: int

    @cached_property
    def predicted(self) -> npt.NDArray[np.intp]:
        """int64 (N,), the class with the largest score."""
        predicted: npt.NDArray[np.intp] = np.argmax(self.probabilities, axis=1)
        return predicted

    @cached_property
    def correct(self) -> npt.NDArray[np.bool]:
        """bool (N,), whether the predicted class is the true one."""
        correct: npt.NDArray[np.bool] = np.equal(self.predicted, self.labels)
        return correct

    @cached_property
    def confidence(self) -> npt.NDArray[np.floating[Any]]:
        """(N,), the score of the predicted class; float32 or float64, as the probabilities."""
        confidence: npt.NDArray[np.floating[Any]] = np.max(self.probabilities, axis=1)
        return confidence

    @cached_property
    def losses(self) -> Floats:
        """float64 (N,), -log of the true class's score; at most 27.6."""
        return -np.log(np.clip(self._of_truth.astype(np.float64), LEAST_PROBABILITY, 1.0))

    @cached_property
    def among_top_k(self) -> npt.NDArray[np.bool]:
        """bool (N,), whether fewer than k classes score higher than the true one."""
        better: npt.NDArray[np.intp] = np.count_nonzero(self.probabilities > self._of_truth[:, None], axis=1)
        return better < self.top_k

    @property
    def _of_truth(self) -> npt.NDArray[np.floating[Any]]:
        scores: npt.NDArray[np.floating[Any]] = self.probabilities[np.arange(len(self.labels)), self.labels]
        return scores

    def of(self, rows: npt.NDArray[np.integer[Any]]) -> "Answers":
        """The answers for some rows, int64 (M,)."""
        return Answers(self.labels[rows], self.probabilities[rows], self.classes, self.top_k)


@dataclass(frozen=True)
class WeightedAnswers:
    """Answers under R weightings. Each sum is computed once, for all metrics.

    Attributes:
        answers: for N images of C classes.
        weights: float64 (N, R), at least 0, and not all 0 in a column.
    """

    answers: Answers
    weights: Floats

    @cached_property
    def total(self) -> Floats:
        """float64 (R,), the sum of all weights."""
        total: Floats = np.sum(self.weights, axis=0)
        return total

    def mean(self, values: npt.NDArray[Any]) -> Floats:
        """float64 (R,), the weighted mean of one value per image, bool or float64 (N,)."""
        sums: Floats = values @ self.weights
        return sums / self.total

    @cached_property
    def support(self) -> Floats:
        """float64 (C, R), the total weight of the images of each class."""
        return self._per_class(self.answers.labels)

    @cached_property
    def answered(self) -> Floats:
        """float64 (C, R), the total weight of the images for which each class is the answer."""
        return self._per_class(self.answers.predicted)

    @cached_property
    def hits(self) -> Floats:
        """float64 (C, R), the total weight of the images of each class that are answered right."""
        return self._per_class(self.answers.labels, of=self.answers.correct)

    @cached_property
    def most_common(self) -> Floats:
        """float64 (R,), the total weight of the images of the class that weighs most."""
        # Only classes that occur: within one label, that is one of perhaps a thousand.
        labels, places = np.unique(self.answers.labels, return_inverse=True)
        most: Floats = np.max(_sums(places, len(labels), self.weights), axis=0)
        return most

    @cached_property
    def ranking(self) -> tuple[Floats, Floats]:
        """The area under the ROC curve and the average precision of each class, float64 (C, R) each."""
        scores, labels = self.answers.probabilities, self.answers.labels
        ranked = [ranking_scores(scores[:, n], np.equal(labels, n), self.weights) for n in range(scores.shape[1])]
        return np.stack([area for area, _ in ranked]), np.stack([precision for _, precision in ranked])

    def _per_class(self, numbers: npt.NDArray[np.integer[Any]], *, of: npt.NDArray[np.bool] | None = None) -> Floats:
        return _sums(numbers, self.answers.probabilities.shape[1], self.weights, of=of)


def _sums(
    numbers: npt.NDArray[np.integer[Any]], classes: int, weights: Floats, *, of: npt.NDArray[np.bool] | None = None
) -> Floats:
    """float64 (C, R): sums of the weights of the rows of each class; only of some rows if `of` says which."""
    rows = len(numbers)
    counted = np.ones(rows) if of is None else of.astype(np.float64)
    sums: Floats = sparse.csr_array((counted, (numbers, np.arange(rows))), shape=(classes, rows)) @ weights
    return sums
