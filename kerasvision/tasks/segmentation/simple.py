"""Three models without a network to compare with: the commonest class, the class by place, and a softmax of each pixel."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from kerasvision.config.example_parts import IGNORED
from kerasvision.tasks.base import Baseline
from kerasvision.tasks.segmentation.answers import NUMBERS
from kerasvision.tasks.segmentation.truth import Pixels, resized

# Object (N,) of `truth.ImageMap`.
Maps = npt.NDArray[np.object_]
Answered = Callable[[npt.NDArray[Any]], dict[str, npt.NDArray[Any]]]
MOST_PIXELS = 20_000
SEED = 0


def simple_segmenters(count: int) -> dict[str, Baseline]:
    """name -> a function from images, float32 (N, side, side, C), and their maps to one from images to answers.

    `count` is the number of classes.
    """
    return {
        "commonest class": partial(commonest_class, count=count),
        "class by place": partial(class_by_place, count=count),
        "softmax of colour and place": colour_and_place,
    }


def commonest_class(images: npt.NDArray[Any], truth: Maps, *, count: int) -> Answered:
    """Every pixel has the class that most pixels have.

    Args:
        images: float32 (N, side, side, C) in [0, 1].
        truth: object (N,).
        count: the number of classes.
    """
    maps = _small_maps(images, truth)
    best = np.bincount(maps[maps != IGNORED], minlength=count).argmax()
    return lambda asked: {NUMBERS: np.full(asked.shape[:3], best, np.uint8)}


def class_by_place(images: npt.NDArray[Any], truth: Maps, *, count: int) -> Answered:
    """Every pixel has the class that most images have there.

    Args:
        images: float32 (N, side, side, C) in [0, 1].
        truth: object (N,).
        count: the number of classes.
    """
    maps = _small_maps(images, truth)
    # One class at a time: all at once would take N * side * side * classes bytes.
    votes = np.stack([(maps == number).sum(axis=0) for number in range(count)])
    best = votes.argmax(axis=0).astype(np.uint8)
    return lambda asked: {NUMBERS: np.broadcast_to(best, (len(asked), *best.shape))}


def colour_and_place(images: npt.NDArray[Any], truth: Maps) -> Answered:
    """A softmax regression of each pixel alone: its colour and place, their squares and products.

    Args:
        images: float32 (N, side, side, C) in [0, 1].
        truth: object (N,).
    """
    maps, features = _small_maps(images, truth), _features(images)
    known = np.flatnonzero(maps.ravel() != IGNORED)
    chosen = np.random.default_rng(SEED).permutation(known)[:MOST_PIXELS]
    labels = maps.ravel()[chosen]
    if len(np.unique(labels)) < 2:
        return commonest_class(images, truth, count=IGNORED)
    machine = make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression(max_iter=200))
    with warnings.catch_warnings():
        # A few more steps would change nothing that a comparison could show.
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(features[chosen], labels)
    return lambda asked: {NUMBERS: machine.predict(_features(asked)).reshape(asked.shape[:3]).astype(np.uint8)}


def _small_maps(images: npt.NDArray[Any], truth: Maps) -> Pixels:
    """The maps stretched to the images' size, uint8 (N, side, side)."""
    size = images.shape[1:3]
    return np.stack([resized(one.pixels(size), size) for one in truth])


def _features(images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Colour and place of each pixel, float32 (N * side * side, C + 2)."""
    places = np.meshgrid(*(np.linspace(0, 1, side, dtype=np.float32) for side in images.shape[1:3]), indexing="ij")
    around = np.broadcast_to(np.stack(places, axis=-1), (*images.shape[:3], 2))
    return np.concatenate([images, around], axis=-1).reshape(-1, images.shape[-1] + 2)
