"""The SavedModel takes bytes, requires only TensorFlow, and answers as the trained network does."""

import json

import numpy as np
import pytest
import tensorflow as tf

from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.export.writing.graph import operations, read_graph
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.served.signatures import TRANSFORM_FILE

ASK = """
import pathlib, sys
for name in ("kerasvision", "keras", "tensorflow_datasets"):
    sys.modules[name] = None  # importing it is an error from here on, also where it is installed
import numpy as np
import tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
files = sorted(pathlib.Path(sys.argv[2]).glob("*.png"))
answers = loaded.signatures["serving_default"](image_bytes=tf.constant([file.read_bytes() for file in files]))
np.savez(sys.argv[3], scores=answers["scores"].numpy(), classes=answers["classes"].numpy().astype("S"))
"""


@pytest.fixture(scope="module")
def images(trained):
    return [example["image"].numpy() for example in trained.examples.dataset("test")]


@pytest.fixture(scope="module")
def expected(trained, images):
    """The trained network's answers, with each image transformed in Python."""
    answers = trained.task.predictor(trained.network)(tf.stack([trained.transform(image) for image in images]))
    return {name: value.numpy() for name, value in answers.items()}


@pytest.fixture(scope="module")
def loaded(trained):
    return tf.saved_model.load(str(trained.saved_model))


def specs(tensors):
    return {name: (tensor.dtype, tensor.shape.as_list()) for name, tensor in tensors.items()}


def test_there_is_a_signature_for_bytes_and_one_for_pixels(loaded):
    assert set(loaded.signatures) == {"serving_default", "serve_tensor"}
    of_bytes, of_pixels = loaded.signatures["serving_default"], loaded.signatures["serve_tensor"]
    assert specs(of_bytes.structured_input_signature[1]) == {"image_bytes": (tf.string, [None])}
    assert specs(of_pixels.structured_input_signature[1]) == {"image": (tf.float32, [None, 16, 16, 1])}
    of_both = {
        "scores": (tf.float32, [None, 3]),
        "classes": (tf.string, [None]),
        "top_classes": (tf.string, [None, 3]),
        "top_scores": (tf.float32, [None, 3]),
    }
    assert specs(of_pixels.structured_outputs) == of_both
    assert specs(of_bytes.structured_outputs) == of_both | {"valid": (tf.bool, [None])}


