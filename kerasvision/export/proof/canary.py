"""Canary images: the served model must answer for them as the trained network does."""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from kerasvision.config.experiment import Serving
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.names import class_names
from kerasvision.data.splits import TEST
from kerasvision.data.transform import ImageTransform, rows_at_once
from kerasvision.data.validating.schema import DataSchema
from kerasvision.export.proof.fresh_process import start_early
from kerasvision.export.proof.parity import Certificate, Expected, prove
from kerasvision.export.proof.probe import COMPARED, few_enough
from kerasvision.export.writing.formats.writing import format_complaints
from kerasvision.export.writing.viewed import over_views
from kerasvision.models.saved import load_network
from kerasvision.ops.places import Places
from kerasvision.tasks.base import ExtraSignature, Predictions, Task, make_task

# The most images in a batch, and the most pixels of all of them: outside a graph, Keras keeps all maps of a network until
# its answer, 220 MB for one image of 320 x 320 and an EfficientNet-Lite0.
BATCH_SIZE, BATCH_PIXELS = 32, 2**19
ORIENTATION_TAG = 0x0112
# How far answers may differ at least, if the served network computes in bfloat16.
BFLOAT16_DIFFERENCE = 0.01

# (scaled images float32 (N, H, W, C), where they lie in it) -> named outputs of N rows.
Answer = Callable[[tf.Tensor, Places], Predictions]


def prove_on_canaries(
    *,
    model_file: Path,
    model_settings: Path,
    saved_model: Path,
    record: Path,
    examples: Path,
    schema: Path,
    transform: Path,
    settings: Serving,
) -> Certificate:
    """Sends images of the test split to the trained network here, and to the SavedModel in a fresh process.

    Args:
        model_file: the trained `.keras` file.
        model_settings: `settings.json` of its training.
        saved_model: the SavedModel that was exported from it.
        record: `export.json` next to it, for the temperature, the decisions, the views that answers are means over, the
            precision, and the answers of the other formats.
        examples: the prepared data set.
        schema: `schema.json`.
        transform: `transform.json`.
        settings: how many images, and how close the answers must be.
    """
    start_early()
    images = canaries(ExampleSet(examples), count=settings.canary_examples)
    names = class_names(transform, labels=DataSchema.load(schema).classes)
    transformed = ImageTransform.load(transform)
    task = make_task(TrainerSettings.load(model_settings).task, names).seeing(transformed)
    exported = json.loads(record.read_text(encoding="utf-8"))
    if exported.get("decisions"):
        task = task.with_decisions(exported["decisions"])
    alone = load_network(model_file)
    temperature = (exported["temperature"] or {"value": 1.0})["value"]
    expected = expected_answers(task, alone, images, transformed, temperature=temperature, test_time=exported["test_time"])
    _, seen = over_views(alone, task=task, transform=transformed, test_time=exported["test_time"])
    pixels = np.stack([seen.pixels(image).numpy() for image in images[:COMPARED]])
    allowed = max(settings.max_difference, BFLOAT16_DIFFERENCE if exported.get("precision") == "bfloat16" else 0.0)
    settings = settings.model_copy(update={"max_difference": allowed})
    certificate = prove(saved_model, images=images, expected=expected, pixels=pixels, settings=settings)
    complaints = [*certificate.complaints, *format_complaints(exported["formats"])]
    return replace(certificate, blessed=not complaints, complaints=tuple(complaints))


def canaries(examples: ExampleSet, *, count: int) -> list[bytes]:
    """Encoded images of the test split: half of them the original files, the others written again in other ways.

    A small split gives fewer: each image once in each way.
    """
    originals = [example["image"].numpy() for example in examples.dataset(TEST).take((count + 1) // 2)]
    anew = (rewritten(image, way) for image, way in _pairs(originals))
    return [*originals, *(image for image, _ in zip(anew, range(count - len(originals)), strict=False))]


def rewritten(image: bytes, way: str) -> bytes:
    """The image in another file: `jpeg`, `png`, in grey (`grey_jpeg`, `grey_png`), or a JPEG that its EXIF data rotates."""
    with Image.open(io.BytesIO(image)) as opened:
        picture = opened.convert("L" if way.startswith("grey") else "RGB")
    file, exif = io.BytesIO(), Image.Exif()
    if way.startswith("turned"):
        exif[ORIENTATION_TAG] = int(way.removeprefix("turned_"))
    picture.save(file, "PNG" if way.endswith("png") else "JPEG", exif=exif)
    return file.getvalue()


WAYS = ("jpeg", "png", "grey_jpeg", "grey_png", *(f"turned_{orientation}" for orientation in range(2, 9)))


def expected_answers(
    task: Task,
    network: keras.Model,
    images: Sequence[bytes],
    transform: ImageTransform,
    *,
    temperature: float = 1.0,
    test_time: Sequence[str] = (),
) -> Expected:
    """What a SavedModel of a trained network must answer for encoded images; see `export_saved_model` for the arguments."""
    answering, seen = over_views(network, task=task, transform=transform, test_time=test_time)
    predict = task.predictor(answering, temperature=temperature)
    every = task.extra_signatures(network, temperature=temperature)
    further = {name: one for name, one in every.items() if one.takes_images}
    some = images[:COMPARED]

    def placed(answer: Callable[[tf.Tensor], Predictions]) -> Answer:
        return lambda pixels, places: task.placed_back(answer(pixels), places)

    return Expected(
        of_bytes=answers(placed(predict), images, seen),
        of_pixels=answers(lambda pixels, _: task.in_frame(predict(pixels)), some, seen),
        further={name: few_answers(placed(one.answer), some, transform) for name, one in further.items() if not one.inputs},
        made={name: (one.tried, made_answers(one)) for name, one in every.items() if not one.takes_images},
        sets=task.sets(),
        maps=task.maps(),
        units=task.units(network),
        pictures=task.pictures(),
        also_right=task.also_right,
    )


def answers(answer: Answer, images: Sequence[bytes], transform: ImageTransform) -> Mapping[str, np.ndarray]:
    """name -> the answers for all encoded images, an array of N rows; the images are transformed here."""
    frame = transform.settings.image_size
    count = rows_at_once(frame, most=BATCH_SIZE, pixels=BATCH_PIXELS)
    batches = tf.data.Dataset.from_tensor_slices(list(images)).map(transform.placed, num_parallel_calls=2).batch(count)
    found = [
        answer(transform.scaled(pixels), Places(placement.scale, placement.translation, size, frame=frame))
        for pixels, placement, size in batches
    ]
    return {name: np.concatenate([np.asarray(one[name]) for one in found]) for name in found[0]}


def made_answers(one: ExtraSignature) -> Mapping[str, np.ndarray]:
    """The answers of a signature without images to the inputs that it is tried with: name -> array of N rows."""
    found = one.answer(**{name: tf.constant(value, one.inputs[name].dtype) for name, value in one.tried.items()})
    return {name: np.asarray(value) for name, value in found.items()}


def few_answers(answer: Answer, images: Sequence[bytes], transform: ImageTransform) -> Mapping[str, np.ndarray]:
    """The answers of a further signature, for as many images as the fresh process asks it about; see `answers`."""
    first = answers(answer, images[:1], transform)
    return answers(answer, images[: few_enough({name: value.shape[1:] for name, value in first.items()})], transform)


def _pairs(originals: Sequence[bytes]) -> Iterator[tuple[bytes, str]]:
    """Every image in every way, in an order in which the first few already have many images and many ways."""
    for turn in range(len(WAYS)):
        for number, image in enumerate(originals):
            yield image, WAYS[(number + turn) % len(WAYS)]
