"""Pictures of what a network makes: samples, images between two codes, restored images, and the nearest training images."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from matplotlib.figure import Figure
from PIL import Image

from kerasvision import config as c
from kerasvision.models.generators import label_count
from kerasvision.tasks.base import Judgement, Lessons
from kerasvision.tasks.generation.answers import samples_of
from kerasvision.tasks.generation.noise import noise_of_samples
from kerasvision.tasks.generation.reference import Reference

Pixels = npt.NDArray[np.uint8]
ROWS, COLUMNS, STEPS = 6, 10, 10
MOST_CLASSES = 20
# Between the pictures of a sheet, in pixels.
GAP, GREY = 2, 128
# A picture on a page is at least this many pixels wide for each image.
LEAST_SIDE, DPI = 56, 100
PAIRS = 20


def sheet(pictures: Pixels, *, columns: int) -> Pixels:
    """One picture of N images, uint8 (N, H, W, C), row by row, with grey lines between them: uint8 (height, width, C).

    >>> sheet(np.zeros((3, 4, 5, 1), np.uint8), columns=2).shape  # the place of a fourth image is grey
    (10, 12, 1)
    """
    count, height, width, channels = pictures.shape
    rows = -(-count // columns)
    made = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, channels), GREY, np.uint8)
    for place, picture in enumerate(pictures):
        top, left = place // columns * (height + GAP), place % columns * (width + GAP)
        made[top : top + height, left : left + width] = picture
    return made


def epoch_picture(network: keras.Model, *, settings: c.Generation) -> Callable[[], Pixels]:
    """A function that draws samples with the network's weights at the time, always of the same noise and classes.

    With classes, a column has one class (the first 20), and a row has one noise.
    """
    samples, count = samples_of(network, settings=settings), min(label_count(network), MOST_CLASSES)
    noise, labels = _fixed(settings.latent_size, rows=ROWS, columns=count or COLUMNS, classes=label_count(network))
    draw = tf.function(lambda: samples(noise, labels), autograph=False)
    return lambda: sheet(as_pixels(draw()), columns=count or COLUMNS)


def taught(
    network: keras.Model, images: npt.NDArray[np.float32], inputs: Sequence[tf.Tensor], *, settings: c.Generation
) -> Lessons:
    """The plots of a trained network: samples, the way between two codes, and with `elbo` restored training images.

    Args:
        network: trained.
        images: some training images, float32 (N, H, W, C) in [0, 255].
        inputs: of the network for these images: images, noise float32 (N, Z), and perhaps labels.
        settings: of the task.
    """
    samples, classes = samples_of(network, settings=settings), label_count(network)
    figures = {"Samples": sheet_figure(epoch_picture(network, settings=settings)(), width=classes or COLUMNS)}
    way = as_pixels(_between(samples, size=settings.latent_size, classes=classes))
    figures["From one code to another"] = sheet_figure(sheet(way, columns=STEPS), width=STEPS)
    if settings.loss == "elbo":
        given, noise, *labels = inputs
        restored = as_pixels(network([given, tf.zeros_like(noise), *labels], training=False)["picture"])
        pairs = np.concatenate([images[:COLUMNS].round().astype(np.uint8), restored[:COLUMNS]])
        columns = len(pairs) // 2
        figures["Training images, and restored from their codes"] = sheet_figure(
            sheet(pairs, columns=columns), width=columns
        )
    return Lessons(figures)


def judged_figures(judgement: Judgement, *, reference: Reference | None) -> dict[str, Figure]:
    """Some samples, and below each the training image that is nearest to it."""
    if reference is None or "sample_png" not in judgement.rows:
        return {}
    some = judgement.rows.iloc[np.linspace(0, len(judgement.rows) - 1, min(PAIRS, len(judgement.rows))).round().astype(int)]
    places = {name: place for place, name in enumerate(reference.train.ids)}
    near = reference.train.pixels[[places[name] for name in some["nearest"]]]
    samples = np.stack([_decoded(file).reshape(near.shape[1:]) for file in some["sample_png"]])
    blocks = [part[start : start + COLUMNS] for start in range(0, len(some), COLUMNS) for part in (samples, near)]
    filled = [np.concatenate([one, np.full((COLUMNS - len(one), *one.shape[1:]), GREY, np.uint8)]) for one in blocks]
    whole = sheet(np.concatenate(filled), columns=COLUMNS)
    return {"Samples, and the nearest training image below each": sheet_figure(whole, width=COLUMNS)}


def sheet_figure(picture: Pixels, *, width: int) -> Figure:
    """A plot that shows a sheet of `width` images in a row, enlarged by a whole number if they are small."""
    scale = max(1, -(-LEAST_SIDE * width // picture.shape[1]))
    large = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    height, wide, channels = large.shape
    figure = Figure(figsize=(wide / DPI, height / DPI), dpi=DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(np.broadcast_to(large, (height, wide, 3)) if channels == 1 else large, interpolation="nearest")
    return figure


def as_pixels(pictures: Any) -> Pixels:
    """uint8 (N, H, W, C) of images float32 in [0, 1]."""
    pixels: Pixels = np.rint(np.clip(np.asarray(pictures, np.float32), 0, 1) * 255).astype(np.uint8)
    return pixels


def _fixed(size: int, *, rows: int, columns: int, classes: int) -> tuple[tf.Tensor, tf.Tensor | None]:
    """The noise of rows * columns samples of seed 0, and their one-hot labels; without classes each has its own noise."""
    places = np.arange(rows * columns, dtype=np.int64)
    numbers = places // columns if classes else places
    noise = noise_of_samples(tf.zeros_like(numbers), tf.constant(numbers), size=size)
    return noise, tf.one_hot(places % columns, classes) if classes else None


def _between(samples: Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor], *, size: int, classes: int) -> tf.Tensor:
    """For each of six pairs of noises the images of ten on the way: (1 - t) a + t b, brought to the usual length.

    The noises between are scaled to sqrt(|a|^2 (1 - t) + |b|^2 t): a mean of two normal vectors is shorter than both, and
    such a noise is one that the network has hardly seen (White, 2016, https://arxiv.org/abs/1609.04468, section 2.1).
    """
    ends = noise_of_samples(tf.zeros(2 * ROWS, tf.int64), tf.range(2 * ROWS, dtype=tf.int64), size=size).numpy()
    one, other = ends[::2, None], ends[1::2, None]
    share = np.linspace(0, 1, STEPS, dtype=np.float32)[None, :, None]
    mixed = (1 - share) * one + share * other
    wanted = (1 - share) * np.square(one).sum(-1, keepdims=True) + share * np.square(other).sum(-1, keepdims=True)
    noise = mixed * np.sqrt(wanted / np.square(mixed).sum(-1, keepdims=True))
    labels = tf.one_hot(np.repeat(np.arange(ROWS), STEPS) % classes, classes) if classes else None
    return samples(tf.constant(noise.reshape(-1, size)), labels)


def _decoded(file: bytes) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(file)))
