"""What is exported beside the SavedModel: a temperature, and other formats that are proven to answer the same."""

import json

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.stages import ExporterSettings, TrainerSettings
from kerasvision.errors import ConfigError
from kerasvision.export.writing.exporting import TrainedFiles, export
from kerasvision.export.writing.formats.writing import compare_numbers, format_complaints


@pytest.fixture(scope="module")
def exported(trained, stripes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    files = TrainedFiles(trained.model, stripes.examples, stripes.schema, stripes.transform)
    settings = ExporterSettings(
        task=TrainerSettings.load(trained.settings).task,
        export=c.Export(temperature=True, formats=("litert", "litert_int8", "onnx")),
    )
    export(files, settings=settings, folder=folder)
    return folder, json.loads((folder / "export.json").read_text())


def test_the_temperature_makes_validation_images_no_less_likely(exported):
    temperature = exported[1]["temperature"]
    assert temperature["after"]["log_loss"] <= temperature["before"]["log_loss"]
    assert temperature["after"].keys() == {"log_loss", "expected_calibration_error"}


def test_the_served_scores_are_those_of_the_divided_logits(exported, trained):
    image = next(iter(trained.examples.dataset("test")))["image"]
    logits = trained.network(trained.transform(image)[None]).numpy() / exported[1]["temperature"]["value"]
    served = tf.saved_model.load(str(exported[0] / "Format-Serving")).signatures["serving_default"]
    answer = served(image_bytes=image[None])
    wanted = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    np.testing.assert_allclose(answer["scores"], wanted, atol=1e-6)


@pytest.mark.parametrize(("name", "bound"), [("litert", 1e-5), ("litert_int8", 0.1), ("onnx", 1e-5)])
def test_another_format_answers_the_same(name, bound, exported):
    folder, record = exported
    found = record["formats"][name]
    assert (found["examples"], found["passed"]) == (24, True)
    assert found["max_difference"] <= bound
    assert (folder / found["file"]).stat().st_size > 10_000


def test_int8_is_smaller(exported):
    folder, record = exported
    sizes = {name: (folder / one["file"]).stat().st_size for name, one in record["formats"].items()}
    assert sizes["litert_int8"] < 0.5 * sizes["litert"]


def test_a_format_that_answers_otherwise_is_complained_about():
    found = compare_numbers({"scores": np.array([[0.5, np.nan]])}, {"scores": np.array([[0.25, 0.75]])})
    assert found["max_difference"] == np.inf
    failed = {"onnx": {**found, "allowed_difference": 1e-4, "passed": False}}
    assert format_complaints(failed) == ["onnx: numbers differ by up to inf (allowed: 0.0001)"]


def test_nothing_else_is_written_unless_it_is_asked_for(trained):
    record = json.loads(trained.record.read_text())
    assert (record["temperature"], record["formats"]) == (None, {})
    assert not list(trained.record.parent.glob("Format-[LO]*"))


def test_a_temperature_without_validation_images_is_refused(trained, stripes, tmp_path, monkeypatch):
    from kerasvision.data.examples import ExampleSet

    monkeypatch.setattr(ExampleSet, "count", lambda self, split: 0)
    settings = ExporterSettings(task=c.Classification(), export=c.Export(temperature=True))
    files = TrainedFiles(trained.model, stripes.examples, stripes.schema, stripes.transform)
    with pytest.raises(ConfigError, match="fitted on the validation split, and it is empty"):
        export(files, settings=settings, folder=tmp_path)
