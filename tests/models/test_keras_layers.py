"""A network with weights of keras.applications gives the same logits as keras.applications; weights that do not fit raise.

The tests have no published files, only their layout: networks of keras.applications with random weights are saved in it.
Our network must give on pixels / 255 what theirs gives on pixels after its own `preprocess_input`.
"""

import dataclasses
import inspect
import sys
from functools import partial

import h5py
import keras
import numpy as np
import pytest
from keras import applications
from keras.src.legacy.saving import legacy_h5_format

from kerasvision.config.published import PUBLISHED
from kerasvision.errors import ConfigError
from kerasvision.models import build, densenet, pretrained, resnet, resnet_v2
from kerasvision.models.keras_layers import our_names

THEIRS = {
    "vgg16": (applications.vgg16, "VGG16"),
    "vgg19": (applications.vgg19, "VGG19"),
    "inception_v3": (applications.inception_v3, "InceptionV3"),
    "resnet50": (applications.resnet, "ResNet50"),
    "resnet101": (applications.resnet, "ResNet101"),
    "resnet152": (applications.resnet, "ResNet152"),
    "resnet50_v2": (applications.resnet_v2, "ResNet50V2"),
    "resnet101_v2": (applications.resnet_v2, "ResNet101V2"),
    "resnet152_v2": (applications.resnet_v2, "ResNet152V2"),
    "densenet121": (applications.densenet, "DenseNet121"),
    "densenet169": (applications.densenet, "DenseNet169"),
    "densenet201": (applications.densenet, "DenseNet201"),
}
# The smallest of each scheme of names.
SHALLOW = ("vgg16", "inception_v3", "resnet50", "resnet50_v2", "densenet121")


def trained(network, **options):
    """A network of keras.applications with no weight at its initial value, because zeros and ones can hide a mistake."""
    keras.utils.set_random_seed(0)
    module, function = THEIRS[network]
    model = getattr(module, function)(weights=None, classifier_activation=None, **options)
    random = np.random.default_rng(1)
    for weight in (weight for layer in model.layers for weight in layer.weights):
        if weight.name == "kernel":  # He's initialisation: the differences between images survive the depth
            weight.assign(random.standard_normal(weight.shape, np.float32) * np.sqrt(2 / np.prod(weight.shape[:-1])))
        elif weight.name in ("gamma", "moving_variance"):
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
        else:
            weight.assign(random.normal(0, 0.2, weight.shape))
    return model


def write_weights(model, file):
    """The layout of the published files: the weights alone, listed at the root."""
    with h5py.File(file, "w") as opened:
        legacy_h5_format.save_weights_to_hdf5_group(opened, model)


