"""Judges the maps of a data set: scores, a row per image, confusion of classes, and the IoU of each class."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kerasvision import config as c
from kerasvision.errors import DataError
from kerasvision.tasks.added_metrics import check_added_scores
from kerasvision.tasks.base import Judgement
from kerasvision.tasks.metrics import quotient
from kerasvision.tasks.segmentation.measuring import ANSWERED_PICTURE, BOUNDARY, CONFUSION, KEPT, TRUE_PICTURE
from kerasvision.tasks.segmentation.scores import JudgedMaps

NO_ANSWER = "(nothing)"


def judged_maps(
    *,
    ids: Sequence[str],
    predictions: Mapping[str, npt.NDArray[Any]],
    classes: Sequence[str],
    settings: c.Segmentation,
) -> Judgement:
    """All of `Segmentation.metric_names` that have a value, and the IoU of each class.

    `loss` of a row is 1 minus the mean IoU of the image over the classes that its truth or its answer has. `worst_class` is
    that of its true classes with the smallest IoU, `worst_iou`; `absent_class` is the class with the most answered pixels of
    those that its truth does not have. Both are empty if there is no such class.

    Args:
        ids: of the N examples.
        predictions: what `measuring.measured_maps` keeps of them: `confusion` int64 (N, M, 2), `boundary` float64 (N, K).
        classes: the K names.
        settings: the background, and the metrics of a user's own.

    Raises:
        DataError: the predictions are not these counts, or no pixel is known.
        StageError: a custom metric fails, see `added_metrics`.
    """
    if missing := [name for name in KEPT if name not in predictions]:
        raise DataError(f"judging maps requires what Task.measured keeps; {', '.join(missing)} is missing")
    judged = JudgedMaps(predictions[CONFUSION], predictions[BOUNDARY], classes, settings.background, settings.metrics)
    if not judged.true.any():
        raise DataError("judging maps requires a pixel of a known class; all pixels of these images are ignored")
    every = np.arange(len(ids))
    scores = {name: float(value[0]) for name, value in judged.scores(every, np.ones((len(ids), 1))).items()}
    check_added_scores(settings.metrics, scores, count=len(ids))
    return Judgement(
        scores={name: value for name, value in scores.items() if not np.isnan(value)},
        rows=_rows(ids, judged, predictions),
        tables={"confusion": _confusion(judged), "classes": _class_table(judged)},
        left_out=_left_out(scores, classes, settings),
        weighted_scores=judged.scores,
        within_label=partial(judged.scores, per_class=False),
        evidence=judged.evidence,
        remarks=_remarks(judged),
    )


def _rows(ids: Sequence[str], judged: JudgedMaps, predictions: Mapping[str, npt.NDArray[Any]]) -> pd.DataFrame:
    iou = quotient(judged.both, judged.true + judged.answered - judged.both)
    known = ~np.isnan(iou)
    mean = quotient(np.where(known, iou, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64), without=1.0)
    # Only a class that the image has can be its worst. The IoU of all others is 0, even if one pixel was answered with them.
    true_iou = np.where(judged.true > 0, iou, np.inf)
    absent = np.where(judged.true > 0, 0, judged.answered)
    return pd.DataFrame(
        {
            "id": list(ids),
            "pixels": judged.true.sum(axis=1).astype(np.int64),
            "pixel_accuracy": quotient(judged.both.sum(axis=1), judged.true.sum(axis=1), without=1.0),
            "iou": mean,
            "worst_class": _named(judged, true_iou.argmin(axis=1), true_iou.min(axis=1) < np.inf),
            # Of an image without known pixels nothing is wrong.
            "worst_iou": np.minimum(true_iou.min(axis=1), 1.0),
            "absent_class": _named(judged, absent.argmax(axis=1), absent.max(axis=1) > 0),
            "loss": 1.0 - mean,
            TRUE_PICTURE: list(predictions[TRUE_PICTURE]),
            ANSWERED_PICTURE: list(predictions[ANSWERED_PICTURE]),
        }
    )


def _named(judged: JudgedMaps, numbers: npt.NDArray[np.int64], is_one: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
    """The names of class numbers, (N,); an empty name where `is_one`, (N,), is False."""
    found: npt.NDArray[np.object_] = np.array([*judged.classes, ""], object)[np.where(is_one, numbers, -1)]
    return found


def _confusion(judged: JudgedMaps) -> pd.DataFrame:
    """Pixels by true class (rows) and answered class (columns); a column of pixels without an answer only if there are."""
    summed = judged.confusion(np.arange(len(judged.entries)))
    table = pd.DataFrame(summed, index=pd.Index(judged.classes, name="label"), columns=[*judged.classes, NO_ANSWER])
    table.columns.name = "predicted"
    return table if summed[:, -1].any() else table.drop(columns=NO_ANSWER)


def _class_table(judged: JudgedMaps) -> pd.DataFrame:
    """class, its share of the known pixels, images with it, IoU, recall and precision of its pixels."""
    both, true, answered = (part.sum(axis=0) for part in (judged.both, judged.true, judged.answered))
    return pd.DataFrame(
        {
            "share": true / true.sum(),
            "images": (judged.true > 0).sum(axis=0),
            "iou": quotient(both, true + answered - both),
            "recall": quotient(both, true),
            "precision": quotient(both, answered),
        },
        index=pd.Index(judged.classes, name="class"),
    )


def _left_out(scores: Mapping[str, float], classes: Sequence[str], settings: c.Segmentation) -> dict[str, str]:
    left_out = {name: _reason(name) for name, value in scores.items() if np.isnan(value)}
    if settings.background not in classes:
        left_out["mean_iou_objects"] = f"no class is named {settings.background!r}; see task.background"
    return left_out


def _reason(metric: str) -> str:
    if "[" in metric:
        return "no pixel has this class, and none was answered with it"
    if metric == "boundary_f1":
        return "no image has a border between two classes"
    return "no pixel has such a class, and none was answered with one"


def _remarks(judged: JudgedMaps) -> tuple[str, ...]:
    answered = judged.answered.sum(axis=0)
    if np.count_nonzero(answered) == 1 and np.count_nonzero(judged.true.sum(axis=0)) > 1:
        return (f"The model answers every pixel with {judged.classes[int(answered.argmax())]}.",)
    return ()
