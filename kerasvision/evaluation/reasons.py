"""Where in an image the reasons for an answer lie, for the page: Grad-CAM of what the task asks about some rows."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from PIL import Image

from kerasvision.data.examples import EncodedExample, ExampleSet
from kerasvision.data.measuring.contact_sheets import THUMBNAIL_SIDE, chosen_examples, thumbnail_url
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.models.inside import inside, last_maps
from kerasvision.models.saved import load_network
from kerasvision.ops.attribution import grad_cam
from kerasvision.ops.images import decode_image
from kerasvision.tasks.base import Task
from kerasvision.tasks.heat import painted_where_seen

# id of an example -> (what is explained, data URL of the image with the places that speak for it).
Reasons = Mapping[str, tuple[tuple[str, str], ...]]


def reasons(rows: pd.DataFrame, *, task: Task, network: Path, examples: ExampleSet, transform: ImageTransform) -> Reasons:
    """Pictures of the places that speak for what the task asks about these rows.

    Empty if the task asks nothing, or if the network has no maps, as a linear one.

    Args:
        rows: some rows of a judgement.
        task: says what is explained.
        network: the `.keras` file of the trained network. It is loaded only if something is explained.
        examples: where the images are.
        transform: makes the network's input of an image.

    Raises:
        ExportError: the network's file is damaged.
    """
    asked = {row["id"]: questions for _, row in rows.iterrows() if (questions := task.reasons(row))}
    if not asked:
        return {}
    model = load_network(network)
    try:
        looked_into = inside(model, last_maps(model))
    except ConfigError:
        return {}

    def shown(example: EncodedExample) -> tuple[tuple[str, str], ...]:
        texts, numbers = zip(*asked[example["id"].decode()], strict=True)
        pictures = _pictures(tf.constant(example["image"]), numbers, looked_into=looked_into, transform=transform)
        return tuple(zip(texts, map(thumbnail_url, pictures), strict=True))

    return {example["id"].decode(): shown(example) for example in chosen_examples(examples, asked)}


def _pictures(
    data: tf.Tensor, numbers: Sequence[int], *, looked_into: keras.Model, transform: ImageTransform
) -> Iterator[np.ndarray]:
    """For each number of the network's output, the image, uint8 (h, w, 3), with the places that raise it."""
    pixels, placement, size = transform.placed(data)
    scaled = tf.repeat(transform.scaled(pixels)[tf.newaxis], len(numbers), axis=0)
    paint = partial(
        painted_where_seen,
        _thumbnail(data, significant_bits=transform.settings.significant_bits),
        placement=placement,
        size=tuple(size.numpy()),
        frame=transform.settings.image_size,
        least_side=THUMBNAIL_SIDE,
    )
    for heat in grad_cam(lambda images: looked_into(images, training=False), scaled, numbers):
        yield np.asarray(paint(heat))


def _thumbnail(data: tf.Tensor, *, significant_bits: int) -> Image.Image:
    """The upright image in RGB; a larger one is reduced to a longer side of `THUMBNAIL_SIDE`."""
    pixels = decode_image(data, color_mode="rgb", significant_bits=significant_bits).numpy()
    image = Image.fromarray(pixels)
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BOX)
    return image
