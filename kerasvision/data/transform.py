"""The one function from image bytes to the network's input, shared by training, evaluation and serving."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kerasvision.config.experiment import Transform
from kerasvision.data.by_batches import by_batches
from kerasvision.data.resized_maps import place_map
from kerasvision.data.resized_objects import place_objects
from kerasvision.data.tensors import Tensors
from kerasvision.errors import DataError
from kerasvision.ops.alike import decode_alike
from kerasvision.ops.images import decode_image, decode_part, open_image
from kerasvision.ops.resize import Placement, fitted, moved, needed_part, place_image, place_masks, resize_image
from kerasvision.ops.tracing import without_autograph

# If every pixel is the same, resizing and summing still leave a deviation of up to 1e-7.
LEAST_DEVIATION = 1e-6


def rows_at_once(image_size: tuple[int, int], *, most: int, pixels: int) -> int:
    """How many images a network receives at once, at least 1: the memory for its maps grows with their pixels.

    Args:
        image_size: height and width of each.
        most: the result for small images.
        pixels: the most pixels of all images together.

    >>> rows_at_once((32, 32), most=64, pixels=2**20), rows_at_once((512, 512), most=64, pixels=2**20)
    (64, 4)
    """
    height, width = image_size
    return max(1, min(most, pixels // (height * width)))


@dataclass(frozen=True)
class ImageTransform:
    """Decode, resize, scale. It uses stock TensorFlow operations, so that it can be exported.

    Attributes:
        settings: size, colour, scale.
        offset: per channel, subtracted from pixels in [0, 1].
        divisor: per channel, or with `whiten` per axis: the difference is divided by it.
        axes: with `whiten`, the principal axes of colour, unit vectors from the largest deviation to the smallest; the
            difference is projected on them before the division. Otherwise empty.
    """

    settings: Transform
    offset: tuple[float, ...]
    divisor: tuple[float, ...]
    axes: tuple[tuple[float, ...], ...] = ()

    @classmethod
    def fit(cls, settings: Transform, images: tf.data.Dataset) -> Self:
        """The transform with the statistics of the given images, which must be the training images only.

        Source of `whiten`: principal component analysis of colour, Krizhevsky et al., 2012, section 4.1, who draw noise
        along these axes; dividing by the deviations: https://cs231n.github.io/neural-networks-2/, "PCA and Whitening".

        Args:
            settings: size, colour, scale.
            images: string scalars, encoded.

        Raises:
            DataError: with `standardize` a channel, or with `whiten` a mixture of channels, is the same in every pixel.
        """
        channels = settings.image_shape[-1]
        if settings.scale == "zero_to_one":
            return cls(settings, (0.0,) * channels, (1.0,) * channels)
        if settings.scale == "minus_one_to_one":
            return cls(settings, (0.5,) * channels, (0.5,) * channels)
        mean, covariance = _mean_and_covariance(settings, images)
        if settings.scale == "zero_mean":
            return cls(settings, _floats(mean), (1.0,) * channels)
        axes = _principal_axes(covariance) if settings.scale == "whiten" and channels > 1 else np.eye(channels)
        deviation = _floats(np.sqrt(np.maximum(np.diag(axes @ covariance @ axes.T), 0.0)))
        if min(deviation) < LEAST_DEVIATION:
            along = "channel" if settings.scale == "standardize" else "principal axis of colour"
            raise DataError(
                f"{settings.scale} divides by the deviation of every {along}", received=deviation, hint="use zero_mean"
            )
        kept = tuple(map(_floats, axes)) if settings.scale == "whiten" and channels > 1 else ()
        return cls(settings, _floats(mean), deviation, kept)

    @without_autograph
    def prepared(self, example: Tensors) -> Tensors:
        """An example of an ExampleSet with pixels instead of bytes; its objects and its label map move with them.

        "image" string scalar becomes float32 (H, W, C) in [0, 255]; "objects" are those of `place_objects`, and "label_map"
        is that of `place_map`. If objects have masks and images are padded, "covered" bool (H, W) says where the image lies.
        """
        pixels, placement, size = self.placed(example["image"])
        prepared = {**example, "image": pixels}
        if "objects" in example:
            prepared["objects"] = place_objects(example["objects"], size, placement, image_size=self.settings.image_size)
            if self.settings.fit == "pad" and "mask" in example["objects"]:
                whole = tf.ones(tf.concat([[1], size], axis=0), tf.bool)
                covered = place_masks(whole, placement, image_size=self.settings.image_size)[0]
                prepared["covered"] = tf.ensure_shape(covered, self.settings.image_size)
        if "label_map" in example:
            prepared["label_map"] = place_map(example["label_map"], placement, image_size=self.settings.image_size)
        return prepared

    @without_autograph
    def placed(self, image_bytes: tf.Tensor) -> tuple[tf.Tensor, Placement, tf.Tensor]:
        """What `pixels` returns, where in it the whole upright image lies, and int32 (2,), the image's height and width."""
        pixels, placement, of_whole, size = self._decoded(image_bytes)
        return place_image(pixels, placement, image_size=self.settings.image_size), of_whole, size

    def pixels(self, image_bytes: tf.Tensor) -> tf.Tensor:
        """float32 (H, W, C) in [0, 255]: decoded and resized, not yet scaled. Augmentation changes these pixels."""
        return self.prepared({"image": image_bytes})["image"]

    def pixels_alike(self, files: tf.Tensor) -> tf.Tensor:
        """float32 (N, H, W, C): the `pixels` of string (N,), files for which `kerasvision.ops.alike.are_alike` is true."""
        decoded = decode_alike(files, color_mode=self.settings.decoding["color_mode"])
        fit, crop_fraction = self.settings.fit, self.settings.crop_fraction
        return resize_image(decoded, image_size=self.settings.image_size, fit=fit, crop_fraction=crop_fraction)

    @without_autograph
    def scaled(self, pixels: tf.Tensor) -> tf.Tensor:
        """Pixels float32 (..., H, W, C) in [0, 255], scaled for the network: float32 of the same shape."""
        factor, shift = self._factor_and_shift()
        if self.axes:
            pixels = tf.tensordot(pixels, tf.constant(np.diag(factor) @ self.axes, tf.float32), [[-1], [1]])
        elif len(set(factor)) == 1:
            pixels = pixels * tf.constant(factor[0], tf.float32)
        else:
            pixels = self._per_channel(tf.multiply, pixels, factor)
        return self._per_channel(tf.add, pixels, shift) if any(shift) else pixels

    @without_autograph
    def __call__(self, image_bytes: tf.Tensor) -> tf.Tensor:
        """From bytes, string scalar, to the network's input, float32 (H, W, C)."""
        return self.scaled(self.pixels(image_bytes))

    def save(self, file: Path) -> None:
        """Writes settings and fitted numbers as JSON."""
        data = {"settings": self.settings.to_data(), "offset": self.offset, "divisor": self.divisor, "axes": self.axes}
        file.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Self:
        """The transform that `save` wrote."""
        data = json.loads(file.read_text(encoding="utf-8"))
        axes = tuple(tuple(axis) for axis in data.get("axes", ()))
        return cls(Transform.parse(data["settings"]), tuple(data["offset"]), tuple(data["divisor"]), axes)

    def _decoded(self, image_bytes: tf.Tensor) -> tuple[tf.Tensor, Placement, Placement, tf.Tensor]:
        """The pixels that are needed, their placement, the placement of the whole image, and its size."""
        settings, image_size = self.settings, self.settings.image_size
        if settings.fit != "crop":
            pixels = decode_image(image_bytes, **settings.decoding)
            size = tf.shape(pixels)[:2]
            placement = fitted(size, image_size=image_size, fit=settings.fit, crop_fraction=settings.crop_fraction)
            return pixels, placement, placement, size
        image = open_image(image_bytes, **settings.decoding)
        placement = fitted(image.size, image_size=image_size, fit="crop", crop_fraction=settings.crop_fraction)
        part = needed_part(image.size, placement, image_size=image_size)
        return decode_part(image, part), moved(placement, part), placement, image.size

    def _factor_and_shift(self) -> tuple[list[float], list[float]]:
        """Per channel, or per axis: project, multiply by the factor and add the shift, and the attributes' rule is met."""
        offset, divisor = np.asarray(self.offset), np.asarray(self.divisor)
        if self.axes:
            offset = np.asarray(self.axes) @ offset
        return (1.0 / (255.0 * divisor)).tolist(), (-offset / divisor).tolist()

    def _per_channel(
        self, operation: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], pixels: tf.Tensor, numbers: list[float]
    ) -> tf.Tensor:
        # One row of the image at a time: repeating three numbers over the last axis takes eight times as long.
        _, width, channels = self.settings.image_shape
        rows = tf.reshape(pixels, [-1, width * channels])
        result = operation(rows, tf.constant(numbers * width, tf.float32))
        return tf.ensure_shape(tf.reshape(result, tf.shape(pixels)), pixels.shape)


