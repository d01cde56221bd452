"""An export format of your own: a SavedModel that takes pixels and returns numbers, without any operation on texts.

The SavedModel that kerasvision writes decodes image files itself. Some converters and accelerators reject operations on
texts, and want the network alone.
"""

from typing import ClassVar

import numpy as np
import tensorflow as tf
from pydantic import Field

from kerasvision import config as c


class PixelModel(c.Format):
    """A SavedModel with one signature, image float32 (N, H, W, C) in [0, 255] to the numbers that the network returns."""

    implementation: ClassVar[str] = "my_format:PixelModelConverter"
    file: ClassVar[str] = "Format-Pixels/saved_model.pb"

    batch_size: int | None = Field(default=None, ge=1, description="of every request; None leaves it free")


class PixelModelConverter:
    """Writes the file, and asks it: kerasvision compares its answers with those of the trained network."""

    def __init__(self, settings):
        self._batch_size = settings.batch_size

    def write(self, exported, file):
        """Writes the SavedModel to the folder of `file`."""
        answer = exported.function(self._batch_size).get_concrete_function()
        model = tf.Module()
        model.weights = list(answer.variables)  # what is not reachable from the module is not saved
        tf.saved_model.save(model, str(file.parent), signatures=answer)

    def load(self, file):
        """The SavedModel as a function: float32 (N, H, W, C) to output name -> array of N rows."""
        model = tf.saved_model.load(str(file.parent))
        answer, size = model.signatures["serving_default"], self._batch_size or 64

        def ask(images):
            batches = [answer(image=tf.constant(images[start : start + size])) for start in range(0, len(images), size)]
            return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}

        return ask
