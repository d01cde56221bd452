"""An unusable `.keras` file is rejected with its reason when it is loaded; most reasons are found before Keras reads it."""

import json
import os
import zipfile

import keras
import pytest

from kerasvision import config as c
from kerasvision.config.keras_files import add_names, file_fault, hdf5_fault, head_names
from kerasvision.errors import ConfigError, ExportError
from kerasvision.models import build
from kerasvision.models.saved import load_network


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    file = tmp_path_factory.mktemp("whole") / "whole.keras"
    build("lenet5", image_shape=(28, 28, 1), num_classes=3).save(file)
    return file


def rewritten(source, target, *, drop=(), change=None):
    """A copy of an archive without some entries, and with others' content changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.namelist():
            if entry not in drop:
                content = old.read(entry)
                new.writestr(entry, change(content) if change and entry == "config.json" else content)


def cut(share):
    return lambda whole, file: file.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])


def written(content):
    return lambda whole, file: file.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (written(b""), "is empty"),
        (cut(0.5), "is cut short or damaged: File is not a zip file"),
        (cut(0.99), "is cut short or damaged: File is not a zip file"),
        (written(b"not a model"), "is not a .keras file: it is not a ZIP archive"),
        (written(b"<html>404</html>"), "is not a .keras file: it is a text, perhaps the page of a failed download"),
        (written(b"\x89HDF\r\n\x1a\n..."), "is not a .keras file: it is an HDF5 file"),
        (written(b"version https://git-lfs.github.com/spec/v1"), "is not a .keras file: it is a pointer of Git LFS"),
        (lambda whole, file: file.mkdir(), "is a folder"),
        (lambda whole, file: rewritten(whole, file, drop=["config.json"]), "has no config.json"),
        (lambda whole, file: rewritten(whole, file, drop=["model.weights.h5"]), "has no model.weights.h5"),
        (lambda whole, file: rewritten(whole, file, change=lambda text: text[:9]), "has a damaged config.json"),
    ],
)
def test_damage_is_named_before_keras_is_asked(spoil, reason, whole, tmp_path):
    file = tmp_path / "bad.keras"
    spoil(whole, file)
    assert file_fault(file).reason.startswith(reason)
    with pytest.raises(ConfigError, match=f"the weights file {file} {reason}"):
        dict(c.Model(name="lenet5", weights=str(file)).files())
    with pytest.raises(ConfigError, match=f"the model file {file} {reason}"):
        dict(c.Evaluation(ensemble=(file,)).files())
    with pytest.raises(ExportError, match=f"the model file {file} {reason}"):
        build("lenet5", image_shape=(28, 28, 1), num_classes=3, weights=str(file))


def test_whole_file_has_no_fault(whole):
    assert file_fault(whole) is None
    assert dict(c.Model(name="lenet5", weights=str(whole)).files()) == {"weights": whole}


def test_file_that_may_not_be_read_is_named(whole, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    assert file_fault(whole).reason == "cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"<html>", "is damaged or not an HDF5 file: it is a text"),
        (b"abc", "is damaged or not an HDF5 file"),
    ],
)
def test_h5_file_that_is_none_is_refused_before_anything_runs(content, reason, tmp_path):
    file = tmp_path / "bad.h5"
    file.write_bytes(content)
    assert hdf5_fault(file).reason.startswith(reason)
    with pytest.raises(ConfigError, match=f"the weights file {file} {reason}"):
        dict(c.Model(name="vgg16", weights=str(file)).files())


@keras.saving.register_keras_serializable(package="own")
class Halved(keras.layers.Layer):
    def call(self, inputs):
        return inputs / 2


def save(layer, file):
    image = keras.Input((8, 8, 1))
    keras.Model(image, layer(image), name="small").save(file)


def test_class_outside_keras_is_named(tmp_path):
    file = tmp_path / "own.keras"
    save(Halved(), file)
    assert load_network(file).name == "small"  # registered, so Keras loads it
    with keras.saving.custom_object_scope({}):
        registered = keras.saving.get_custom_objects().pop("own>Halved")
        rewritten(file, tmp_path / "else.keras", change=lambda text: text.replace(b"test_keras_files", b"elsewhere"))
        try:
            with pytest.raises(ExportError, match="needs own>Halved, which Keras does not have.* in the module of the netw"):
                load_network(tmp_path / "else.keras")
        finally:
            keras.saving.get_custom_objects()["own>Halved"] = registered


def test_lambda_is_refused_with_advice_that_can_be_followed(tmp_path):
    save(keras.layers.Lambda(lambda x: x, name="twice"), tmp_path / "bad.keras")
    with pytest.raises(ExportError, match="has a Lambda layer 'twice'.*Write that step with keras.ops") as told:
        load_network(tmp_path / "bad.keras")
    assert "safe_mode" not in str(told.value)


def test_weights_of_other_shapes_are_told(whole, tmp_path):
    rewritten(whole, tmp_path / "bad.keras", change=lambda text: text.replace(b'"units": 84', b'"units": 80'))
    with pytest.raises(ExportError, match="is damaged, or incompatible with this version of Keras: "):
        load_network(tmp_path / "bad.keras")


def test_file_of_another_keras_that_does_not_load_names_both_versions(whole, tmp_path):
    def older(text):
        return json.dumps({**json.loads(text), "class_name": "Gone"}).encode()

    rewritten(whole, tmp_path / "old.keras", drop=["metadata.json"], change=older)
    with zipfile.ZipFile(tmp_path / "old.keras", "a") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "2.12.0"}))
    with pytest.raises(ExportError, match=rf"written by Keras 2.12.0; this is Keras {keras.__version__}"):
        load_network(tmp_path / "old.keras")


def test_names_of_classes_are_read_without_keras(whole, tmp_path):
    file = tmp_path / "named.keras"
    file.write_bytes(whole.read_bytes())
    assert head_names(file) is None
    add_names(file, ["grün", "cat"])
    assert head_names(file) == ("grün", "cat")


def test_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "model.keras")
    for fault in (file_fault, hdf5_fault):
        assert fault(tmp_path / "model.keras").reason == "is a pipe, a socket or a device"