def test_a_predictor_whose_outputs_have_no_names_is_refused(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(trained.task, "predictor", lambda model, temperature: model)
    with pytest.raises(ConfigError, match="ClassificationTask.predictor returns must return named outputs, name -> tensor"):
        export_saved_model(trained.network, task=trained.task, transform=trained.transform, folder=tmp_path / "saved")


def test_a_process_with_tensorflow_alone_gives_the_networks_answers(trained, images, expected, tmp_path, warm):
    for number, image in enumerate(images):
        (tmp_path / f"{number:03d}.png").write_bytes(image)
    alone = "import sys; sys.modules['kerasvision'] = None\n"  # importing it is an error from here on
    done = warm.run(alone + ASK, trained.saved_model, tmp_path, tmp_path / "answers.npz")
    assert done.returncode == 0, done.stderr
    answers = np.load(tmp_path / "answers.npz")
    np.testing.assert_allclose(answers["scores"], expected["scores"], atol=1e-6)
    assert answers["classes"].tolist() == expected["classes"].tolist()


def test_answers_are_probabilities_and_the_label_of_the_largest(trained, expected):
    np.testing.assert_allclose(expected["scores"].sum(axis=1), 1, rtol=1e-5)
    labels = [trained.task.classes[number] for number in expected["scores"].argmax(axis=1)]
    assert [name.decode() for name in expected["classes"]] == labels
    assert len(set(labels)) == 3


@pytest.mark.parametrize("count", [1, 2, 24])
def test_one_image_is_answered_like_many(count, loaded, images, expected):
    for start in range(0, len(images), count):
        batch = tf.constant(images[start : start + count])
        answers = loaded.signatures["serving_default"](image_bytes=batch)
        np.testing.assert_allclose(answers["scores"], expected["scores"][start : start + count], atol=1e-6)
        assert answers["classes"].numpy().tolist() == expected["classes"][start : start + count].tolist()


def test_pixels_are_answered_like_the_bytes_they_come_from(trained, loaded, images, expected):
    pixels = tf.stack([trained.transform.pixels(image) for image in images])
    answers = loaded.signatures["serve_tensor"](image=pixels)
    np.testing.assert_allclose(answers["scores"], expected["scores"], atol=1e-6)


BAD = {
    "empty": b"",
    "text": b"no image",
    "half a JPEG": tf.io.encode_jpeg(tf.fill([64, 64, 3], tf.constant(99, tf.uint8))).numpy()[:300],
    "half a PNG": tf.io.encode_png(tf.fill([64, 64, 3], tf.constant(99, tf.uint8))).numpy()[:60],
    "the start of a JPEG": b"\xff\xd8\xff",
    "TIFF": b"II*\0" + bytes(40),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_row_that_is_no_image_disturbs_no_other(bad, loaded, images, expected):
    answers = loaded.signatures["serving_default"](image_bytes=tf.constant([images[0], bad, images[1]]))
    assert answers["valid"].numpy().tolist() == [True, False, True]
    np.testing.assert_allclose(answers["scores"].numpy()[[0, 2]], expected["scores"][:2], atol=1e-6)
    assert answers["scores"].numpy()[1].tolist() == [0, 0, 0]
    assert (answers["classes"].numpy()[1], answers["top_classes"].numpy()[1].tolist()) == (b"", [b""] * 3)


def test_a_request_of_nothing_but_bad_rows_is_answered(loaded):
    answers = loaded.signatures["serving_default"](image_bytes=tf.constant([b"no image", b""]))
    assert answers["valid"].numpy().tolist() == [False, False]


def header_of(side, *, way):
    """A file of 8 x 8 whose header claims `side` x `side`."""
    if way == "png":
        file = bytearray(tf.io.encode_png(tf.zeros([8, 8, 3], tf.uint8)).numpy())
        file[16:24] = side.to_bytes(4, "big") * 2
    else:
        file = bytearray(tf.io.encode_jpeg(tf.zeros([8, 8, 3], tf.uint8)).numpy())
        start = file.index(b"\xff\xc0") + 5
        file[start : start + 4] = side.to_bytes(2, "big") * 2
    return bytes(file)


@pytest.mark.parametrize("way", ["png", "jpeg"])
def test_a_header_of_too_many_pixels_is_refused_undecoded(way, loaded, images):
    import time

    bomb, began = header_of(50_000, way=way), time.process_time()
    answers = loaded.signatures["serving_default"](image_bytes=tf.constant([bomb, images[0]]))
    assert answers["valid"].numpy().tolist() == [False, True]
    # Decoding 2.5 billion pixels takes more than ten seconds.
    assert time.process_time() - began < 2


def test_labels_are_a_file_too(trained):
    assert (trained.saved_model / "assets" / "labels.txt").read_text().splitlines() == ["across", "along", "über Kreuz"]


def test_the_transform_is_a_file_too(trained, stripes):
    assert ImageTransform.load(trained.saved_model / TRANSFORM_FILE) == ImageTransform.load(stripes.transform)


def test_signatures_are_described_with_what_each_output_is(trained):
    said = json.loads((trained.saved_model / "assets.extra" / "signatures.json").read_text())
    assert said["serving_default"]["inputs"]["image_bytes"]["shape"] == [None]
    assert all(one["meaning"] for signature in said.values() for part in signature.values() for one in part.values())
    assert json.loads(trained.record.read_text())["signatures"] == said


def test_every_warmup_request_is_answered(trained, loaded):
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    file = trained.saved_model / "assets.extra" / "tf_serving_warmup_requests"
    records = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    requests = [PredictionLog.FromString(record).predict_log.request for record in records]
    sizes = []
    for request in requests:
        inputs = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
        answers = loaded.signatures[request.model_spec.signature_name](**inputs)
        sizes.append((request.model_spec.signature_name, answers["classes"].shape[0]))
        assert "valid" not in answers or all(answers["valid"].numpy())
    assert sizes == [("serving_default", 1), ("serving_default", 8), ("serve_tensor", 1), ("serve_tensor", 8)]
    assert file.stat().st_size < 10_000


def test_the_graph_holds_stock_operations_only(trained):
    """All operations are TensorFlow's own, which TensorFlow Serving links; none calls Python, and none is custom."""
    used = operations(read_graph(trained.saved_model))
    assert {"DecodeImage", "Conv2D", "IgnoreErrorsDataset"} <= used
    assert {name for name in used if not hasattr(tf.raw_ops, name)} == set()
    assert not used & {"PyFunc", "PyFuncStateless", "EagerPyFunc", "GeneratorDataset"}
