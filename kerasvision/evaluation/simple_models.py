"""Scores of the simplest models: a network is worth its cost only if it beats them.

Each of the task's scikit-learn estimators is trained on the pixels of small versions of the images, and on their principal
components. Each of the task's baselines is trained on the small images, and judged as the network is. The number and the
size of the training images bound the time.
"""

import json
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from kerasvision.config.evaluation import SimpleModels
from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TEST, TRAIN, VALIDATION
from kerasvision.data.validating.schema import DataSchema
from kerasvision.errors import ConfigError, DataError
from kerasvision.evaluation.bootstrap import intervals
from kerasvision.evaluation.exact import share_interval
from kerasvision.ops.images import decode_image
from kerasvision.ops.resize import resize_image
from kerasvision.progress import bar
from kerasvision.tasks.base import Baseline, Task

SEED = 0
CONFIDENCE = 0.95
BATCH_SIZE = 256
# As many validation images as a choice needs: a tenth of the default for training would leave the choice to chance.
MOST_TO_CHOOSE = 1000
GREY = {"L", "LA", "1", "I", "I;16", "F"}
RESAMPLES = 1000
COLUMNS = ("model", "features", "metric", "score", "low", "high", "train_examples", "test_examples", "seconds", "notes")


@dataclass(frozen=True)
class SmallImages:
    """Small versions of N images of a split.

    Attributes:
        ids: of the N examples, in order.
        images: float32 (N, side, side, C) in [0, 1], stretched.
        truth: N rows, by `Task.truth`.
    """

    ids: list[str]
    images: np.ndarray
    truth: np.ndarray

    @property
    def features(self) -> np.ndarray:
        """float32 (N, side * side * C) in [0, 1]: the pixels of each image in a row."""
        return self.images.reshape(len(self.images), -1)


