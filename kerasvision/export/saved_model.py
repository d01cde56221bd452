"""A SavedModel from image bytes to answers: transform, network and labels in one graph of stock TensorFlow operations."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

from kerasvision.data.transform import ImageTransform
from kerasvision.tasks.base import Predictions, Task

BYTES_SIGNATURE = "serving_default"
TENSOR_SIGNATURE = "serve_tensor"


def export_saved_model(model: keras.Model, *, task: Task, transform: ImageTransform, folder: Path) -> None:
    """Writes a SavedModel that loads with TensorFlow alone.

    Signatures, each with a free batch dimension and the task's named outputs:
        `serving_default(image_bytes: string [None])`: encoded images.
        `serve_tensor(image: float32 [None, H, W, C])`: decoded images of the network's size, pixels in [0, 255].

    Args:
        model: the trained network.
        task: gives the outputs.
        transform: what the network was trained behind.
        folder: where to; made here.
    """
    predict = task.predictor(model)
    shape = transform.settings.image_shape

    def serving_default(image_bytes: tf.Tensor) -> Predictions:
        spec = tf.TensorSpec(shape, tf.float32)
        return predict(tf.map_fn(transform, image_bytes, fn_output_signature=spec))

    def serve_tensor(image: tf.Tensor) -> Predictions:
        return predict(transform.scaled(image))

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        BYTES_SIGNATURE, serving_default, input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")]
    )
    archive.add_endpoint(
        TENSOR_SIGNATURE, serve_tensor, input_signature=[tf.TensorSpec([None, *shape], tf.float32, name="image")]
    )
    with _without_notices():
        archive.write_out(str(folder), verbose=False)


@contextmanager
def _without_notices() -> Iterator[None]:
    """TensorFlow tells where it wrote the assets: a folder that is about to be renamed."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logger.setLevel(level)
