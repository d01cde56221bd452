"""The proof passes for the trained network's own SavedModel, and for nothing else."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision import models
from kerasvision.config.stages import TrainerSettings
from kerasvision.export.canary import prove_on_canaries
from kerasvision.export.parity import check_signatures, compare, prove
from kerasvision.export.saved_model import export_saved_model

SETTINGS = c.Serving(canary_examples=6, latency_queries=5)


class Served(tf.Module):
    """A SavedModel made by hand; answers what the canaries expect, whatever the image."""

    def __init__(self, expected):
        super().__init__()
        self.scores, self.classes = tf.constant(expected["scores"]), tf.constant(expected["classes"])

    def answers(self, images):
        rows = tf.range(tf.shape(images)[0])
        return {"scores": tf.gather(self.scores, rows), "classes": tf.gather(self.classes, rows)}

    def save(self, folder, *, pixels):
        """`pixels` is the shape of the signature `serve_tensor`; None for none."""
        of_bytes = tf.function(self.answers, input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        signatures = {"serving_default": of_bytes}
        if pixels is not None:
            spec = tf.TensorSpec(pixels, tf.float32, name="image")
            signatures["serve_tensor"] = tf.function(self.answers, input_signature=[spec])
        tf.saved_model.save(self, str(folder), signatures)
        return folder


def untrained(trained):
    """The same network with the weights that it began with."""
    settings = TrainerSettings.load(trained.settings).model
    return models.build(settings.name, image_shape=(16, 16, 1), num_classes=3, **settings.options)


@pytest.fixture(scope="module")
def canaries(trained):
    return [example["image"].numpy() for example in trained.examples.dataset("test").take(6)]


@pytest.fixture(scope="module")
def expected(trained, canaries):
    answers = trained.task.predictor(trained.network)(tf.stack([trained.transform(image) for image in canaries]))
    return {name: value.numpy() for name, value in answers.items()}


@pytest.fixture(scope="module")
def certificates(trained, stripes, canaries, expected, tmp_path_factory):
    """Every SavedModel with its certificate; proven two at a time, each in a process of its own."""
    folder = tmp_path_factory.mktemp("parity")
    export_saved_model(untrained(trained), task=trained.task, transform=trained.transform, folder=folder / "other")
    half = shutil.copytree(trained.saved_model, folder / "half")
    next(half.glob("variables/variables.data*")).unlink()
    nan = Served(expected | {"scores": np.full_like(expected["scores"], np.nan)})
    saved_models = {
        "other": folder / "other",
        "half": half,
        "nan, and no signature for pixels": nan.save(folder / "nan", pixels=None),
        "fixed": Served(expected).save(folder / "fixed", pixels=[6, 16, 16, 1]),
    }

    def proven(saved_model):
        return prove(saved_model, images=canaries, expected=expected, settings=SETTINGS)

    with ThreadPoolExecutor(2) as pool:
        real = pool.submit(
            prove_on_canaries, model_file=trained.model, model_settings=trained.settings,
            saved_model=trained.saved_model, examples=stripes.examples, schema=stripes.schema,
            transform=stripes.transform, settings=SETTINGS,
        )  # fmt: skip
        return dict(zip(saved_models, pool.map(proven, saved_models.values()), strict=True)) | {"real": real.result()}


def test_the_networks_own_saved_model_is_blessed(certificates):
    real = certificates["real"]
    assert (real.blessed, real.complaints, real.examples) == (True, (), 6)
    assert real.max_difference <= 1e-6


def test_the_certificate_tells_version_times_and_signatures(certificates):
    facts = certificates["real"].facts
    assert facts["tensorflow"] == tf.__version__
    assert 0 < facts["latency_ms"]["p50"] <= facts["latency_ms"]["p95"]
    assert facts["signatures"]["serving_default"]["inputs"] == {"image_bytes": ["string", [None]]}
    assert facts["kerasvision_imported"] is False


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("other", "scores differ by up to 0."),
        ("nan, and no signature for pixels", "scores differ by up to inf (allowed: 1e-05)"),
        ("nan, and no signature for pixels", "there is no signature serve_tensor(image)"),
        ("half", "a fresh process with TensorFlow alone cannot use it (exit code 1): "),
        ("fixed", "serve_tensor has a fixed batch dimension, so requests cannot be joined"),
    ],
)
def test_anything_else_is_complained_about(name, complaint, certificates):
    certificate = certificates[name]
    assert not certificate.blessed
    assert [said for said in certificate.complaints if said.startswith(complaint)], certificate.complaints


def test_a_certificate_without_answers_has_no_difference(certificates):
    assert (certificates["half"].max_difference, certificates["half"].facts) == (None, {})


@pytest.mark.parametrize(("name", "verdict"), [("real", "INFRA_BLESSED"), ("half", "INFRA_NOT_BLESSED")])
def test_an_empty_file_bears_the_verdict(name, verdict, certificates, tmp_path):
    certificates[name].save(tmp_path)
    data = json.loads((tmp_path / "certificate.json").read_text())
    assert data["blessed"] == certificates[name].blessed
    assert data["complaints"] == list(certificates[name].complaints)
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir() if path.suffix != ".json"} == {verdict: 0}


# --- The comparison and the signatures, without a process


@pytest.mark.parametrize(
    ("received", "complaints", "largest"),
    [
        ([[0.5, 0.5]], [], 0.0),
        ([[0.5, 0.75]], ["scores differ by up to 0.25 (allowed: 0.125)"], 0.25),
        ([[0.5, 0.625]], [], 0.125),
        ([[0.5, np.nan]], ["scores differ by up to inf (allowed: 0.125)"], np.inf),
        ([[0.5, np.inf]], ["scores differ by up to inf (allowed: 0.125)"], np.inf),
        ([[0.5]], ["output scores: shape (1, 1), expected (1, 2)"], 0.0),
        (None, ["output scores: shape None, expected (1, 2)"], 0.0),
    ],
)
def test_numbers_may_differ_by_as_much_as_is_allowed(received, complaints, largest):
    given = {} if received is None else {"scores": np.array(received)}
    assert compare(given, {"scores": np.array([[0.5, 0.5]])}, 0.125) == (complaints, largest)


def test_not_a_number_equals_nothing_not_even_itself():
    nan = {"scores": np.array([np.nan])}
    assert compare(nan, nan, 1.0) == (["scores differ by up to inf (allowed: 1)"], np.inf)


@pytest.mark.parametrize(("received", "complaints"), [(["ä", "b"], []), (["b", "ä"], ["classes differ"])])
def test_labels_must_be_equal(received, complaints):
    wanted = {"classes": np.array(["ä".encode(), b"b"], object)}
    assert compare({"classes": np.array(received)}, wanted, 1.0) == (complaints, 0.0)


def signatures(**changed):
    outputs = {"scores": ["float32", [None, 3]]}
    usable = {
        "serving_default": {"inputs": {"image_bytes": ["string", [None]]}, "outputs": outputs},
        "serve_tensor": {"inputs": {"image": ["float32", [None, 16, 16, 1]]}, "outputs": outputs},
    }
    return {name: usable[name] | changed.get(name, {}) for name in usable if changed.get(name, {}) is not None}


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"serving_default": None}, "there is no signature serving_default(image_bytes)"),
        ({"serve_tensor": {"inputs": {"keras_tensor": ["float32", [None]]}}}, "there is no signature serve_tensor(image)"),
        (
            {"serve_tensor": {"inputs": {"image": ["uint8", [None, 16, 16, 1]]}}},
            "serve_tensor(image) takes uint8 instead of float32",
        ),
        (
            {"serving_default": {"inputs": {"image_bytes": ["string", [1]]}}},
            "serving_default has a fixed batch dimension, so requests cannot be joined",
        ),
        (
            {"serving_default": {"outputs": {"scores": ["float32", []]}}},
            "serving_default has a fixed batch dimension, so requests cannot be joined",
        ),
        (
            {"serving_default": {"inputs": {"image_bytes": ["string", []]}}},
            "serving_default has a fixed batch dimension, so requests cannot be joined",
        ),
    ],
)
def test_a_signature_that_a_server_cannot_use_is_told(changed, complaint):
    assert check_signatures(signatures(**changed)) == [complaint]


def test_usable_signatures_have_no_complaint():
    assert check_signatures(signatures()) == []
