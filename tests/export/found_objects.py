"""A saved model that finds the same objects in every image: answers with places, without training."""

import shutil
from pathlib import Path

import tensorflow as tf

from kerasvision.served.answers import write_answers
from kerasvision.tasks.detection.presentation import ANSWERS

# In every image: a cat in the right half, a dog in the upper left quarter, and a 猫 of a small score in the middle.
BOXES = [[0.25, 0.5, 0.75, 1.0], [0.0, 0.0, 0.5, 0.5], [0.4, 0.4, 0.6, 0.6], [0.0, 0.0, 0.0, 0.0]]
SCORES, NUMBERS = [0.98, 0.5, 0.125, 0.0], [0, 1, 2, 0]
LABELS = ["cat", "dog", "猫"]
# A part of COCO's own numbers; with gaps, as there.
CATEGORY_IDS = {"cat": 17, "dog": 18, "猫": 90}


class FoundObjects(tf.Module):
    """A model like an exported detector. It finds nothing in an image that is higher than wide."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def answer(self, image_bytes):
        def size(data):
            return tf.shape(tf.io.decode_image(data, 3, expand_animations=False))[:2]

        sizes = tf.map_fn(size, image_bytes, fn_output_signature=tf.TensorSpec([2], tf.int32))
        sizes = tf.ensure_shape(sizes, [None, 2])
        is_wide = sizes[:, 1] >= sizes[:, 0]
        rows = tf.shape(image_bytes)

        def repeated(values, empty):
            whole = tf.broadcast_to(tf.constant(values), tf.concat([rows, tf.shape(tf.constant(values))], 0))
            wide = tf.reshape(is_wide, [-1] + [1] * (len(whole.shape) - 1))
            return tf.where(wide, whole, tf.constant(empty, whole.dtype))

        return {
            "boxes": repeated(BOXES, 0.0),
            "scores": repeated(SCORES, 0.0),
            "class_numbers": repeated(NUMBERS, 0),
            "classes": repeated([*LABELS, ""], ""),
            "count": tf.where(is_wide, 3, 0),
            "image_size": sizes,
            "valid": tf.ones(rows, tf.bool),
        }


def saved(folder: Path) -> Path:
    """The model's folder."""
    module = FoundObjects()
    tf.saved_model.save(module, str(folder), {"serving_default": module.answer})
    (folder / "assets").mkdir(exist_ok=True)
    (folder / "assets" / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS), encoding="utf-8")
    write_answers({**ANSWERS, "category_ids": CATEGORY_IDS}, folder=folder)
    return folder


def changed(folder: Path, copy: Path, answers: dict) -> Path:
    """A copy of the model that says something else about its answers."""
    shutil.copytree(folder, copy)
    write_answers(answers, folder=copy)
    return copy
