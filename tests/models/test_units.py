"""What weights start from, and which activation the hidden units of a builder have."""

import re
from functools import partial

import keras
import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.resnet import Depth
from kerasvision.models.resnet_v2 import resnet_v2

INPUTS, UNITS = 400, 300


def kernel(initialization, *, seed=0):
    keras.utils.set_random_seed(seed)
    model = build("mlp", image_shape=(20, 20, 1), num_classes=3, hidden=UNITS, initialization=initialization)
    return model.get_layer("hidden1").get_weights()


# 120,000 weights: their deviation is known to 0.2 %, five times closer than the tolerance.
@pytest.mark.parametrize(
    ("initialization", "deviation"),
    [
        ("small_normal", 0.01),
        ("xavier", (2 / (INPUTS + UNITS)) ** 0.5),
        ("he", (2 / INPUTS) ** 0.5),
        ("zeros", 0.0),
        ("sparse", (15 / INPUTS) ** 0.5),
    ],
)
def test_weights_start_with_the_deviation_of_the_paper_and_biases_with_zero(initialization, deviation):
    weights, biases = kernel(initialization)
    assert weights.std() == pytest.approx(deviation, rel=0.01)
    assert abs(weights.mean()) <= 0.01 * deviation + 1e-9
    assert not biases.any()


def test_xavier_is_uniform_within_its_bound():
    weights, _ = kernel("xavier")
    assert np.abs(weights).max() <= (6 / (INPUTS + UNITS)) ** 0.5
    assert np.mean(np.abs(weights) < 0.5 * (6 / (INPUTS + UNITS)) ** 0.5) == pytest.approx(0.5, abs=0.01)


def test_a_sparse_unit_has_fifteen_inputs_drawn_anew_for_each():
    weights, _ = kernel("sparse")
    connected = weights != 0
    assert (connected.sum(axis=0) == 15).all()
    assert len(np.unique(connected, axis=1).T) == UNITS
    # Each input is drawn with the same probability: 300 * 15 / 400 times, give or take.
    assert connected.sum(axis=1).mean() == 11.25
    assert connected.sum(axis=1).max() < 30


def test_a_unit_with_few_inputs_keeps_them_all():
    model = build("mlp", image_shape=(3, 3, 1), num_classes=2, hidden=4, initialization="sparse")
    assert (model.get_layer("hidden1").get_weights()[0] != 0).all()


def test_the_same_seed_gives_the_same_weights_and_layers_differ():
    for initialization in ("xavier", "sparse"):
        np.testing.assert_array_equal(kernel(initialization)[0], kernel(initialization)[0])
    model = build("mlp", image_shape=(4, 4, 1), num_classes=3, hidden=(16, 16, 16), initialization="small_normal")
    second, third = (model.get_layer(f"hidden{number}").get_weights()[0] for number in (2, 3))
    assert (second != third).all()


def test_zeros_with_hidden_layers_say_that_units_stay_alike(capsys):
    build("linear", image_shape=(4, 4, 1), num_classes=3, initialization="zeros")
    assert capsys.readouterr().err == ""
    build("mlp", image_shape=(4, 4, 1), num_classes=3, initialization="zeros")
    assert "all units of a hidden layer compute the same" in capsys.readouterr().err


# ResNet-18 v2 with one block in each stage.
short_v2 = partial(resnet_v2, Depth("resnet18_v2", (1, 1, 1, 1), bottlenecks=False))

SMALL = {
    "lenet5": (28, 28, 1), "alexnet": (67, 67, 3), "alexnet_2012": (67, 67, 3), "nin": (67, 67, 3), "vgg11": (32, 32, 3),
    "resnet18": (32, 32, 3), "resnet20": (16, 16, 3), "resnet9": (16, 16, 3),
    "resnet18_v2": (32, 32, 3), "inception_v3": (75, 75, 3),
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.usefixtures("shapes_only")
def test_all_hidden_units_get_the_activation_that_is_asked_for(name):
    usual = build(name, image_shape=SMALL[name], num_classes=10)
    leaky = build(name, image_shape=SMALL[name], num_classes=10, activation="leaky_relu")
    kinds = {type(layer).__name__ for layer in leaky.layers}
    assert "LeakyReLU" in kinds
    assert "ReLU" not in kinds
    assert leaky.count_params() == usual.count_params()
    renamed = [re.sub("leaky_relu", "relu", layer.name) for layer in leaky.layers]
    if name != "lenet5":  # its usual layers have their activation inside
        assert renamed == [layer.name for layer in usual.layers]


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "alexnet_2012", "nin"])
@pytest.mark.usefixtures("shapes_only")
def test_maxout_doubles_the_weights_of_all_layers_but_the_logits(name):
    shape = SMALL[name]
    usual, maxout = (build(name, image_shape=shape, num_classes=10, activation=kind) for kind in ("relu", "maxout"))
    head = sum(layer.count_params() for layer in usual.layers if layer.name == "logits")
    assert maxout.count_params() == 2 * usual.count_params() - head


