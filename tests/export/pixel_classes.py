"""A saved model that gives the pixels of every image the same classes: answers that are maps, without training."""

from pathlib import Path

import tensorflow as tf

from kerasvision.served.answers import write_answers
from kerasvision.tasks.segmentation.presentation import answers_of

LABELS = ("background", "cat", "猫")


class PixelClasses(tf.Module):
    """Like an exported network of pixels: the left half is background, the upper right quarter a cat, the rest a 猫."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def answer(self, image_bytes):
        def one(data):
            size = tf.shape(tf.io.decode_image(data, 3, expand_animations=False))[:2]
            height, width = size[0], size[1]
            right = tf.range(width)[None, :] >= width // 2
            low = tf.range(height)[:, None] >= height // 2
            numbers = tf.cast(right, tf.uint8) * (1 + tf.cast(low, tf.uint8))
            return tf.io.encode_png(numbers[..., None]), size

        specs = (tf.TensorSpec([], tf.string), tf.TensorSpec([2], tf.int32))
        pngs, sizes = tf.map_fn(one, image_bytes, fn_output_signature=specs)
        rows = tf.shape(image_bytes)[0]
        return {
            "mask_png_bytes": pngs,
            "shares": tf.tile([[0.5, 0.25, 0.25]], [rows, 1]),
            "classes": tf.tile([list(LABELS)], [rows, 1]),
            "image_size": sizes,
            "valid": tf.ones(rows, tf.bool),
        }


def saved(folder: Path) -> Path:
    """The model's folder."""
    module = PixelClasses()
    tf.saved_model.save(module, str(folder), {"serving_default": module.answer})
    write_answers(answers_of(LABELS, background="background"), folder=folder)
    return folder
