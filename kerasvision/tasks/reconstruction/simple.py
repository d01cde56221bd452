"""Simple models to compare with: the mean image, and principal components, the best code of a linear network.

Baldi & Hornik, 1989, https://doi.org/10.1016/0893-6080(89)90014-2: a linear autoencoder with a code of K numbers cannot have
a smaller squared error on its training images than their first K principal components.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from sklearn.decomposition import PCA

from kerasvision import config as c
from kerasvision.tasks.base import Baseline
from kerasvision.tasks.reconstruction.answers import ERROR, OF_DENOISED, count_of, with_noise
from kerasvision.tasks.reconstruction.errors import image_errors, mean_squared_error
from kerasvision.tasks.reconstruction.noise import numbers_of_seeds

Images = npt.NDArray[np.float32]
# Images float32 (N, side, side, C) in [0, 1] -> restored images of that shape.
Restore = Callable[[Images], Images]
# Of a network whose code is a map.
COMPONENTS = 64
BATCH_SIZE = 512


def simple_restorers(settings: c.Reconstruction) -> dict[str, Baseline]:
    """name -> a function from images, float32 (N, side, side, C), and their truth to one from images to answers.

    With noise, one of them answers with the noisy image itself.
    """
    size = settings.code_size or COMPONENTS
    models: dict[str, Callable[[Images], Restore]] = {
        "mean image": mean_image,
        f"PCA, {size} components": partial(principal_components, size=size),
    }
    if settings.noise is not None:
        models["the noisy image itself"] = unchanged
    return {name: partial(_baseline, fit=fit, settings=settings) for name, fit in models.items()}


def mean_image(images: Images) -> Restore:
    """Restores every image as the mean of the training images, float32 (N, side, side, C)."""
    mean = images.mean(axis=0)
    return lambda asked: np.broadcast_to(mean, asked.shape)


def principal_components(images: Images, *, size: int) -> Restore:
    """Restores an image from its projections on the first `size` principal components of the training images.

    There are at most as many components as images, and as numbers in an image.
    """
    shape = images.shape[1:]
    flat = images.reshape(len(images), -1)
    machine = PCA(min(size, *flat.shape), random_state=0).fit(flat)

    def restore(asked: Images) -> Images:
        restored = machine.inverse_transform(machine.transform(asked.reshape(len(asked), -1)))
        found: Images = np.clip(restored, 0, 1).reshape(-1, *shape).astype(np.float32)
        return found

    return restore


def unchanged(images: Images) -> Restore:
    """Answers with the image that it receives."""
    return lambda asked: np.clip(asked, 0, 1)


def _baseline(
    images: Images, truth: npt.NDArray[Any], *, fit: Callable[[Images], Restore], settings: c.Reconstruction
) -> Callable[[Images], dict[str, npt.NDArray[Any]]]:
    restore = fit(images)

    def answers(asked: Images) -> dict[str, npt.NDArray[Any]]:
        starts = range(0, len(asked), BATCH_SIZE)
        batches = [_answers(asked[start : start + BATCH_SIZE], start, restore, settings) for start in starts]
        return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}

    return answers


def _answers(seen: Images, first: int, restore: Restore, settings: c.Reconstruction) -> dict[str, npt.NDArray[Any]]:
    """What `judging.kept_answers` reads, for images whose noise has the seeds `first` and the following."""
    images = tf.constant(seen)
    found = {name: value.numpy() for name, value in image_errors(images, tf.constant(restore(seen))).items()}
    kept = {ERROR: found["mse"], "mae": found["mae"], "ssim": found["ssim"]}
    if settings.noise is None:
        return kept
    seeds = tf.range(first, first + len(seen), dtype=tf.int64)
    noisy = with_noise(images, numbers_of_seeds(seeds, seed=settings.noise_seed, count=count_of(images)), settings)
    denoised = image_errors(images, tf.constant(restore(noisy.numpy())))
    of_noisy = mean_squared_error(images, tf.clip_by_value(noisy, 0.0, 1.0))
    measures = {**{f"denoised_{name}": value for name, value in denoised.items()}, "noisy_mse": of_noisy}
    return {**kept, **{name: measures[name].numpy() for name in OF_DENOISED}}
