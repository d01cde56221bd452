"""A task whose answers have places and come in sets, without training: where an image is bright, in red and in green."""

import io

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from kerasvision import config as c
from kerasvision.data.transform import ImageTransform
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.tasks.base import ExtraSignature, Task

CLASSES = ("red", "green")
FRAME = (48, 64)
SET = {"corners": ("scores", "class_numbers", "classes")}


class CornersTask(Task):
    """It answers with the corners of what is bright, a row per colour, the brighter first."""

    def __init__(self):
        super().__init__(c.Classification(), CLASSES)

    def predictor(self, model, *, temperature=1.0):
        return lambda images: found(model(images))

    def placed_back(self, answers, places):
        if "corners" not in answers:
            return answers
        corners = places.boxes_back(answers["corners"])
        if "count" not in answers:
            return {**answers, "corners": corners}
        given = tf.sequence_mask(answers["count"], 2, tf.float32)[:, :, tf.newaxis]
        return {**answers, "corners": corners * given, "image_size": places.size}

    def sets(self):
        return SET

    def extra_signatures(self, model, *, temperature=1.0):
        def candidates(images):
            corners, scores, _ = in_colours(model(images))
            return {"corners": corners, "scores": scores}

        return {"candidates": ExtraSignature({}, candidates)}

    def output_descriptions(self):
        return dict.fromkeys(("corners", "scores", "class_numbers", "classes", "count", "image_size"), "of what is bright")

    def truth(self, batch):
        return np.zeros(len(batch["id"]), np.int64)

    def build(self, model, *, image_shape): ...
    def encode(self, batch): ...
    def objective(self): ...
    def judge(self, *, ids, truth, predictions): ...
    def caption(self, row): ...


def network():
    """A network that returns its image."""
    image = keras.Input((*FRAME, 3))
    made = keras.Model(image, keras.layers.Dense(3, use_bias=False)(image))
    made.set_weights([np.eye(3, dtype=np.float32)])
    return made


def in_colours(images):
    """Corners float32 (N, 2, 4) as shares of the sides, brightness (N, 2), and whether there is any, bool (N, 2)."""
    # The middle of a blurred edge counts by half, so that a place is known to a part of a pixel.
    bright = tf.clip_by_value(images[..., :2] * 1.6 - 0.3, 0.0, 1.0)
    ends = []
    for axis, other in ((1, 2), (2, 1)):
        profile, side = tf.reduce_max(bright, axis=other), images.shape[axis]
        length = tf.reduce_sum(profile, axis=1)
        middles = tf.range(side, dtype=tf.float32)[:, tf.newaxis] + 0.5
        middle = tf.reduce_sum(profile * middles, axis=1) / tf.maximum(length, 1e-6)
        ends.append([(middle - length / 2) / side, (middle + length / 2) / side])
    corners = tf.stack([ends[0][0], ends[1][0], ends[0][1], ends[1][1]], axis=-1)
    return corners, tf.reduce_max(images[..., :2], axis=(1, 2)), tf.reduce_any(bright > 0.0, axis=(1, 2))


def found(images):
    """The answers about images float32 (N, H, W, 3) in [0, 1]."""
    corners, scores, is_there = in_colours(images)
    scores = tf.where(is_there, scores, 0.0)
    order = tf.argsort(scores, direction="DESCENDING", stable=True)
    count = tf.reduce_sum(tf.cast(is_there, tf.int32), axis=1)
    given = tf.sequence_mask(count, 2)
    return {
        "corners": tf.where(given[:, :, tf.newaxis], tf.gather(corners, order, batch_dims=1), 0.0),
        "scores": tf.gather(scores, order, batch_dims=1),
        "class_numbers": tf.where(given, order, 0),
        "classes": tf.where(given, tf.gather(tf.constant(CLASSES), order), ""),
        "count": count,
    }


def transform(fit="pad"):
    return ImageTransform(c.Transform(image_size=FRAME, fit=fit), (0.0,) * 3, (1.0,) * 3)


def export_to(folder):
    return export_saved_model(network(), task=CornersTask(), transform=transform(), folder=folder)


def painted(size, *boxes, values=(255, 220)):
    """uint8 (height, width, 3): the first box (y_min, x_min, y_max, x_max, in pixels) in red, the second in green."""
    image = np.zeros((*size, 3), np.uint8)
    for channel, (top, left, bottom, right) in enumerate(boxes):
        image[top:bottom, left:right, channel] = values[channel]
    return image


# How Pillow turns an upright picture into the stored one of each orientation: the inverse of its `exif_transpose`.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def jpeg(image, *, orientation=1):
    """A JPEG that an EXIF header turns to this upright image."""
    picture, exif, file = Image.fromarray(image), Image.Exif(), io.BytesIO()
    if orientation in STORED:
        picture = picture.transpose(STORED[orientation])
        exif[0x0112] = orientation
    picture.save(file, "JPEG", exif=exif, quality=97, subsampling=0)
    return file.getvalue()
