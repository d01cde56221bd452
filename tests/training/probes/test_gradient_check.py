"""The gradient check accepts right gradients, finds and names wrong ones, and reports kinks as neither."""

import math
import runpy
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.training.probes.gradient_check import check_builder, gradient_check, in_float64
from kerasvision.training.probes.slopes import slope_at_zero

CATALOGUE = Path(__file__).parents[2] / "conformance" / "catalogue.py"
ROWS = runpy.run_path(str(CATALOGUE))["NETWORKS"]
QUICK = ("lenet5 activation=relu pooling=max",)


class WrongSquare(keras.layers.Layer):
    """x ^ 2, with a gradient of 2 x times `factor`."""

    def __init__(self, factor, **options):
        super().__init__(**options)
        self.factor = factor

    def call(self, inputs):
        @tf.custom_gradient
        def square(x):
            return x * x, lambda upstream: upstream * 2 * x * self.factor

        return square(inputs)


class WrongDense(keras.layers.Layer):
    """x w, with a gradient by w whose first column is missing."""

    def build(self, shape):
        self.kernel = self.add_weight(name="kernel", shape=(shape[-1], 2))

    def call(self, inputs):
        @tf.custom_gradient
        def product(x, w):
            def gradient(upstream):
                by_w = tf.linalg.matmul(x, upstream, transpose_a=True)
                return tf.linalg.matmul(upstream, w, transpose_b=True), by_w * tf.constant([0.0, 1.0], by_w.dtype)

            return tf.linalg.matmul(x, w), gradient

        return product(inputs, tf.convert_to_tensor(self.kernel))


def network_of(*layers, inputs=3):
    with in_float64():
        keras.utils.set_random_seed(0)
        return keras.Sequential([keras.Input((inputs,), dtype="float64"), *(make() for make in layers)], name="planted")


def dense(name, **options):
    return lambda: keras.layers.Dense(4, name=name, **options)


def verdicts(check):
    return dict(zip(check.table["layer"], check.table["verdict"], strict=True))


@pytest.mark.parametrize(
    ("line", "slope"), [(math.sin, 1.0), (lambda t: math.exp(2 * t), 2.0), (lambda t: 5.0, 0.0), (lambda t: t**3, 0.0)]
)
def test_slope_of_a_smooth_line_is_its_derivative(line, slope):
    found = slope_at_zero(line)
    assert found.value == pytest.approx(slope, abs=1e-7)
    assert abs(found.value - slope) <= found.doubt + 1e-12


def test_kink_beside_the_point_is_left_behind_by_shorter_steps():
    # |t - 3e-5| has slope -1 at 0; the longest step reaches over the kink.
    assert slope_at_zero(lambda t: abs(t - 3e-5)).value == pytest.approx(-1.0, abs=1e-6)


def test_line_with_few_digits_is_in_doubt_because_of_rounding():
    found = slope_at_zero(lambda t: float(np.float32(1.0 + t)))
    assert found.doubt > 1e-4
    assert found.because == "rounding"


@pytest.mark.parametrize("row", [pytest.param(row, id=str(row)) for row in ROWS if str(row) in QUICK])
def test_gradients_of_a_quick_network_are_right(row):
    check = check_builder(row.name, image_shape=row.image_shape, num_classes=3, **row.options)
    assert check.passed, check.text
    assert check.table["error"].max() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("row", [pytest.param(row, id=str(row)) for row in ROWS if not row.slow and str(row) not in QUICK])
def test_gradients_of_all_fast_networks_are_right(row):
    check = check_builder(row.name, image_shape=row.image_shape, num_classes=3, **row.options)
    assert check.passed, check.text


def test_layer_without_weights_whose_gradient_is_wrong_is_found_and_named():
    wrong = network_of(dense("below"), lambda: WrongSquare(1.01, name="square"), dense("above"))
    check = gradient_check(wrong)
    assert not check.passed
    # The layer above has the right gradient; the layer below gets its gradient through the wrong layer.
    assert verdicts(check) == {"below": "differs", "above": "agrees"}
    assert list(check.wrong) == ["square"]
    assert check.wrong["square"] == pytest.approx(0.01, rel=0.05)
    assert "the layer square computes a wrong gradient" in check.text


def test_the_same_layer_with_the_right_gradient_passes():
    check = gradient_check(network_of(dense("below"), lambda: WrongSquare(1.0, name="square"), dense("above")))
    assert check.passed
    assert check.wrong == {}


def test_wrong_gradient_of_a_weight_is_found_where_the_way_back_is_right():
    check = gradient_check(network_of(dense("below"), lambda: WrongDense(name="half")))
    assert verdicts(check) == {"below": "agrees", "half": "differs"}
    assert list(check.wrong) == ["half"]


def test_gradient_that_is_cut_off_differs():
    cut = network_of(dense("below"), lambda: keras.layers.Lambda(tf.stop_gradient, name="cut"), dense("above"))
    check = gradient_check(cut)
    assert verdicts(check)["below"] == "differs"
    assert list(check.wrong) == ["cut"]


def test_weights_on_the_edge_of_a_relu_are_undecided_and_said_to_be():
    # Images and biases are 0, so every unit is exactly on its edge, and only the biases have an effect.
    network = network_of(dense("edge", activation="relu", kernel_initializer="zeros"), dense("above"))
    check = gradient_check(network, inputs=tf.zeros((4, 3), tf.float64))
    assert verdicts(check)["edge"] == "undecided"
    assert not check.passed
    assert "could not be decided: the edge of a ReLU unit or a maximum" in check.text
    assert "try another seed" in check.text


def test_layer_that_changes_nothing_is_flat_and_named():
    far_below = keras.initializers.Constant(-99.0)
    network = network_of(dense("dead", activation="relu", bias_initializer=far_below), dense("above"))
    check = gradient_check(network)
    assert verdicts(check)["dead"] == "flat"
    assert "the outputs do not depend on these: dead" in check.text


def test_network_with_dropout_and_batch_norm_passes_and_is_left_as_it_was():
    network = network_of(dense("first"), keras.layers.BatchNormalization, lambda: keras.layers.Dropout(0.5), dense("last"))
    before = [variable.numpy().copy() for variable in network.variables]
    assert gradient_check(network).passed
    for old, variable in zip(before, network.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())


def test_network_in_float32_is_refused():
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="thin")])
    with pytest.raises(ConfigError, match=r"require a network in float64; .* is float32. Build it within in_float64"):
        gradient_check(network)


def test_layer_with_a_dtype_of_its_own_is_refused():
    with pytest.raises(ConfigError, match="thin is float32"):
        gradient_check(network_of(dense("thin", dtype="float32")))


def test_network_that_reads_rows_of_any_length_needs_inputs():
    with in_float64():
        rows = keras.Input((None, 3))
        network = keras.Model(rows, keras.layers.Dense(2, name="dense")(rows))
    with pytest.raises(ConfigError, match="Pass inputs for the check"):
        gradient_check(network)
    assert gradient_check(network, inputs=tf.ones((2, 4, 3), tf.float64)).passed


def test_network_that_reads_tokens_is_given_some():
    with in_float64():
        tokens = keras.Input((None, 3), dtype="int32")
        network = keras.Model(tokens, keras.layers.Embedding(5, 2, name="words")(tokens))
    assert gradient_check(network).passed


def test_network_without_weights_is_refused():
    with pytest.raises(ConfigError, match="has no weights to train"):
        gradient_check(network_of(lambda: keras.layers.ReLU()))
