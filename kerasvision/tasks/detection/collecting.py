"""COCO's average precision of the validation split after each epoch, from the boxes that the network itself answers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision import config as c
from kerasvision.tasks.base import Arrays, Collected
from kerasvision.tasks.detection.answers import best, shares_of
from kerasvision.tasks.detection.average_precision import BoxScores
from kerasvision.tasks.detection.classes import Classes
from kerasvision.tasks.detection.matching import Objects, areas_of
from kerasvision.tasks.detection.readings import read
from kerasvision.tasks.detection.truth import all_answers

MEASURED = ("box_average_precision", "box_average_precision_50")


def collected_boxes(settings: c.Detection, *, classes: Classes, frame: tuple[int, int]) -> Collected:
    """`box_average_precision` and `box_average_precision_50`, 0 as long as nothing is found.

    In the image that the network sees, so a photo that was cropped is judged by what is left of it.

    Args:
        settings: how boxes are chosen.
        classes: which of them the network finds.
        frame: height and width of the network's image in pixels.
    """
    # The network's outputs themselves are the classes here: nobody reads the names.
    own = Classes(classes.found, tuple(range(classes.answered)))

    def answers(outputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        readings = read(outputs, num_classes=own.answered)
        found = best(shares_of(readings, frame), readings.scores(), classes=own, settings=settings)
        return {name: found[name] for name in ("boxes", "scores", "class_numbers", "count")}

    def scores(truth: Arrays, answers: Arrays) -> dict[str, float]:
        return _scores(truth, {**answers, "image_size": np.tile(frame, (len(answers["count"]), 1))}, own.answered)

    return Collected(answers=answers, truth=dict, scores=scores)


def _scores(truth: Arrays, answers: Mapping[str, npt.NDArray[Any]], classes: int) -> dict[str, float]:
    """The scores of `MEASURED` of N images; none if there is no object."""
    images, places = np.nonzero(truth["classes"] >= 0)
    boxes = truth["boxes"][images, places].astype(np.float64)
    objects = Objects(
        images=images,
        classes=truth["classes"][images, places].astype(np.int64),
        boxes=boxes,
        crowd=truth["crowd"][images, places],
        areas=areas_of(boxes),
    )
    count = len(answers["count"])
    found = BoxScores(objects, all_answers(answers), count=count, classes=classes).scores(np.ones((count, 1)))
    return {name: float(found[name][0]) for name in MEASURED if not np.isnan(found[name][0])}
