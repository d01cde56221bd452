"""Loading a SavedModel compares its files first, and an error says what is wrong with it."""

import gc

import pytest
import tensorflow as tf

from kerasvision.errors import ExportError
from kerasvision.export.publishing.push import push
from kerasvision.served.model import ServedModel


@pytest.fixture
def folder(tmp_path):
    """A SavedModel that returns the number of bytes of each image, times a weight."""
    module = tf.Module()
    module.weight = tf.Variable(2)
    module.serve = tf.function(
        lambda image_bytes: {"sizes": module.weight * tf.strings.length(image_bytes)},
        input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")],
    )
    tf.saved_model.save(module, str(tmp_path / "exported"), signatures={"serving_default": module.serve})
    return tmp_path / "exported"


def test_it_answers_also_when_nothing_else_holds_the_model(folder):
    model = ServedModel(folder)
    gc.collect()
    assert set(model.signatures) == {"serving_default"}
    assert model("serving_default", image_bytes=tf.constant([b"ab", b""]))["sizes"].numpy().tolist() == [4, 0]


def test_a_missing_signature_is_named_with_those_that_exist(folder):
    with pytest.raises(ExportError, match="no signature 'serve_tensor'; it has serving_default. Export the model"):
        ServedModel(folder)("serve_tensor", image=tf.zeros((1, 16, 16, 1)))


def test_what_was_changed_since_the_push_is_refused_before_it_is_loaded(folder, tmp_path, monkeypatch):
    push(folder, folder=tmp_path / "sizes")
    version = tmp_path / "sizes" / "1"
    ServedModel(version)
    weights = version / "variables" / "variables.data-00000-of-00001"
    content = bytearray(weights.read_bytes())
    content[0] ^= 1
    weights.write_bytes(content)
    monkeypatch.setattr(tf.saved_model, "load", lambda folder: pytest.fail("it was loaded"))
    with pytest.raises(ExportError, match="was changed or is half copied: variables.*data.* is not what was pushed"):
        ServedModel(version)


def test_a_part_of_a_saved_model_is_refused(folder, tmp_path):
    half = tmp_path / "half"
    half.mkdir()
    (half / "saved_model.pb").write_bytes((folder / "saved_model.pb").read_bytes())
    with pytest.raises(ExportError, match="half is an incomplete saved model: its variables are missing"):
        ServedModel(half)


def test_a_graph_that_is_cut_short_is_called_damaged(folder):
    (folder / "saved_model.pb").write_bytes((folder / "saved_model.pb").read_bytes()[:500])
    with pytest.raises(ExportError, match="cannot be loaded because it is damaged"):
        ServedModel(folder)


def test_a_model_without_signatures_is_refused_with_the_way_out(tmp_path):
    module = tf.Module()
    module.weight = tf.Variable(2)
    tf.saved_model.save(module, str(tmp_path / "bare"))
    with pytest.raises(ExportError, match="has no signature to call. Save it with signatures"):
        ServedModel(tmp_path / "bare")
