"""Three models without a network to compare with: the mean, ridge regression on the pixels, and nearest neighbours."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import RidgeCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kerasvision.tasks.base import Baseline
from kerasvision.tasks.regression.judging import NAMES, VALUES

Answered = Callable[[npt.NDArray[Any]], dict[str, npt.NDArray[Any]]]
NEIGHBOURS = 5
# The penalties to choose from, by the error of each training image in a regression without it.
PENALTIES = tuple(10.0**power for power in range(-1, 7))


def simple_regressions(names: Sequence[str]) -> dict[str, Baseline]:
    """name -> a function from images, float32 (N, side, side, C), and truth, float (N, V), to one from images to answers.

    `names` are those of the V values.
    """
    return {
        "mean": partial(mean_answer, names=names),
        "ridge regression": partial(fitted, names=names, make=_ridge),
        f"{NEIGHBOURS} nearest neighbours": partial(fitted, names=names, make=_neighbours),
    }


def mean_answer(images: npt.NDArray[Any], truth: npt.NDArray[Any], *, names: Sequence[str]) -> Answered:
    """Every answer is the mean of the training images that have the number; 0 if none has.

    >>> answer = mean_answer(np.zeros((2, 1, 1, 1)), np.array([[1.0], [2.0]]), names=("age",))
    >>> answer(np.zeros((1, 1, 1, 1)))["values"].tolist()
    [[1.5]]
    """
    known = ~np.isnan(truth)
    mean = np.where(known, truth, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return lambda asked: _answers(np.broadcast_to(mean, (len(asked), len(names))), names)


def fitted(
    images: npt.NDArray[Any], truth: npt.NDArray[Any], *, names: Sequence[str], make: Callable[[int], Any]
) -> Answered:
    """The answers of scikit-learn estimators, fitted on the pixels of the images that have the numbers.

    Args:
        images: float32 (N, side, side, C) in [0, 1].
        truth: float (N, V), NaN where a number is missing.
        names: of the values.
        make: number of images -> an untrained estimator.
    """
    pixels, known = images.reshape(len(images), -1), ~np.isnan(truth)
    # Values that the same images have are fitted together.
    estimators = []
    for mask in {column.tobytes(): column for column in known.T}.values():
        places = np.flatnonzero((known == mask[:, None]).all(axis=0))
        if mask.sum() > 1:
            estimators.append((places, make(int(mask.sum())).fit(pixels[mask], truth[mask][:, places])))
    plain = mean_answer(images, truth, names=names)

    def answer(asked: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        answers = plain(asked)
        values = answers[VALUES].copy()
        for places, estimator in estimators:
            values[:, places] = estimator.predict(asked.reshape(len(asked), -1)).reshape(len(asked), -1)
        return {**answers, VALUES: values}

    return answer


def _ridge(count: int) -> Any:
    return make_pipeline(StandardScaler(), RidgeCV(PENALTIES))


def _neighbours(count: int) -> Any:
    return make_pipeline(StandardScaler(), KNeighborsRegressor(min(NEIGHBOURS, count)))


def _answers(values: npt.NDArray[Any], names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    written = np.array([name.encode() for name in names], object)
    return {VALUES: values.astype(np.float32), NAMES: np.broadcast_to(written, values.shape)}
