"""A network of keras.applications by name answers as Keras' own, with levels that can be frozen and a head like ours.

Every run of the tests builds three networks: a narrow MobileNet, and an EfficientNet and a ConvNeXt with few and narrow
blocks. All others are slow.
"""

import inspect
import sys
from functools import partial

import h5py
import keras
import numpy as np
import pytest
from keras import applications
from keras.src.applications import convnext, efficientnet
from keras.src.legacy.saving import legacy_h5_format

from kerasvision import config as c
from kerasvision.config.keras_networks import KERAS_NETWORKS
from kerasvision.config.published import origin_of
from kerasvision.errors import ConfigError
from kerasvision.lookup import MODELS, OF_KERAS
from kerasvision.models import build
from kerasvision.models.keras_applications import original_network
from kerasvision.models.table import find
from kerasvision.training.transfer import freeze, map_makers

NARROW = {"name": "keras/mobilenet", "width": 0.25}
# The smallest network of each family.
SMALLEST = (
    "mobilenet", "mobilenetv2", "mobilenetv3_small", "efficientnet_b0", "efficientnetv2_b0", "efficientnetv2_s",
    "convnext_tiny", "resnet50", "resnet50v2", "vgg16", "xception", "densenet121", "inceptionv3", "inceptionresnetv2",
    "nasnet_mobile",
)  # fmt: skip
SHORT = {
    "ConvNeXtTiny": partial(convnext.ConvNeXt, (1, 1, 1, 1), (8, 8, 12, 16), name="convnext_tiny"),
    "EfficientNetB0": partial(efficientnet.EfficientNet, 0.1, 0.1, 224, name="efficientnetb0"),
}


@pytest.fixture
def short(monkeypatch):
    """Keras' ConvNeXt and EfficientNet have one block in each stage, and few channels."""
    for function, builder in SHORT.items():
        monkeypatch.setattr(applications, function, builder)


def trained(name, *, side, **options):
    """Keras' own network with random weights. Its layer Normalization has the mean and variance of the published file."""
    keras.utils.set_random_seed(0)
    model = original_network(KERAS_NETWORKS[name].function, image_shape=(side, side, 3), **options)
    random = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            layer.adapt_mean.assign([0.485, 0.456, 0.406])
            layer.adapt_variance.assign(np.square([0.229, 0.224, 0.225]))
            layer.finalize_state()
            continue
        for weight in layer.weights:
            if len(weight.shape) > 1:
                weight.assign(random.standard_normal(weight.shape, np.float32) * np.sqrt(2 / np.prod(weight.shape[:-1])))
            else:
                weight.assign(random.uniform(0.5, 1.5, weight.shape))
    return model


def save(model, file):
    """Writes a `.weights.h5`, or the layout of the published files."""
    if file.name.endswith(".weights.h5"):
        model.save_weights(file)
        return file
    with h5py.File(file, "w") as opened:
        legacy_h5_format.save_weights_to_hdf5_group(opened, model)
    return file


def pixels_of(side):
    """float32 (3, side, side, 3) in [0, 255]."""
    return np.random.default_rng(2).integers(0, 256, (3, side, side, 3)).astype("float32")


def assert_answers_as_keras(name, file, *, module=None, side=32, options=None, **ours):
    theirs = trained(name, side=side, **(options or {}))
    network = build(name, image_shape=(side, side, 3), num_classes=None, weights=str(save(theirs, file)), **ours)
    pixels = pixels_of(side)
    module = module or inspect.getmodule(getattr(applications, KERAS_NETWORKS[name].function))
    expected = theirs(module.preprocess_input(pixels.copy()), training=False)
    found = network(pixels / 255, training=False)["c5"]
    np.testing.assert_allclose(found, expected, atol=2e-4 * float(np.abs(expected).max()))


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".h5", ".weights.h5"])
def test_narrow_network_answers_as_keras_with_the_same_weights(ending, tmp_path):
    assert_answers_as_keras("keras/mobilenet", tmp_path / f"own{ending}", options={"alpha": 0.25}, width=0.25)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("name", "module", "ending"),
    [
        # Preprocessing with weights, one of them an integer.
        pytest.param("efficientnet_b0", efficientnet, ".h5", marks=pytest.mark.slow),
        ("convnext_tiny", convnext, ".weights.h5"),  # models in the model, and sums that are not layers
    ],
)
def test_short_network_answers_as_keras_with_the_same_weights(name, module, ending, tmp_path):
    assert_answers_as_keras(f"keras/{name}", tmp_path / f"own{ending}", module=module)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLEST)
def test_network_answers_as_keras_with_the_same_weights(name, tmp_path):
    side = KERAS_NETWORKS[f"keras/{name}"].family.least_side
    assert_answers_as_keras(f"keras/{name}", tmp_path / "own.h5", side=max(side, 64))