def score_simple_models(
    examples: ExampleSet,
    *,
    task: Task,
    schema: DataSchema,
    settings: SimpleModels,
    significant_bits: int = 16,
    choices: list[pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """A row per simple model, best first: its score on the test split.

    A scikit-learn estimator has a row for each kind of features, and is scored by its accuracy. A baseline of the task is
    scored by the task's headline metric.

    Args:
        examples: the data set.
        task: gives the simple models; without any, the table has no rows.
        schema: says whether the images are grey, and how large they are.
        settings: how many images to train on, and their size.
        significant_bits: see `kerasvision.ops.images.decode_image`.
        choices: a list to which the tables are added of what estimators chose on the validation split: model, features,
            settings, accuracy.

    Returns:
        Columns: model, features, metric, score with `low` and `high` of its 95 % interval (exact for an accuracy; NaN
        without one), train_examples, test_examples, processor seconds of training and prediction, notes.

    Raises:
        ConfigError: the task has baselines, but names no headline metric.
        DataError: there is no test split.
    """
    estimators, baselines = task.simple_models(), task.baselines()
    if not estimators and not baselines:
        return pd.DataFrame(columns=COLUMNS)
    if not examples.count(TEST):
        raise DataError("there is no test split to score simple models on", hint="set splits.test above 0")
    small = partial(
        small_images,
        examples,
        task=task,
        side=min(settings.max_side, schema.max_side),
        is_grey=set(schema.modes) <= GREY,
        significant_bits=significant_bits,
    )
    train, test = small(split=TRAIN, most=settings.max_train), small(split=TEST, most=None)
    tried = small(split=VALIDATION, most=MOST_TO_CHOOSE) if examples.count(VALIDATION) else None
    components = min(settings.components, *train.features.shape)
    rows = []
    with bar("simple models", total=2 * len(estimators) + len(baselines)) as advance:
        reduced = (f"{components} principal components", [PCA(components, random_state=SEED)])
        for features, steps in (("pixels", []), reduced):
            for name, estimator in estimators.items():
                pipeline = make_pipeline(StandardScaler(), *steps, clone(estimator))
                began, notes = time.process_time(), _fit(pipeline, train)
                if tried is not None and hasattr(pipeline[-1], "choose"):
                    chosen = _chosen(pipeline, tried)
                    notes.append(_choice(chosen, images=len(tried.truth)))
                    if choices is not None:
                        choices.append(chosen.assign(model=name, features=features))
                rows.append((name, features, *_score(pipeline, train, test, began=began, notes="; ".join(notes))))
                advance(1)
        for name, fit in baselines.items():
            rows.append((name, "images", *_score_baseline(fit, train, test, task)))
            advance(1)
    table = pd.DataFrame(rows, columns=COLUMNS)
    is_less_better = task.settings.best_is(str(table["metric"][0])) == "min"
    return table.sort_values("score", ascending=is_less_better, kind="stable", ignore_index=True)


def small_images(
    examples: ExampleSet, *, split: str, most: int | None, task: Task, side: int, is_grey: bool, significant_bits: int = 16
) -> SmallImages:
    """Small versions of the images of a split, with their truth.

    Args:
        examples, split: which images.
        most: how many of them, drawn with a fixed seed; None means all.
        task: gives the truth.
        side: of the small images, in pixels.
        is_grey: one channel instead of three.
        significant_bits: see `kerasvision.ops.images.decode_image`.
    """
    count = examples.count(split)
    chosen = np.ones(count, bool)
    if most is not None and count > most:
        chosen[np.random.default_rng(SEED).permutation(count)[most:]] = False
    wanted = tf.data.Dataset.from_tensor_slices(chosen)
    mode = "grayscale" if is_grey else "rgb"

    def small(example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        pixels = decode_image(example["image"], color_mode=mode, significant_bits=significant_bits)
        return {**example, "image": resize_image(pixels, image_size=(side, side), fit="stretch") / 255.0}

    dataset = tf.data.Dataset.zip(wanted, examples.dataset(split)).filter(lambda is_wanted, _: is_wanted)
    dataset = dataset.map(lambda _, example: small(example), num_parallel_calls=tf.data.AUTOTUNE)
    ids, images, truth = list[str](), [], []
    for batch in dataset.ragged_batch(BATCH_SIZE):
        ids += [name.decode() for name in batch["id"].numpy()]
        images.append(batch["image"].numpy())
        truth.append(task.truth(batch))
    return SmallImages(ids, np.concatenate(images), np.concatenate(truth))


def save_simple_scores(table: pd.DataFrame, *, folder: Path, choices: Sequence[pd.DataFrame] = ()) -> None:
    """Writes `simple_scores.csv`, the same as a list in `simple_scores.json`, and, if there are choices, `choices.csv`."""
    if choices:
        joined = pd.concat(choices)
        ends = [column for column in joined if column not in ("model", "features")]
        joined[["model", "features", *ends]].to_csv(folder / "choices.csv", index=False)
    table.to_csv(folder / "simple_scores.csv", index=False)
    rows = json.loads(table.to_json(orient="records", double_precision=15))
    text = json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "simple_scores.json").write_text(text + "\n", encoding="utf-8")


def best_simple_model(table: pd.DataFrame) -> dict[str, float | str]:
    """`simple_model` of the first row, and its score, such as `simple_accuracy`; empty if no row has a score.

    >>> best_simple_model(
    ...     pd.DataFrame({"model": ["linear SVM"], "features": ["pixels"], "metric": ["accuracy"], "score": [0.9]})
    ... )
    {'simple_accuracy': 0.9, 'simple_model': 'linear SVM on pixels'}
    """
    scored = table[table["score"].notna()]
    if scored.empty:
        return {}
    best = scored.iloc[0]
    return {f"simple_{best['metric']}": float(best["score"]), "simple_model": f"{best['model']} on {best['features']}"}


def _fit(pipeline: Pipeline, train: SmallImages) -> list[str]:
    """Trains an estimator, and returns what should be noted."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        pipeline.fit(train.features, train.truth)
    stopped = any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    return ["stopped before convergence"] if stopped else []


def _chosen(pipeline: Pipeline, tried: SmallImages) -> pd.DataFrame:
    """What the estimator at the end of a pipeline chose on these images: the table of its method `choose`."""
    table: pd.DataFrame = pipeline[-1].choose(pipeline[:-1].transform(tried.features), tried.truth)
    return table


def _choice(chosen: pd.DataFrame, *, images: int) -> str:
    """The best row of a table of choices, in words.

    >>> _choice(pd.DataFrame({"distance": ["L1"], "k": [3], "accuracy": [0.9]}), images=40)
    'distance L1, k 3: chosen on 40 validation images'
    """
    best = chosen.drop(columns="accuracy").iloc[0]
    return ", ".join(f"{name} {value}" for name, value in best.items()) + f": chosen on {images:,} validation images"


def _score(pipeline: Pipeline, train: SmallImages, test: SmallImages, *, began: float, notes: str) -> tuple[object, ...]:
    """The values of the columns from `metric` on, for a trained estimator; `began` is the processor time of its start."""
    correct = pipeline.predict(test.features) == test.truth
    seconds = round(time.process_time() - began, 2)
    ends = share_interval(correct.sum(), len(correct), confidence=CONFIDENCE)
    return "accuracy", correct.mean(), *ends, len(train.truth), len(correct), seconds, notes


def _score_baseline(fit: Baseline, train: SmallImages, test: SmallImages, task: Task) -> tuple[object, ...]:
    """The same for a baseline of the task."""
    metric = task.settings.headline_metric()
    if metric is None:
        raise ConfigError(
            f"{type(task).__name__}.baselines are scored by the headline metric, and the task names none",
            hint=f"define {type(task.settings).__name__}.headline_metric",
        )
    began = time.process_time()
    predictions = fit(train.images, train.truth)(test.images)
    seconds = round(time.process_time() - began, 2)
    truth, kept = task.measured(test.truth, predictions)
    judgement = task.judge(ids=test.ids, truth=truth, predictions=kept)
    ends = intervals(judgement, resamples=RESAMPLES, confidence=CONFIDENCE).get(metric, (np.nan, np.nan))
    notes = judgement.left_out.get(metric, "")
    return metric, judgement.scores.get(metric, np.nan), *ends, len(train.truth), len(test.truth), seconds, notes
