"""The SavedModel takes bytes, needs TensorFlow alone, and answers as the trained network does."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

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
    """What the trained network answers, each image going through the transform in Python."""
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
    for signature in (of_bytes, of_pixels):
        assert specs(signature.structured_outputs) == {
            "scores": (tf.float32, [None, 3]), "classes": (tf.string, [None])}  # fmt: skip


def test_a_process_with_tensorflow_alone_gives_the_networks_answers(trained, images, expected, tmp_path):
    for number, image in enumerate(images):
        (tmp_path / f"{number:03d}.png").write_bytes(image)
    command = [sys.executable, "-I", "-c", ASK, str(trained.saved_model), str(tmp_path), str(tmp_path / "answers.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
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


def test_bytes_that_are_no_image_raise(loaded):
    with pytest.raises(tf.errors.InvalidArgumentError):
        loaded.signatures["serving_default"](image_bytes=tf.constant([b"no image"]))
