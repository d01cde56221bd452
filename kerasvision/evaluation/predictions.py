"""Predictions of a model over a whole split, as arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.progress import bar
from kerasvision.tasks.base import Predictions

BATCH_SIZE = 64


@dataclass(frozen=True)
class PredictedSplit:
    """A split with a model's answers.

    Attributes:
        ids: of the examples, in order.
        labels: int64 (N,).
        predictions: output name -> array of N rows.
    """

    ids: list[str]
    labels: np.ndarray
    predictions: dict[str, np.ndarray]


def predict_split(
    examples: ExampleSet, *, split: str, transform: ImageTransform, predictor: Callable[[tf.Tensor], Predictions]
) -> PredictedSplit:
    """What a predictor says of every example of a split, each image going through the transform."""
    inputs = examples.dataset(split).map(
        lambda example: {**example, "image": transform(example["image"])}, num_parallel_calls=tf.data.AUTOTUNE
    )
    # The last batch is smaller: one trace for all sizes.
    spec = tf.TensorSpec((None, *transform.settings.image_shape), tf.float32)
    return _collect(examples, split, inputs, tf.function(predictor, input_signature=[spec]))


def predict_split_from_bytes(examples: ExampleSet, *, split: str, saved_model: Path) -> PredictedSplit:
    """What a SavedModel says of every example of a split, from its bytes: how the last blessed model is asked."""
    loaded = tf.saved_model.load(str(saved_model))
    signature = loaded.signatures["serving_default"]
    return _collect(examples, split, examples.dataset(split), lambda image_bytes: signature(image_bytes=image_bytes))


def _collect(
    examples: ExampleSet, split: str, inputs: tf.data.Dataset, predict: Callable[[tf.Tensor], Predictions]
) -> PredictedSplit:
    ids, labels, outputs = [], [], []
    with bar(f"predicting {split}", total=examples.count(split)) as advance:
        for batch in inputs.batch(BATCH_SIZE).prefetch(tf.data.AUTOTUNE):
            ids += [name.decode() for name in batch["id"].numpy()]
            labels.append(batch["label"].numpy())
            outputs.append({name: value.numpy() for name, value in predict(batch["image"]).items()})
            advance(len(labels[-1]))
    predictions = {name: np.concatenate([output[name] for output in outputs]) for name in outputs[0]}
    return PredictedSplit(ids, np.concatenate(labels), predictions)
