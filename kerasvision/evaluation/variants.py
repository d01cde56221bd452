"""Scores a model on several views of each image, and together with other models.

The task averages the answers, which are about the original images, whatever a view moves: a classifier takes the mean of the
probabilities. Source of averaging over views: Krizhevsky et al., 2012, section 4.1, over crops and
mirror images; over models: section 6, and https://cs231n.github.io/neural-networks-3/#ensemble.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from kerasvision.config.evaluation import TEN_CROP, Evaluation
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.evaluation.bootstrap import difference_evidence, intervals, paired_differences, score_interval
from kerasvision.evaluation.predictions import (
    PredictedSplit,
    network_predictor,
    predict_split_from_bytes,
    predict_split_from_pixels,
)
from kerasvision.evaluation.score import judged
from kerasvision.ops.views import View, ten_crop, views
from kerasvision.served.model import ServedModel
from kerasvision.served.signatures import TENSOR_SIGNATURE
from kerasvision.tasks.base import Judgement, Task

COLUMNS = (
    "variant", "metric", "score", "low", "high", "difference", "difference_low", "difference_high",
)  # fmt: skip


def judge_variants(
    model: ServedModel,
    predicted: PredictedSplit,
    *,
    split: str,
    task: Task,
    examples: ExampleSet,
    transform: ImageTransform,
    settings: Evaluation,
) -> dict[str, Judgement]:
    """variant -> its judgement: one for each of `settings.test_time`, and one for the ensemble.

    Args:
        model: the served model.
        predicted: its answers for the split.
        split, examples: the images to predict.
        task: averages the answers, and judges them.
        transform: makes the pixels of a view.
        settings: the variants to judge.
    """

    def asked(view: View, seen: ImageTransform) -> PredictedSplit:
        return predict_split_from_pixels(
            examples,
            split=split,
            task=task,
            transform=seen,
            predict=lambda pixels: model(TENSOR_SIGNATURE, image=pixels),
            view=view,
        )

    found: dict[str, Judgement] = {}
    for name in settings.test_time:
        seen = transform.enlarged() if name == TEN_CROP else transform
        # The first of the ten crops is the image itself, as the saved model sees it.
        others = _other_crops(seen, transform) if name == TEN_CROP else views(name)
        answers = [predicted.predictions, *(asked(view, seen).predictions for view in others)]
        found[name] = judged(task, predicted, task.averaged(answers))
    if settings.ensemble:
        members = _members(settings.ensemble, split=split, task=task, examples=examples, transform=transform)
        answers = [predicted.predictions, *members]
        found[f"ensemble of {len(answers)}"] = judged(task, predicted, task.averaged(answers))
    return found


def _other_crops(seen: ImageTransform, transform: ImageTransform) -> tuple[View, ...]:
    return ten_crop(seen.settings.image_size, transform.settings.image_size)[1:]


def variant_table(judgement: Judgement, variants: Mapping[str, Judgement], settings: Evaluation) -> pd.DataFrame:
    """A row per variant and metric of the whole split: score, interval, and paired difference from the model alone."""
    rows, every = [], np.arange(len(judgement.rows))
    before = judgement.evidence(every)
    for name, variant in variants.items():
        ends = intervals(variant, resamples=settings.resamples, confidence=settings.confidence)
        differences = paired_differences(variant, judgement, resamples=settings.resamples)
        after = variant.evidence(every)
        for metric, score in variant.scores.items():
            if "[" not in metric and metric in judgement.scores:
                low, high = ends.get(metric, (np.nan, np.nan))
                values = differences.get(metric, np.array([np.nan]))
                change, known = score - judgement.scores[metric], difference_evidence(after.get(metric), before.get(metric))
                apart = score_interval(values, score=change, evidence=known, confidence=settings.confidence)
                rows.append((name, metric, score, low, high, change, *(apart or (np.nan, np.nan))))
    return pd.DataFrame(rows, columns=COLUMNS)


def _members(
    paths: tuple[Path, ...], *, split: str, task: Task, examples: ExampleSet, transform: ImageTransform
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the answers of every other model, with one model in memory at a time."""
    for path in paths:
        if path.suffix == ".keras":
            predict = network_predictor(path, task=task, transform=transform)
            yield predict_split_from_pixels(
                examples, split=split, task=task, transform=transform, predict=predict
            ).predictions
        else:
            yield predict_split_from_bytes(examples, split=split, task=task, saved_model=ServedModel(path)).predictions
