"""A trained head keeps the row of each class by its name, never by its number."""

import sys
import zipfile

import keras
import numpy as np
import pytest

from kerasvision.config.keras_files import add_names, head_names
from kerasvision.config.published import are_imagenet
from kerasvision.errors import ConfigError, ExportError
from kerasvision.models import build, pretrained
from kerasvision.models.saved import load_network, save_network

OLD = ("cat", "dog", "fox")
LENET = {"name": "lenet5", "image_shape": (28, 28, 1)}
CAPTIONER = {
    "name": "show_and_tell",
    "image_shape": (16, 16, 1),
    "backbone": "lenet5",
    "embedding": 6,
    "units": 5,
    "max_length": 3,
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """(file, network): a network of given classes with no weight at its initial value."""

    def save(classes=OLD, *, names=True, **options):
        network = build(num_classes=len(classes), **{**LENET, **options})
        random = np.random.default_rng(0)
        for weight in network.weights:
            weight.assign(random.uniform(0.1, 0.5, weight.shape))
        file = tmp_path_factory.mktemp("own") / "own.keras"
        save_network(network, file, names=classes) if names else network.save(file)
        return file, network

    return save


def begun_with(file, classes, **options):
    return build(num_classes=len(classes), weights=str(file), classes=classes, **{**LENET, **options})


def logits(network):
    """Class axis first: a row for each class."""
    kernel, bias = network.get_layer("logits").get_weights()
    return np.vstack([kernel, bias]).T


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (("fox", "cat", "dog"), "the head loads all 3 classes from {}, by name"),
        (("dog", "cat"), "the head loads all 2 classes from {}, by name"),
        (("ant", "fox", "cat", "dog"), "the head loads 3 of 4 classes from {}, by name: fox, cat, dog; fresh: ant"),
        (("ant", "dog", "emu"), "the head loads 1 of 3 classes from {}, by name: dog; fresh: ant, emu"),
    ],
    ids=["permuted", "subset", "superset", "same number"],
)
def test_rows_go_by_name(classes, said, saved, capsys):
    file, old = saved()
    new = begun_with(file, classes)
    for number, name in enumerate(classes):
        if name in OLD:
            np.testing.assert_array_equal(logits(new)[number], logits(old)[OLD.index(name)])
        else:
            assert logits(new)[number][-1] == 0  # the bias of a fresh row; no bias in the file is 0
    np.testing.assert_array_equal(new.get_layer("dense2").kernel, old.get_layer("dense2").kernel)
    assert capsys.readouterr().err.split("\n")[0].strip() == said.format(file)


def test_answers_are_those_of_the_file_for_the_same_classes_in_another_order(saved):
    file, old = saved()
    images = np.random.default_rng(1).uniform(size=(2, 28, 28, 1)).astype("float32")
    np.testing.assert_allclose(begun_with(file, ("fox", "cat", "dog"))(images), old(images).numpy()[:, [2, 0, 1]], rtol=1e-5)


@pytest.mark.parametrize(
    ("named", "said"),
    [(True, "has none of these classes"), (False, "does not name its classes")],
    ids=["others", "an old file"],
)
def test_head_begins_fresh_where_no_name_is_known(named, said, saved, capsys):
    file, old = saved(names=named)
    new = begun_with(file, ("ant", "bee", "emu") if named else OLD)
    for layer in ("dense1", "dense2", "logits"):
        assert not new.get_layer(layer).bias.numpy().any()
    np.testing.assert_array_equal(new.get_layer("conv2").kernel, old.get_layer("conv2").kernel)
    assert f"the head begins fresh: {file} {said}" in capsys.readouterr().err


def test_head_that_depends_on_its_classes_throughout_goes_by_name_as_a_whole_or_not_at_all(saved, capsys):
    options = {"name": "nin", "image_shape": (67, 67, 1)}
    file, old = saved(**options)
    images = np.random.default_rng(1).uniform(size=(1, 67, 67, 1)).astype("float32")
    new = begun_with(file, ("fox", "cat", "dog"), **options)
    np.testing.assert_allclose(new(images), old(images).numpy()[:, [2, 0, 1]], rtol=1e-4)
    capsys.readouterr()
    assert not begun_with(file, ("fox", "cat"), **options).get_layer("block4_mlp2_conv").bias.numpy().any()
    assert "not only the last layer of nin depends on them" in capsys.readouterr().err


UNNAMED = """
import keras


def net(*, image_shape, num_classes):
    image = keras.Input(image_shape)
    c1 = keras.layers.MaxPooling2D(name="c1")(image)
    if num_classes is None:
        return keras.Model(image, {"c1": c1})
    return keras.Model(image, keras.layers.Dense(num_classes)(keras.layers.Flatten()(c1)), name="unnamed")
"""


