"""The answers of a network that restores images: the restored image as a PNG, the code, and how far off it is."""

import keras
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.transform import ImageTransform
from kerasvision.tasks.base import ExtraSignature, Predictions
from kerasvision.tasks.reconstruction.errors import image_errors, mean_squared_error
from kerasvision.tasks.reconstruction.losses import CODE, RESTORED, scaled_image
from kerasvision.tasks.reconstruction.noise import noisy, numbers_of_seeds

ERROR, SEED = "error", "seed"
ERRORS_SIGNATURE, DENOISED_SIGNATURE = "errors", "denoised"
IMAGE_PNG, SEEN_PNG, NOISY_PNG, DENOISED_PNG = "image_png_bytes", "seen_png_bytes", "noisy_png_bytes", "denoised_png_bytes"
# Images, float32 (N, H, W, C) in [0, 1], that are answered as PNG where images are asked about as files.
PNGS = {RESTORED: IMAGE_PNG, "seen": SEEN_PNG, "noisy": NOISY_PNG, "denoised": DENOISED_PNG}
# The measures of `denoised`, by the names of an evaluation.
OF_DENOISED = ("denoised_mse", "denoised_mae", "denoised_ssim", "noisy_mse")
DESCRIPTIONS = {
    IMAGE_PNG: "the restored image as a PNG, at the size at which the network sees images",
    RESTORED: "the restored image, with values in [0, 1]",
    CODE: "the numbers that the image was restored from",
    ERROR: "the mean squared error of the restored image, with black at 0 and white at 1; large for unusual images",
}
_IMAGE = "the image as the network sees it, as a PNG"


class Restorer:
    """Restores scaled images, and measures in [0, 1].

    Args:
        model: the trained network.
        settings: which loss, and which noise.
        transform: how the images were scaled.
    """

    def __init__(self, model: keras.Model, *, settings: c.Reconstruction, transform: ImageTransform) -> None:
        self._model, self._settings, self._transform = model, settings, transform

    def answers(self, images: tf.Tensor) -> Predictions:
        """`code` float32 (N, K), `error` float32 (N,), `restored` float32 (N, H, W, C), of images float32 (N, H, W, C)."""
        outputs = self._model(images, training=False)
        restored = self._restored(outputs)
        return {
            CODE: tf.cast(outputs[CODE], tf.float32),
            ERROR: mean_squared_error(self.seen(images), restored),
            RESTORED: restored,
        }

    def errors(self, images: tf.Tensor) -> Predictions:
        """`mae` and `ssim` float32 (N,), and `seen` float32 (N, H, W, C): the images unscaled."""
        seen = self.seen(images)
        found = image_errors(seen, self._restored(self._model(images, training=False)))
        return {"mae": found["mae"], "ssim": found["ssim"], "seen": seen}

    def denoised(self, images: tf.Tensor, *, seed: tf.Tensor) -> Predictions:
        """What is restored from noisy images: `noisy` and `denoised` float32 (N, H, W, C), and `OF_DENOISED` float32 (N,).

        Args:
            images: float32 (N, H, W, C), scaled.
            seed: int64 (N,), of the noise of each image.
        """
        seen = self.seen(images)
        with_noise = self.with_noise(seen, numbers_of_seeds(seed, seed=self._settings.noise_seed, count=count_of(images)))
        denoised = self._restored(self._model(self._transform.scaled(255.0 * with_noise), training=False))
        found = image_errors(seen, denoised)
        shown = tf.clip_by_value(with_noise, 0.0, 1.0)
        return {
            **{f"denoised_{name}": value for name, value in found.items()},
            "noisy_mse": mean_squared_error(seen, shown),
            "noisy": shown,
            "denoised": denoised,
        }

    def seen(self, images: tf.Tensor) -> tf.Tensor:
        """Scaled images in [0, 1], float32 (N, H, W, C)."""
        return self._transform.unscaled(images) / 255.0

    def with_noise(self, seen: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """Images in [0, 1] with the noise of the settings, from random numbers float32 (N, H * W * C)."""
        return with_noise(seen, numbers, self._settings)

    def _restored(self, outputs: Predictions) -> tf.Tensor:
        scaled = scaled_image(outputs[RESTORED], loss=self._settings.loss)
        return tf.clip_by_value(self._transform.unscaled(scaled) / 255.0, 0.0, 1.0)


def with_noise(seen: tf.Tensor, numbers: tf.Tensor, settings: c.Reconstruction) -> tf.Tensor:
    """Images float32 (N, H, W, C) in [0, 1] with the noise of the settings; without noise, the same images."""
    return seen if settings.noise is None else noisy(seen, numbers, kind=settings.noise, amount=settings.amount)


def count_of(images: tf.Tensor) -> int:
    """How many numbers an image of (N, H, W, C) has."""
    height, width, channels = images.shape[1:]
    return int(height * width * channels)


def extra_signatures(restorer: Restorer, *, settings: c.Reconstruction) -> dict[str, ExtraSignature]:
    """`errors`: more measures of the restored image; with noise `denoised`: what is restored from the image with noise."""
    found = {
        ERRORS_SIGNATURE: ExtraSignature(
            {},
            restorer.errors,
            {
                "mae": "the mean absolute error of the restored image, with black at 0 and white at 1",
                "ssim": "the structural similarity of the restored image, at most 1",
                SEEN_PNG: _IMAGE,
            },
        )
    }
    if settings.noise is None:
        return found

    def denoised(images: tf.Tensor, *, seed: tf.Tensor) -> Predictions:
        return restorer.denoised(images, seed=seed)

    descriptions = {
        SEED: "which noise is added to each image",
        NOISY_PNG: f"{_IMAGE}, with {settings.noise.replace('_', ' ')} noise of {settings.amount:g}",
        DENOISED_PNG: "what was restored from it",
        "denoised_mse": "the mean squared error of what was restored, against the image without noise",
        "denoised_mae": "the mean absolute error of the same",
        "denoised_ssim": "the structural similarity of the same",
        "noisy_mse": "the mean squared error of the noisy image",
    }
    return {**found, DENOISED_SIGNATURE: ExtraSignature({SEED: tf.TensorSpec([None], tf.int64)}, denoised, descriptions)}


def placed_back(answers: Predictions) -> Predictions:
    """The answers with a PNG, string (N,), in place of each image in [0, 1]."""
    return {PNGS.get(name, name): _pngs(value) if name in PNGS else value for name, value in answers.items()}


def _pngs(images: tf.Tensor) -> tf.Tensor:
    steps = tf.cast(tf.round(255.0 * images), tf.uint8)
    return tf.map_fn(tf.io.encode_png, steps, fn_output_signature=tf.string)