@pytest.mark.usefixtures("shapes_only")
def test_the_choice_ends_with_the_network():
    build("alexnet", image_shape=(67, 67, 3), num_classes=10, activation="tanh")
    assert build("densenet_small", image_shape=(32, 32, 3), num_classes=10).get_layer("stem_relu")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet18", {"activation": "maxout"}, "resnet18 has no activation 'maxout'; choose from elu, leaky_relu, relu"),
        (
            "resnet50_v2",
            {"activation": "maxout"},
            "resnet50_v2 has no activation 'maxout'; choose from elu, leaky_relu, relu",
        ),
        ("inception_v3", {"initialization": "hee"}, "inception_v3 has no initialization 'hee'; did you mean 'he'"),
        ("vgg11", {"activation": "tahn"}, "vgg11 has no activation 'tahn'; did you mean 'tanh'"),
        ("nin", {"initialization": "paper"}, "nin has no initialization 'paper'; choose from"),
        ("lenet5", {"initialization": "hee"}, "lenet5 has no initialization 'hee'; did you mean 'he'"),
        ("googlenet", {"initialization": "xaver"}, "googlenet has no initialization 'xaver'; did you mean 'xavier'"),
        ("densenet121", {"initialization": "xaver"}, "densenet121 has no initialization 'xaver'; did you mean 'xavier'"),
        ("mlp", {"hidden": "many"}, "hidden must be a positive integer"),
        ("linear", {"activation": "relu"}, "linear has no option 'activation'"),
    ],
)
def test_a_pipeline_file_with_an_impossible_option_is_refused_when_it_is_read(name, options, message):
    with pytest.raises(ConfigError, match=message):
        c.Model(name=name, options=options)


def test_several_hidden_layers_survive_as_data():
    model = c.Model(name="mlp", options={"hidden": (32, 16), "activation": "tanh"})
    assert c.Model.parse(model.to_data()) == model


@pytest.mark.parametrize("name", ["googlenet", "densenet_small"])
def test_xavier_limits_the_weights_of_every_kernel(name):
    """Glorot & Bengio (2010), equation 16: uniform up to sqrt(6 / (inputs + outputs))."""
    model = build(name, image_shape=(32, 32, 1), num_classes=10, initialization="xavier")
    kernels = [layer.kernel.numpy() for layer in model.layers if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)]
    assert len(kernels) >= 17
    for kernel in kernels:
        area = kernel.size // (kernel.shape[-2] * kernel.shape[-1])
        limit = np.sqrt(6 / (area * (kernel.shape[-2] + kernel.shape[-1])))
        assert 0.8 * limit < np.abs(kernel).max() <= limit * (1 + 1e-6)


@pytest.mark.parametrize(
    ("build_with", "layers"),
    [
        (partial(short_v2, image_shape=(32, 32, 1), num_classes=10), 13),
        pytest.param(partial(build, "inception_v3", image_shape=(75, 75, 1), num_classes=10), 95, marks=pytest.mark.slow),
    ],
    ids=["resnet18_v2", "inception_v3"],
)
def test_xavier_draws_the_kernels_of_other_networks_with_its_variance(build_with, layers):
    """Glorot & Bengio (2010), equation 16: the variance is 2 / (inputs + outputs)."""
    model = build_with(initialization="xavier")
    kernels = [layer.kernel.numpy() for layer in model.layers if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)]
    assert len(kernels) == layers
    for kernel in kernels:
        area = kernel.size // (kernel.shape[-2] * kernel.shape[-1])
        expected = 2 / (area * (kernel.shape[-2] + kernel.shape[-1]))
        assert kernel.var() == pytest.approx(expected, rel=0.2)


def test_kernels_that_start_a_block_as_its_shortcut_stay_zero():
    model = short_v2(image_shape=(32, 32, 1), num_classes=10, zero_init_last_conv=True, initialization="he")
    kernels = {layer.name: layer.kernel.numpy() for layer in model.layers if isinstance(layer, keras.layers.Conv2D)}
    zeros = {name for name, kernel in kernels.items() if not kernel.any()}
    assert zeros == {f"stage{level}_block1_conv2" for level in (2, 3, 4, 5)}
    assert kernels["stage5_block1_conv1"].std() == pytest.approx(np.sqrt(2 / (9 * 256)), rel=0.02)
