"""Judges the numbers answered for a data set: scores, a row per image, a table of values, and remarks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kerasvision import config as c
from kerasvision.errors import DataError, StageError
from kerasvision.shortened import shortened
from kerasvision.tasks.added_metrics import check_added_scores
from kerasvision.tasks.base import Judgement
from kerasvision.tasks.metrics import quotient
from kerasvision.tasks.regression.errors import ValueErrors

VALUES, NAMES = "values", "names"
# Answers that differ by less than this share of the deviation of the truth are nearly the same.
NEARLY_THE_SAME = 0.01
LEAST_IMAGES = 10


def judged_values(
    *,
    ids: Sequence[str],
    truth: npt.NDArray[Any],
    predictions: Mapping[str, npt.NDArray[Any]],
    names: Sequence[str],
    settings: c.Regression,
) -> Judgement:
    """The scores, and a row per image: `truth[age]`, `answer[age]` and so on, and `loss`.

    The loss of an image is the mean of its errors, each divided by the deviation of the truth of these images.

    Args:
        ids: of the N examples.
        truth: float (N, V), NaN where a number is missing.
        predictions: `values` float (N, V); and perhaps `names`, object (N, V) of bytes.
        names: of the V values.
        settings: the tolerance, and the metrics of a user's own.

    Raises:
        StageError: an answer is not a number; or a custom metric fails, see `added_metrics`.
        DataError: the answers are of other values, or no image has a number.
    """
    answers = np.asarray(predictions[VALUES], np.float64)
    check_names(predictions, names)
    if lost := int((~np.isfinite(answers).all(axis=1)).sum()):
        raise StageError(f"{lost} of {len(ids)} answers of the network are not numbers", hint="train it again")
    if np.isnan(truth).all():
        raise DataError("judging numbers requires images with numbers; none of these images has one")
    errors = ValueErrors(truth.astype(np.float64), answers, names, _tolerances(settings, names), settings.metrics)
    every = np.arange(len(ids))
    scores = {name: float(value[0]) for name, value in errors.scores(every, np.ones((len(ids), 1))).items()}
    check_added_scores(settings.metrics, scores, count=len(ids))
    return Judgement(
        scores={name: value for name, value in scores.items() if not np.isnan(value)},
        rows=_rows(ids, errors),
        tables={"values": _value_table(errors, scores)},
        left_out={name: _why_left_out(name, errors) for name, value in scores.items() if np.isnan(value)},
        weighted_scores=errors.scores,
        evidence=errors.evidence,
        remarks=_remarks(errors, scores),
    )


def check_names(predictions: Mapping[str, npt.NDArray[Any]], names: Sequence[str]) -> None:
    """Raises DataError unless the answers are of these values, in this order."""
    given = predictions.get(NAMES)
    answered = None if given is None or not len(given) else tuple(name.decode() for name in given[0])
    if predictions[VALUES].shape[1] != len(names) or answered not in (None, tuple(names)):
        raise DataError(
            f"a model must answer with the values {shortened(names, most=10)}; this one has others",
            hint="if it is the last blessed model, leave NoWorse out of the gate until a new one is blessed; if it is in "
            "evaluation.ensemble, remove it there",
        )


def _tolerances(settings: c.Regression, names: Sequence[str]) -> npt.NDArray[np.float64] | None:
    if settings.tolerance is None:
        return None
    of = settings.tolerance if isinstance(settings.tolerance, dict) else dict.fromkeys(names, settings.tolerance)
    return np.array([of.get(name, np.nan) for name in names], np.float64)


def _rows(ids: Sequence[str], errors: ValueErrors) -> pd.DataFrame:
    columns: dict[str, Any] = {"id": list(ids)}
    for number, name in enumerate(errors.names):
        columns |= {f"truth[{name}]": errors.truth[:, number], f"answer[{name}]": errors.answers[:, number]}
    count = errors.known.sum(axis=1).astype(np.float64)
    # Of an image without numbers nothing is wrong.
    return pd.DataFrame({**columns, "loss": quotient((errors.apart / errors.deviation).sum(axis=1), count, without=0.0)})


def _value_table(errors: ValueErrors, scores: Mapping[str, float]) -> pd.DataFrame:
    """value, images with a number, mean and deviation of the truth, and the metrics; NaN where one has no value."""
    known = errors.known
    mean = quotient(np.where(known, errors.truth, 0.0).sum(axis=0), known.sum(axis=0).astype(np.float64))
    metrics = [name.removesuffix(f"[{errors.names[0]}]") for name in scores if name.endswith(f"[{errors.names[0]}]")]
    columns = {metric: [scores[f"{metric}[{name}]"] for name in errors.names] for metric in metrics}
    about = {
        "images": known.sum(axis=0),
        "mean": mean,
        "deviation": np.sqrt((errors.around_mean**2).sum(axis=0) / np.maximum(known.sum(axis=0), 1)),
    }
    return pd.DataFrame({**about, **columns}, index=pd.Index(list(errors.names), name="value"))


def _why_left_out(metric: str, errors: ValueErrors) -> str:
    if "[" not in metric:
        return "no value has this metric"
    number = next(place for place, name in enumerate(errors.names) if metric.endswith(f"[{name}]"))
    if not errors.known[:, number].any():
        return "no image has a number for it"
    return "all images have the same truth" if metric.startswith("r2") else "task.tolerance does not name it"


def _remarks(errors: ValueErrors, scores: Mapping[str, float]) -> tuple[str, ...]:
    """Which values the network did not learn."""
    said = []
    for number, name in enumerate(errors.names):
        score = scores[f"r2[{name}]"]
        if np.isnan(score) or len(errors.truth) < LEAST_IMAGES:
            continue
        answers = errors.answers[:, number]
        if answers.std() < NEARLY_THE_SAME * errors.deviation[number]:
            said.append(f"The model answers every image with nearly the same {name}, {answers.mean():.4g}.")
        elif score < 0:
            said.append(f"For {name} the model is worse than the mean of these images: R2 is {score:.2f}.")
    return tuple(said)
