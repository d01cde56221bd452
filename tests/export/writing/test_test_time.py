"""With `export.test_time`, all that is exported answers with the mean over an image and views of it, and is proven so."""

import json

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.stages import ExporterSettings, TrainerSettings
from kerasvision.export.proof import canary, parity
from kerasvision.export.writing.exporting import TrainedFiles, export

SETTINGS = c.Serving(canary_examples=6, latency_queries=5)


@pytest.fixture(scope="module")
def over_views(trained, stripes, tmp_path_factory):
    """The folder of the trained network's export over mirror images."""
    folder = tmp_path_factory.mktemp("over_views")
    files = TrainedFiles(trained.model, stripes.examples, stripes.schema, stripes.transform)
    asked = c.Export(test_time=("flip",), formats=("litert", "litert_int8", "onnx"))
    task = TrainerSettings.load(trained.settings).task
    export(files, settings=ExporterSettings(task=task, export=asked), folder=folder)
    return folder


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


@pytest.mark.parametrize(("name", "bound"), [("litert", 1e-5), ("litert_int8", 0.1), ("onnx", 1e-5)])
def test_another_format_answers_with_the_mean_too(name, bound, over_views):
    found = json.loads((over_views / "export.json").read_text())["formats"][name]
    assert (found["examples"], found["passed"]) == (24, True)
    assert found["max_difference"] <= bound


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


@pytest.mark.parametrize(("views", "blessed"), [(["flip"], True), ([], False)])
def test_the_proof_compares_with_the_network_over_these_views(
    views, blessed, over_views, trained, stripes, tmp_path, monkeypatch, forked_process
):
    monkeypatch.setattr(parity, "take", forked_process)
    monkeypatch.setattr(canary, "start_early", lambda: None)
    record = json.loads((over_views / "export.json").read_text())
    (tmp_path / "export.json").write_text(json.dumps({**record, "test_time": views}))
    certificate = canary.prove_on_canaries(
        model_file=trained.model,
        model_settings=trained.settings,
        saved_model=over_views / "Format-Serving",
        record=tmp_path / "export.json",
        examples=stripes.examples,
        schema=stripes.schema,
        transform=stripes.transform,
        settings=SETTINGS,
    )
    assert certificate.blessed == blessed, certificate.complaints
