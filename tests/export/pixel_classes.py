"""A saved model that gives pixels classes, without training.

`serving_default` gives the pixels of every image the same classes. `probabilities` calls bright pixels of an image of the
network's size cats, and dark ones background: what counts is the mean of the 3 x 3 pixels around, zeros beside the image.
"""

from pathlib import Path

import tensorflow as tf

from kerasvision.served.answers import write_answers
from kerasvision.tasks.segmentation.presentation import answers_of

LABELS = ("background", "cat", "猫")
# Height and width of the network's images.
FRAME = (16, 24)

SIGNATURES = {"serving_default": "answer", "probabilities": "probabilities", "serve_tensor": "tensor"}


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

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def probabilities(self, image_bytes):
        def decoded(data):
            return tf.ensure_shape(tf.io.decode_png(data, 3), [*FRAME, 3])

        pixels = tf.map_fn(decoded, image_bytes, fn_output_signature=tf.TensorSpec([*FRAME, 3], tf.uint8))
        bright = tf.nn.conv2d(tf.cast(pixels[..., :1], tf.float32), tf.fill([3, 3, 1, 1], 1 / 9 / 255), 1, "SAME")
        return {"probabilities": tf.concat([1 - bright, bright, tf.zeros_like(bright)], axis=-1)}

    @tf.function(input_signature=[tf.TensorSpec([None, *FRAME, 3], tf.float32, name="image")])
    def tensor(self, image):
        return {"class_numbers": tf.cast(image[..., 0] > 127, tf.uint8)}


def saved(folder: Path) -> Path:
    """The model's folder."""
    module = PixelClasses()
    tf.saved_model.save(module, str(folder), {name: getattr(module, of) for name, of in SIGNATURES.items()})
    (folder / "assets").mkdir(exist_ok=True)
    (folder / "assets" / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS), encoding="utf-8")
    write_answers(answers_of(LABELS, background="background"), folder=folder)
    return folder
