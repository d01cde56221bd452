"""Each file gets an answer or a reason; a bad one does not disturb the others."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from kerasvision.errors import ConfigError, ExportError
from kerasvision.export.asking.predict import predict_files
from kerasvision.export.publishing.push import push

BAD = {
    "garbage": (b"\x00\xff" * 500, "not an image in a known format"),
    "empty": (b"", "the file is empty"),
    "text": (b"hello", "not an image in a known format"),
}


@pytest.fixture(scope="module")
def files(trained, tmp_path_factory):
    """Three test images, as files."""
    folder = tmp_path_factory.mktemp("files")
    rows = list(trained.examples.dataset("test").take(3).as_numpy_iterator())
    for number, row in enumerate(rows):
        (folder / f"{number}.png").write_bytes(row["image"])
    return [folder / f"{number}.png" for number in range(3)]


def answers(saved_model, paths):
    return list(predict_files(saved_model, paths))


@pytest.fixture(scope="module")
def good(trained, files):
    """The answers for the three images."""
    return answers(trained.saved_model, files)


UNDECODABLE = ("tiff", "truncated_jpeg", "truncated_png", "giant_header_png", "palette_bmp")
ODD = ("cmyk", "rgba", "sixteen_bit", "palette", "animated_gif", "one_by_one")


@pytest.fixture(scope="module")
def mixed(trained, files, make_images, tmp_path_factory):
    """Kind of file -> its answer, from one call for all kinds; "first" and "last" are good images around the others."""
    folder = tmp_path_factory.mktemp("mixed")
    data = {kind: file for kind, (file, _) in BAD.items()}
    data |= {maker: getattr(make_images, maker)() for maker in (*UNDECODABLE, *ODD)}
    for kind, file in data.items():
        (folder / f"{kind}.jpg").write_bytes(file)
    paths = [folder / f"{kind}.jpg" for kind in data] + [folder / "missing.png", folder]
    given = answers(trained.saved_model, [files[0], *paths, files[1]])
    return dict(zip(["first", *data, "missing", "folder", "last"], given, strict=True))


def test_a_good_file_gets_the_networks_answer_in_plain_values(trained, files, good):
    images = tf.stack([trained.transform(file.read_bytes()) for file in files])
    expected = trained.task.predictor(trained.network)(images)
    assert [answer.path for answer in good] == files
    assert [answer.fault for answer in good] == ["", "", ""]
    for answer, scores, label in zip(good, expected["scores"], expected["classes"], strict=True):
        assert answer.outputs["classes"] == label.numpy().decode()
        assert isinstance(answer.outputs["scores"], list)
        np.testing.assert_allclose(answer.outputs["scores"], scores, atol=1e-6)


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_reported(kind, mixed):
    assert (mixed[kind].outputs, mixed[kind].fault) == ({}, BAD[kind][1])


def test_bad_files_do_not_disturb_the_others(mixed, good):
    assert [mixed["first"], mixed["last"]] == good[:2]


@pytest.mark.parametrize("maker", UNDECODABLE)
def test_an_image_that_cannot_be_decoded_is_reported(maker, mixed):
    assert mixed[maker].outputs == {}
    assert mixed[maker].fault


@pytest.mark.parametrize("maker", ODD)
def test_an_odd_image_is_answered(maker, mixed):
    assert mixed[maker].fault == ""
    assert sum(mixed[maker].outputs["scores"]) == pytest.approx(1, abs=1e-5)


def test_a_missing_file_and_a_folder_are_reported(mixed):
    assert mixed["missing"].fault == "cannot be read: No such file or directory"
    assert mixed["folder"].fault == "cannot be read: Is a directory"


@pytest.mark.slow
def test_of_several_versions_the_highest_is_asked(trained, files, good, tmp_path):
    shutil.copytree(trained.saved_model, tmp_path / "flowers" / "2")
    shutil.copytree(trained.saved_model, tmp_path / "flowers" / "10")
    # Only the highest is complete.
    (tmp_path / "flowers" / "2" / "saved_model.pb").write_bytes(b"damaged")
    assert answers(tmp_path / "flowers", files) == good


def test_no_saved_model_is_told(tmp_path):
    with pytest.raises(ConfigError, match="is not a saved model: it contains no saved_model.pb"):
        answers(tmp_path, [])


DATA = "variables/variables.data-00000-of-00001"


@pytest.mark.parametrize(
    ("file", "length", "message"),
    [
        ("variables/variables.index", None, "is an incomplete saved model"),
        (DATA, None, "cannot be loaded because it is damaged"),
        (DATA, 5, "cannot be loaded because it is damaged"),
        ("saved_model.pb", 5000, "cannot be loaded because it is damaged"),
        ("saved_model.pb", 0, "cannot be loaded because it is damaged"),
    ],
)
def test_a_saved_model_that_was_cut_short_is_told(file, length, message, trained, files, tmp_path):
    """Truncates a file to `length` bytes; None deletes it."""
    cut = shutil.copytree(trained.saved_model, tmp_path / "cut") / file
    if length is None:
        cut.unlink()
    else:
        cut.write_bytes(cut.read_bytes()[:length])
    with pytest.raises(ExportError, match=message):
        answers(tmp_path / "cut", files)


def test_a_saved_model_of_garbage_is_told(trained, files, tmp_path):
    shutil.copytree(trained.saved_model, tmp_path / "garbage")
    (tmp_path / "garbage" / "saved_model.pb").write_bytes(b"garbage")
    with pytest.raises(ExportError, match="cannot be loaded because it is damaged"):
        answers(tmp_path / "garbage", files)


def test_a_saved_model_that_takes_no_bytes_is_told(files, tmp_path):
    module = tf.Module()
    module.weight = tf.Variable(1.0)  # so that there are variables, as in a complete SavedModel
    module.double = tf.function(lambda x: {"y": module.weight * x}, input_signature=[tf.TensorSpec([None], tf.float32)])
    tf.saved_model.save(module, str(tmp_path / "other"), {"double": module.double})
    with pytest.raises(ExportError, match=r"has no signature serving_default; received \['double'\]"):
        answers(tmp_path / "other", files)


def test_a_signature_with_another_input_is_told_in_words(files, tmp_path):
    module = tf.Module()
    module.weight = tf.Variable(1.0)
    specs = [tf.TensorSpec([None, 28, 28, 1], tf.float32, name="keras_tensor")]
    module.classify = tf.function(lambda keras_tensor: {"y": module.weight * keras_tensor}, input_signature=specs)
    tf.saved_model.save(module, str(tmp_path / "other"), {"serving_default": module.classify})
    taken = (
        r"requires a signature serving_default whose only input is image_bytes \(string \(None,\)\); the one of .* takes "
    )
    with pytest.raises(ExportError, match=taken + r"keras_tensor \(float32 \(None, 28, 28, 1\)\)"):
        answers(tmp_path / "other", files)


def test_a_saved_model_that_answers_another_number_of_images_is_told(files, tmp_path):
    module = tf.Module()
    module.weight = tf.Variable(1.0)
    specs = [tf.TensorSpec([None], tf.string, name="image_bytes")]
    module.classify = tf.function(lambda image_bytes: {"y": module.weight * tf.zeros([3, 2])}, input_signature=specs)
    tf.saved_model.save(module, str(tmp_path / "other"), {"serving_default": module.classify})
    for count in (2, 4):
        with pytest.raises(ExportError, match=f"a row for each image; 'y' of .*other has 3 for {count}"):
            answers(tmp_path / "other", (files * 2)[:count])


def test_exchanged_weights_give_no_answer(trained, files, good, tmp_path):
    for _ in range(2):
        push(trained.saved_model, folder=tmp_path / "flowers")
    weights = tmp_path / "flowers" / "2" / DATA
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ExportError, match="flowers/2 was changed or is half copied: variables/.* is not what was pushed"):
        answers(tmp_path / "flowers", files)
    assert answers(tmp_path / "flowers" / "1", files) == good
