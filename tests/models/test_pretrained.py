"""A network with weights of keras.applications gives the same logits as keras.applications; weights that do not fit raise.

The tests have no published files, only their layout: networks of keras.applications with random weights are saved in it.
Our network must give on pixels / 255 what theirs gives on pixels after its own `preprocess_input`.
"""

import inspect
import json
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import applications
from keras.src.legacy.saving import legacy_h5_format

from kerasvision import config as c
from kerasvision.config.published import PUBLISHED
from kerasvision.errors import ConfigError, ExportError
from kerasvision.models import build
from kerasvision.models.keras_layers import our_names
from kerasvision.models.scaling import scaled, scaling

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


@pytest.mark.parametrize(
    ("network", "side"),
    [
        ("vgg16", 32),
        ("inception_v3", 140),
        ("resnet50", 64),
        ("resnet50_v2", 64),
        ("densenet121", 64),
        *[pytest.param(name, 64, marks=pytest.mark.slow) for name in THEIRS if name not in SHALLOW],
        pytest.param("resnet50", 224, marks=pytest.mark.slow),
        pytest.param("inception_v3", 299, marks=pytest.mark.slow),
    ],
)
def test_network_answers_as_keras_applications_with_the_same_weights(network, side, tmp_path):
    theirs = trained(network, input_shape=(side, side, 3), classes=7)
    write_weights(theirs, tmp_path / "weights.h5")
    ours = build(network, image_shape=(side, side, 3), num_classes=7, weights=str(tmp_path / "weights.h5"))
    pixels = random_pixels(side)
    assert distance(ours(pixels / 255, training=False), answers(network, theirs, pixels)) < 1e-4


@pytest.fixture(scope="module")
def whole_resnet50(tmp_path_factory):
    """A ResNet-50 of keras.applications for 7 classes as `model.save` writes it, its features, and the file."""
    file = tmp_path_factory.mktemp("resnet50") / "model.h5"
    model = trained("resnet50", input_shape=(64, 64, 3), classes=7)
    model.save(file)
    return keras.Model(model.input, model.get_layer("conv5_block3_out").output), str(file)


def test_backbone_is_loaded_without_the_head_of_the_file(whole_resnet50):
    features, file = whole_resnet50
    ours = build("resnet50", image_shape=(64, 64, 3), num_classes=None, weights=file)
    pixels = random_pixels(64)
    assert distance(ours(pixels / 255, training=False)["c5"], answers("resnet50", features, pixels)) < 1e-4


def test_head_for_another_number_of_classes_begins_anew(whole_resnet50):
    features, file = whole_resnet50
    ours = build("resnet50", image_shape=(64, 64, 3), num_classes=5, weights=file)
    assert ours.output_shape == (None, 5)
    assert not ours.get_layer("logits").bias.numpy().any()  # in the file no bias is zero
    pooled = keras.Model(ours.input, ours.get_layer("pool").output)
    pixels = random_pixels(64)
    expected = np.mean(answers("resnet50", features, pixels), axis=(1, 2))
    assert distance(pooled(pixels / 255, training=False), expected) < 1e-4


def test_network_for_gradients_trains_from_where_the_weights_are(whole_resnet50):
    """The moving mean subtracts the bias, and so does the mean of a batch: the networks are equal in training too."""
    _, file = whole_resnet50
    theirs = keras.saving.load_model(file, compile=False)
    ours = build("resnet50", image_shape=(64, 64, 3), num_classes=7, weights=file)
    pixels = random_pixels(64, count=8)
    prepared = applications.resnet.preprocess_input(pixels.copy())
    assert distance(ours(pixels / 255, training=True), theirs(prepared, training=True)) < 1e-3


@pytest.mark.parametrize("layout", ["torchvision", "paper"])
def test_other_layout_than_that_of_the_weights_is_refused(layout, whole_resnet50):
    with pytest.raises(ConfigError, match=f"require layout='keras'; received '{layout}'"):
        build("resnet50", image_shape=(64, 64, 3), num_classes=7, weights=whole_resnet50[1], layout=layout)


