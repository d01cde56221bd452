"""Canary images: what the trained network answers for them, the served model must answer too."""

from pathlib import Path

from kerasvision.config.experiment import Serving
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.schema import DataSchema
from kerasvision.data.splits import TEST
from kerasvision.data.transform import ImageTransform
from kerasvision.export.parity import Certificate, prove
from kerasvision.models.saved import load_network
from kerasvision.tasks.base import make_task


def prove_on_canaries(
    *,
    model_file: Path,
    model_settings: Path,
    saved_model: Path,
    examples: Path,
    schema: Path,
    transform: Path,
    settings: Serving,
) -> Certificate:
    """Asks the trained network here, the SavedModel in a fresh process, about the first images of the test split.

    Args:
        model_file: the trained `.keras` file.
        model_settings: what it was trained with.
        saved_model: what was exported of it.
        examples: the prepared data set.
        schema: `schema.json`.
        transform: `transform.json`.
        settings: how many images, and how close the answers must be.
    """
    canaries = ExampleSet(examples).dataset(TEST).take(settings.canary_examples)
    encoded = [example["image"].numpy() for example in canaries]
    task = make_task(TrainerSettings.load(model_settings).task, DataSchema.load(schema).classes)
    predict = task.predictor(load_network(model_file))
    transformed = ImageTransform.load(transform)
    images = canaries.map(lambda example: transformed(example["image"])).batch(len(encoded))
    expected = {name: value.numpy() for name, value in predict(images.get_single_element()).items()}
    return prove(saved_model, images=encoded, expected=expected, settings=settings)
