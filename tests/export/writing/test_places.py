"""What a task finds in the network's frame is served, and judged, in the original upright image."""

import base64
import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from kerasvision import config as c
from kerasvision.config.inference import Listed
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.export.asking.columns import Columns
from kerasvision.export.asking.predict import ImagePredictor
from kerasvision.export.proof.contract import check_contract
from kerasvision.export.writing.formats.litert import ask_litert
from kerasvision.export.writing.formats.writing import format_complaints, write_formats
from kerasvision.export.writing.rows import decoded_rows
from kerasvision.served.model import ServedModel
from kerasvision.serving.limits import Limits
from kerasvision.serving.loaded import ServedVersion
from kerasvision.serving.protocol import read_request, write_reply

# Height, width and two boxes in pixels, inside what every fit keeps.
WIDE = ((60, 140), (20, 50, 34, 90), (12, 58, 50, 78))
TALL = ((90, 44), (34, 10, 58, 30), (40, 6, 52, 40))


@pytest.fixture(scope="module")
def served(saved_corners):
    return ServedModel(saved_corners)


@pytest.fixture(scope="module", params=["stretch", "crop", "pad"])
def answer(request, corners, served):
    """The answers for encoded images: of the SavedModel for "pad", and of the same functions for the other fits."""
    task, transform = corners.CornersTask(), corners.transform(request.param)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
    def of_bytes(files):
        shape = transform.settings.image_shape
        pixels, _, places = decoded_rows(files, transform.placed, shape=shape, max_pixels=10**6)
        return task.placed_back(corners.found(transform.scaled(pixels)), places)

    return of_bytes if request.param != "pad" else lambda files: served("serving_default", image_bytes=files)


def in_pixels(answers):
    """Corners in pixels of the original image, by class."""
    pixels = answers["corners"].numpy() * np.tile(answers["image_size"].numpy(), 2)[:, np.newaxis]
    order = np.argsort(answers["class_numbers"].numpy(), axis=1)
    return np.take_along_axis(pixels, order[:, :, np.newaxis], axis=1)


def test_a_painted_box_comes_back_in_place_from_files_turned_in_every_way(answer, corners):
    for size, *boxes in (WIDE, TALL):
        image = corners.painted(size, *boxes)
        files = [corners.png(image), *(corners.jpeg(image, orientation=turn) for turn in range(1, 9))]
        answers = answer(tf.constant(files))
        assert answers["image_size"].numpy().tolist() == [list(size)] * len(files)
        assert np.abs(in_pixels(answers) - np.array(boxes)).max() < 0.5


def test_a_further_signature_answers_about_the_original_image_too(served, corners):
    size, *boxes = WIDE
    files = tf.constant([corners.png(corners.painted(size, *boxes))])
    found = served("candidates", image_bytes=files)["corners"].numpy() * np.tile(size, 2)
    assert np.abs(found - np.array(boxes)).max() < 0.5


def test_pixels_are_answered_in_the_networks_frame(served, corners):
    box = (6, 10, 30, 50)
    answers = served("serve_tensor", image=tf.constant(corners.painted(corners.FRAME, box), tf.float32)[tf.newaxis])
    assert "image_size" not in answers
    np.testing.assert_allclose(answers["corners"][0, 0] * np.tile(corners.FRAME, 2), box, atol=1e-3)


def test_other_formats_carry_all_numbers_of_a_set_and_no_texts(served, corners, saved_corners, tmp_path):
    task, transform = corners.CornersTask(), corners.transform()
    boxes = [((60, 140), (20, 50, 34, 90), (12, 58, 50, 78 + number)) for number in range(4)]
    rows = [(str(number), corners.png(corners.painted(*one)), "", []) for number, one in enumerate(boxes)]
    write_examples(lambda split: rows, splits=["train", "test"], classes=(), folder=tmp_path / "data", captions=True)
    found = write_formats(
        c.Export(formats=("litert", "onnx")).formats,
        predict=task.predictor(corners.network()),
        sets=task.sets(),
        transform=transform,
        examples=ExampleSet(tmp_path / "data"),
        saved_model=saved_corners,
        folder=tmp_path,
    )
    assert format_complaints(found) == []
    assert {name: (one["passed"], one["same_answers"]) for name, one in found.items()} == dict.fromkeys(found, (True, 1.0))
    image = transform.pixels(rows[0][1]).numpy()[np.newaxis]
    answers = ask_litert(tmp_path / "Format-LiteRT" / "model.tflite")(image)
    expected = served("serve_tensor", image=tf.constant(image))
    assert {name: rows.dtype for name, rows in answers.items()} == {
        "corners": np.float32,
        "scores": np.float32,
        "class_numbers": np.int32,
        "count": np.int32,
    }
    for name, values in answers.items():
        np.testing.assert_allclose(values, expected[name], atol=1e-5)