def test_network_of_each_function_of_keras_has_a_name():
    functions = {name for name, value in vars(applications).items() if inspect.isfunction(value)}
    assert {row.function for row in KERAS_NETWORKS.values()} == functions
    assert {name.removeprefix("keras/").replace("_", "") for name in OF_KERAS} == {name.lower() for name in functions}
    assert list(KERAS_NETWORKS) == list(OF_KERAS)


@pytest.mark.parametrize("name", OF_KERAS)
def test_name_leads_to_the_builder_of_its_function(name):
    builder = MODELS.load(name)
    assert inspect.getclosurevars(builder).nonlocals["size"] == KERAS_NETWORKS[name].function
    assert MODELS.name(MODELS.path(name)) == name


@pytest.mark.parametrize("name", OF_KERAS)
def test_published_file_is_that_of_keras(name):
    """The source of keras.applications has the digest, and the folder and the first letters of the file."""
    row = KERAS_NETWORKS[name]
    source = inspect.getsource(inspect.getmodule(getattr(applications, row.function)))
    source += inspect.getsource(sys.modules["keras.src.applications.resnet"])
    assert row.digest in source
    assert (row.digest == "") == (name in ("keras/mobilenet", "keras/mobilenetv2"))
    folder = row.url.rpartition("/")[0] + "/"
    joined = source.replace('"\n    "', "").replace('" "', "")
    assert folder in joined or folder.rpartition("keras-applications/")[0] in joined


