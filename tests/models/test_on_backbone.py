"""Networks on a backbone begin with trained weights: the backbone's from any file, the head's from a file of as many."""

import keras
import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.scaling import scaled, scaling

BACKBONE = {"backbone": "resnet9", "width": 0.125}
SMALL = {**BACKBONE, "max_length": 3, "embedding": 6, "units": 5}
IMAGE_SHAPE = (16, 16, 3)


def moved(model):
    """The same model, now with no weight at its initial value."""
    random = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign_add(random.normal(0, 0.1, weight.shape))
    return model


def captioner(name="show_and_tell", *, num_classes=7, weights=None, **options):
    return build(name, image_shape=IMAGE_SHAPE, num_classes=num_classes, weights=weights, **{**SMALL, **options})


def loaded(model, source):
    """The names of the layers whose weights equal those of the source."""
    theirs = {layer.name: layer.get_weights() for layer in source.layers if layer.weights}
    return {
        layer.name
        for layer in model.layers
        if layer.weights
        and layer.name in theirs
        and all(a.shape == b.shape and (a == b).all() for a, b in zip(layer.get_weights(), theirs[layer.name], strict=True))
    }


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A classifier on the same backbone, and its file."""
    model = moved(build("resnet9", image_shape=IMAGE_SHAPE, num_classes=3, width=0.125))
    file = tmp_path_factory.mktemp("classifier") / "classifier.keras"
    model.save(file)
    return model, str(file)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A captioner of seven words, and its file."""
    model, file = moved(captioner()), tmp_path_factory.mktemp("captioner") / "captioner.keras"
    model.save(file)
    return model, str(file)


@pytest.mark.parametrize("name", [pytest.param("show_and_tell", marks=pytest.mark.slow), "show_attend_tell"])
def test_a_classifiers_backbone_is_loaded_and_nothing_else(name, classifier):
    source, file = classifier
    backbone = {
        layer.name
        for layer in build("resnet9", image_shape=IMAGE_SHAPE, num_classes=None, width=0.125).layers
        if layer.weights
    }
    assert loaded(captioner(name, weights=file), source) == backbone


def test_of_its_own_file_all_is_loaded(trained):
    source, file = trained
    assert loaded(captioner(weights=file), source) == {layer.name for layer in source.layers if layer.weights}


def test_of_its_own_file_the_words_are_left_out_where_it_knows_another_number(trained):
    source, file = trained
    everything = {layer.name for layer in source.layers if layer.weights}
    assert loaded(captioner(num_classes=8, weights=file), source) == everything - {"decoder_words", "logits"}


def test_its_own_file_gives_the_backbone_alone(trained):
    source, file = trained
    backbone = captioner(num_classes=None, weights=file)
    assert sorted(backbone.output) == ["c0", "c1", "c2", "c3"]
    assert loaded(backbone, source) == {layer.name for layer in backbone.layers if layer.weights}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": 6}, r"at layer 'decoder_lstm1_input': 6 x 20 \+ 20 in the file, 6 x 24 \+ 24 in the network"),
        ({"cell": "gru"}, "has a layer 'decoder_lstm1_input' that the network lacks"),
        ({"layers": 2}, "lacks the layer 'decoder_lstm2_input' of the network"),
    ],
)
def test_its_own_file_of_other_options_is_refused_with_the_layer(trained, options, message):
    with pytest.raises(ConfigError, match=message):
        captioner(weights=trained[1], **options)


SMALL_HEAD = {"levels": "p2-p4", "channels": 8, "depth": 1}


def test_a_detector_begins_with_a_classifiers_backbone(classifier):
    source, file = classifier
    begun = build("fcos", image_shape=IMAGE_SHAPE, num_classes=5, weights=file, **BACKBONE, **SMALL_HEAD)
    heads = {layer.name for layer in begun.layers if layer.name.startswith(("p", "class_", "box_", "dist", "center"))}
    assert loaded(begun, source) == {layer.name for layer in begun.layers if layer.weights} - heads