def test_layers_without_a_name_of_their_own_go_by_the_names_of_the_classes(saved, tmp_path, monkeypatch):
    (tmp_path / "unnamed_net.py").write_text(UNNAMED)
    monkeypatch.syspath_prepend(tmp_path)
    options = {"name": "unnamed_net:net", "image_shape": (4, 4, 1)}
    keras.backend.clear_session()
    file, old = saved(**options)
    keras.backend.clear_session()  # as in a process of its own: layers are numbered from the beginning
    new = begun_with(file, ("fox", "cat", "dog"), **options)
    np.testing.assert_array_equal(new.get_layer("dense").bias, old.get_layer("dense").bias.numpy()[[2, 0, 1]])
    sys.modules.pop("unnamed_net", None)


def test_backbone_whose_layers_have_no_names_is_refused_and_not_left_out(saved, tmp_path, monkeypatch):
    convolved = 'keras.layers.MaxPooling2D(name="c1")(keras.layers.Conv2D(2, 3)(image))'
    (tmp_path / "nameless_net.py").write_text(UNNAMED.replace('keras.layers.MaxPooling2D(name="c1")(image)', convolved))
    monkeypatch.syspath_prepend(tmp_path)
    options = {"name": "nameless_net:net", "image_shape": (8, 8, 1)}
    keras.backend.clear_session()
    file, _ = saved(**options)
    keras.backend.clear_session()
    with pytest.raises(ConfigError, match=r"unnamed must name each of them; 'conv2d_\d' of its backbone has another name"):
        begun_with(file, ("ant", "emu"), **options)
    sys.modules.pop("nameless_net", None)


def test_words_of_a_captioner_go_by_name_in_embedding_and_output(saved, capsys):
    old_words, words = ("[padding]", "[start]", "a", "cat"), ("[padding]", "[start]", "dog", "a", "the")
    file, old = saved(old_words, **CAPTIONER)
    new = begun_with(file, words, **CAPTIONER)
    for ours, theirs in {0: 0, 1: 1, 3: 2}.items():
        np.testing.assert_array_equal(logits(new)[ours], logits(old)[theirs])
        embeddings = [network.get_layer("decoder_words").embeddings.numpy() for network in (new, old)]
        np.testing.assert_array_equal(embeddings[0][ours], embeddings[1][theirs])
    assert not logits(new)[[2, 4], -1].any()
    assert "the head loads 3 of 5 words" in capsys.readouterr().err


def test_words_of_an_old_captioner_begin_fresh_and_its_decoder_does_not(saved, capsys):
    file, old = saved(("[padding]", "a"), names=False, **CAPTIONER)
    new = begun_with(file, ("a", "[padding]"), **CAPTIONER)
    assert not logits(new)[:, -1].any()
    np.testing.assert_array_equal(new.get_layer("decoder_image").kernel, old.get_layer("decoder_image").kernel)
    assert f"{file} does not name its words" in capsys.readouterr().err


DETECTOR = {"backbone": "lenet5", "image_shape": (16, 16, 1)}
SMALL_HEAD = {"levels": "p2-p3", "channels": 4, "depth": 1}


@pytest.mark.parametrize(
    ("name", "options", "each"), [("fcos", SMALL_HEAD, 1), ("retinanet", SMALL_HEAD, 9), ("localizer", {}, 1)]
)
def test_classes_of_a_detector_go_by_name_and_its_boxes_are_loaded_whole(name, options, each, saved, capsys):
    options = {"name": name, **DETECTOR, **options}
    file, old = saved(**options)
    classes = ("fox", "ant", "cat", "dog")
    new = begun_with(file, classes, **options)
    # Of each anchor, the rows of all classes follow each other.
    rows = {network: network.get_layer("class_logits").bias.numpy().reshape(each, -1) for network in (new, old)}
    for number, of in {0: 2, 2: 0, 3: 1}.items():
        np.testing.assert_array_equal(rows[new][:, number], rows[old][:, of])
    # A fresh class of a detector begins at a probability of 0.01.
    np.testing.assert_allclose(rows[new][:, 1], 0 if name == "localizer" else -np.log(99), rtol=1e-6)
    boxes = {"fcos": "distances", "retinanet": "deltas", "localizer": "box"}[name]
    np.testing.assert_array_equal(new.get_layer(boxes).kernel, old.get_layer(boxes).kernel)
    assert "the head loads 3 of 4 classes" in capsys.readouterr().err


def test_classes_of_an_ssd_go_by_name_on_every_map_and_the_background_keeps_its_rows(saved, capsys):
    options = {"name": "ssd", **DETECTOR, "levels": "p1-p3", "channels": 4, "ratios": "2"}
    file, old = saved(**options)
    new = begun_with(file, ("fox", "ant", "cat", "dog"), **options)
    for place in (1, 2, 3):
        rows = [one.get_layer(f"map{place}_class_logits").bias.numpy().reshape(4, -1) for one in (new, old)]
        for number, of in {0: 2, 2: 0, 3: 1}.items():
            np.testing.assert_array_equal(rows[0][:, number], rows[1][:, of])
        assert not rows[0][:, 1].any()
        for part in ("background", "offsets"):
            kernels = [one.get_layer(f"map{place}_{part}").kernel for one in (new, old)]
            np.testing.assert_array_equal(*kernels)
    assert "the head loads 3 of 4 classes" in capsys.readouterr().err