def _mean_and_covariance(settings: Transform, images: tf.data.Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """float64 (C,) and (C, C) over all pixels of all images, in [0, 1]. In float64 even many images sum precisely."""
    plain = ImageTransform(settings, (), ())
    channels = settings.image_shape[-1]

    def moments(pixels: tf.Tensor) -> Tensors:
        shape = tf.shape(pixels)
        unit = tf.reshape(tf.cast(pixels, tf.float64) / 255.0, [shape[0], -1, channels])
        square = tf.matmul(unit, unit, transpose_a=True) / tf.cast(shape[1] * shape[2], tf.float64)
        return {"mean": tf.reduce_mean(unit, axis=1), "square": square}

    batches = by_batches(
        images,
        parts=lambda image_bytes: {"image": image_bytes},
        decode=plain.pixels,
        decode_alike=plain.pixels_alike,
        measure=moments,
        batch_size=256,
    )
    count, mean, square = 0, np.zeros(channels), np.zeros((channels, channels))
    for batch in batches.prefetch(1):
        mean += batch["mean"].numpy().sum(axis=0)
        square += batch["square"].numpy().sum(axis=0)
        count += len(batch["mean"])
    mean, square = mean / count, square / count
    return mean, square - np.outer(mean, mean)


def _principal_axes(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors as rows, from the largest deviation to the smallest. The largest component of each is positive."""
    _, vectors = np.linalg.eigh(covariance)
    axes = vectors.T[::-1]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, np.newaxis], axis=1)
    turned: NDArray[np.float64] = axes * np.sign(largest)
    return turned


def _floats(numbers: np.ndarray) -> tuple[float, ...]:
    return tuple(np.asarray(numbers).tolist())
