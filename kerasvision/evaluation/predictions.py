"""The answers of a served model, or of a network, for a whole split, as arrays."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasvision.config.keras_files import head_names
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform, rows_at_once
from kerasvision.errors import ExportError, StageError
from kerasvision.models.heads import class_list
from kerasvision.models.saved import load_network
from kerasvision.ops.places import Places
from kerasvision.ops.views import View
from kerasvision.progress import bar, say
from kerasvision.served.model import ServedModel
from kerasvision.served.signatures import BYTES_INPUT, BYTES_SIGNATURE, VALID
from kerasvision.tasks.base import Batch, Predictions, Task

# The most images in a batch, and the most pixels of all of them as the network sees them.
BATCH_SIZE, BATCH_PIXELS = 64, 2**20
MOST_NAMED = 10
# What a batch contains, in addition to its examples, about where their images lie in the network's frame.
SCALE, TRANSLATION, SIZE = "placed_scale", "placed_translation", "original_size"


@dataclass(frozen=True)
class PredictedSplit:
    """A split with a model's answers.

    Attributes:
        ids: of the N examples, in order.
        truth: the right answer for each, N rows, as `Task.measured` returns it.
        predictions: output name -> array of N rows, as `Task.measured` returns them.
    """

    ids: list[str]
    truth: np.ndarray
    predictions: dict[str, np.ndarray]


def predict_split_from_bytes(examples: ExampleSet, *, split: str, task: Task, saved_model: ServedModel) -> PredictedSplit:
    """The answers of a SavedModel for every example of a split, from the encoded bytes, as in serving.

    The answers of the extra signatures of `Task.evaluation_inputs` are added, if the model has them.

    Raises:
        StageError: the model answers that some examples are not images.
        ExportError: the model cannot answer such a request.
    """

    def ask(batch: Batch) -> Predictions:
        answers = dict(saved_model(BYTES_SIGNATURE, image_bytes=batch["image"]))
        for signature, inputs in task.evaluation_inputs(batch).items():
            if signature not in saved_model.signatures:
                continue
            image = {BYTES_INPUT: batch["image"]} if saved_model.takes_images(signature) else {}
            answers = {**saved_model(signature, **image, **inputs), **answers}
        return answers

    shape = saved_model.image_shape
    count = rows_at_once(shape[:2], most=BATCH_SIZE, pixels=BATCH_PIXELS) if shape else BATCH_SIZE
    return _collect(examples, split, task, examples.dataset(split), ask, count=count)


def predict_split_from_pixels(
    examples: ExampleSet,
    *,
    split: str,
    task: Task,
    transform: ImageTransform,
    predict: Callable[[tf.Tensor], Mapping[str, tf.Tensor]],
    view: View | None = None,
) -> PredictedSplit:
    """The answers of `predict`, a function of float32 (N, H, W, C) batches in [0, 255], for every example of a split.

    They are brought back to the original images by `Task.placed_back`, from what a view moves too.
    """

    def placed(example: Batch) -> Batch:
        pixels, placement, size = transform.placed(example["image"])
        return {**example, "image": pixels, SCALE: placement.scale, TRANSLATION: placement.translation, SIZE: size}

    def ask(batch: Batch) -> Predictions:
        pixels, frame = batch["image"], transform.settings.image_size
        scale, translation, size = (_dense(batch[name]) for name in (SCALE, TRANSLATION, SIZE))
        places = Places(scale, translation, size, frame=frame)
        if view is not None:
            pixels, places = view(pixels), places.moved(view.placement(frame))
            places = places._replace(frame=tuple(pixels.shape[1:3]))
        return task.placed_back(dict(predict(pixels)), places)

    inputs = examples.dataset(split).map(placed, num_parallel_calls=tf.data.AUTOTUNE)
    count = rows_at_once(transform.settings.image_size, most=BATCH_SIZE, pixels=BATCH_PIXELS)
    return _collect(examples, split, task, inputs, ask, count=count)


def network_predictor(file: Path, *, task: Task, transform: ImageTransform) -> Callable[[tf.Tensor], Predictions]:
    """The function from float32 (N, H, W, C) pixels in [0, 255] to the answers of the network in a .keras file.

    Raises:
        ExportError: the file is damaged, or its network takes images of another shape or answers with other classes.
    """
    network = _in_order(load_network(file), file, classes=task.classes)
    shape = transform.settings.image_shape
    if tuple(network.input_shape[1:]) != shape:
        raise ExportError(f"{file} takes images of shape {network.input_shape[1:]}; this experiment has {shape}")
    predict = task.predictor(network)
    # The last batch is smaller: one trace for all sizes.
    spec = tf.TensorSpec((None, *shape), tf.float32)
    answer: Callable[[tf.Tensor], Predictions] = tf.function(
        lambda pixels: predict(transform.scaled(pixels)), input_signature=[spec]
    )
    return answer


def _in_order(network: keras.Model, file: Path, *, classes: Sequence[str]) -> keras.Model:
    """The network with its outputs in the order of these classes; the file says in which order it has them.

    Raises:
        ExportError: the network answers with other classes.
    """
    names = head_names(file)
    if names == tuple(classes) or isinstance(network.output, dict):
        return network
    count = network.output_shape[-1]
    if names is None and count == len(classes):
        say(f"{file} does not name its classes; it is assumed to have those of this experiment, in the same order")
        return network
    if names is None or set(names) != set(classes):
        theirs = f"{count} classes" if names is None else class_list(names)
        raise ExportError(
            f"a member of evaluation.ensemble must answer with the classes {class_list(classes)}; "
            f"{file} answers with {theirs}",
            hint="leave it out of evaluation.ensemble",
        )
    order = [names.index(name) for name in classes]
    return keras.Model(network.inputs, keras.ops.take(network.output, order, axis=-1), name=network.name)


def _collect(
    examples: ExampleSet,
    split: str,
    task: Task,
    inputs: tf.data.Dataset,
    predict: Callable[[Batch], Mapping[str, tf.Tensor]],
    *,
    count: int,
) -> PredictedSplit:
    """The answers of `predict` for all examples, in batches of `count`."""
    ids, truth, outputs, valid = [], [], [], []
    with bar(f"predicting {split}", total=examples.count(split)) as advance:
        for batch in inputs.ragged_batch(count).prefetch(tf.data.AUTOTUNE):
            batch["image"] = _dense(batch["image"])
            ids += [name.decode() for name in batch["id"].numpy()]
            answers = {name: value.numpy() for name, value in predict(batch).items()}
            valid.append(answers.pop(VALID, np.ones(len(batch["id"]), bool)))
            kept, predicted = task.measured(task.truth(batch), answers)
            truth.append(kept)
            outputs.append(predicted)
            advance(len(valid[-1]))
    _refuse_invalid(ids, np.concatenate(valid))
    predictions = {name: _joined([output[name] for output in outputs]) for name in outputs[0]}
    return PredictedSplit(ids, np.concatenate(truth), predictions)


def _joined(batches: list[np.ndarray]) -> np.ndarray:
    """All rows in one array. Where later axes differ between batches, zeros or empty texts fill the shorter ones.

    >>> _joined([np.array([[1, 2]]), np.array([[3]])]).tolist()
    [[1, 2], [3, 0]]
    """
    largest = np.max([batch.shape[1:] for batch in batches], axis=0)
    empty = b"" if batches[0].dtype == object else 0
    pads = [[(0, 0), *((0, int(gap)) for gap in largest - batch.shape[1:])] for batch in batches]
    return np.concatenate(
        [
            np.pad(batch, pad, constant_values=empty) if np.any(pad) else batch
            for batch, pad in zip(batches, pads, strict=True)
        ]
    )


def _dense(images: Any) -> tf.Tensor:
    """Images of one shape as one tensor; `ragged_batch` is for annotations, whose number varies."""
    return images.to_tensor() if isinstance(images, tf.RaggedTensor) else images


def _refuse_invalid(ids: Iterable[str], valid: np.ndarray) -> None:
    if valid.all():
        return
    bad = [name for name, is_valid in zip(ids, valid, strict=True) if not is_valid]
    named = ", ".join(bad[:MOST_NAMED]) + (" and others" if len(bad) > MOST_NAMED else "")
    raise StageError(
        f"the served model cannot read {len(bad)} images of the data set: {named}",
        hint="look at these files; ingest.quarantine_file leaves them out",
    )