def all_levels(name):
    return ["c2", "c3", "c4", "c5"] if "convnext" in name else ["c1", "c2", "c3", "c4", "c5"]


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_KERAS)
@pytest.mark.usefixtures("shapes_only")
def test_every_network_has_its_size_its_levels_and_its_smallest_image(name):
    row, figure = KERAS_NETWORKS[name], find(name).figures[0]
    small = build(name, image_shape=(96, 96, 3), num_classes=None)
    large = build(name, image_shape=(128, 160, 3), num_classes=None).output
    assert list(small.output) == all_levels(name)
    for level, feature_map in small.output.items():
        stride = 2 ** int(level.removeprefix("c"))
        _, height, width, _ = feature_map.shape
        assert large[level].shape[1:3] == (height + 32 // stride, width + 64 // stride)
    assert small.output["c5"].shape[-1] == row.features
    assert set(map_makers(c.Model(name=name), image_shape=(96, 96, 3))) == set(all_levels(name))
    network = build(name, image_shape=(row.family.least_side,) * 2 + (3,), num_classes=1000)
    assert network.count_params() == figure.total_weights
    head = {"pool", "dropout", "logits"}
    assert {layer.name for layer in network.layers} == {layer.name for layer in small.layers} | head


@pytest.mark.usefixtures("short", "shapes_only")
@pytest.mark.parametrize("name", ["efficientnet_b0", "convnext_tiny"])
def test_levels_are_found_by_stride(name):
    maps = build(f"keras/{name}", image_shape=(64, 96, 3), num_classes=None).output
    assert list(maps) == all_levels(name)
    for level, feature_map in maps.items():
        stride = 2 ** int(level.removeprefix("c"))
        assert feature_map.shape[1:3] == (64 // stride, 96 // stride)


@pytest.mark.usefixtures("short", "shapes_only")
def test_preprocessing_and_stochastic_depth_are_left_out():
    kinds = {type(layer).__name__ for layer in original_network("EfficientNetB0", image_shape=(32, 32, 3)).layers}
    network = build("keras/efficientnet_b0", image_shape=(32, 32, 3), num_classes=None)
    left_out = {"Rescaling", "Normalization"}
    assert left_out <= kinds
    assert not (left_out | {"Dropout"}) & {type(layer).__name__ for layer in network.layers}


@pytest.fixture(scope="module")
def narrow():
    return build(**NARROW, image_shape=(32, 32, 3), num_classes=3)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["c3", "backbone"])
def test_frozen_part_keeps_everything_and_its_map_is_all_that_the_rest_reads(level, narrow):
    model, network = c.Model(name="keras/mobilenet", options={"width": 0.25}), narrow
    frozen = freeze(network, model=model, level=level, image_shape=(32, 32, 3))
    rest = keras.Model(frozen.output, network.output)
    assert not {layer.name for layer in rest.layers[1:]} & {layer.name for layer in frozen.layers}
    images = pixels_of(32) / 255
    before = [weight.numpy() for weight in frozen.weights]
    maps = frozen(images, training=True)
    for weight, old in zip(frozen.weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)
    np.testing.assert_allclose(rest(maps, training=False), network(images, training=False), atol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("short")
def test_saved_network_consists_of_layers_of_keras(tmp_path):
    network = build("keras/convnext_tiny", image_shape=(32, 32, 3), num_classes=3)
    network.save(tmp_path / "own.keras")
    loaded = keras.saving.load_model(tmp_path / "own.keras", safe_mode=True)
    images = pixels_of(32) / 255
    np.testing.assert_allclose(loaded(images), network(images), atol=1e-5)
    again = build("keras/convnext_tiny", image_shape=(32, 32, 3), num_classes=3, weights=str(tmp_path / "own.keras"))
    np.testing.assert_allclose(again(images), network(images), atol=1e-5)


@pytest.mark.usefixtures("short")
def test_head_begins_anew_and_the_backbone_has_the_weights_of_the_file(tmp_path):
    whole = applications.ConvNeXtTiny(include_top=True, weights=None, input_shape=(32, 32, 3), classes=5)
    file = save(whole, tmp_path / "own.h5")
    network = build("keras/convnext_tiny", image_shape=(32, 32, 3), num_classes=5, weights=str(file))
    last = "convnext_tiny_stage_3_block_0_pointwise_conv_2"
    np.testing.assert_array_equal(network.get_layer(last).kernel, whole.get_layer(last).kernel)
    kernels = [model.layers[-1].kernel.numpy() for model in (network, whole)]
    assert (kernels[0] != kernels[1]).all()
    assert network.layers[1].name == "scaling"


@pytest.mark.usefixtures("shapes_only")
def test_grey_images_and_opacity_are_accepted_without_weights():
    for channels in (1, 4):
        assert build(**NARROW, image_shape=(32, 32, channels), num_classes=2).input_shape == (None, 32, 32, channels)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "keras/mobilenetv3_smal",
            {},
            "is named 'keras/mobilenetv3_smal'; did you mean 'keras/mobilenetv3_small'?",
        ),
        ("efficientnetv2_b0", {}, "did you mean 'keras/efficientnetv2_b0'?"),
        ("keras/xception", {"image_shape": (70, 71, 3)}, "keras/xception reads images of at least 71 x 71 pixels"),
        ("keras/mobilenet", {"alpha": 0.5}, "keras/mobilenet has no option 'alpha'"),
        ("keras/vgg16", {"width": 0.5}, "keras/vgg16 has no option 'width'"),
        ("keras/mobilenet", {"width": 0}, "width must be positive; received 0"),
        ("keras/mobilenet", {"width": 0.25, "dropout": 1.0}, r"dropout must lie in \[0, 1\); received 1.0"),
        ("keras/mobilenet", {"image_shape": (32, 32, 1), "weights": "own.h5"}, "are for RGB images"),
        ("keras/mobilenet", {"weights": "own.safetensors"}, "must come from its own .keras file"),
    ],
)
def test_what_cannot_be_built_is_rejected_with_the_way_out(name, options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in ("own.h5", "own.safetensors"):
        (tmp_path / file).touch()
    with pytest.raises(ConfigError, match=message):
        build(name, **{"image_shape": (32, 32, 3), "num_classes": 2, **options})


@pytest.mark.parametrize(
    ("depths", "widths", "message"),
    [
        # By hand: 4 models before the stages, 5 layers in each block, and the norm at the end.
        pytest.param(
            (1, 1, 2, 1),
            (8, 8, 12, 16),
            "has 25 layers with weights, and keras/convnext_tiny has 30 before its head",
            marks=pytest.mark.slow,
        ),
        (
            (1, 1, 1, 1),
            (9, 8, 12, 16),
            "'convnext_tiny_stem': 4 x 4 x 3 x 8 .* in the file, 4 x 4 x 3 x 9 .* in the network",
        ),
    ],
)
def test_file_of_another_network_is_rejected(depths, widths, message, tmp_path, short, monkeypatch):
    file = save(original_network("ConvNeXtTiny", image_shape=(32, 32, 3)), tmp_path / "own.h5")
    monkeypatch.setattr(applications, "ConvNeXtTiny", partial(convnext.ConvNeXt, depths, widths, name="convnext_tiny"))
    with pytest.raises(ConfigError, match=message):
        build("keras/convnext_tiny", image_shape=(32, 32, 3), num_classes=2, weights=str(file))


@pytest.mark.usefixtures("short")
def test_file_without_a_kind_of_layer_is_rejected(tmp_path):
    file = save(keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]), tmp_path / "own.weights.h5")
    with pytest.raises(ConfigError, match=r"own\.weights\.h5 has no 'sequential' in /layers"):
        build("keras/convnext_tiny", image_shape=(32, 32, 3), num_classes=2, weights=str(file))


def test_settings_accept_the_name_its_options_and_its_published_weights():
    model = c.Model(name="keras/mobilenetv3_small", weights="imagenet", options={"dropout": 0.5})
    assert model.weights_file is None
    assert list(model.files()) == []
    assert origin_of(model.name) == "keras.applications (licence: Apache-2.0)"
    with pytest.raises(ConfigError, match="keras/mobilenetv3_small has no option 'droput'; did you mean 'dropout'?"):
        c.Model(name="keras/mobilenetv3_small", options={"droput": 0.5})


@pytest.mark.usefixtures("shapes_only")
def test_captioner_reads_its_maps():
    network = build(
        "show_attend_tell", image_shape=(64, 64, 3), num_classes=7, backbone="keras/mobilenet", width=0.25, units=8,
        embedding=8, attention=8, max_length=3,
    )  # fmt: skip
    assert network.get_layer("conv_pw_13_relu").output.shape == (None, 2, 2, 256)
