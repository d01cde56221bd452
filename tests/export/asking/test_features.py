"""A model describes images: a SavedModel by its own signature of encoded images, or a network with ImageNet's weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError, ExportError
from kerasvision.export.asking.features import model_features
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.models import build
from kerasvision.served.model import ServedModel
from kerasvision.tasks.base import make_task
from kerasvision.tasks.features import before_last_layer
from kerasvision.tasks.regression.scaling import Scaling


def saved(folder, *, outputs=("features",), name="features"):
    """A SavedModel whose features are the mean red, green and blue; a file that is no PNG is not valid."""

    def one(file):
        is_png = tf.strings.substr(file, 1, 3) == b"PNG"
        pixels = tf.cond(is_png, lambda: tf.io.decode_png(file, channels=3), lambda: tf.zeros((1, 1, 3), tf.uint8))
        return tf.reduce_mean(tf.cast(pixels, tf.float32), axis=(0, 1)), is_png

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def serve(image_bytes):
        specs = (tf.TensorSpec([3], tf.float32), tf.TensorSpec([], tf.bool))
        means, valid = tf.map_fn(one, image_bytes, fn_output_signature=specs)
        return {**dict.fromkeys(outputs, means), "valid": valid}

    module = tf.Module()
    module.weight = tf.Variable(1.0)
    module.serve = serve
    tf.saved_model.save(module, str(folder), signatures={name: serve})
    return folder


def test_a_saved_model_decodes_images_of_any_size_itself(tmp_path):
    features = model_features(str(saved(tmp_path / "model")))
    assert features.reads_files
    files = [encode_png(np.full((5, 9, 3), value, np.uint8)) for value in (10, 250)]
    found = features.describe({"file": np.array([*files, b"no image"], object)})
    np.testing.assert_array_equal(found[:2], [[10, 10, 10], [250, 250, 250]])
    assert np.isnan(found[2]).all()


def test_a_saved_model_without_features_says_the_way_out(tmp_path):
    folder = saved(tmp_path / "model", name="serving_default")
    with pytest.raises(ConfigError, match="a signature features; .* which has serving_default.*lite0"):
        model_features(str(folder))


def test_a_signature_with_several_outputs_is_rejected(tmp_path):
    with pytest.raises(ExportError, match="one output of floating-point numbers"):
        model_features(str(saved(tmp_path / "model", outputs=("features", "scores"))))


def test_a_folder_without_a_model_and_an_unknown_network_are_rejected(tmp_path):
    with pytest.raises(ConfigError, match="is not a saved model"):
        model_features(str(tmp_path))
    with pytest.raises(ConfigError, match="no model is named 'resnet19'"):
        model_features("resnet19")


@pytest.mark.slow
def test_a_network_with_imagenet_weights_gives_the_mean_of_its_last_map():
    features = model_features("efficientnet_lite0")
    images = np.random.default_rng(0).uniform(0, 255, (1, 224, 224, 3)).astype(np.float32)
    assert features.image_shape == (224, 224, 3)
    found = features.describe({"pixels": images})
    backbone = build("efficientnet_lite0", image_shape=(224, 224, 3), num_classes=None, weights="imagenet")
    maps = backbone(images / 255)
    np.testing.assert_allclose(found, keras.ops.mean(maps[max(maps)], axis=(1, 2)), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_classifier_of_ours_gives_what_its_last_layer_receives(trained, stripes, tmp_path):
    task = make_task(c.Classification(features=True), stripes.classes)
    described = export_saved_model(trained.network, task=task, transform=trained.transform, folder=tmp_path / "model")
    assert list(described["features"]["outputs"]) == ["features", "valid"]
    files = [example["image"] for example in trained.examples.dataset("test").take(3).as_numpy_iterator()]
    found = model_features(str(tmp_path / "model")).describe({"file": np.array(files, object)})
    # The last layer makes the answers of the same model from them.
    kernel, bias = trained.network.get_layer("logits").get_weights()
    scores = ServedModel(tmp_path / "model")("serving_default", image_bytes=tf.constant(files))["scores"]
    np.testing.assert_allclose(tf.nn.softmax(found @ kernel + bias), scores, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [c.MultiLabel(features=True), pytest.param(c.Regression(features=True), marks=pytest.mark.slow)],
    ids=lambda one: one.kind,
)
def test_a_model_of_tags_or_numbers_gives_what_its_last_layer_receives(settings, tmp_path):
    image = keras.Input((8, 8, 1))
    hidden = keras.layers.Dense(3, activation="tanh")(keras.layers.Flatten()(image))
    network = keras.Model(image, keras.layers.Dense(2, name="logits")(hidden))
    if isinstance(settings, c.Regression):  # the layer of the units comes after the last one with weights
        network = Scaling((10.0, 0.0), (5.0, 1.0)).in_units(network)
    transform = ImageTransform(c.Transform(image_size=(8, 8), color_mode="grayscale", scale="zero_to_one"), (0.0,), (1.0,))
    task = make_task(settings, ("sea", "sun"))
    described = export_saved_model(network, task=task, transform=transform, folder=tmp_path / "model")
    assert list(described["features"]["outputs"]) == ["features", "valid"]
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8), np.uint8)
    files = [encode_png(one) for one in pixels]
    found = model_features(str(tmp_path / "model")).describe({"file": np.array(files, object)})
    kernel, bias = network.get_layer("logits").get_weights()
    logits = np.tanh(pixels.reshape(4, 64) / 255 @ network.layers[2].get_weights()[0]) @ kernel + bias
    np.testing.assert_allclose(found @ kernel + bias, logits, rtol=1e-4, atol=1e-5)
    assert make_task(type(settings)(), ("sea", "sun")).extra_signatures(network) == {}


def test_a_network_without_a_last_layer_has_no_features():
    image = keras.Input((4, 4, 1))
    with pytest.raises(ConfigError, match="whose last layer has weights"):
        before_last_layer(keras.Model(image, keras.layers.Flatten()(image)))
