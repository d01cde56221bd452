"""COCO's average precision of the validation split after each epoch, from the boxes that the network itself answers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision import config as c
from kerasvision.tasks.base import Arrays, Collected
from kerasvision.tasks.detection.answers import best, found_in, shares_of
from kerasvision.tasks.detection.average_precision import BoxScores
from kerasvision.tasks.detection.classes import Classes
from kerasvision.tasks.detection.matching import Objects, areas_of
from kerasvision.tasks.detection.proposal_recall import METRIC, covered_objects, first_proposals
from kerasvision.tasks.detection.regions import PROPOSALS, has_regions
from kerasvision.tasks.detection.truth import ImageObjects, all_answers

MEASURED = ("box_average_precision", "box_average_precision_50")


def collected_boxes(settings: c.Detection, *, classes: Classes, frame: tuple[int, int]) -> Collected:
    """`box_average_precision` and `box_average_precision_50`, 0 as long as nothing is found.

    Of a two-stage detector also `proposal_recall_100`.

    In the image that the network sees, so a photo that was cropped is judged by what is left of it.

    Args:
        settings: how boxes are chosen.
        classes: which of them the network finds.
        frame: height and width of the network's image in pixels.
    """
    # The network's outputs themselves are the classes here: nobody reads the names.
    own = Classes(classes.found, tuple(range(classes.answered)))

    def answers(outputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        readings = found_in(outputs, num_classes=own.answered)
        found = best(shares_of(readings, frame), readings.scores(), classes=own, settings=settings)
        kept = {name: found[name] for name in ("boxes", "scores", "class_numbers", "count")}
        return {**kept, PROPOSALS: first_proposals(outputs, frame=frame)} if has_regions(outputs) else kept

    def scores(truth: Arrays, answers: Arrays) -> dict[str, float]:
        placed = {**answers, "image_size": np.tile(frame, (len(answers["count"]), 1))}
        return _scores(truth, placed, own.answered) | _recall(truth, answers, frame)

    return Collected(answers=answers, truth=_truth, scores=scores)


def _truth(targets: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {name: targets[name] for name in ("boxes", "classes", "crowd")}


def _recall(truth: Arrays, answers: Arrays, frame: tuple[int, int]) -> dict[str, float]:
    """The share of the objects that the proposals cover; nothing without proposals, or without objects."""
    counts = (truth["classes"] >= 0) & ~truth["crowd"]
    if PROPOSALS not in answers or not counts.any():
        return {}
    # Classes and areas do not count.
    rows = zip(truth["boxes"], counts, strict=True)
    objects = [ImageObjects(boxes[own], own[own], ~own[own], own[own]) for boxes, own in rows]
    return {METRIC: float(covered_objects(objects, answers[PROPOSALS] * np.tile(frame, 2)).sum() / counts.sum())}


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
