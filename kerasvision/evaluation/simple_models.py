"""Scores of the simplest models: a network is worth its cost only if it beats them.

Each of the task's scikit-learn estimators is trained on the pixels of small versions of the images, and on their principal
components. The number and the size of the training images bound the time.
"""

import json
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

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
from kerasvision.data.splits import TEST, TRAIN
from kerasvision.data.validating.schema import DataSchema
from kerasvision.errors import DataError
from kerasvision.evaluation.exact import share_interval
from kerasvision.ops.images import decode_image
from kerasvision.ops.resize import resize_image
from kerasvision.progress import bar
from kerasvision.tasks.base import Task

SEED = 0
CONFIDENCE = 0.95
BATCH_SIZE = 256
GREY = {"L", "LA", "1", "I", "I;16", "F"}
COLUMNS = ("model", "features", "accuracy", "low", "high", "train_examples", "test_examples", "seconds", "notes")


def score_simple_models(
    examples: ExampleSet, *, task: Task, schema: DataSchema, settings: SimpleModels, significant_bits: int = 16
) -> pd.DataFrame:
    """A row per estimator and kind of features, best first: its accuracy on the test split.

    Args:
        examples: the data set.
        task: gives the estimators; without any, the table has no rows.
        schema: says whether the images are grey, and how large they are.
        settings: how many images to train on, and their size.
        significant_bits: see `kerasvision.ops.images.decode_image`.

    Returns:
        Columns: model, features, accuracy with `low` and `high` of its exact 95 % interval, train_examples, test_examples,
        processor seconds of training and prediction, notes.

    Raises:
        DataError: there is no test split.
    """
    estimators = task.simple_models()
    if not estimators:
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
    components = min(settings.components, *train[0].shape)
    rows = []
    with bar("simple models", total=2 * len(estimators)) as advance:
        reduced = (f"{components} principal components", [PCA(components, random_state=SEED)])
        for features, steps in (("pixels", []), reduced):
            for name, estimator in estimators.items():
                pipeline = make_pipeline(StandardScaler(), *steps, clone(estimator))
                rows.append((name, features, *_score(pipeline, train, test)))
                advance(1)
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.sort_values("accuracy", ascending=False, kind="stable", ignore_index=True)


def small_images(
    examples: ExampleSet, *, split: str, most: int | None, task: Task, side: int, is_grey: bool, significant_bits: int = 16
) -> tuple[np.ndarray, np.ndarray]:
    """Images as rows of features, float32 (N, side * side * channels) in [0, 1], and their truth by `Task.truth` (N rows).

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
    batches = [(batch["image"].numpy(), task.truth(batch)) for batch in dataset.ragged_batch(BATCH_SIZE)]
    images = np.concatenate([images for images, _ in batches])
    return images.reshape(len(images), -1), np.concatenate([truth for _, truth in batches])


def save_simple_scores(table: pd.DataFrame, *, folder: Path) -> None:
    """Writes `simple_scores.csv`, and the same as a list in `simple_scores.json`."""
    table.to_csv(folder / "simple_scores.csv", index=False)
    rows = json.loads(table.to_json(orient="records", double_precision=15))
    text = json.dumps(rows, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "simple_scores.json").write_text(text + "\n", encoding="utf-8")


def best_simple_model(table: pd.DataFrame) -> dict[str, float | str]:
    """`simple_accuracy` and `simple_model` of the first row; empty if the table is.

    >>> best_simple_model(pd.DataFrame({"model": ["linear SVM"], "features": ["pixels"], "accuracy": [0.9]}))
    {'simple_accuracy': 0.9, 'simple_model': 'linear SVM on pixels'}
    """
    if table.empty:
        return {}
    best = table.iloc[0]
    return {"simple_accuracy": float(best["accuracy"]), "simple_model": f"{best['model']} on {best['features']}"}


def _score(pipeline: Pipeline, train: tuple[np.ndarray, Any], test: tuple[np.ndarray, Any]) -> tuple[object, ...]:
    """The values of the columns from `accuracy` on."""
    began = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        pipeline.fit(*train)
    correct = pipeline.predict(test[0]) == test[1]
    seconds = round(time.process_time() - began, 2)
    stopped = any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    notes = "stopped before convergence" if stopped else ""
    ends = share_interval(correct.sum(), len(correct), confidence=CONFIDENCE)
    return correct.mean(), *ends, len(train[0]), len(correct), seconds, notes