def test_a_detector_begins_with_its_own_file_as_a_whole_or_as_a_backbone(tmp_path):
    small = {"image_shape": IMAGE_SHAPE, "backbone": "lenet5", **SMALL_HEAD}
    source, own = moved(build("fcos", num_classes=5, **small)), str(tmp_path / "detector.keras")
    source.save(own)
    everything = {layer.name for layer in source.layers if layer.weights}
    assert loaded(build("fcos", num_classes=5, weights=own, **small), source) == everything
    assert loaded(build("fcos", num_classes=6, weights=own, **small), source) == everything - {"class_logits"}
    assert loaded(build("fcos", num_classes=None, weights=own, **small), source) == {"conv1", "conv2"}
    with pytest.raises(ConfigError, match="at layer 'p2_lateral'"):
        build("fcos", num_classes=5, weights=own, **{**small, "channels": 16})


def test_a_localizer_without_classes_gives_one_its_box(tmp_path):
    small = {"image_shape": IMAGE_SHAPE, "backbone": "lenet5"}
    source = moved(build("localizer", num_classes=5, class_logits=False, **small))
    source.save(tmp_path / "box.keras")
    begun = build("localizer", num_classes=5, weights=str(tmp_path / "box.keras"), classes=list("abcde"), **small)
    assert loaded(begun, source) == {layer.name for layer in source.layers if layer.weights}


def test_the_scaling_of_a_files_images_is_kept(tmp_path):
    # LeNet-5 has no norms, and it is built in a fraction of the time.
    classes = scaled(build("lenet5", image_shape=IMAGE_SHAPE, num_classes=3), scaling("unit"))
    classes.save(tmp_path / "scaled.keras")
    small = {"image_shape": IMAGE_SHAPE, "backbone": "lenet5", "max_length": 3, "embedding": 6, "units": 5}
    first = build("show_and_tell", num_classes=7, weights=str(tmp_path / "scaled.keras"), **small)
    first.save(tmp_path / "captioner.keras")
    second = build("show_and_tell", num_classes=7, weights=str(tmp_path / "captioner.keras"), **small)
    images, tokens = np.random.default_rng(0).uniform(size=(2, *IMAGE_SHAPE)).astype("float32"), np.ones((2, 1, 4), "int32")
    assert first.get_layer("scaling").scale == second.get_layer("scaling").scale == [2.0, 2.0, 2.0]
    np.testing.assert_allclose(first([images, tokens]), second([images, tokens]), rtol=0, atol=1e-6)


def test_weights_of_keras_applications_become_the_backbones(tmp_path):
    keras.utils.set_random_seed(0)
    theirs = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    theirs.save(tmp_path / "theirs.h5")
    options = {"backbone": "vgg16", "max_length": 3, "embedding": 6, "units": 5, "attention": 4}
    ours = build("show_attend_tell", image_shape=(32, 32, 3), num_classes=7, weights=str(tmp_path / "theirs.h5"), **options)
    images = np.random.default_rng(0).uniform(size=(2, 32, 32, 3)).astype("float32")
    places = keras.Model(ours.inputs[0], ours.get_layer("decoder_annotations").output)(images)
    expected = np.reshape(theirs(keras.applications.vgg16.preprocess_input(images * 255)), (2, 1, 512))
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(places, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


# --- What a pipeline file accepts


def test_published_weights_are_asked_for_the_backbone():
    assert c.Model(name="show_and_tell", weights="imagenet", options={"backbone": "vgg16"}).backbone.name == "vgg16"
    with pytest.raises(ConfigError, match="no weights are published for resnet18"):
        c.Model(name="show_and_tell", weights="imagenet")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "resnet81"}, "no model is named 'resnet81'; did you mean 'resnet18'?"),
        ({"backbone": "resnet20", "width": 0.5}, "resnet20 has no option 'width'"),
        ({"backbone": "show_attend_tell"}, "the backbone must not be built on another"),
        ({"unit": 5}, "show_and_tell has no option 'unit'; did you mean 'units'?"),
    ],
)
def test_a_backbone_that_cannot_be_is_refused_when_the_file_is_read(options, message):
    with pytest.raises(ConfigError, match=message):
        c.Model(name="show_and_tell", options=options)


