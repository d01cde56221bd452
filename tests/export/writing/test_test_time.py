"""With `export.test_time`, all that is exported answers with the mean over an image and views of it, and is proven so."""

import json

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.stages import ExporterSettings, TrainerSettings
from kerasvision.export.proof import canary, parity
from kerasvision.export.writing.exporting import TrainedFiles, export
from kerasvision.export.writing.formats.litert import ask_litert

SETTINGS = c.Serving(canary_examples=6, latency_queries=5)


@pytest.fixture(scope="module")
def export_to(trained, stripes):
    """Exports the trained network over views, in these formats, to a folder; returns the folder."""

    def exported(folder, *formats, test_time=("flip",)):
        files = TrainedFiles(trained.model, stripes.examples, stripes.schema, stripes.transform)
        asked = c.Export(test_time=test_time, formats=formats)
        task = TrainerSettings.load(trained.settings).task
        export(files, settings=ExporterSettings(task=task, export=asked), folder=folder)
        return folder

    return exported


@pytest.fixture(scope="module")
def over_views(export_to, tmp_path_factory):
    return export_to(tmp_path_factory.mktemp("over_views"), "litert")


@pytest.fixture(scope="module")
def served(over_views):
    return tf.saved_model.load(str(over_views / "Format-Serving")).signatures


@pytest.fixture(scope="module")
def images(trained):
    return [example["image"].numpy() for example in trained.examples.dataset("test")]


@pytest.fixture(scope="module")
def pixels(trained, images):
    return np.stack([trained.transform.pixels(image) for image in images])


@pytest.fixture(scope="module")
def expected(trained, pixels):
    """float (N, 3): the mean of the network's probabilities for the images and for their mirror images."""
    both = [trained.network(trained.transform.scaled(view)).numpy() for view in (pixels, pixels[:, :, ::-1])]
    return np.mean([np.exp(one) / np.exp(one).sum(axis=1, keepdims=True) for one in both], axis=0)


def test_the_saved_model_answers_with_the_mean(served, images, pixels, expected):
    np.testing.assert_allclose(served["serving_default"](image_bytes=tf.constant(images))["scores"], expected, atol=1e-6)
    np.testing.assert_allclose(served["serve_tensor"](image=tf.constant(pixels))["scores"], expected, atol=1e-6)


def test_the_mean_is_another_answer_than_that_of_the_network_alone(trained, images, expected):
    alone = tf.saved_model.load(str(trained.saved_model)).signatures["serving_default"](image_bytes=tf.constant(images))
    assert np.abs(alone["scores"] - expected).max() > 1e-3


def test_a_mirror_image_has_the_same_answer(served, pixels):
    one, other = (served["serve_tensor"](image=tf.constant(view))["scores"] for view in (pixels, pixels[:, :, ::-1].copy()))
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_another_format_answers_with_the_mean_too(over_views, pixels, expected):
    ask = ask_litert(over_views / "Format-LiteRT" / "model.tflite")
    np.testing.assert_allclose(ask(pixels)["scores"], expected, atol=1e-5)


@pytest.mark.slow
def test_every_format_answers_with_the_mean_over_all_views(export_to, tmp_path):
    export_to(tmp_path, "litert", "litert_int8", "onnx", test_time=("flip", "shift"))
    record = json.loads((tmp_path / "export.json").read_text())
    found = {name: one["max_difference"] for name, one in record["formats"].items()}
    assert found["litert_int8"] <= 0.1
    assert max(found["litert"], found["onnx"]) <= 1e-5


def test_the_record_and_the_description_of_the_images_name_the_views(over_views, trained):
    record = json.loads((over_views / "export.json").read_text())
    assert record["test_time"] == ["flip"]
    described = json.loads((over_views / "Format-Serving" / "assets.extra" / "signatures.json").read_text())
    for signature, name in (("serving_default", "image_bytes"), ("serve_tensor", "image")):
        meaning = described[signature]["inputs"][name]["meaning"]
        assert meaning.endswith("; the answer is the mean over it and these views of it: flip")
    alone = json.loads(trained.record.read_text())
    assert alone["test_time"] == []
    assert alone["signatures"]["serving_default"]["inputs"]["image_bytes"]["meaning"] == "a JPEG, PNG, GIF, BMP or WebP file"


def proof(over_views, trained, stripes, record):
    return canary.prove_on_canaries(
        model_file=trained.model,
        model_settings=trained.settings,
        saved_model=over_views / "Format-Serving",
        record=record,
        examples=stripes.examples,
        schema=stripes.schema,
        transform=stripes.transform,
        settings=SETTINGS,
    )


@pytest.mark.slow
def test_the_saved_model_is_blessed(over_views, trained, stripes, monkeypatch, forked_process):
    monkeypatch.setattr(parity, "take", forked_process)
    monkeypatch.setattr(canary, "start_early", lambda: None)
    certificate = proof(over_views, trained, stripes, over_views / "export.json")
    assert (certificate.blessed, certificate.complaints, certificate.examples) == (True, (), 6)


def test_a_record_without_the_views_expects_the_answers_of_the_network_alone(
    over_views, served, trained, stripes, tmp_path, monkeypatch, images
):
    """Those differ by more than the proof allows, so a wrong record would not be blessed."""
    record = json.loads((over_views / "export.json").read_text())
    (tmp_path / "export.json").write_text(json.dumps({**record, "test_time": []}))
    wanted = {}

    def prove(saved_model, *, expected, **_):
        wanted.update(expected.of_bytes)
        return parity.Certificate(True, (), 6, 0.0, SETTINGS.max_difference)

    monkeypatch.setattr(canary, "start_early", lambda: None)
    monkeypatch.setattr(canary, "prove", prove)
    proof(over_views, trained, stripes, tmp_path / "export.json")
    answers = served["serving_default"](image_bytes=tf.constant(images[:3]))["scores"]
    assert np.abs(answers - wanted["scores"][:3]).max() > 10 * SETTINGS.max_difference
