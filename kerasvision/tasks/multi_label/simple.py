"""Models of tags without a network, to compare with: frequencies, neighbours, and a logistic regression per tag."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from kerasvision.tasks.base import Baseline
from kerasvision.tasks.multi_label.answers import SCORES

Answered = Callable[[npt.NDArray[Any]], dict[str, npt.NDArray[Any]]]
NEIGHBOURS = 10
COMPONENTS = 100
# The most frequent tags have a regression each; a regression takes about 20 ms for 5,000 images.
MOST_REGRESSIONS = 300
MOST_STEPS = 200
SEED = 0


def simple_taggers() -> dict[str, Baseline]:
    """name -> a function from images, float32 (N, side, side, C), and their tags, bool (N, T), to one from images."""
    return {
        "frequency of each tag": tag_frequencies,
        "nearest neighbours": neighbours,
        "logistic regression per tag": regressions,
    }


def tag_frequencies(images: npt.NDArray[Any], truth: npt.NDArray[np.bool_]) -> Answered:
    """The same scores for every image: the share of the training images that have each tag.

    >>> answer = tag_frequencies(np.zeros((2, 1, 1, 1)), np.array([[True, False], [True, True]]))
    >>> answer(np.zeros((1, 1, 1, 1)))["scores"].tolist()
    [[1.0, 0.5]]
    """
    shares = truth.mean(axis=0, dtype=np.float32)
    return lambda asked: {SCORES: np.tile(shares, (len(asked), 1))}


def neighbours(images: npt.NDArray[Any], truth: npt.NDArray[np.bool_]) -> Answered:
    """The share of the 10 nearest training images that have each tag, by Euclidean distance of their components."""
    features = _features(images)
    nearest = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(images))).fit(features.transform(_rows(images)))

    def answer(asked: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        found = nearest.kneighbors(features.transform(_rows(asked)), return_distance=False)
        # One neighbour at a time: for 20,000 tags, those of all neighbours of all images would take gigabytes.
        votes = sum(truth[found[:, rank]].astype(np.float32) for rank in range(found.shape[1]))
        return {SCORES: votes / found.shape[1]}

    return answer


def regressions(images: npt.NDArray[Any], truth: npt.NDArray[np.bool_]) -> Answered:
    """A logistic regression on 100 principal components for each of the 300 most frequent tags; for others its frequency."""
    features = _features(images)
    rows, counts = features.transform(_rows(images)), truth.sum(axis=0)
    frequent = np.argsort(-counts, kind="stable")[:MOST_REGRESSIONS]
    models: dict[int, LogisticRegression] = {}
    with warnings.catch_warnings():
        # A tag that one image has is separated exactly, by weights that grow as long as one lets them.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for number in frequent.tolist():
            if 0 < counts[number] < len(truth):
                models[number] = LogisticRegression(max_iter=MOST_STEPS, C=0.1).fit(rows, truth[:, number])
    shares = truth.mean(axis=0, dtype=np.float32)

    def answer(asked: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        scores, described = np.tile(shares, (len(asked), 1)), features.transform(_rows(asked))
        for number, model in models.items():
            scores[:, number] = model.predict_proba(described)[:, 1]
        return {SCORES: scores}

    return answer


def _features(images: npt.NDArray[Any]) -> Pipeline:
    """Standardized pixels, reduced to their principal components, standardized again."""
    rows = _rows(images)
    components = min(COMPONENTS, *rows.shape)
    return make_pipeline(StandardScaler(), PCA(components, random_state=SEED), StandardScaler()).fit(rows)


def _rows(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return images.reshape(len(images), -1)
