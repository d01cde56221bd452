"""What a metric is: a function of weighted examples. One table per task gives scores, their resamples and their slices.

The weights of the examples say what is measured. Weights of 1 give the score. How often a bootstrap drew each example gives
the score of a resample, and the rows of a slice give its score. A metric answers for R weightings at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Weighted(Protocol):
    """Examples under R weightings. A task adds the attributes that its metrics need.

    Attributes:
        weights: float64 (N, R), at least 0, and not all 0 in a column.
    """

    @property
    def weights(self) -> Floats: ...


W = TypeVar("W", bound=Weighted)


def _always(weighted: Any) -> bool:
    return True


@dataclass(frozen=True)
class Measure(Generic[W]):
    """How a metric is measured: one entry of a task's table.

    Attributes:
        measure: weighted examples -> float64 (R,), NaN if the metric has no value; or (C, R), a value for each class.
        applies: whether the metric is measured on these examples under these weightings; always, by default.
        compares_classes: whether it distinguishes classes, and so means nothing for examples that all have one label.
    """

    measure: Callable[[W], Floats]
    applies: Callable[[W], bool] = _always
    compares_classes: bool = False


def weighted_scores(
    table: Mapping[str, Measure[W]], weighted: W, *, classes: Sequence[str] = (), within_label: bool = False
) -> dict[str, Floats]:
    """metric -> float64 (R,), NaN if it has no value, for all entries of a table that apply.

    Args:
        table: name -> how it is measured. A name that ends in `[class]` stands for one value for each class.
        weighted: the examples.
        classes: their names, for `recall[daisy]`.
        within_label: leave out metrics that distinguish classes.

    >>> class Two:
    ...     weights = np.array([[1.0, 3.0], [1.0, 1.0]])
    >>> table = {"mean": Measure(lambda two: np.array([5.0, 9.0]) @ two.weights / two.weights.sum(axis=0))}
    >>> weighted_scores(table, Two())["mean"].tolist()  # (5 + 9) / 2, and (5 + 5 + 5 + 9) / 4
    [7.0, 6.0]
    """
    scores: dict[str, Floats] = {}
    for name, how in table.items():
        if not how.applies(weighted) or (within_label and how.compares_classes):
            continue
        values = how.measure(weighted)
        if name.endswith(OF_A_CLASS):
            scores |= {of_class(name, one): row for one, row in zip(classes, values, strict=True)}
        else:
            scores[name] = values
    return scores


OF_A_CLASS = "[class]"


def of_class(name: str, label: str) -> str:
    """The name of a metric for one class: `recall[daisy]` from `recall[class]`."""
    return f"{name.removesuffix(OF_A_CLASS)}[{label}]"


def quotient(numerator: Floats, denominator: Floats, *, without: float = np.nan) -> Floats:
    """Element-wise quotients of float64 arrays of one shape, and `without` where the denominator is not above 0.

    >>> quotient(np.array([1.0, 0.0]), np.array([4.0, 0.0])).tolist()
    [0.25, nan]
    """
    found: Floats = np.divide(numerator, denominator, out=np.full(numerator.shape, without), where=denominator > 0)
    return found
