"""What is fitted to whole images, pixel by pixel: their mean, their deviation, and the axes along which they vary.

The training images are read twice: for their mean, and for their deviations from it. The difference of two large sums, which
one pass would take, is not precise where a pixel hardly varies.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.linalg
import tensorflow as tf
from numpy.typing import NDArray

from kerasvision.config.whitening import Whitening, ZcaWhitening
from kerasvision.data.by_batches import by_batches
from kerasvision.data.colours import Decode, turned
from kerasvision.errors import DataError

# If a pixel is the same in every image, resizing and summing still leave a deviation of up to 1e-7.
LEAST_DEVIATION = 1e-6
# The most numbers of the images of a batch, each of 8 bytes.
BATCH_NUMBERS = 2**22

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WholeImages:
    """Numbers of whole images, and what they make of an image. Two objects with the same numbers are equal.

    Attributes:
        mean: float64 (H, W, C) in [0, 1], subtracted from pixels in [0, 1].
        divisor: float64 (H, W, C), or (K,) with axes: the difference is divided by it.
        axes: float32 (K, H * W * C), unit vectors as rows, from the largest variance to the smallest: the difference is
            projected on them before the division. (0, 0) for none.
        turned_back: whether the divided projections are turned back to pixels.
        facts: what a person wants to know: `images`, how many; with axes `components` and `variance_kept`.
    """

    mean: Floats
    divisor: Floats
    axes: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    turned_back: bool = False
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W, C) of the images."""
        return self.mean.shape

    def scaled(self, pixels: tf.Tensor) -> tf.Tensor:
        """Pixels float32 (..., H, W, C) in [0, 255], scaled: float32 of the same shape."""
        flat = tf.reshape(pixels, [-1, self.mean.size]) * (1.0 / 255.0) - _constant(self.mean)
        if not self.axes.size:
            flat = flat * _constant(1.0 / self.divisor)
        else:
            axes = tf.constant(self.axes)
            flat = tf.matmul(flat, axes, transpose_b=True) * _constant(1.0 / self.divisor)
            left = self.mean.size - len(self.axes)
            flat = tf.matmul(flat, axes) if self.turned_back else tf.pad(flat, [[0, 0], [0, left]])
        return tf.ensure_shape(tf.reshape(flat, tf.shape(pixels)), pixels.shape)

    def save(self, file: Path) -> None:
        """Writes the arrays as `.npz`, always the same bytes for the same numbers."""
        facts = np.frombuffer(json.dumps(self.facts).encode(), np.uint8)
        np.savez(
            file, mean=self.mean, divisor=self.divisor, axes=self.axes, turned_back=np.array(self.turned_back), facts=facts
        )

    @classmethod
    def load(cls, file: Path) -> Self:
        """What `save` wrote.

        Raises:
            DataError: the file is missing or damaged.
        """
        try:
            with np.load(file) as stored:
                facts = json.loads(stored["facts"].tobytes())
                return cls(stored["mean"], stored["divisor"], stored["axes"], bool(stored["turned_back"]), facts)
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{file} does not contain the numbers of whole images: {error}") from error

    @cached_property
    def _digest(self) -> bytes:
        content = hashlib.sha256(repr((self.shape, self.axes.shape, self.turned_back)).encode())
        for array in (self.mean, self.divisor, self.axes):
            content.update(np.ascontiguousarray(array).tobytes())
        return content.digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WholeImages) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)


def fit_whole_images(
    scale: str | Whitening,
    images: tf.data.Dataset,
    *,
    image_shape: tuple[int, int, int],
    decode: Decode,
    decode_alike: Decode,
) -> WholeImages:
    """The numbers of the training images that a scale needs.

    Args:
        scale: "mean_image", "per_pixel", or a whitening.
        images: string scalars, encoded.
        image_shape: (H, W, C).
        decode, decode_alike: see `by_batches`; pixels float32 in [0, 255].

    Raises:
        DataError: a whitening with as many axes as images or more, or with an axis without variance and `epsilon` 0.
    """

    def batches() -> Iterator[Floats]:
        yield from _flat_batches(images, numbers=prod(image_shape), decode=decode, decode_alike=decode_alike)

    count, total = 0, np.zeros(prod(image_shape))
    for batch in batches():
        count, total = count + len(batch), total + batch.sum(axis=0)
    mean = total / count
    facts = {"images": count}
    if scale == "mean_image":
        return WholeImages(mean.reshape(image_shape), np.ones(image_shape), facts=facts)
    if isinstance(scale, Whitening):
        # Before the second pass, which takes longer.
        _check_count(scale, count=count, numbers=len(mean))
        covariance = np.zeros((len(mean), len(mean)))
        for batch in batches():
            covariance += (batch - mean).T @ (batch - mean) / count
        return _whitening(scale, mean.reshape(image_shape), covariance, facts)
    variance = np.zeros(len(mean))
    for batch in batches():
        variance += ((batch - mean) ** 2).sum(axis=0) / count
    deviation = np.sqrt(variance)
    # As scikit-learn's StandardScaler: a pixel that is the same in every image is only centred.
    divisor = np.where(deviation < LEAST_DEVIATION, 1.0, deviation)
    return WholeImages(mean.reshape(image_shape), divisor.reshape(image_shape), facts=facts)


def _whitening(scale: Whitening, mean: Floats, covariance: Floats, facts: dict[str, Any]) -> WholeImages:
    numbers = len(covariance)
    components = scale.components or numbers
    values, vectors = scipy.linalg.eigh(covariance, subset_by_index=[numbers - components, numbers - 1])
    variances, axes = np.maximum(values[::-1], 0.0), turned(vectors.T[::-1])
    if np.sqrt(variances[-1] + scale.epsilon) < LEAST_DEVIATION:
        known = int((np.sqrt(variances) >= LEAST_DEVIATION).sum())
        raise DataError(
            f"whitening divides by the deviation along every axis; with epsilon=0, {components - known} of {components} "
            "axes have none",
            hint=f"set epsilon above 0, or components to at most {known}",
        )
    kept = float(variances.sum() / np.trace(covariance))
    facts = {**facts, "components": components, "variance_kept": round(kept, 6)}
    divisor = np.sqrt(variances + scale.epsilon)
    return WholeImages(mean, divisor, axes.astype(np.float32), isinstance(scale, ZcaWhitening), facts)


def _check_count(scale: Whitening, *, count: int, numbers: int) -> None:
    components = scale.components or numbers
    if components >= count:
        raise DataError(
            f"whitening with {components:,} axes requires more than {components:,} training images, because {count:,} "
            f"images vary along {count - 1:,} axes at most",
            hint=f"set components to at most {max(count - 1, 1)}, or choose smaller images",
        )


def _flat_batches(images: tf.data.Dataset, *, numbers: int, decode: Decode, decode_alike: Decode) -> Iterator[Floats]:
    """float64 (N, H * W * C) in [0, 1]: all images, batch after batch."""
    batches = by_batches(
        images,
        parts=lambda image_bytes: {"image": image_bytes},
        decode=decode,
        decode_alike=decode_alike,
        measure=lambda pixels: {"flat": tf.reshape(pixels, [-1, numbers])},
        batch_size=max(1, min(256, BATCH_NUMBERS // numbers)),
    )
    for batch in batches.prefetch(1):
        yield batch["flat"].numpy().astype(np.float64) / 255.0


def _constant(numbers: Floats) -> tf.Tensor:
    return tf.constant(numbers.ravel(), tf.float32)
