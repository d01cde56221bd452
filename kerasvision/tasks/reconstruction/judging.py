"""Judges restored images: the mean of each measure, a row per image, and small pictures for pages."""

import io
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from kerasvision import config as c
from kerasvision.config.reconstruction import DENOISED
from kerasvision.errors import DataError, StageError
from kerasvision.tasks.added_metrics import TruthAndAnswers, added_evidence, added_measures, check_added_scores
from kerasvision.tasks.base import Bounded, Evidence, Judgement
from kerasvision.tasks.metrics import Floats, Measure, weighted_scores
from kerasvision.tasks.reconstruction.answers import DENOISED_PNG, ERROR, IMAGE_PNG, NOISY_PNG, OF_DENOISED, SEEN_PNG
from kerasvision.tasks.reconstruction.errors import decibels

# What is kept of the pictures, in the order of a page: output -> column.
PICTURES = {SEEN_PNG: "seen", NOISY_PNG: "noisy", IMAGE_PNG: "restored", DENOISED_PNG: "denoised"}
# The longer side of a picture that is kept, in pixels.
PICTURE_SIDE = 160
# The least value of each measure, by the end of its name; the others have 0.
LEAST = {"ssim": -1.0}
# The largest, likewise; that of a ratio is the largest that was seen.
MOST = {"mse": 1.0, "mae": 1.0, "ssim": 1.0}


class Measured:
    """The measures of N images under R weightings.

    Attributes:
        values: float64 (N, M).
        weights: float64 (N, R).
    """

    def __init__(self, values: Floats, weights: Floats) -> None:
        self.values, self.weights = values, weights

    def mean(self, column: int) -> Floats:
        """The weighted mean of a measure, float64 (R,)."""
        found: Floats = self.values[:, column] @ self.weights / self.weights.sum(axis=0)
        return found


def kept_answers(predictions: Mapping[str, npt.NDArray[Any]], *, has_noise: bool) -> dict[str, npt.NDArray[Any]]:
    """What an evaluation keeps of a batch: `mse`, `mae`, `ssim` and, with noise, `OF_DENOISED`, (N,) each; small pictures.

    Args:
        predictions: of the signatures `serving_default`, `errors` and `denoised`, or of a simple model, without pictures.
        has_noise: whether the images were also restored with noise.

    Raises:
        DataError: the answers are of a model for another task.
    """
    wanted = {ERROR: "mse", "mae": "mae", "ssim": "ssim", **({name: name for name in OF_DENOISED} if has_noise else {})}
    if missing := [name for name in wanted if name not in predictions]:
        raise DataError(
            f"judging restored images requires the outputs {', '.join(wanted)}; {', '.join(missing)} is missing",
            hint="if it is the last blessed model, leave NoWorse out of the gate until a new one is blessed",
        )
    kept = {own: predictions[name] for name, own in wanted.items()}
    for output, column in PICTURES.items():
        if output in predictions:
            kept[column] = np.array([small_picture(png) for png in predictions[output]], object)
    return kept


def small_picture(png: bytes) -> bytes:
    """A PNG whose longer side is at most 160 pixels; b"" stays b""."""
    if not png:
        return png
    picture = Image.open(io.BytesIO(png))
    if max(picture.size) <= PICTURE_SIDE:
        return png
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def judged_images(
    *, ids: Sequence[str], truth: npt.NDArray[Any], kept: Mapping[str, npt.NDArray[Any]], settings: c.Reconstruction
) -> Judgement:
    """All of `Reconstruction.metric_names`. A row has the measures of an image; `loss` is that of the headline metric.

    Args:
        ids: of the N examples.
        truth: float (N,), zeros.
        kept: of `kept_answers`.
        settings: the noise, and the metrics of a user's own.

    Raises:
        StageError: an answer is not a number; or a custom metric fails, see `added_metrics`.
    """
    names = settings.built_in_metrics()
    values = np.stack([_of_images(name, kept) for name in names], axis=1)
    if lost := int((~np.isfinite(values)).any(axis=1).sum()):
        raise StageError(f"{lost} of {len(ids)} answers of the network are not numbers", hint="train it again")
    scores_of = partial(_weighted_scores, values, truth, names, settings.metrics)
    scores = {name: float(found[0]) for name, found in scores_of(np.arange(len(ids)), np.ones((len(ids), 1))).items()}
    check_added_scores(settings.metrics, scores, count=len(ids))
    measures = dict(zip(names, values.T, strict=True))
    rows = pd.DataFrame({"id": list(ids), **measures, "loss": measures[settings.headline_metric()]})
    pictures = {column: list(kept[column]) for column in PICTURES.values() if column in kept}
    return Judgement(
        scores=scores,
        rows=rows.assign(**pictures),
        weighted_scores=scores_of,
        evidence=partial(_evidence, values, names, settings.metrics),
    )


def _of_images(name: str, kept: Mapping[str, npt.NDArray[Any]]) -> Floats:
    if name.endswith("psnr"):
        return decibels(kept[name.replace("psnr", "mse")])
    return np.asarray(kept[name], np.float64)


def _weighted_scores(
    values: Floats,
    truth: npt.NDArray[Any],
    names: Sequence[str],
    added: Sequence[c.Metric],
    rows: npt.NDArray[np.integer[Any]],
    weights: Floats,
) -> dict[str, Floats]:
    def of_column(column: int) -> Measure[Measured]:
        return Measure(lambda one: one.mean(column))

    def truth_and_answers(one: Measured) -> TruthAndAnswers:
        return truth[rows], one.values

    table = {name: of_column(column) for column, name in enumerate(names)}
    return weighted_scores({**table, **added_measures(added, truth_and_answers)}, Measured(values[rows], weights))


def _evidence(
    values: Floats, names: Sequence[str], added: Sequence[c.Metric], rows: npt.NDArray[np.integer[Any]]
) -> dict[str, Evidence]:
    count = len(rows)
    bounds: dict[str, Evidence] = {}
    for column, name in enumerate(names):
        kind = name.removeprefix(DENOISED)
        bounds[name] = Bounded(LEAST.get(kind, 0.0), MOST.get(kind, float(values[rows, column].max(initial=0.0))), count)
    return {**bounds, **added_evidence(added, count)}
