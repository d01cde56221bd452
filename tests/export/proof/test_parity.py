"""The proof passes for the trained network's own SavedModel, and for no other."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision import models
from kerasvision.config.stages import TrainerSettings
from kerasvision.export.proof import parity
from kerasvision.export.proof.canary import WAYS, canaries, prove_on_canaries, rewritten
from kerasvision.export.proof.contract import check_contract, check_signatures
from kerasvision.export.proof.parity import Expected, check_findings, compare_outputs, prove
from kerasvision.export.writing.graph import read_graph
from kerasvision.export.writing.saved_model import export_saved_model

SETTINGS = c.Serving(canary_examples=6, latency_queries=5)
MANY = c.Serving(latency_queries=5)


class Served(tf.Module):
    """A SavedModel made by hand; it gives the expected answers for the canaries, whatever the image."""

    def __init__(self, expected):
        super().__init__()
        self.known = {name: tf.constant(rows) for name, rows in expected.items()}

    def answers(self, images):
        rows = tf.range(tf.shape(images)[0]) % 6
        return {name: tf.gather(known, rows) for name, known in self.known.items()}

    def save(self, folder, *, pixels):
        """`pixels` is the input shape of the signature `serve_tensor`; None leaves the signature out."""
        of_bytes = tf.function(self.answers, input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        signatures = {"serving_default": of_bytes}
        if pixels is not None:
            spec = tf.TensorSpec(pixels, tf.float32, name="image")
            signatures["serve_tensor"] = tf.function(self.answers, input_signature=[spec])
        tf.saved_model.save(self, str(folder), signatures)
        return folder


def untrained(trained):
    """The same network with its initial weights."""
    settings = TrainerSettings.load(trained.settings).model
    return models.build(settings.name, image_shape=(16, 16, 1), num_classes=3, **settings.options)


@pytest.fixture(scope="module")
def images(trained):
    return [example["image"].numpy() for example in trained.examples.dataset("test").take(6)]


@pytest.fixture(scope="module")
def expected(trained, images):
    answers = trained.task.predictor(trained.network)(tf.stack([trained.transform(image) for image in images]))
    return {name: value.numpy() for name, value in answers.items()}


@pytest.fixture(scope="module")
def certificates(trained, stripes, images, expected, tmp_path_factory, forked_process):
    """Every SavedModel with its certificate: each was tested in a separate process, the real one in a new interpreter."""
    folder = tmp_path_factory.mktemp("parity")
    export_saved_model(untrained(trained), task=trained.task, transform=trained.transform, folder=folder / "other")
    half = shutil.copytree(trained.saved_model, folder / "half")
    next(half.glob("variables/variables.data*")).unlink()
    nan = Served(expected | {"scores": np.full_like(expected["scores"], np.nan)})
    damaged = shutil.copytree(trained.saved_model, folder / "damaged")
    (damaged / "saved_model.pb").write_bytes(b"damaged")
    (folder / "empty").mkdir()
    saved_models = {
        "damaged": damaged,
        "empty": folder / "empty",
        "other": folder / "other",
        "half": half,
        "nan, and no signature for pixels": nan.save(folder / "nan", pixels=None),
        "fixed": Served(expected).save(folder / "fixed", pixels=[6, 16, 16, 1]),
    }

    pixels = np.stack([trained.transform.pixels(image) for image in images])

    real = prove_on_canaries(
        model_file=trained.model,
        model_settings=trained.settings,
        saved_model=trained.saved_model,
        record=trained.record,
        examples=stripes.examples,
        schema=stripes.schema,
        transform=stripes.transform,
        settings=MANY,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parity, "take", forked_process)
        others = {
            name: prove(saved_model, images=images, expected=Expected(expected, expected), pixels=pixels, settings=SETTINGS)
            for name, saved_model in saved_models.items()
        }
    return others | {"real": real}


def test_the_networks_own_saved_model_is_blessed(certificates):
    real = certificates["real"]
    # 24 test images, unchanged and in 11 other ways each.
    assert (real.blessed, real.complaints, real.examples) == (True, (), 24 * 12)
    assert real.max_difference <= 1e-6


def test_the_certificate_tells_version_times_and_signatures(certificates):
    found = certificates["real"].found
    assert found["tensorflow"] == tf.__version__
    assert found["signatures"]["serving_default"]["inputs"] == {"image_bytes": ("string", [None])}
    assert found["kerasvision_imported"] is False


def test_the_facts_are_numbers_that_a_gate_can_bound(certificates):
    facts = certificates["real"].facts
    assert facts.keys() == {
        "latency_p50_ms",
        "latency_p95_ms",
        "latency_p99_ms",
        "start_seconds",
        "memory_mb",
        "size_mb",
        "images_per_second",
        "max_difference",
    }
    assert 0 < facts["latency_p50_ms"] <= facts["latency_p95_ms"] <= facts["latency_p99_ms"]
    # A process with TensorFlow takes about 500 MB; LeNet-5's 20,000 weights and graph take less than one MB.
    assert 100 < facts["memory_mb"] < 2000
    assert 0.05 < facts["size_mb"] < 2
    assert facts["max_difference"] == certificates["real"].max_difference


def test_requests_may_be_joined_to_any_size(certificates):
    assert certificates["real"].found["batch_difference"] <= 1e-6


def test_answers_survive_both_forms_of_rest(certificates):
    # JSON's shortest decimals restore every float32.
    assert certificates["real"].found["rest"] == {"instances": 0.0, "inputs": 0.0}


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("other", "asked with bytes: scores differ by up to 0."),
        ("other", "asked with pixels: scores differ by up to 0."),
        ("nan, and no signature for pixels", "asked with bytes: scores differ by up to inf (allowed: 1e-05)"),
        ("nan, and no signature for pixels", "REST with `instances` does not preserve the answers: ValueError"),
        ("nan, and no signature for pixels", "there is no signature serve_tensor(image)"),
        ("half", "incomplete saved model: variables/variables.data-* missing"),
        ("half", "a fresh process with TensorFlow alone cannot use it (exit code 1): "),
        ("nan, and no signature for pixels", "serving_default has no output valid, which marks rows that are not images"),
        ("damaged", "/saved_model.pb is damaged: it is not a SavedModel"),
        ("empty", " is not a saved model: it contains no saved_model.pb"),
        ("fixed", "serve_tensor has a fixed batch dimension, so requests cannot be joined"),
    ],
)
def test_anything_else_is_complained_about(name, complaint, certificates):
    certificate = certificates[name]
    assert not certificate.blessed
    assert [said for said in certificate.complaints if complaint in said], certificate.complaints


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
    assert compare_outputs(given, {"scores": np.array([[0.5, 0.5]])}, 0.125) == (complaints, largest)


def test_not_a_number_equals_nothing_not_even_itself():
    nan = {"scores": np.array([np.nan])}
    assert compare_outputs(nan, nan, 1.0) == (["scores differ by up to inf (allowed: 1)"], np.inf)


@pytest.mark.parametrize(("received", "complaints"), [(["ä", "b"], []), (["b", "ä"], ["classes differ in 2 of 2 rows"])])
def test_labels_must_be_equal(received, complaints):
    wanted = {"classes": np.array(["ä".encode(), b"b"], object)}
    assert compare_outputs({"classes": np.array(received)}, wanted, 1.0) == (complaints, 0.0)


def signatures(**changed):
    outputs = {"scores": ["float32", [None, 3]], "valid": ["bool", [None]]}
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
            {"serving_default": {"outputs": {"scores": ["float32", []], "valid": ["bool", [None]]}}},
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


def test_an_output_whose_name_a_server_would_take_for_bytes_is_told():
    given = signatures()
    given["serve_tensor"]["outputs"] = {"mask_bytes": ["string", [None]]}
    rule = "the name of an output that is not bytes must not end in _bytes"
    assert check_signatures(given) == [f"serve_tensor: {rule}; received mask_bytes"]
    assert check_signatures(given, binary=frozenset({"mask_bytes"})) == []
    given["serve_tensor"]["outputs"] = {"mask_bytes": ["float32", [None]]}
    assert check_signatures(given, binary=frozenset({"mask_bytes"})) == [f"serve_tensor: {rule}; received mask_bytes"]


def test_further_signatures_are_held_to_the_same():
    spec = ["string", [None]]
    further = {"inputs": {"image_bytes": spec, "texts": ["string", [None, None]]}, "outputs": {"valid": ["bool", [None]]}}
    assert check_signatures(signatures() | {"further": further}) == []
    fixed = further | {"inputs": {"image_bytes": spec, "texts": ["string", [1]]}, "outputs": {"x": ["int32", [None]]}}
    assert check_signatures(signatures() | {"further": fixed}) == [
        "further has a fixed batch dimension, so requests cannot be joined",
        "further has no output valid, which marks rows that are not images",
    ]
    assert check_signatures(signatures() | {"further": {"inputs": {}, "outputs": further["outputs"]}}) == [
        "there is no signature further(image_bytes)"
    ]


def test_usable_signatures_have_no_complaint():
    assert check_signatures(signatures()) == []


FINE = {
    "bad_row": "",
    "rest": {"instances": 0.0, "inputs": 0.0},
    "kerasvision_imported": False,
}


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        (
            {"bad_row": "a row that is not an image fails the whole request"},
            "a row that is not an image fails the whole request",
        ),
        (
            {"rest": {"instances": "UnicodeDecodeError: bad"}},
            "REST with `instances` does not preserve the answers: UnicodeDecodeError",
        ),
        ({"kerasvision_imported": True}, "loading the model imported kerasvision"),
    ],
)
def test_what_the_fresh_process_saw_is_judged(found, complaint):
    assert check_findings(FINE, 1e-5) == []
    (said,) = check_findings(FINE | found, 1e-5)
    assert complaint in said


def test_python_in_the_graph_is_told(tmp_path):
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def serve(image_bytes):
        return {"valid": tf.ensure_shape(tf.py_function(lambda data: data != b"", [image_bytes], tf.bool), [None])}

    tf.saved_model.save(module, str(tmp_path), {"serving_default": serve})
    complaints, _ = check_contract(tmp_path)
    assert "operations that run Python: EagerPyFunc" in complaints


def test_assets_that_the_graph_names_must_be_there(trained, tmp_path):
    copy = shutil.copytree(trained.saved_model, tmp_path / "copy")
    assert [asset.filename for asset in read_graph(copy).asset_file_def] == ["labels.txt"]
    (copy / "assets" / "labels.txt").unlink()
    assert check_contract(copy)[0] == ["incomplete saved model: assets/labels.txt missing"]


def test_warmup_requests_that_cannot_be_read_are_told(trained, tmp_path):
    copy = shutil.copytree(trained.saved_model, tmp_path / "copy")
    (copy / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"no record")
    assert check_contract(copy)[0] == ["the warm-up requests cannot be read"]


# --- The canaries


def test_canaries_are_images_as_they_are_and_in_every_other_way(trained):
    made = canaries(trained.examples, count=512)
    assert len(made) == 24 * 12
    # These images already are grey PNG files: written again as such, they are the same file.
    assert len(set(made)) == 24 * 11
    assert made[:24] == [example["image"].numpy() for example in trained.examples.dataset("test")]
    assert len(canaries(trained.examples, count=7)) == 7


@pytest.mark.parametrize("way", WAYS)
def test_an_image_written_anew_is_the_same_picture_but_for_colour_and_a_turn(way):
    left_red = np.zeros((8, 16, 3), np.uint8)
    left_red[:, :8, 0] = 255
    file = rewritten(tf.io.encode_png(left_red).numpy(), way)
    assert file.startswith(b"\x89PNG" if way.endswith("png") else b"\xff\xd8")
    from kerasvision.ops.images import decode_image

    shown = decode_image(file, color_mode="rgb").numpy()
    # 5 to 8 swap rows and columns; 0.299 of red is grey 76.
    assert shown.shape == ((16, 8, 3) if way in ("turned_5", "turned_6", "turned_7", "turned_8") else (8, 16, 3))
    assert abs(int(shown.max()) - (76 if way.startswith("grey") else 255)) <= 4
