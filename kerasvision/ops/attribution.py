"""Where in an image the reasons for a score lie: three methods, as functions of tensors.

    method                 asks                                                   what it needs
    Grad-CAM               which maps of a layer raise the score, and where       the maps inside the network
    occlusion              how far the score falls if a part is covered           nothing but answers
    integrated gradients   how the score grows from a black image to this one     a gradient with respect to the image

A map is positive where the image speaks for the score, and negative where it speaks against it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from kerasvision.errors import ConfigError

# Images float32 (N, H, W, C) -> the score of one class, float32 (N,).
Scores = Callable[[tf.Tensor], tf.Tensor]
# Images float32 (N, H, W, C) -> maps of a layer (N, h, w, K), and the scores of all classes (N, C).
Inside = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

# How many images a network receives at once.
BATCH_SIZE = 32
# Steps of the sum that stands for the integral: they are doubled until the sum is close enough to the difference.
FIRST_STEPS, MOST_STEPS = 32, 512
# Of integrated gradients: of a score in [0, 1].
TOLERANCE = 0.01


@dataclass(frozen=True)
class Integrated:
    """What `integrated_gradients` found.

    Attributes:
        values: float32 (H, W), summed over the channels.
        difference: the score of the image minus that of the baseline, which all values together should equal.
        steps: of the sum that stands for the integral.
    """

    values: np.ndarray
    difference: float
    steps: int

    @property
    def total(self) -> float:
        """The sum of all values."""
        return float(self.values.sum(dtype=np.float64))

    @property
    def error(self) -> float:
        """How far the sum of all values is from the difference, in units of the score."""
        return abs(self.total - self.difference)


def grad_cam(inside: Inside, images: tf.Tensor, numbers: Sequence[int]) -> np.ndarray:
    """Which places of a layer's maps raise the score of a class.

        weight of a map:  w[k] = mean over y, x of d score / d map[y, x, k]
        heat:             relu(sum over k of w[k] * map[y, x, k])

    Args:
        inside: gives the maps of a layer and the scores before the softmax, both for the same images.
        images: float32 (N, H, W, C), as the network receives them.
        numbers: the class of each image, N of them.

    Returns:
        float32 (N, h, w), at least 0, in units of the score.

    Source: Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391, section 3, equations 1 and 2.

    >>> def inside(images):  # two maps, the image and its negative; the score is three times the mean of the first
    ...     maps = tf.concat([images, -images], axis=-1)
    ...     return maps, 3.0 * tf.reduce_mean(maps[..., :1], axis=(1, 2))
    >>> grad_cam(inside, tf.constant([[[[1.0], [0.0]], [[-1.0], [4.0]]]]), [0])[0].tolist()  # w is 3 / 4, and 0
    [[0.75, 0.0], [0.0, 3.0]]
    """
    images = tf.convert_to_tensor(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        maps, scores = inside(images)
        asked = tf.gather(tf.cast(scores, tf.float32), tf.constant(numbers), axis=1, batch_dims=1)
    slopes = tf.cast(tape.gradient(asked, maps), tf.float32)
    weights = tf.reduce_mean(slopes, axis=(1, 2), keepdims=True)
    heat: np.ndarray = tf.nn.relu(tf.reduce_sum(weights * tf.cast(maps, tf.float32), axis=-1)).numpy()
    return heat


def occlusion(score: Scores, image: np.ndarray, *, window: int, stride: int) -> np.ndarray:
    """How far the score falls if a square over a place is covered by the mean colour of the image.

    The square moves by `stride` pixels; the last one of each row and column ends at the edge. The value of a pixel is the
    mean over all squares that cover it.

    Args:
        score: of one class.
        image: float32 (H, W, C).
        window: side of the square, in pixels.
        stride: in pixels, at most the window, so that every pixel is covered.

    Returns:
        float32 (H, W), in units of the score; negative where the score rises.

    Raises:
        ConfigError: the square is larger than the image, or the stride larger than the square.

    Source: Zeiler and Fergus, 2013, https://arxiv.org/abs/1311.2901, section 4.2; their square is grey.

    >>> first = lambda images: images[:, 0, 0, 0]  # the score is the value of the first pixel
    >>> occlusion(first, np.array([[[4.0], [0.0]]], np.float32), window=1, stride=1).tolist()  # the mean colour is 2
    [[2.0, 0.0]]
    """
    height, width, _ = image.shape
    if not 1 <= window <= min(height, width):
        raise ConfigError(
            f"the occlusion window must be 1 to {min(height, width)} pixels wide, the shorter side of the images that the "
            "network sees",
            received=window,
        )
    if not 1 <= stride <= window:
        raise ConfigError(f"the stride must lie in [1, {window}], so that every pixel is covered", received=stride)
    whole = float(score(tf.constant(image[np.newaxis]))[0])
    places = [(top, left) for top in _starts(height, window, stride) for left in _starts(width, window, stride)]
    falls, covered = np.zeros((height, width)), np.zeros((height, width))
    for (top, left), occluded in zip(places, _occluded_scores(score, image, places, window), strict=True):
        square = slice(top, top + window), slice(left, left + window)
        falls[square] += whole - occluded
        covered[square] += 1
    return (falls / covered).astype(np.float32)


def integrated_gradients(
    score: Scores, image: np.ndarray, *, baseline: np.ndarray | None = None, tolerance: float = TOLERANCE
) -> Integrated:
    """How much each pixel adds to the score on the straight way from a baseline to the image.

        value of pixel i:  (x[i] - b[i]) * mean over t in (0, 1) of d score(b + t * (x - b)) / d x[i]

    The mean is taken over the middles of equal steps. All values together equal score(x) - score(b) ("completeness"), but
    for the error of that sum. From 32 steps on, the steps are doubled until the error is at most the tolerance, or there
    are 512.

    Args:
        score: of one class; it must be differentiable.
        image: float32 (H, W, C).
        baseline: float32 (H, W, C), an image without information; black by default.
        tolerance: in units of the score.

    Raises:
        ConfigError: the score has no gradient with respect to the image.

    Source: Sundararajan et al., 2017, https://arxiv.org/abs/1703.01365, section 3 and equation 3.

    >>> square = lambda images: tf.reduce_sum(images, axis=(1, 2, 3)) ** 2  # of 1 + 3: each unit adds a quarter of 16
    >>> found = integrated_gradients(square, np.array([[[1.0], [3.0]]], np.float32))
    >>> found.values.tolist(), found.total, found.difference, found.steps
    ([[4.0, 12.0]], 16.0, 16.0, 32)
    """
    start = np.zeros_like(image) if baseline is None else baseline
    ends = score(tf.constant(np.stack([image, start]))).numpy().astype(np.float64)
    difference, steps = float(ends[0] - ends[1]), FIRST_STEPS
    while True:
        values = ((image - start) * _mean_slope(score, start, image, steps)).sum(axis=-1)
        found = Integrated(values.astype(np.float32), difference, steps)
        if found.error <= tolerance or steps >= MOST_STEPS:
            return found
        steps *= 2


def _starts(side: int, window: int, stride: int) -> list[int]:
    """Where the windows of an axis begin; the last one ends at the edge.

    >>> _starts(8, 4, 3), _starts(4, 4, 2)
    ([0, 3, 4], [0])
    """
    return [*range(0, side - window, stride), side - window]


def _occluded_scores(score: Scores, image: np.ndarray, places: Sequence[tuple[int, int]], window: int) -> Iterator[float]:
    """The score of the image with a square over each of the places."""
    color = image.mean(axis=(0, 1))
    for first in range(0, len(places), BATCH_SIZE):
        some = places[first : first + BATCH_SIZE]
        batch = np.repeat(image[np.newaxis], len(some), axis=0)
        for row, (top, left) in zip(batch, some, strict=True):
            row[top : top + window, left : left + window] = color
        yield from map(float, score(tf.constant(batch)))


def _mean_slope(score: Scores, start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """float64 (H, W, C): the gradient of the score, its mean over the middles of equal steps from start to end."""
    total = np.zeros(end.shape)
    for first in range(0, steps, BATCH_SIZE):
        shares = (np.arange(first, min(first + BATCH_SIZE, steps)) + 0.5) / steps
        images = tf.constant((start + shares[:, None, None, None] * (end - start)).astype(np.float32))
        with tf.GradientTape() as tape:
            tape.watch(images)
            scores = score(images)
        slopes = tape.gradient(scores, images)
        if slopes is None:
            raise ConfigError("the score has no gradient with respect to the image", hint="use occlusion")
        total += slopes.numpy().sum(axis=0, dtype=np.float64)
    return total / steps
