"""What a saved model with `export.test_time` consists of: a network over views, and the transform to what it takes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import keras
import tensorflow as tf

from kerasvision.config.evaluation import TEN_CROP
from kerasvision.data.transform import ImageTransform
from kerasvision.ops.views import View, ten_crop, views
from kerasvision.tasks.base import Task


class Answering(NamedTuple):
    """A network, and the transform that makes its input of an encoded image."""

    network: keras.Model
    transform: ImageTransform


def over_views(model: keras.Model, *, task: Task, transform: ImageTransform, test_time: Sequence[str]) -> Answering:
    """The network whose answers are means over the views with these names; without names, the same network.

    With "ten_crop" it takes the whole picture, of which `crop_fraction` keeps the middle, with pixels in [0, 255]; every
    crop is scaled as the network expects it.

    Args:
        model: the trained network.
        task: says how answers are averaged.
        transform: the transform that the network was trained with.
        test_time: names of views.

    Raises:
        ConfigError: answers of this task have no average.
    """
    if TEN_CROP in test_time:
        larger = transform.enlarged()
        crops = ten_crop(larger.settings.image_size, transform.settings.image_size)
        return Answering(task.over_views(model, [_scaled(crop, transform) for crop in crops]), larger)
    named = [view for name in test_time for view in views(name)]
    return Answering(task.over_views(model, named) if named else model, transform)


def _scaled(crop: View, transform: ImageTransform) -> View:
    def pixels(pictures: tf.Tensor) -> tf.Tensor:
        return transform.scaled(crop(pictures))

    return replace(crop, pixels=pixels)
