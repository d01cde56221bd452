"""Judges a detector's answers for a data set: COCO's scores, a row per image, kinds of errors, confusion and curves."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kerasvision import config as c
from kerasvision.errors import DataError, StageError
from kerasvision.tasks.added_metrics import check_added_scores
from kerasvision.tasks.base import Judgement
from kerasvision.tasks.detection.average_precision import RECALLS, BoxScores
from kerasvision.tasks.detection.classes import Classes, other_classes
from kerasvision.tasks.detection.errors import confusion_with_nothing, error_table, found_objects
from kerasvision.tasks.detection.proposal_recall import METRIC as PROPOSAL_RECALL
from kerasvision.tasks.detection.proposal_recall import covered_objects
from kerasvision.tasks.detection.regions import PROPOSALS
from kerasvision.tasks.detection.scores import AT_HALF, JudgedBoxes, best_score
from kerasvision.tasks.detection.truth import ImageObjects, all_answers, all_objects

# The recalls of the table, among those of the curves.
SHOWN_RECALLS = (0.1, 0.3, 0.5, 0.7, 0.9)
OUTPUTS = ("boxes", "scores", "class_numbers", "classes", "count", "image_size")


def judged_boxes(
    *,
    ids: Sequence[str],
    truth: Sequence[ImageObjects],
    predictions: Mapping[str, npt.NDArray[Any]],
    classes: Classes,
    settings: c.Detection,
    chosen_score: float | None = None,
) -> Judgement:
    """All of `Detection.metric_names` that have a value.

    `loss` of a row is the number of missed objects plus the sum of the scores of false answers, so the worst images come
    first.

    Args:
        ids: of the N examples.
        truth: object (N,).
        predictions: the outputs of `answers.predictor`, with `image_size`, as arrays of N rows: `boxes` float32 (N, K, 4) in
            [0, 1], `scores` float32 (N, K), and so on. Of a two-stage detector also `proposals`.
        classes: of the data set, and those to find.
        settings: the metrics of a person's own.
        chosen_score: that of the best F1 on the validation split; None: the best on these images themselves, and a remark
            says so.

    Raises:
        StageError: an answer is not a number; or a custom metric fails, see `added_metrics`.
        DataError: no image has an object, or the answers are of other classes.
    """
    boxes = box_scores(truth, predictions, classes=classes)
    if not boxes.matches.counts.any():
        raise DataError("judging boxes requires objects; none of these images has one that counts")
    at = best_score(boxes) if chosen_score is None else chosen_score
    images = _answers_of_images(predictions)
    covered = covered_objects(truth, predictions[PROPOSALS]) if PROPOSALS in predictions else None
    judged = JudgedBoxes(boxes, classes, at, truth, images, predictions["image_size"], settings.metrics, covered)
    every, curves = np.arange(len(ids)), _curves(boxes, classes)
    scores = {name: float(value[0]) for name, value in judged.scores(every, np.ones((len(ids), 1))).items()}
    check_added_scores(settings.metrics, scores, count=len(ids))
    return Judgement(
        scores={name: value for name, value in scores.items() if not np.isnan(value)} | {"best_score": at},
        rows=_rows(ids, judged),
        tables={
            "confusion": confusion_with_nothing(boxes, classes, score=at),
            "errors": error_table(boxes, score=at, classes=len(classes.names)),
            "precision_at_recall": _precision_at(curves),
        },
        curves={"precision_recall": curves},
        left_out={name: _reason(name) for name, value in scores.items() if np.isnan(value)} | _without_proposals(scores),
        weighted_scores=judged.scores,
        within_label=partial(judged.scores, per_class=False),
        evidence=judged.evidence,
        remarks=_remarks(judged, chosen_score),
    )


def box_scores(truth: Sequence[ImageObjects], predictions: Mapping[str, npt.NDArray[Any]], *, classes: Classes) -> BoxScores:
    """COCO's matching of the answers for N images.

    Args:
        truth: object (N,).
        predictions: the outputs of `answers.predictor` with `image_size`: `boxes` float32 (N, K, 4) and so on.
        classes: of the data set.

    Raises:
        StageError: an answer is not a number.
        DataError: an output is missing, or the answers are of other classes.
    """
    if missing := [name for name in OUTPUTS if name not in predictions]:
        raise DataError(f"judging boxes requires the outputs {', '.join(OUTPUTS)}; {', '.join(missing)} is missing")
    is_lost = ~(np.isfinite(predictions["boxes"]).all((1, 2)) & np.isfinite(predictions["scores"]).all(1))
    if is_lost.any():
        raise StageError(f"{is_lost.sum()} of {len(is_lost)} answers of the network are not numbers", hint="train it again")
    check_classes(predictions, classes)
    objects = all_objects(truth, predictions["image_size"])
    return BoxScores(objects, all_answers(predictions), count=len(truth), classes=len(classes.names))


def check_classes(predictions: Mapping[str, npt.NDArray[Any]], classes: Classes) -> None:
    """Raises DataError if answers are of other classes.

    Args:
        predictions: `class_numbers` int32 (N, K), `classes` object (N, K) of bytes and `count` int32 (N,).
        classes: of the data set.
    """
    is_found = np.arange(predictions["boxes"].shape[1]) < predictions["count"][:, None]
    numbers = predictions["class_numbers"][is_found]
    names = np.array([name.encode() for name in classes.names], object)
    if len(numbers) and (numbers.max() >= len(names) or (names[numbers] != predictions["classes"][is_found]).any()):
        raise other_classes(classes.names)


def _answers_of_images(predictions: Mapping[str, npt.NDArray[Any]]) -> list[dict[str, Any]]:
    """The outputs of each image, without the rows beyond its `count`."""
    found = []
    for row, count in enumerate(predictions["count"]):
        found.append({name: predictions[name][row][:count] for name in ("boxes", "scores", "class_numbers", "classes")})
    return found


def _rows(ids: Sequence[str], judged: JudgedBoxes) -> pd.DataFrame:
    counts, boxes = judged.counts, judged.boxes
    false = ~boxes.matches.right[AT_HALF] & ~boxes.matches.ignored[AT_HALF]
    weight = np.bincount(boxes.answers.images[false], boxes.answers.scores[false], minlength=len(ids))
    objects, found = counts.objects.sum(1).astype(int), counts.found.sum(1).astype(int)
    return pd.DataFrame(
        {
            "id": list(ids),
            "objects": objects,
            "found": found,
            "missed": objects - found,
            "false": counts.false.sum(1).astype(int),
            "loss": objects - found + weight,
            "things": _things(ids, judged),
        }
    )


def _things(ids: Sequence[str], judged: JudgedBoxes) -> list[str]:
    """For each image, JSON: a list of kind ("found", "false" or "missed"), corners as shares of the sides, class, score.

    Answers of at least the best score, the best first; then the objects that none of them found, without a score.
    """
    boxes, score = judged.boxes, judged.best_score
    answers, objects, names = boxes.answers, boxes.objects, judged.classes.names
    things: list[list[tuple[str, list[float], str, float | None]]] = [[] for _ in ids]
    shown = np.flatnonzero((answers.scores >= score) & ~boxes.matches.ignored[AT_HALF])
    for row in shown[np.argsort(-answers.scores[shown], kind="stable")]:
        kind = "found" if boxes.matches.right[AT_HALF, row] else "false"
        image = int(answers.images[row])
        corners = _shares(answers.boxes[row], judged.sizes[image])
        things[image].append((kind, corners, names[answers.classes[row]], round(float(answers.scores[row]), 4)))
    is_missed = boxes.matches.counts.copy()
    is_missed[found_objects(boxes, score=score)] = False
    for row in np.flatnonzero(is_missed):
        image = int(objects.images[row])
        things[image].append(("missed", _shares(objects.boxes[row], judged.sizes[image]), names[objects.classes[row]], None))
    return [json.dumps(one, ensure_ascii=False) for one in things]


def _shares(box: npt.NDArray[np.float64], size: npt.NDArray[Any]) -> list[float]:
    shares: list[float] = np.round(box / np.maximum(np.tile(size, 2), 1), 5).tolist()
    return shares


def _curves(boxes: BoxScores, classes: Classes) -> pd.DataFrame:
    """class, recall, precision at IoU 0.5, in long form, for the classes with objects."""
    curves = boxes.curve(np.ones(boxes.count))[:, AT_HALF]
    return pd.DataFrame(
        [
            (classes.names[number], recall, precision)
            for number in classes.numbers
            for recall, precision in zip(RECALLS, curves[number], strict=True)
            if not np.isnan(precision)
        ],
        columns=["class", "recall", "precision"],
    )


def _precision_at(curves: pd.DataFrame) -> pd.DataFrame:
    """Some points of the curves: a row for each class, a column for each recall; the first row is the mean."""
    wide = curves.pivot(index="class", columns="recall", values="precision")
    # The class of the rows comes from the curves, which have them in the order of their numbers.
    chosen = wide.loc[curves["class"].unique(), [RECALLS[round(100 * recall)] for recall in SHOWN_RECALLS]]
    chosen.columns = pd.Index([f"recall {recall}" for recall in SHOWN_RECALLS])
    return pd.concat([chosen.mean().to_frame("(mean)").T, chosen]).rename_axis("class")


def _without_proposals(scores: Mapping[str, float]) -> dict[str, str]:
    return {} if PROPOSAL_RECALL in scores else {PROPOSAL_RECALL: "the network has no proposals"}


def _reason(metric: str) -> str:
    if "[" in metric:
        return "no image has an object of this class"
    if metric.startswith("box_"):
        return "no object has such an area"
    return "no answer reaches the best score"


def _remarks(judged: JudgedBoxes, chosen_score: float | None) -> tuple[str, ...]:
    remarks = []
    if not judged.counts.found.any():
        remarks.append("The model found no object with an IoU of at least 0.5.")
    if chosen_score is None:
        remarks.append(
            "precision, recall and f1 are those at the best score on these images themselves: without the validation split "
            "in evaluation.splits they are a little too good."
        )
    return tuple(remarks)
