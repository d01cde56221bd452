"""The metrics of numbers under many weightings of the images: each follows from sums over the images for each value."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasvision import config as c
from kerasvision.tasks.added_metrics import added_evidence, added_measures
from kerasvision.tasks.base import Bounded, Counted, Evidence
from kerasvision.tasks.metrics import Floats, Measure, of_class, quotient, weighted_scores

Ints = npt.NDArray[np.integer[Any]]
# Below this share of the squares around the mean of all images, what remains is rounding: all truths are the same.
LEAST_SHARE = 1e-12


@dataclass(frozen=True)
class ValueErrors:
    """The answers for N images and V values.

    Attributes:
        truth: float64 (N, V), NaN where a number is missing.
        answers: float64 (N, V).
        names: of the values.
        tolerance: float64 (V,), how far an answer may be off and count as right, NaN for none; None without tolerances.
        added: metrics of a user's own.
        known: bool (N, V), which truths there are.
    """

    truth: Floats
    answers: Floats
    names: Sequence[str]
    tolerance: Floats | None = None
    added: Sequence[c.Metric] = ()
    known: npt.NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", ~np.isnan(self.truth))

    @cached_property
    def apart(self) -> Floats:
        """float64 (N, V): |answer - truth|, 0 where the truth is missing."""
        return np.where(self.known, np.abs(self.answers - self.truth), 0.0)

    @cached_property
    def around_mean(self) -> Floats:
        """float64 (N, V): the truth minus its mean over all images, 0 where it is missing. Its squares sum precisely."""
        count = np.maximum(self.known.sum(axis=0), 1)
        mean = np.where(self.known, self.truth, 0.0).sum(axis=0) / count
        return np.where(self.known, self.truth - mean, 0.0)

    @cached_property
    def deviation(self) -> Floats:
        """float64 (V,): the deviation of the truth; 1 where all images have the same."""
        square = quotient((self.around_mean**2).sum(axis=0), self.known.sum(axis=0).astype(np.float64), without=0.0)
        found: Floats = np.where(square > 0, np.sqrt(square), 1.0)
        return found

    @cached_property
    def right(self) -> Floats:
        """float64 (N, V): 1 where an answer is within its tolerance."""
        return (self.known & (self.apart <= (np.nan if self.tolerance is None else self.tolerance))).astype(np.float64)

    def scores(self, rows: Ints, weights: Floats) -> dict[str, Floats]:
        """Metric -> float64 (R,), NaN if it has no value.

        Args:
            rows: int64 (M,), the images that are weighted.
            weights: float64 (M, R).
        """
        return weighted_scores(self._table, WeightedErrors(self, rows, weights), classes=self.names)

    @cached_property
    def _table(self) -> "dict[str, Measure[WeightedErrors]]":
        measures = {"mae": _mae, "rmse": _rmse, "r2": _r2}
        if self.tolerance is not None:
            measures["within_tolerance"] = _within
        means = {name: Measure(partial(_mean_of, how=how)) for name, how in measures.items()}
        each = {f"{name}[class]": Measure(how) for name, how in measures.items()}
        return {**means, **added_measures(self.added, _truth_and_answers), **each}

    def evidence(self, rows: Ints) -> dict[str, Evidence]:
        """How each metric is measured on some images, int64 (M,). An error has no bound above: the largest one seen is."""
        counts, most = self.known[rows].sum(axis=0), self.apart[rows].max(axis=0, initial=0.0)
        variance = self.deviation**2
        found: dict[str, Evidence] = {}
        for number, name in enumerate(self.names):
            count, worst = int(counts[number]), float(most[number])
            found |= {of_class(f"{error}[class]", name): Bounded(0.0, worst, count) for error in ("mae", "rmse")}
            # As if all answers were as far off as the worst one.
            found[f"r2[{name}]"] = Bounded(1.0 - worst**2 / float(variance[number]), 1.0, count)
            if self.tolerance is not None and not np.isnan(self.tolerance[number]):
                found[f"within_tolerance[{name}]"] = Counted(int(self.right[rows, number].sum()), count)
        measured = counts > 0
        least = int(counts[measured].min(initial=len(rows)))
        found |= dict.fromkeys(("mae", "rmse"), Bounded(0.0, float(most[measured].mean()) if measured.any() else 0.0, least))
        found["r2"] = Bounded(float(np.mean(1.0 - most**2 / variance)), 1.0, least)
        if self.tolerance is not None:
            one = found.get(f"within_tolerance[{self.names[0]}]")
            found["within_tolerance"] = one if one is not None and len(self.names) == 1 else Bounded(0.0, 1.0, least)
        return found | added_evidence(self.added, len(rows))


@dataclass(frozen=True)
class WeightedErrors:
    """Some images under R weightings.

    Attributes:
        errors: of all images.
        rows: int64 (M,), which of them.
        weights: float64 (M, R).
    """

    errors: ValueErrors
    rows: Ints
    weights: Floats

    def total(self, of_images: npt.NDArray[Any]) -> Floats:
        """float64 (V, R): the weighted sums over the images of (N, V)."""
        found: Floats = of_images[self.rows].T.astype(np.float64) @ self.weights
        return found

    @cached_property
    def count(self) -> Floats:
        """float64 (V, R): the weights of the images that have a number."""
        return self.total(self.errors.known)


def mean_of_values(each: Floats) -> Floats:
    """The mean over the values that have one, float64 (R,), of float64 (V, R); NaN without any.

    >>> mean_of_values(np.array([[1.0, np.nan], [0.5, np.nan]])).tolist()
    [0.75, nan]
    """
    known = ~np.isnan(each)
    return quotient(np.where(known, each, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))


def _mean_of(one: WeightedErrors, *, how: Callable[[WeightedErrors], Floats]) -> Floats:
    return mean_of_values(how(one))


def _mae(one: WeightedErrors) -> Floats:
    return quotient(one.total(one.errors.apart), one.count)


def _rmse(one: WeightedErrors) -> Floats:
    return np.sqrt(quotient(one.total(one.errors.apart**2), one.count))


def _r2(one: WeightedErrors) -> Floats:
    """1 - the sum of squares over that around the weighted mean; NaN where all weighted images have the same truth."""
    centred = one.errors.around_mean
    square, total = one.total(centred**2), one.total(centred)
    around = square - np.square(total) * quotient(np.ones_like(square), one.count, without=0.0)
    around = np.where(around > LEAST_SHARE * square, around, 0.0)
    return 1.0 - quotient(one.total(one.errors.apart**2), around)


def _within(one: WeightedErrors) -> Floats:
    has_one = ~np.isnan(one.errors.tolerance if one.errors.tolerance is not None else np.nan)
    return np.where(np.reshape(has_one, (-1, 1)), quotient(one.total(one.errors.right), one.count), np.nan)


def _truth_and_answers(one: WeightedErrors) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    return one.errors.truth[one.rows], one.errors.answers[one.rows]
