"""What a task finds in the network's frame is served, and judged, in the original upright image."""

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.export.writing.formats.litert import ask_litert
from kerasvision.export.writing.formats.writing import format_complaints, write_formats
from kerasvision.export.writing.rows import decoded_rows
from kerasvision.served.model import ServedModel

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