@pytest.fixture
def narrow_dense_layers(monkeypatch):
    """Dense layers have at most 16 units: the 4096 of VGG-16 took most of the time."""
    begin = keras.layers.Dense.__init__
    monkeypatch.setattr(
        keras.layers.Dense, "__init__", lambda self, units, *args, **options: begin(self, min(units, 16), *args, **options)
    )


def with_a_head_of_zeros(opened):
    group = opened.create_group("predictions")
    group.attrs["weight_names"] = np.array(["kernel", "bias"], "S")
    group["kernel"], group["bias"] = np.zeros((16, 3), "float32"), np.zeros(3, "float32")
    opened.attrs["layer_names"] = np.array([*opened.attrs["layer_names"], b"predictions"], "S")


@pytest.mark.usefixtures("narrow_dense_layers")
def test_head_of_the_layout_of_keras_applications_is_not_taken_for_named_classes(small_vgg16, capsys):
    file = small_vgg16(with_a_head_of_zeros)
    taken, named = (
        build("vgg16", image_shape=(32, 32, 3), num_classes=3, weights=str(file), width=1 / 64, **classes)
        for classes in ({}, {"classes": OLD})
    )
    assert not taken.get_layer("logits").kernel.numpy().any()  # in the file all weights are 0
    assert named.get_layer("logits").kernel.numpy().any()
    assert "does not name its classes" in capsys.readouterr().err


@pytest.mark.usefixtures("narrow_dense_layers")
@pytest.mark.parametrize(("classes", "with_head"), [(None, True), ([f"own {n}" for n in range(1000)], False)])
def test_head_for_imagenet_is_for_its_own_thousand_classes_alone(classes, with_head, small_vgg16, monkeypatch):
    asked = []
    file = small_vgg16()
    monkeypatch.setattr(pretrained, "published_file", lambda name, *, with_head: asked.append(with_head) or file)
    build("vgg16", image_shape=(32, 32, 3), num_classes=1000, weights="imagenet", classes=classes, width=1 / 64)
    assert asked == [with_head]


def test_classes_of_imagenet_are_known_by_their_ids_in_order():
    from importlib.resources import files

    # TFDS lists the same 1000 in an order of its own.
    listed = files("tensorflow_datasets").joinpath("image_classification/imagenet_resized_labels.txt").read_text().split()
    assert are_imagenet(sorted(listed))
    assert not are_imagenet(listed)


def test_names_travel_in_the_file_which_keras_alone_loads(saved, tmp_path):
    file, old = saved()
    copy = tmp_path / "copy.keras"
    copy.write_bytes(file.read_bytes())
    assert head_names(copy) == OLD
    with zipfile.ZipFile(copy) as archive:
        assert archive.testzip() is None
    np.testing.assert_array_equal(keras.saving.load_model(copy).get_layer("logits").bias, old.get_layer("logits").bias)


def test_file_that_names_another_number_of_classes_than_its_head_has_is_refused(saved):
    file, _ = saved(names=False)
    add_names(file, ("cat", "dog"))
    with pytest.raises(ConfigError, match=r"must name each class of its head; its layer 'logits' has the shape \(84, 3\)"):
        begun_with(file, OLD)


def test_number_of_names_is_the_number_of_classes(saved):
    with pytest.raises(ConfigError, match="classes must be num_classes names; received '3 names, num_classes=2'"):
        build(num_classes=2, classes=OLD, **LENET)


# --- Weights that are not finite


def test_network_with_nan_is_not_saved(tmp_path):
    network = build(num_classes=3, **LENET)
    network.get_layer("conv2").bias.assign([np.nan] * 2 + [0.0] * 14)
    with pytest.raises(ExportError, match="finite weights: 2 of the 16 numbers in bias of layer conv2 are NaN or infinite"):
        save_network(network, tmp_path / "model.keras", names=OLD)
    assert not (tmp_path / "model.keras").exists()


def test_file_with_infinite_weights_is_refused_when_it_is_loaded(tmp_path):
    network = build(num_classes=3, **LENET)
    network.get_layer("conv1").bias.assign([np.inf] + [0.0] * 5)
    network.save(tmp_path / "bad.keras")
    with pytest.raises(ExportError, match=r"bad.keras has weights that are not finite: 1 of the 6 numbers in bias of layer"):
        load_network(tmp_path / "bad.keras")


def test_weights_of_keras_applications_that_are_not_finite_are_refused(small_vgg16):
    kernel = "block2_conv1/block2_conv1/kernel:0"
    file = small_vgg16(lambda opened: opened[kernel].__setitem__((0, 0, 0, 1), np.nan))
    with pytest.raises(ConfigError, match="must contain finite numbers: 1 of the 18 numbers in kernel of layer block2_conv"):
        build("vgg16", image_shape=(32, 32, 3), num_classes=None, weights=str(file), width=1 / 64)
