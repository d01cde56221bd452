"""The answers of a detector: the best boxes of an image, and all candidates before boxes that overlap are dropped."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from kerasvision import config as c
from kerasvision.ops.boxes import areas, clipped
from kerasvision.ops.places import Places
from kerasvision.ops.suppression import best_boxes
from kerasvision.tasks.base import ExtraSignature, Predictions
from kerasvision.tasks.detection.classes import Classes
from kerasvision.tasks.detection.proposal_recall import proposals_signature
from kerasvision.tasks.detection.readings import Readings, read
from kerasvision.tasks.detection.regions import PROPOSALS, Regions, has_regions, read_regions

CANDIDATES = "candidates"
# Output of boxes -> outputs that belong to its rows.
SETS: dict[str, tuple[str, ...]] = {"boxes": ("scores", "class_numbers", "classes"), PROPOSALS: ()}
DESCRIPTIONS = {
    "boxes": "y_min, x_min, y_max, x_max of each object as shares of the image's height and width; the best first",
    "scores": "how sure the model is of each, in [0, 1]",
    "classes": "the class of each",
    "class_numbers": "its place in labels.txt, from 0",
    "count": "how many objects were found; all later rows are zeros and empty texts",
    "image_size": "height and width of the upright image in pixels",
}


def predictor(model: keras.Model, *, classes: Classes, settings: c.Detection) -> Callable[[tf.Tensor], Predictions]:
    """From scaled images float32 (N, H, W, C) to the best K boxes, as shares of the sides of these images.

    `boxes` float32 (N, K, 4), `scores` float32 (N, K), `classes` string (N, K), `class_numbers` int32 (N, K) and `count`
    int32 (N,). Rows beyond `count` are zeros and empty texts.
    """

    def predict(images: tf.Tensor) -> Predictions:
        boxes, scores = candidates(model(images, training=False), images=images, count=classes.answered)
        return best(boxes, scores, classes=classes, settings=settings)

    return predict


def best(boxes: tf.Tensor, scores: tf.Tensor, *, classes: Classes, settings: c.Detection) -> Predictions:
    """The outputs of `predictor` from candidates, see `candidates`."""
    found = best_boxes(
        boxes,
        scores,
        count=settings.boxes,
        candidates=settings.candidates,
        least_score=settings.least_score,
        overlap=settings.overlap,
        across_classes=settings.across_classes,
    )
    is_found = tf.range(settings.boxes) < found.count[:, None]
    # The numbers and names are constants inside: converters to other formats treat captured tensors as inputs.
    numbers = tf.gather(tf.constant(classes.numbers, tf.int32), found.class_numbers)
    return {
        "boxes": found.boxes,
        "scores": found.scores,
        "classes": tf.where(is_found, tf.gather(tf.constant(classes.names), numbers), ""),
        "class_numbers": tf.where(is_found, numbers, 0),
        "count": found.count,
    }


def candidates(outputs: Mapping[str, tf.Tensor], *, images: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Boxes float32 (N, A, 4), as shares of the images' sides and clipped to [0, 1]; and scores float32 (N, A, K).

    Of a two-stage detector, boxes are float32 (N, P, K, 4), those of each class, and scores float32 (N, P, K).

    Args:
        outputs: of the network.
        images: float32 (N, H, W, C), what it received.
        count: K, the number of classes.
    """
    found = found_in(outputs, num_classes=count)
    return shares_of(found, images.shape[1:3]), found.scores()


def found_in(outputs: Mapping[str, tf.Tensor], *, num_classes: int) -> Readings | Regions:
    """What the network says about its points or anchors, or about its regions; see `readings` and `regions`.

    The outputs are float32 maps (N, h, w, numbers), or float32 (N, P, numbers) for regions.
    """
    if has_regions(outputs):
        return read_regions(outputs, num_classes=num_classes)
    return read(outputs, num_classes=num_classes)


def shares_of(readings: Readings | Regions, frame: Any) -> tf.Tensor:
    """The boxes as shares of the sides of the network's image, float32 (N, ..., 4) in [0, 1]."""
    height, width = frame
    return clipped(readings.boxes() / tf.constant([height, width, height, width], tf.float32))


def extra_signatures(model: keras.Model, *, classes: Classes) -> dict[str, ExtraSignature]:
    """`candidates`: boxes float32 (N, A, 4) and scores float32 (N, A, K) of all points or anchors.

    Of a two-stage detector, `proposals` instead, see `proposal_recall.proposals_signature`.
    """
    if has_regions(model.output):
        return {PROPOSALS: proposals_signature(model)}

    def answer(images: tf.Tensor) -> Predictions:
        boxes, scores = candidates(model(images, training=False), images=images, count=classes.answered)
        return {"boxes": boxes, "scores": scores}

    descriptions = {
        "boxes": "the box at each point or anchor of the network, in the form of the predictions",
        "scores": f"its score for each of the {classes.answered} classes that the network finds",
    }
    return {CANDIDATES: ExtraSignature({}, answer, descriptions)}


def placed_back(answers: Predictions, places: Places) -> Predictions:
    """The answers with boxes as shares of the upright original image, and with its `image_size`, int32 (N, 2).

    Args:
        answers: of `predictor` or of an extra signature.
        places: where the images lie in what the network saw.
    """
    if PROPOSALS in answers:
        proposals = answers[PROPOSALS]
        return {**answers, PROPOSALS: tf.where(areas(proposals)[..., None] > 0, places.boxes_back(proposals), 0.0)}
    if "boxes" not in answers:
        return answers
    boxes = places.boxes_back(answers["boxes"])
    if "count" not in answers:
        return {**answers, "boxes": boxes}
    is_found = tf.range(tf.shape(boxes)[1]) < answers["count"][:, None]
    return {**answers, "boxes": tf.where(is_found[..., None], boxes, 0.0), "image_size": places.size}