@pytest.mark.parametrize("network", ["resnet101", "resnet50_v2", "densenet121", "vgg16"])
def test_file_of_another_network_is_named(network, whole_resnet50):
    with pytest.raises(ConfigError, match=f"contains resnet50, not {network}"):
        build(network, image_shape=(64, 64, 3), num_classes=7, weights=whole_resnet50[1])


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


# The layer in front.


@pytest.mark.parametrize(("pixels", "mode"), [("caffe", "caffe"), ("unit", "tf"), ("imagenet", "torch")])
def test_scaling_is_the_preprocessing_of_keras_applications(pixels, mode):
    images = random_pixels(8)
    expected = applications.imagenet_utils.preprocess_input(images.copy(), data_format="channels_last", mode=mode)
    expected = expected[..., ::-1] if mode == "caffe" else expected  # BGR, which the first convolution is turned for
    np.testing.assert_allclose(scaling(pixels)(images / 255), expected, rtol=1e-5, atol=1e-4)


def test_scaling_for_edge_devices_is_that_of_the_authors():
    """MEAN_RGB = 127 and STDDEV_RGB = 128 in their efficientnet_lite_builder.py: 0 -> -127 / 128, 255 -> 1."""
    images = np.array([0, 127, 255], "float32").reshape(1, 1, 3, 1).repeat(3, -1)
    np.testing.assert_allclose(scaling("edge")(images / 255)[0, 0, :, 1], [-0.9921875, 0.0, 1.0], atol=1e-6)


def test_scaled_network_is_the_network_on_scaled_images():
    plain = build("resnet20", image_shape=(16, 16, 3), num_classes=None)
    model = scaled(plain, scaling("unit"))
    assert [layer.name for layer in model.layers] == ["image", "scaling", *[layer.name for layer in plain.layers[1:]]]
    assert list(model.output) == list(plain.output)
    model.set_weights(plain.get_weights())
    images = random_pixels(16) / 255
    for level, feature_map in plain(images * 2 - 1).items():
        np.testing.assert_allclose(model(images)[level], feature_map, rtol=1e-4, atol=1e-4)


def test_scaled_network_shares_nothing_with_the_one_it_was_made_of():
    plain = build("resnet20", image_shape=(16, 16, 3), num_classes=3)
    model = scaled(plain, scaling("unit"))
    assert not {id(layer) for layer in plain.layers} & {id(layer) for layer in model.layers}
    inner = keras.Model(model.input, model.get_layer("stage1_block1_relu2").output)
    assert "scaling" in [layer.name for layer in inner.layers]