def test_the_backbones_code_counts_as_well():
    paths = c.Model(name="show_and_tell", options={"backbone": "resnet9"}).code_paths()
    assert paths == {"kerasvision.models.captioner:show_and_tell", "kerasvision.models.resnet9:resnet9"}


# The other way: a network's backbone begins a classifier.


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory):
    """An autoencoder on the same backbone, and its file."""
    model = moved(build("autoencoder", image_shape=IMAGE_SHAPE, num_classes=3, bottleneck=5, **BACKBONE))
    file = tmp_path_factory.mktemp("autoencoder") / "autoencoder.keras"
    model.save(file)
    return model, str(file)


def test_a_classifier_begins_with_the_encoder_of_an_autoencoder(autoencoder, capfd):
    source, file = autoencoder
    model = build("resnet9", image_shape=IMAGE_SHAPE, num_classes=4, width=0.125, weights=file, classes=tuple("abcd"))
    backbone = build("resnet9", image_shape=IMAGE_SHAPE, num_classes=None, width=0.125)
    assert loaded(model, source) == {layer.name for layer in backbone.layers if layer.weights}
    assert "resnet9 begins with the backbone of autoencoder" in capfd.readouterr().err


def test_other_networks_begin_with_the_encoder_of_an_autoencoder_too(autoencoder):
    source, file = autoencoder
    model = captioner(weights=file)
    backbone = build("resnet9", image_shape=IMAGE_SHAPE, num_classes=None, width=0.125)
    assert loaded(model, source) == {layer.name for layer in backbone.layers if layer.weights}


def test_an_autoencoder_begins_with_all_weights_of_its_own_file(autoencoder):
    source, file = autoencoder
    model = build("autoencoder", image_shape=IMAGE_SHAPE, num_classes=3, bottleneck=5, weights=file, **BACKBONE)
    assert loaded(model, source) == {layer.name for layer in source.layers if layer.weights}


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet20", {}, "contains autoencoder on another backbone than resnet20"),
        ("resnet9", {"width": 0.25}, "does not fit at layer"),
        ("lenet5", {}, "contains autoencoder on another backbone than lenet5"),
    ],
)
def test_the_encoder_of_another_backbone_is_refused(name, options, message, autoencoder):
    with pytest.raises(ConfigError, match=message):
        build(name, image_shape=IMAGE_SHAPE, num_classes=4, weights=autoencoder[1], **options)


@pytest.mark.slow
def test_a_smaller_network_of_the_same_family_does_not_take_the_first_layers_of_a_larger_one(tmp_path):
    file = tmp_path / "larger.keras"
    build("autoencoder", image_shape=IMAGE_SHAPE, num_classes=3, backbone="resnet32").save(file)
    with pytest.raises(ConfigError, match="contains autoencoder on another backbone than resnet20"):
        build("resnet20", image_shape=IMAGE_SHAPE, num_classes=4, weights=str(file))


def test_a_model_may_be_the_backbone_of_a_network_built_by_name():
    maps = build("resnet9", image_shape=(32, 32, 3), num_classes=None, width=0.125)
    network = build("autoencoder", image_shape=(32, 32, 3), num_classes=3, backbone=maps)
    named = build("autoencoder", image_shape=(32, 32, 3), num_classes=3, backbone="resnet9", width=0.125)
    assert network.count_params() == named.count_params()
    assert network.output["restored"].shape == (None, 32, 32, 3)
