"""What comes before and after the network in a served signature; between them, another engine may compute the network.

`kerasvision.served.engine` says how they fit together, and calls them.
"""

from collections.abc import Callable, Mapping
from functools import partial

import tensorflow as tf

from kerasvision.data.transform import ImageTransform
from kerasvision.export.writing.rows import decoded_rows
from kerasvision.ops.places import Places
from kerasvision.ops.resize import Placement
from kerasvision.served.engine import IMAGES
from kerasvision.served.signatures import BYTES_INPUT, TENSOR_INPUT, VALID
from kerasvision.tasks.base import Predictions, Task

# (scaled images, the network's outputs by their names) -> named outputs of a predictor.
AfterNetwork = Callable[[tf.Tensor, Mapping[str, tf.Tensor]], Predictions]
PLACES = ("scale", "translation", "size")


class Parts(tf.Module):
    """The functions of a SavedModel around its network.

    Args:
        task: places answers back.
        transform: of the images that the network receives.
        after: makes answers of the network's outputs.
        outputs: the network's outputs: name -> specification.
        max_pixels: an image whose header claims more is bad.

    Attributes:
        decoded: `image_bytes` -> scaled images, which rows are `valid`, and where they lie.
        placed_back: the result of `decoded`, and the network's outputs -> answers about the original images.
        scaled: `image`, pixels in [0, 255] -> scaled images.
        in_frame: scaled images and the network's outputs -> answers about them.
    """

    def __init__(
        self,
        task: Task,
        *,
        transform: ImageTransform,
        after: AfterNetwork,
        outputs: Mapping[str, tf.TensorSpec],
        max_pixels: int,
    ) -> None:
        super().__init__()
        shape = transform.settings.image_shape
        frame = shape[:2]
        images = {IMAGES: tf.TensorSpec([None, *shape], tf.float32, name=IMAGES)}
        row = {VALID: ([], tf.bool), "scale": ([2], tf.float32), "translation": ([2], tf.float32), "size": ([2], tf.int32)}
        rows = {name: tf.TensorSpec([None, *rest], dtype, name=name) for name, (rest, dtype) in row.items()}
        given = {name: tf.TensorSpec(one.shape, one.dtype, name=name) for name, one in outputs.items()}

        @partial(tf.function, autograph=False)
        def decoded(image_bytes: tf.Tensor) -> Predictions:
            found, valid, places = decoded_images(image_bytes, transform, max_pixels=max_pixels)
            return {IMAGES: found, VALID: valid, **{name: getattr(places, name) for name in PLACES}}

        @partial(tf.function, autograph=False)
        def placed_back(**made: tf.Tensor) -> Predictions:
            places = Places(made["scale"], made["translation"], made["size"], frame=frame)
            answers = after(made[IMAGES], {name: made[name] for name in outputs})
            return placed_answers(answers, made[VALID], places, task=task)

        @partial(tf.function, autograph=False)
        def scaled(image: tf.Tensor) -> Predictions:
            return {IMAGES: transform.scaled(image)}

        @partial(tf.function, autograph=False)
        def in_frame(**made: tf.Tensor) -> Predictions:
            return task.in_frame(after(made[IMAGES], {name: made[name] for name in outputs}))

        pixels = tf.TensorSpec([None, *shape], tf.float32, name=TENSOR_INPUT)
        self.decoded = decoded.get_concrete_function(tf.TensorSpec([None], tf.string, name=BYTES_INPUT))
        self.placed_back = placed_back.get_concrete_function(**images, **rows, **given)
        self.scaled = scaled.get_concrete_function(pixels)
        self.in_frame = in_frame.get_concrete_function(**images, **given)


def decoded_images(
    image_bytes: tf.Tensor, transform: ImageTransform, *, max_pixels: int
) -> tuple[tf.Tensor, tf.Tensor, Places]:
    """Scaled images float32 (N, H, W, C) of encoded ones, string (N,); bool (N,), which are good; where they lie."""

    def decode(data: tf.Tensor) -> tuple[tf.Tensor, Placement, tf.Tensor]:
        pixels, placement, size = transform.placed(data)
        return transform.scaled(pixels), placement, size

    return decoded_rows(image_bytes, decode, shape=transform.settings.image_shape, max_pixels=max_pixels)


def placed_answers(answers: Predictions, valid: tf.Tensor, places: Places, *, task: Task) -> Predictions:
    """Answers about the original images, any dtype (N, ...), with `valid`, bool (N,); rows that are not valid are blank."""
    answers = dict(answers)
    valid &= answers.pop(VALID, True)
    return blanked(task.placed_back(answers, places), valid)


def blanked(answers: Predictions, valid: tf.Tensor) -> Predictions:
    """The answers, any dtype (N, ...), and `valid`, bool (N,), with zeros or empty texts in rows that are not valid.

    They are never NaN, which JSON does not have.
    """
    return {**{name: _blank(rows, ~valid) for name, rows in answers.items()}, VALID: valid}


def _blank(rows: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
    blank = tf.reshape(where, [-1] + [1] * (rows.shape.rank - 1))
    return tf.where(blank, tf.zeros([], rows.dtype) if rows.dtype != tf.string else tf.constant(""), rows)