def test_norms_of_a_scaled_network_run_as_one_kernel_still():
    norms = [
        [vars(layer).get("call") is not None for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        for plain in [build("resnet20", image_shape=(16, 16, 3), num_classes=3)]
        for model in (plain, scaled(plain, scaling("unit")))
    ]
    assert norms[0] == norms[1]


def test_scaled_network_is_saved_as_stock_keras(tmp_path):
    model = scaled(build("resnet20", image_shape=(16, 16, 3), num_classes=3), scaling("caffe"))
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        assert "kerasvision" not in json.dumps(json.loads(archive.read("config.json")))
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    images = random_pixels(16) / 255
    np.testing.assert_allclose(loaded(images), model(images), rtol=1e-4, atol=1e-4)


def test_scaling_stays_float32_under_a_mixed_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = scaled(build("resnet20", image_shape=(16, 16, 3), num_classes=3), scaling("caffe"))
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("scaling").compute_dtype == "float32"
    assert model.get_layer("stem_conv").compute_dtype == "bfloat16"


# Your own weights.


@pytest.fixture
def own_file(tmp_path):
    def save(model):
        random = np.random.default_rng(0)
        for weight in model.weights:
            weight.assign(random.uniform(0.1, 0.5, weight.shape))
        model.save(tmp_path / "own.keras")
        return str(tmp_path / "own.keras")

    return save


def test_own_network_is_loaded_with_its_head(own_file):
    source = build("resnet20", image_shape=(16, 16, 1), num_classes=3)
    ours = build("resnet20", image_shape=(16, 16, 1), num_classes=3, weights=own_file(source))
    for mine, its in zip(ours.weights, source.weights, strict=True):
        np.testing.assert_array_equal(mine, its)


@pytest.mark.parametrize("num_classes", [5, None])
def test_own_backbone_is_loaded_where_the_classes_are_others(num_classes, own_file):
    source = build("lenet5", image_shape=(28, 28, 1), num_classes=3)
    ours = build("lenet5", image_shape=(28, 28, 1), num_classes=num_classes, weights=own_file(source))
    np.testing.assert_array_equal(ours.get_layer("conv2").kernel, source.get_layer("conv2").kernel)
    if num_classes:
        assert not ours.get_layer("logits").bias.numpy().any()  # in the file no bias is zero
        first_dense = next(layer.name for layer in ours.layers if isinstance(layer, keras.layers.Dense))
        assert not ours.get_layer(first_dense).bias.numpy().any()


def test_scaling_of_an_own_file_is_taken_over(own_file):
    source = scaled(build("resnet20", image_shape=(16, 16, 3), num_classes=3), scaling("imagenet"))
    ours = build("resnet20", image_shape=(16, 16, 3), num_classes=3, weights=own_file(source))
    images = random_pixels(16) / 255
    np.testing.assert_allclose(ours(images), source(images), rtol=1e-5)


def test_own_file_of_another_network_is_named(own_file):
    file = own_file(build("lenet5", image_shape=(32, 32, 3), num_classes=3))
    with pytest.raises(ConfigError, match="contains lenet5, not resnet20"):
        build("resnet20", image_shape=(32, 32, 3), num_classes=3, weights=file)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "relu"}, "activation is relu in the file, sigmoid in the network"),
        ({"pooling": "max"}, "'pool1': class is MaxPooling2D in the file, AveragePooling2D in the network"),
    ],
)
def test_own_file_with_other_options_is_refused(options, message, own_file):
    file = own_file(build("lenet5", image_shape=(28, 28, 1), num_classes=3, **options))
    with pytest.raises(ConfigError, match=message):
        build("lenet5", image_shape=(28, 28, 1), num_classes=3, weights=file)


@pytest.mark.slow
def test_own_file_of_another_layout_is_refused(own_file):
    """All layouts have the same shapes, but different layers have the strides."""
    small = {"image_shape": (32, 32, 3), "num_classes": None}
    file = own_file(build("resnet50", layout="torchvision", **small))
    with pytest.raises(ConfigError, match=r"'stage3_block1_conv1': strides is \(1, 1\) in the file, \(2, 2\) in the net"):
        build("resnet50", layout="paper", weights=file, **small)


def test_own_file_with_norms_is_refused_by_a_network_without(own_file):
    small = {"image_shape": (32, 32, 3), "num_classes": None, "width": 1 / 64}
    file = own_file(build("vgg11", batch_norm=True, **small))
    with pytest.raises(ConfigError, match="has a layer 'block1_norm1' that the network lacks"):
        build("vgg11", weights=file, **small)


def test_own_file_for_other_images_tells_both_shapes(own_file):
    file = own_file(build("lenet5", image_shape=(28, 28, 3), num_classes=3))
    with pytest.raises(ConfigError, match="'conv1': 5 x 5 x 3 x 6 .* in the file, 5 x 5 x 1 x 6 .* in the network"):
        build("lenet5", image_shape=(28, 28, 1), num_classes=3, weights=file)


def test_hidden_code_in_an_own_file_is_refused(tmp_path):
    image = keras.Input((28, 28, 1))
    keras.Model(image, keras.layers.Lambda(lambda x: x)(image), name="lenet5").save(tmp_path / "bad.keras")
    with pytest.raises(ExportError):
        build("lenet5", image_shape=(28, 28, 1), num_classes=3, weights=str(tmp_path / "bad.keras"))


def test_task_builds_its_network_with_the_weights_of_the_settings(own_file):
    from kerasvision.tasks.base import make_task

    source = build("lenet5", image_shape=(28, 28, 1), num_classes=2)
    settings = c.Model(name="lenet5", weights=own_file(source))
    network = make_task(c.Classification(), ("a", "b")).build(settings, image_shape=(28, 28, 1))
    np.testing.assert_array_equal(network.get_layer("conv1").kernel, source.get_layer("conv1").kernel)
