"""What a localizer answers about an image, and one answer from those of several views or models."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision.errors import DataError
from kerasvision.ops.boxes import clipped
from kerasvision.tasks.base import Predictions
from kerasvision.tasks.classification.nearly_best import nearly_best
from kerasvision.tasks.detection.classes import other_classes
from kerasvision.tasks.detection.presentation import BOX, CLASSES, NUMBERS, SCORES

Arrays = Mapping[str, npt.NDArray[Any]]
# Of the network.
LOGITS = "class_logits"
# The probabilities of all classes.
CLASS_SCORES = "class_scores"
DESCRIPTIONS = {
    BOX: "y_min, x_min, y_max, x_max of the object as shares of the image's height and width",
    CLASSES: "its class",
    NUMBERS: "its place in labels.txt, from 0",
    SCORES: "the probability of the class",
    CLASS_SCORES: "the probability of each class, in the order of labels.txt; they sum to 1",
    "image_size": "height and width of the upright image in pixels",
}


def predictor(model: keras.Model, names: Sequence[str]) -> Callable[[tf.Tensor], Predictions]:
    """`box` float32 (N, 4) in [0, 1]; and if the network has `class_logits`, its classes.

    These are `classes` string, `class_numbers` int32 and `scores` float32, (N,) each, and `class_scores` float32 (N, C).

    Args:
        model: the trained network.
        names: of the C classes.
    """

    def predict(images: tf.Tensor) -> Predictions:
        outputs = model(images, training=False)
        answers = {BOX: ordered(outputs[BOX])}
        if LOGITS in outputs:
            shares = tf.nn.softmax(tf.cast(outputs[LOGITS], tf.float32))
            numbers = tf.argmax(shares, axis=-1, output_type=tf.int32)
            chosen = tf.gather(tf.constant(names), numbers)
            best = tf.reduce_max(shares, axis=-1)
            answers |= {CLASSES: chosen, NUMBERS: numbers, SCORES: best, CLASS_SCORES: shares}
        return answers

    return predict


def ordered(boxes: tf.Tensor) -> tf.Tensor:
    """Boxes (N, 4) inside the image, with the minimum before the maximum: float32 (N, 4) in [0, 1].

    >>> ordered(tf.constant([[0.5, -0.25, 0.25, 0.75]])).numpy().tolist()
    [[0.25, 0.0, 0.5, 0.75]]
    """
    first, second = tf.cast(boxes[:, :2], tf.float32), tf.cast(boxes[:, 2:], tf.float32)
    return clipped(tf.concat([tf.minimum(first, second), tf.maximum(first, second)], axis=-1))


def averaged_answers(predictions: Sequence[Arrays], *, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """The mean of the corners; and the class with the best mean probability, if all answers have classes.

    Args:
        predictions: answers about the same N images, of views or of models: `box` float32 (N, 4), as shares of the original
            images, and perhaps `class_scores` float32 (N, C), `classes` object (N,) of bytes and so on.
        names: of the C classes.

    Returns:
        The same outputs.

    Raises:
        DataError: the answers are not those of a localizer, or only some have classes, or they have others.

    >>> first = {"box": np.array([[0, 0, 0.5, 1]]), "class_scores": np.array([[0.9, 0.1]])}
    >>> second = {"box": np.array([[0, 0, 1, 1]]), "class_scores": np.array([[0.2, 0.8]])}
    >>> found = averaged_answers([first, second], names=("cat", "dog"))
    >>> found["box"].tolist(), found["classes"].tolist(), found["scores"].round(2).tolist()
    ([[0.0, 0.0, 0.75, 1.0]], [b'cat'], [0.55])
    """
    for one in predictions:
        check_answers(one, names)
    joint = {**predictions[0], BOX: np.mean([one[BOX] for one in predictions], axis=0)}
    with_classes = [CLASS_SCORES in one for one in predictions]
    if not any(with_classes):
        return joint
    if not all(with_classes):
        raise DataError(
            f"answers have a mean if all or none have {CLASS_SCORES}; "
            f"{len(with_classes) - sum(with_classes)} of {len(with_classes)} have none",
            hint="export the models of evaluation.ensemble again, or remove those without class_logits",
        )
    shares = np.mean([one[CLASS_SCORES] for one in predictions], axis=0)
    numbers = shares.argmax(axis=1).astype(np.int32)
    chosen = np.array([name.encode() for name in names], object)[numbers]
    return {**joint, CLASSES: chosen, NUMBERS: numbers, SCORES: shares.max(axis=1), CLASS_SCORES: shares}


def check_answers(answers: Arrays, names: Sequence[str]) -> None:
    """Raises DataError if there is no box, or the classes are others.

    Args:
        answers: `box` float32 (N, 4), and perhaps `classes` object (N,) of bytes, `class_numbers` int32 (N,) and
            `class_scores` float32 (N, C).
        names: of the C classes.
    """
    if BOX not in answers:
        raise DataError(
            f"judging the place of one object requires the output {BOX}; received {', '.join(sorted(answers))}",
            hint="if it is the last blessed model, leave NoWorse out of the gate until a new one is blessed; if it is in "
            "evaluation.ensemble, remove it there",
        )
    if CLASSES in answers:
        known, numbers = np.array([name.encode() for name in names], object), answers[NUMBERS]
        others = numbers.max(initial=0) >= len(known) or (known[numbers] != answers[CLASSES]).any()
        if others or (CLASS_SCORES in answers and answers[CLASS_SCORES].shape[1] != len(known)):
            raise other_classes(names)


def nearly_right(received: Arrays, expected: Arrays, *, names: Sequence[str], closeness: float) -> dict[str, Any]:
    """Where a class that another model answers is nearly the best one: output -> bool (N,); see `nearly_best`."""
    if CLASS_SCORES not in expected:
        return {}
    labels = {CLASSES: names, NUMBERS: range(len(names))}
    return {
        name: nearly_best(received[name], expected[CLASS_SCORES], known, closeness=closeness)
        for name, known in labels.items()
        if name in received
    }