def random_pixels(side, count=3):
    """float32 (N, side, side, 3) in [0, 255]: patches of plain colours, so that no two images have the same mean."""
    patches = np.random.default_rng(2).integers(0, 256, (count, 4, 4, 3))
    return patches.repeat(side // 4 + 1, 1).repeat(side // 4 + 1, 2)[:, :side, :side].astype("float32")


def distance(ours, theirs):
    """|ours - theirs| relative to theirs, both without their mean over the images, which would hide a difference."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    return np.linalg.norm(ours - theirs) / np.linalg.norm(theirs - theirs.mean(axis=0))


def answers(network, model, pixels):
    return model(THEIRS[network][0].preprocess_input(pixels.copy()), training=False)


def assert_answers_as_theirs(network, side, file):
    theirs = trained(network, input_shape=(side, side, 3), classes=7)
    write_weights(theirs, file)
    ours = build(network, image_shape=(side, side, 3), num_classes=7, weights=str(file))
    pixels = random_pixels(side)
    assert distance(ours(pixels / 255, training=False), answers(network, theirs, pixels)) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "side"),
    [
        ("vgg16", 32),
        ("inception_v3", 140),
        *[(name, 64) for name in THEIRS if name not in ("vgg16", "inception_v3")],
        ("resnet50", 224),
        ("inception_v3", 299),
    ],
)
def test_network_answers_as_keras_applications_with_the_same_weights(network, side, tmp_path):
    assert_answers_as_theirs(network, side, tmp_path / "weights.h5")


def narrow(monkeypatch, most=12):
    """No layer of either library has more than `most` channels: all layers are there, but few numbers."""
    convolution, dense = keras.layers.Conv2D.__init__, keras.layers.Dense.__init__
    monkeypatch.setattr(
        keras.layers.Conv2D,
        "__init__",
        lambda self, filters, *args, **options: convolution(self, min(filters, most), *args, **options),
    )
    monkeypatch.setattr(
        keras.layers.Dense, "__init__", lambda self, units, *args, **options: dense(self, min(units, most), *args, **options)
    )


@pytest.mark.parametrize(("network", "side"), [("vgg16", 32), pytest.param("inception_v3", 140, marks=pytest.mark.slow)])
def test_narrow_network_answers_as_keras_applications_with_the_same_weights(network, side, tmp_path, monkeypatch):
    narrow(monkeypatch)
    assert_answers_as_theirs(network, side, tmp_path / "weights.h5")


# Fewer blocks, but one of each kind: a stack of ResNet v2 has a projection first, a stride last, and others between them.
BLOCKS = {"resnet50": (2, 1, 1, 1), "resnet50_v2": (3, 2, 2, 2), "densenet121": (2, 2, 2, 2)}
# Convolutions and norms in all, counted as below.
LAYERS = {"resnet50": 6 * 5 + 2 * 5, "resnet50_v2": 6 * 9 + 5 + 1, "densenet121": 4 * 8 + 2 * 4 + 1}


def shorten(monkeypatch, network):
    """Both libraries build the network with `BLOCKS`; returns our builder."""
    blocks = BLOCKS[network]
    monkeypatch.setitem(PUBLISHED, network, dataclasses.replace(PUBLISHED[network], layers=LAYERS[network]))
    if network == "densenet121":
        short = partial(densenet.densenet, densenet.Depth(network, blocks))
        module = sys.modules["keras.src.applications.densenet"]
        whole = module.DenseNet
        monkeypatch.setattr(module, "DenseNet", lambda _, *args, **options: whole(blocks, *args, **options))
    else:
        make = {"resnet50": resnet.resnet, "resnet50_v2": resnet_v2.resnet_v2}[network]
        short = partial(make, resnet.Depth(network, blocks, bottlenecks=True))
        module = sys.modules["keras.src.applications.resnet"]
        name = "stack_residual_blocks_v2" if network == "resnet50_v2" else "stack_residual_blocks_v1"
        stack, count = getattr(module, name), dict(zip((64, 128, 256, 512), blocks, strict=True))
        monkeypatch.setattr(module, name, lambda x, filters, _, **options: stack(x, filters, count[filters], **options))
    monkeypatch.setattr(pretrained, "load", lambda path: short)
    return short


@pytest.mark.parametrize(
    "network", [pytest.param(name, marks=[pytest.mark.slow] if name != "resnet50_v2" else []) for name in BLOCKS]
)
def test_short_network_answers_as_keras_applications_with_the_same_weights(network, tmp_path, monkeypatch):
    shorten(monkeypatch, network)
    assert_answers_as_theirs(network, 64, tmp_path / "weights.h5")


@pytest.mark.parametrize(
    ("network", "blocks"),
    [
        *[pytest.param(name, "all", marks=[pytest.mark.slow] if name in BLOCKS else []) for name in (*SHALLOW, "vgg19")],
        *[(name, "one of each kind") for name in BLOCKS],
    ],
)
@pytest.mark.usefixtures("shapes_only")
def test_layers_are_those_of_keras_applications_by_name_and_shape(network, blocks, monkeypatch):
    builder = partial(build, network) if blocks == "all" else shorten(monkeypatch, network)
    shape = (75, 75, 3)
    theirs = getattr(*THEIRS[network])(weights=None, input_shape=shape, classes=7)
    layout = {"layout": "keras"} if network.startswith("res") else {}
    ours = {layer.name: layer for layer in builder(image_shape=shape, num_classes=7, **layout).layers if layer.weights}
    weighted = {layer.name: layer for layer in theirs.layers if layer.weights}
    names = our_names(network, weighted)
    assert sorted(names.values()) == sorted(ours)
    for name, layer in weighted.items():
        # A convolution of ours in front of a norm has no bias.
        shapes = [weight.shape for weight in layer.weights][: len(ours[names[name]].weights)]
        assert [weight.shape for weight in ours[names[name]].weights] == shapes, name


@pytest.fixture(scope="module")
def short_resnet50(tmp_path_factory):
    """A short ResNet-50 of keras.applications for 7 classes as `model.save` writes it, its features, and the file."""
    file = tmp_path_factory.mktemp("resnet50") / "model.h5"
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch, "resnet50")
        model = trained("resnet50", input_shape=(64, 64, 3), classes=7)
    model.save(file)
    return keras.Model(model.input, model.get_layer("conv5_block1_out").output), str(file)


def test_backbone_is_loaded_without_the_head_of_the_file(short_resnet50, monkeypatch):
    shorten(monkeypatch, "resnet50")
    features, file = short_resnet50
    ours = build("resnet50", image_shape=(64, 64, 3), num_classes=None, weights=file)
    pixels = random_pixels(64)
    assert distance(ours(pixels / 255, training=False)["c5"], answers("resnet50", features, pixels)) < 1e-4


@pytest.mark.slow
def test_head_for_another_number_of_classes_begins_anew(short_resnet50, monkeypatch):
    shorten(monkeypatch, "resnet50")
    features, file = short_resnet50
    ours = build("resnet50", image_shape=(64, 64, 3), num_classes=5, weights=file)
    assert ours.output_shape == (None, 5)
    assert not ours.get_layer("logits").bias.numpy().any()  # in the file no bias is zero
    pooled = keras.Model(ours.input, ours.get_layer("pool").output)
    pixels = random_pixels(64)
    expected = np.mean(answers("resnet50", features, pixels), axis=(1, 2))
    assert distance(pooled(pixels / 255, training=False), expected) < 1e-4


@pytest.mark.slow
def test_network_for_gradients_trains_from_where_the_weights_are(short_resnet50, monkeypatch):
    """The moving mean subtracts the bias, and so does the mean of a batch: the networks are equal in training too."""
    shorten(monkeypatch, "resnet50")
    _, file = short_resnet50
    theirs = keras.saving.load_model(file, compile=False)
    ours = build("resnet50", image_shape=(64, 64, 3), num_classes=7, weights=file)
    pixels = random_pixels(64, count=8)
    prepared = applications.resnet.preprocess_input(pixels.copy())
    assert distance(ours(pixels / 255, training=True), theirs(prepared, training=True)) < 1e-3


@pytest.fixture
def file_of_resnet50(tmp_path):
    """A file with as many convolutions and norms as ResNet-50 has, of one number each."""
    file = tmp_path / "resnet50.h5"
    with h5py.File(file, "w") as opened:
        names = opened.attrs["layer_names"] = np.array([f"layer{number}" for number in range(106)], "S")
        for name in names:
            opened.create_group(name).attrs["weight_names"] = np.array([b"beta"])
            opened[name]["beta"] = np.zeros(1, "float32")
    return str(file)


@pytest.mark.parametrize("layout", ["torchvision", "paper"])
def test_other_layout_than_that_of_the_weights_is_refused(layout, file_of_resnet50):
    with pytest.raises(ConfigError, match=f"require layout='keras'; received '{layout}'"):
        build("resnet50", image_shape=(64, 64, 3), num_classes=7, weights=file_of_resnet50, layout=layout)


@pytest.mark.parametrize("network", ["resnet101", "resnet50_v2", "densenet121", "vgg16"])
def test_file_of_another_network_is_named(network, file_of_resnet50):
    with pytest.raises(ConfigError, match=f"contains resnet50, not {network}"):
        build(network, image_shape=(64, 64, 3), num_classes=7, weights=file_of_resnet50)


def test_each_published_network_is_known_by_its_number_of_layers():
    """Counted from the papers' tables: see `layers` of each row."""
    blocks = {50: 16, 101: 33, 152: 50}
    expected = {"vgg16": 13, "vgg19": 16, "inception_v3": 2 * 94}
    # Per block 3 convolutions and 3 norms; a stem and 4 shortcuts, with norms. v2: one more norm per block, none on those 5,
    # and 1 at the end.
    expected |= {f"resnet{depth}": 6 * count + 2 * 5 for depth, count in blocks.items()}
    expected |= {f"resnet{depth}_v2": 7 * count - count + 5 + 1 for depth, count in blocks.items()}
    # Per layer 2 convolutions and 2 norms; a stem and 3 transitions with one of each; 1 norm at the end.
    expected |= {f"densenet{depth}": 4 * ((depth - 5) // 2) + 2 * 4 + 1 for depth in (121, 169, 201)}
    assert {name: row.layers for name, row in PUBLISHED.items()} == expected
    assert len(set(expected.values())) == len(expected)


@pytest.mark.parametrize("network", THEIRS)
def test_published_files_are_those_of_keras_applications(network):
    """The source of keras.applications contains each file's hash, the file with the head first."""
    row, module = PUBLISHED[network], THEIRS[network][0]
    source = inspect.getsource(sys.modules[getattr(module, THEIRS[network][1]).__module__])
    source += inspect.getsource(keras.src.applications.resnet)
    with_head, without = row.hash(with_head=True), row.hash(with_head=False)
    assert 0 < source.index(with_head) < source.index(without)
    assert row.url(with_head=True).rpartition("/")[0] + "/" in source.replace('"\n    "', "")


def test_names_of_earlier_years_are_known():
    """The published files are older than today's names: DenseNets have slashes, and heads were "fc1000" or "probs"."""
    old = ["conv1/conv", "conv1/bn", "fc1000"]
    assert list(our_names("densenet121", old).values()) == ["stem_conv", "stem_norm", "logits"]
    assert our_names("resnet50", ["probs"]) == {"probs": "logits"}
