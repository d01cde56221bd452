"""The one function from image bytes to the network's input, shared by training, evaluation and serving."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import tensorflow as tf

from kerasvision.config.preparing import Transform
from kerasvision.data.colours import mean_and_covariance, principal_axes
from kerasvision.data.resized_maps import place_map
from kerasvision.data.resized_objects import place_objects
from kerasvision.data.tensors import Tensors
from kerasvision.data.whole_images import LEAST_DEVIATION, WholeImages, fit_whole_images
from kerasvision.errors import ConfigError, DataError
from kerasvision.ops.alike import decode_alike
from kerasvision.ops.images import decode_image
from kerasvision.ops.reduced import place_part
from kerasvision.ops.resize import Placement, fitted, needed_part, place_image, place_masks, resize_image
from kerasvision.ops.tracing import without_autograph
from kerasvision.ops.working import open_working


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
        whole: the numbers of whole images that replace offset, divisor and axes where the scale has some for each pixel.
    """

    settings: Transform
    offset: tuple[float, ...]
    divisor: tuple[float, ...]
    axes: tuple[tuple[float, ...], ...] = ()
    whole: WholeImages | None = None

    def __post_init__(self) -> None:
        if self.whole is not None and self.whole.shape != self.settings.image_shape:
            raise ConfigError(
                f"the scale {self.settings.scale_name} was fitted to images of the shape {self.whole.shape}, and other "
                "images have other pixels",
                received=self.settings.image_shape,
                hint="fit it again, or choose a scale that is the same for every pixel, such as standardize",
            )

    @classmethod
    def fit(cls, settings: Transform, images: tf.data.Dataset) -> Self:
        """The transform with the statistics of the given images, which must be the training images only.

        Source of `whiten`: principal component analysis of colour, Krizhevsky et al., 2012, section 4.1, who draw noise
        along these axes; dividing by the deviations: https://cs231n.github.io/neural-networks-2/, "PCA and Whitening".

        Args:
            settings: size, colour, scale.
            images: string scalars, encoded.

        Raises:
            DataError: with `standardize` a channel, or with `whiten` a mixture of channels, is the same in every pixel; or
                whole images cannot be whitened, see `fit_whole_images`.
        """
        channels = settings.image_shape[-1]
        if settings.scale in ("zero_to_one", "per_image"):
            return cls(settings, (0.0,) * channels, (1.0,) * channels)
        if settings.scale == "minus_one_to_one":
            return cls(settings, (0.5,) * channels, (0.5,) * channels)
        plain = cls(settings, (), ())
        decoding = {"decode": plain.pixels, "decode_alike": plain.pixels_alike}
        if settings.is_of_whole_images:
            whole = fit_whole_images(settings.scale, images, image_shape=settings.image_shape, **decoding)
            return cls(settings, (), (), whole=whole)
        mean, covariance = mean_and_covariance(images, channels=channels, **decoding)
        if settings.scale == "zero_mean":
            return cls(settings, _floats(mean), (1.0,) * channels)
        axes = principal_axes(covariance) if settings.scale == "whiten" and channels > 1 else np.eye(channels)
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
        pixels, placement, size, _ = self._placed(example["image"])
        prepared = {**example, "image": pixels}
        if "objects" in example:
            prepared["objects"] = place_objects(example["objects"], size, placement, image_size=self.settings.image_size)
            if self.settings.fit == "pad" and "mask" in example["objects"]:
                whole = tf.ones(tf.concat([[1], size], axis=0), tf.bool)
                covered = place_masks(whole, placement, image_size=self.settings.image_size)[0]
                prepared["covered"] = tf.ensure_shape(covered, self.settings.image_size)
        if "label_map" in example:
            prepared["label_map"] = place_map(example["label_map"], size, placement, image_size=self.settings.image_size)
        return prepared

    @without_autograph
    def placed(self, image_bytes: tf.Tensor) -> tuple[tf.Tensor, Placement, tf.Tensor]:
        """What `pixels` returns, where in it the whole upright image lies, and int32 (2,), the image's height and width."""
        pixels, placement, size, file_size = self._placed(image_bytes)
        if self.settings.working_side is not None:
            reduced_by = tf.cast(size, tf.float32) / tf.cast(file_size, tf.float32)
            placement = Placement(placement.scale * reduced_by, placement.translation)
        return pixels, placement, file_size

    def _placed(self, image_bytes: tf.Tensor) -> tuple[tf.Tensor, Placement, tf.Tensor, tf.Tensor]:
        """The pixels; where the image of the working size lies in them; its height and width; and those of the file."""
        settings, image_size = self.settings, self.settings.image_size
        fit = partial(fitted, image_size=image_size, fit=settings.fit, crop_fraction=settings.crop_fraction)
        if settings.fit != "crop" and not settings.reduced_decoding and settings.working_side is None:
            pixels = decode_image(image_bytes, **settings.decoding)
            size = tf.shape(pixels)[:2]
            placement = fit(size)
            return place_image(pixels, placement, image_size=image_size), placement, size, size
        image = open_working(image_bytes, **settings.opening)
        placement = fit(image.size)
        part = needed_part(image.size, placement, image_size=image_size)
        pixels = place_part(image, part, placement, image_size=image_size)
        return pixels, placement, image.size, image.size if image.file_size is None else image.file_size

    def pixels(self, image_bytes: tf.Tensor) -> tf.Tensor:
        """float32 (H, W, C) in [0, 255]: decoded and resized, not yet scaled. Augmentation changes these pixels."""
        return self.prepared({"image": image_bytes})["image"]

    def pixels_alike(self, files: tf.Tensor) -> tf.Tensor:
        """float32 (N, H, W, C): the `pixels` of string (N,), files for which `kerasvision.ops.alike.are_alike` is true."""
        if self.settings.working_side is not None:
            shape = tf.TensorSpec(self.settings.image_shape, tf.float32)
            return tf.map_fn(self.pixels, files, fn_output_signature=shape)
        decoded = decode_alike(files, color_mode=self.settings.decoding["color_mode"])
        fit, crop_fraction = self.settings.fit, self.settings.crop_fraction
        return resize_image(decoded, image_size=self.settings.image_size, fit=fit, crop_fraction=crop_fraction)

    @without_autograph
    def scaled(self, pixels: tf.Tensor) -> tf.Tensor:
        """Pixels float32 (..., H, W, C) in [0, 255], scaled for the network: float32 of the same shape.

        "per_image" is TensorFlow's: an image less its own mean, over its own deviation, or 1 / sqrt(H W C) if that is more.
        """
        if self.whole is not None:
            return self.whole.scaled(pixels)
        if self.settings.scale == "per_image":
            return tf.image.per_image_standardization(pixels)
        factor, shift = self._factor_and_shift()
        if self.axes:
            pixels = tf.tensordot(pixels, tf.constant(np.diag(factor) @ self.axes, tf.float32), [[-1], [1]])
        elif len(set(factor)) == 1:
            pixels = pixels * tf.constant(factor[0], tf.float32)
        else:
            pixels = self._per_channel(tf.multiply, pixels, factor)
        return self._per_channel(tf.add, pixels, shift) if any(shift) else pixels

    @without_autograph
    def unscaled(self, images: tf.Tensor) -> tf.Tensor:
        """What `scaled` made of pixels, back as pixels: float32 (..., H, W, C), in [0, 255] if they were in that range."""
        values = images * tf.constant(self.divisor, tf.float32)
        if self.axes:
            # The axes are orthogonal unit vectors, so their transpose turns back.
            values = tf.tensordot(values, tf.constant(self.axes, tf.float32), [[-1], [0]])
        return (values + tf.constant(self.offset, tf.float32)) * 255.0

    @without_autograph
    def __call__(self, image_bytes: tf.Tensor) -> tf.Tensor:
        """From bytes, string scalar, to the network's input, float32 (H, W, C)."""
        return self.scaled(self.pixels(image_bytes))

    def without_scale(self) -> Self:
        """The same images, with pixels in [0, 1]."""
        channels = self.settings.image_shape[-1]
        settings = self.settings.model_copy(update={"scale": "zero_to_one"})
        return type(self)(settings, (0.0,) * channels, (1.0,) * channels)

    def enlarged(self) -> Self:
        """The transform to the whole picture, of which `crop_fraction` keeps the middle, with pixels in [0, 255].

        What is cut out of the picture is to be scaled by this transform.

        >>> settings = Transform(image_size=(224, 224), fit="crop", crop_fraction=0.875)
        >>> ImageTransform(settings, (0.0,) * 3, (1.0,) * 3).enlarged().settings.image_size
        (256, 256)
        """
        height, width = (round(side / self.settings.crop_fraction) for side in self.settings.image_size)
        settings = self.settings.model_copy(
            update={"image_size": (height, width), "crop_fraction": 1.0, "scale": "zero_to_one"}
        )
        channels = settings.image_shape[-1]
        return type(self)(settings, (0.0,) * channels, (1.0 / 255.0,) * channels)

    def save(self, file: Path) -> None:
        """Writes settings and fitted numbers as JSON, and numbers of whole images into a file `.npz` of the same name."""
        data = {"settings": self.settings.to_data(), "offset": self.offset, "divisor": self.divisor, "axes": self.axes}
        if self.whole is not None:
            self.whole.save(file.with_suffix(".npz"))
            data["whole_images"] = self.whole.facts
        file.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Self:
        """The transform that `save` wrote."""
        data = json.loads(file.read_text(encoding="utf-8"))
        axes = tuple(tuple(axis) for axis in data.get("axes", ()))
        whole = WholeImages.load(file.with_suffix(".npz")) if "whole_images" in data else None
        return cls(Transform.parse(data["settings"]), tuple(data["offset"]), tuple(data["divisor"]), axes, whole)

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


def _floats(numbers: np.ndarray) -> tuple[float, ...]:
    return tuple(np.asarray(numbers).tolist())
