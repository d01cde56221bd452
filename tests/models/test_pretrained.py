"""Networks that begin with their owner's weights, and the layer "scaling" in front; weights that do not fit raise."""

import json
import zipfile

import keras
import numpy as np
import pytest
from keras import applications

from kerasvision import config as c
from kerasvision.errors import ConfigError, ExportError
from kerasvision.models import build
from kerasvision.models.scaling import scaled, scaling


def random_pixels(side, count=3):
    """float32 (N, side, side, 3) in [0, 255]: patches of plain colours, so that no two images have the same mean."""
    patches = np.random.default_rng(2).integers(0, 256, (count, 4, 4, 3))
    return patches.repeat(side // 4 + 1, 1).repeat(side // 4 + 1, 2)[:, :side, :side].astype("float32")


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


@pytest.mark.slow
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
