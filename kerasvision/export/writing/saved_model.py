"""A SavedModel from image bytes to answers: transform, network and labels in one graph of stock TensorFlow operations."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType

import keras
import numpy as np
import tensorflow as tf

from kerasvision.config.evaluation import views_text
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.export.writing.graph import read_graph, signatures
from kerasvision.export.writing.parts import AfterNetwork, Parts, blanked, decoded_images, placed_answers
from kerasvision.export.writing.shared_network import Compute, SharedNetwork
from kerasvision.export.writing.viewed import over_views
from kerasvision.export.writing.warmup import Filled, write_warmup_requests
from kerasvision.served.answers import CATEGORY_IDS, write_answers
from kerasvision.served.engine import IMAGES
from kerasvision.served.signatures import (
    BYTES_INPUT,
    BYTES_SIGNATURE,
    BYTES_SUFFIX,
    TENSOR_INPUT,
    TENSOR_SIGNATURE,
    TRANSFORM_FILE,
    VALID,
)
from kerasvision.tasks.base import ExtraSignature, Predictions, Task

MAX_PIXELS = 100_000_000


def export_saved_model(
    model: keras.Model,
    *,
    task: Task,
    transform: ImageTransform,
    folder: Path,
    temperature: float = 1.0,
    max_pixels: int = MAX_PIXELS,
    test_time: Sequence[str] = (),
    category_ids: Mapping[str, int] = MappingProxyType({}),
    after_network: AfterNetwork | None = None,
    fast: Compute | None = None,
) -> dict[str, object]:
    """Writes a SavedModel that loads with TensorFlow alone.

    Signatures, each with a free batch dimension and the task's named outputs:
        `serving_default(image_bytes: string [None])`: encoded images. Positions are those in the original upright image,
            see `Task.placed_back`. Its output `valid`, bool [None], says which rows have an answer. A row that is not an
            image has false there, zeros and empty texts in the other outputs, and does not affect other rows.
        `serve_tensor(image: float32 [None, H, W, C])`: decoded images of the network's size, pixels in [0, 255]. Positions
            are those in these images.
        those of `Task.extra_signatures`, if any: `(image_bytes: string [None], ...)`, also with an output `valid`. They
            answer about the image alone, without the views of `test_time`. Some do not take images at all.

    In addition to the graph: `assets/labels.txt`, a label per line; `assets.extra/signatures.json`, this description as
    data, with the meaning of each output; `assets.extra/transform.json`, the transform as data;
    `assets.extra/tf_serving_warmup_requests`; and if the task has its own way to show
    the answers, `assets.extra/answers.json`.

    Args:
        model: the trained network.
        task: gives the outputs.
        transform: the transform that the network was trained with.
        folder: where to write; created here.
        temperature: the number that the network's outputs are divided by, see `Task.fit_temperature`.
        max_pixels: an image whose header claims more is bad, and is not decoded.
        test_time: names of views; the answers of the first two signatures are means over the image and these views. With
            "ten_crop", `serve_tensor` takes the whole picture, H and W divided by `crop_fraction`.
        category_ids: label -> its number in the source's own files; only those of the task's classes are written.
        after_network: what makes answers of the network's outputs, see `SharedNetwork.answers_of`. Then the SavedModel also
            has its `parts`, between which another engine may compute the network.
        fast: what computes the network for the first two signatures, see `fast_network`; None: the network itself.

    Returns:
        The content of `signatures.json`.
    """
    answering, seen = over_views(model, task=task, transform=transform, test_time=test_time)
    shape = seen.settings.image_shape
    network = SharedNetwork(answering, shape=shape, computed={model: fast} if fast else {})
    predict = _named_outputs(task, task.predictor(network, temperature=temperature))
    further = task.extra_signatures(model, temperature=temperature)

    @partial(tf.function, autograph=False, input_signature=[tf.TensorSpec([None, *shape], tf.float32, name=TENSOR_INPUT)])
    def serve_tensor(image: tf.Tensor) -> Predictions:
        return task.in_frame(predict(seen.scaled(image)))

    # Not Keras' ExportArchive, which ignores assets.
    served = tf.Module()
    with _without_notices(), tempfile.TemporaryDirectory() as scratch:
        served.labels = tf.saved_model.Asset(str(_write_labels(Path(scratch) / "labels.txt", task.classes)))
        if after_network:
            served.parts = Parts(task, transform=seen, after=after_network, outputs=network.outputs(), max_pixels=max_pixels)
            of_bytes = _through_parts(served.parts, network)
        else:
            of_bytes = _from_bytes(ExtraSignature({}, predict), task, transform=seen, max_pixels=max_pixels)
        endpoints = {BYTES_SIGNATURE: of_bytes}
        for name, one in further.items():
            endpoints[name] = (
                _from_bytes(one, task, transform=transform, max_pixels=max_pixels) if one.takes_images else _from_inputs(one)
            )
        endpoints[TENSOR_SIGNATURE] = serve_tensor.get_concrete_function()
        # Only what they read: the weights of a fast network are constants.
        used = {id(variable) for function in endpoints.values() for variable in function.variables}
        served.weights = [variable.value for variable in model.variables if id(variable.value) in used]
        tf.saved_model.save(served, str(folder), signatures=endpoints)
    write_warmup_requests(folder, requests=_warmup_requests(shape, further))
    described = describe_signatures(folder, task=task, further=further, test_time=test_time)
    text = json.dumps(described, indent=2, ensure_ascii=False)
    (folder / "assets.extra" / "signatures.json").write_text(text + "\n", encoding="utf-8")
    transform.save(folder / TRANSFORM_FILE)
    if presentation := task.presentation():
        known = {label: category_ids[label] for label in task.classes if label in category_ids}
        write_answers({**presentation, **({CATEGORY_IDS: known} if known else {})}, folder=folder)
    return described


def _named_outputs(task: Task, predict: Callable[[tf.Tensor], Predictions]) -> Callable[[tf.Tensor], Predictions]:
    """The same function, which raises ConfigError unless it returns name -> tensor."""

    def named(images: tf.Tensor) -> Predictions:
        found = predict(images)
        if not isinstance(found, Mapping):
            raise ConfigError(
                f"the function that {type(task).__name__}.predictor returns must return named outputs, name -> tensor",
                received=type(found).__name__,
                hint='return {"name": tensor} from it',
            )
        return found

    return named


def _from_bytes(
    one: ExtraSignature, task: Task, *, transform: ImageTransform, max_pixels: int
) -> "tf.types.experimental.ConcreteFunction":
    """A function of encoded images and of the other inputs; rows that are not images are blank."""

    @partial(tf.function, autograph=False)
    def answer(image_bytes: tf.Tensor, **inputs: tf.Tensor) -> Predictions:
        images, valid, places = decoded_images(image_bytes, transform, max_pixels=max_pixels)
        return placed_answers(one.answer(images, **inputs), valid, places, task=task)

    return answer.get_concrete_function(tf.TensorSpec([None], tf.string, name=BYTES_INPUT), **_named(one))


def _through_parts(parts: Parts, network: SharedNetwork) -> "tf.types.experimental.ConcreteFunction":
    """A function of encoded images, of the same functions that an engine calls."""

    @partial(tf.function, autograph=False)
    def answer(image_bytes: tf.Tensor) -> Predictions:
        made = parts.decoded(image_bytes)
        answers: Predictions = parts.placed_back(**made, **network.numbered(made[IMAGES]))
        return answers

    return answer.get_concrete_function(tf.TensorSpec([None], tf.string, name=BYTES_INPUT))


def _from_inputs(one: ExtraSignature) -> "tf.types.experimental.ConcreteFunction":
    """A function of the inputs alone; rows that are not valid are blank."""

    @partial(tf.function, autograph=False)
    def answer(**inputs: tf.Tensor) -> Predictions:
        answers = dict(one.answer(**inputs))
        valid = answers.pop(VALID)
        return blanked(answers, valid)

    return answer.get_concrete_function(**_named(one))


def _named(one: ExtraSignature) -> dict[str, tf.TensorSpec]:
    return {name: tf.TensorSpec(spec.shape, spec.dtype, name=name) for name, spec in one.inputs.items()}


def describe_signatures(
    folder: Path, *, task: Task, further: Mapping[str, ExtraSignature], test_time: Sequence[str] = ()
) -> dict[str, object]:
    """Signature -> inputs and outputs -> name -> type, shape (None is free) and meaning, read from the SavedModel itself.

    An output of corners also has `set`: the outputs that belong to its rows, see `Task.sets`. An output of a class for each
    pixel has `map`: the outputs that are counted from it, see `Task.maps`. An output of bytes has `binary`: true.

    Raises:
        ConfigError: the name of an output of bytes does not end in `_bytes`.
    """
    meaning = {
        BYTES_INPUT: "a JPEG, PNG, GIF, BMP or WebP file",
        TENSOR_INPUT: "an image of this size, with pixels in [0, 255]",
        VALID: "false if the row is not an image that can be read; its other outputs mean nothing then",
        **task.output_descriptions(),
    }
    own: dict[str, Mapping[str, str]] = {name: one.descriptions for name, one in further.items()}
    if test_time:
        added = f"; the answer is the mean over {views_text(test_time, of='it')}"
        images = ((BYTES_SIGNATURE, BYTES_INPUT), (TENSOR_SIGNATURE, TENSOR_INPUT))
        own |= {name: {key: meaning[key] + added} for name, key in images}
    _check_binary(task)

    def described(name: str, key: str, dtype: str, shape: list[int | None] | None) -> dict[str, object]:
        said: dict[str, object] = {"dtype": dtype, "shape": shape, "meaning": {**meaning, **own.get(name, {})}.get(key, "")}
        said |= {"binary": True} if key in task.binary() else {}
        if name in (BYTES_SIGNATURE, TENSOR_SIGNATURE):
            kinds = {"set": task.sets(), "map": task.maps()}
            said |= {kind: list(outputs[key]) for kind, outputs in kinds.items() if key in outputs}
        return said

    return {
        name: {part: {key: described(name, key, *spec) for key, spec in tensors.items()} for part, tensors in one.items()}
        for name, one in signatures(read_graph(folder)).items()
    }


def _check_binary(task: Task) -> None:
    if wrong := sorted(name for name in task.binary() if not name.endswith(BYTES_SUFFIX)):
        raise ConfigError(
            f"the name of an output of bytes must end in {BYTES_SUFFIX}, as a server sends only such outputs as base64",
            received=wrong,
            hint=f"rename it in {type(task).__name__}.binary",
        )


def _warmup_requests(shape: tuple[int, int, int], further: Mapping[str, ExtraSignature]) -> dict[str, dict[str, Filled]]:
    """Grey pictures; for other inputs of a signature, zeros or empty texts, with length 1 on free axes."""
    grey = tf.io.encode_png(np.full(shape, 128, np.uint8)).numpy()
    requests: dict[str, dict[str, Filled]] = {
        BYTES_SIGNATURE: {BYTES_INPUT: (grey, ())},
        TENSOR_SIGNATURE: {TENSOR_INPUT: (128.0, shape)},
    }
    for signature, one in further.items():
        empty = {name: b"" if spec.dtype == tf.string else spec.dtype.as_numpy_dtype(0) for name, spec in one.inputs.items()}
        rows = {name: tuple(side or 1 for side in spec.shape[1:]) for name, spec in one.inputs.items()}
        image: dict[str, Filled] = {BYTES_INPUT: (grey, ())} if one.takes_images else {}
        requests[signature] = {**image, **{name: (empty[name], rows[name]) for name in rows}}
    return requests


def _write_labels(file: Path, labels: tuple[str, ...]) -> Path:
    # A label is one line here, whatever it contains.
    file.write_text("".join(" ".join(label.splitlines()) + "\n" for label in labels), encoding="utf-8")
    return file


@contextmanager
def _without_notices() -> Iterator[None]:
    """Hides TensorFlow's message about where it wrote the assets: that folder is about to be renamed."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logger.setLevel(level)