def test_a_row_that_is_not_an_image_is_blank_in_all_outputs(served, corners):
    size, *boxes = TALL
    answers = served("serving_default", image_bytes=tf.constant([b"no image", corners.png(corners.painted(size, *boxes))]))
    assert answers["valid"].numpy().tolist() == [False, True]
    assert not any(np.any(answers[name][0]) for name in ("corners", "scores", "class_numbers", "count", "image_size"))
    assert answers["classes"].numpy().tolist() == [[b"", b""], [b"red", b"green"]]


# --- What is checked about every SavedModel holds for outputs of (N, K, 4), whole numbers and texts (N, K)


def test_the_signatures_are_those_of_the_contract(saved_corners):
    complaints, signatures = check_contract(saved_corners)
    assert complaints == []
    assert signatures["serving_default"]["outputs"] == {
        "corners": ("float32", [None, 2, 4]),
        "scores": ("float32", [None, 2]),
        "class_numbers": ("int32", [None, 2]),
        "classes": ("string", [None, 2]),
        "count": ("int32", [None]),
        "image_size": ("int32", [None, 2]),
        "valid": ("bool", [None]),
    }
    assert "image_size" not in signatures["serve_tensor"]["outputs"]


def test_every_output_is_described(saved_corners):
    said = json.loads((saved_corners / "assets.extra" / "signatures.json").read_text())
    assert all(one["meaning"] for name in ("serving_default", "serve_tensor") for one in said[name]["outputs"].values())


def test_every_warmup_request_is_answered(saved_corners, served):
    records = tf.data.TFRecordDataset(str(saved_corners / "assets.extra" / "tf_serving_warmup_requests"))
    requests = [PredictionLog.FromString(one).predict_log.request for one in records.as_numpy_iterator()]
    assert {one.model_spec.signature_name for one in requests} == {"serving_default", "serve_tensor", "candidates"}
    for one in requests:
        inputs = {name: tf.constant(tf.make_ndarray(value)) for name, value in one.inputs.items()}
        answers = served(one.model_spec.signature_name, **inputs)
        assert {len(rows) for rows in answers.values()} == {len(next(iter(inputs.values())))}


def test_predict_has_a_row_for_each_image_and_a_column_for_each_output(corners, saved_corners, tmp_path):
    files = [tmp_path / name for name in ("wide.png", "broken.png", "tall.png")]
    contents = [corners.png(corners.painted(*WIDE)), b"no image", corners.png(corners.painted(*TALL))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    model = ImagePredictor(saved_corners)
    table = Columns.of(model.outputs).table(list(model.rows(Listed(str(file), file) for file in files)))
    assert table["image_size"].to_pylist() == [[60, 140], None, [90, 44]]
    assert table["classes"].to_pylist() == [["red", "green"], None, ["red", "green"]]
    assert np.shape(table["corners"].to_pylist()[2]) == (2, 4)


def test_a_server_answers_by_rows_and_by_columns(corners, saved_corners):
    version = ServedVersion(saved_corners, version=1)
    image = base64.b64encode(corners.png(corners.painted(*WIDE))).decode()
    for body, key in (({"instances": [{"b64": image}]}, "predictions"), ({"inputs": [{"b64": image}]}, "outputs")):
        asked = read_request(json.dumps(body).encode(), version.signatures, Limits())
        outputs = asked.signature(asked.columns)
        reply = json.loads(write_reply(outputs, by_rows=key == "predictions"))[key]
        row = reply[0] if key == "predictions" else {name: rows[0] for name, rows in reply.items()}
        assert (row["classes"], row["count"], np.shape(row["corners"])) == (["red", "green"], 2, (2, 4))
