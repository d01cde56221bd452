"""The one function from image bytes to the network's input, in training, evaluation and serving alike."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import tensorflow as tf

from kerasvision.config.experiment import Transform
from kerasvision.errors import DataError
from kerasvision.ops.images import decode_image, resize_image

# Resizing and summing leave up to 1e-7 where every pixel is the same.
LEAST_DEVIATION = 1e-6


@dataclass(frozen=True)
class ImageTransform:
    """Decode, resize, scale. Built of stock TensorFlow operations, so that it can be exported.

    Attributes:
        settings: size, colour, scale.
        offset: per channel, subtracted from pixels in [0, 1].
        divisor: per channel, what the difference is divided by.
    """

    settings: Transform
    offset: tuple[float, ...]
    divisor: tuple[float, ...]

    @classmethod
    def fit(cls, settings: Transform, images: tf.data.Dataset) -> Self:
        """The transform whose statistics are those of the given images, which must be the training images alone.

        Args:
            settings: size, colour, scale.
            images: string scalars, encoded.

        Raises:
            DataError: `standardize`, and a channel is the same in every pixel.
        """
        channels = settings.image_shape[-1]
        if settings.scale == "zero_to_one":
            return cls(settings, (0.0,) * channels, (1.0,) * channels)
        if settings.scale == "minus_one_to_one":
            return cls(settings, (0.5,) * channels, (0.5,) * channels)
        mean, deviation = _mean_and_deviation(settings, images)
        if settings.scale == "zero_mean":
            return cls(settings, mean, (1.0,) * channels)
        if min(deviation) < LEAST_DEVIATION:
            raise DataError(
                "standardize divides by the deviation of every channel", received=deviation, hint="use zero_mean"
            )
        return cls(settings, mean, deviation)

    def pixels(self, image_bytes: tf.Tensor) -> tf.Tensor:
        """float32 (H, W, C) in [0, 255]: decoded and resized, not yet scaled. Augmentation happens here."""
        image = decode_image(image_bytes, color_mode=self.settings.color_mode)
        return resize_image(image, image_size=self.settings.image_size, fit=self.settings.fit)

    def scaled(self, pixels: tf.Tensor) -> tf.Tensor:
        """float32 of the same shape: pixels in [0, 255] as the network expects them."""
        offset, divisor = tf.constant(self.offset, tf.float32), tf.constant(self.divisor, tf.float32)
        return (pixels / 255.0 - offset) / divisor

    def __call__(self, image_bytes: tf.Tensor) -> tf.Tensor:
        """float32 (H, W, C): bytes to the network's input."""
        return self.scaled(self.pixels(image_bytes))

    def save(self, file: Path) -> None:
        """Writes settings and fitted numbers as JSON."""
        data = {"settings": self.settings.to_data(), "offset": self.offset, "divisor": self.divisor}
        file.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Self:
        """What `save` wrote."""
        data = json.loads(file.read_text(encoding="utf-8"))
        return cls(Transform.parse(data["settings"]), tuple(data["offset"]), tuple(data["divisor"]))


def _mean_and_deviation(
    settings: Transform, images: tf.data.Dataset
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Per channel over all pixels of all images, in [0, 1]; summed in float64, so that the count does not matter."""
    plain = ImageTransform(settings, (), ())

    def sums(image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        unit = tf.cast(plain.pixels(image_bytes), tf.float64) / 255.0
        return tf.reduce_mean(unit, axis=(0, 1)), tf.reduce_mean(unit**2, axis=(0, 1))

    channels, count = settings.image_shape[-1], 0
    mean, square = tf.zeros(channels, tf.float64), tf.zeros(channels, tf.float64)
    for image_mean, image_square in images.map(sums, num_parallel_calls=tf.data.AUTOTUNE).batch(256):
        mean += tf.reduce_sum(image_mean, axis=0)
        square += tf.reduce_sum(image_square, axis=0)
        count += int(image_mean.shape[0])
    mean, square = mean / count, square / count
    deviation = tf.sqrt(tf.maximum(square - mean**2, 0.0))
    return tuple(mean.numpy().tolist()), tuple(deviation.numpy().tolist())
