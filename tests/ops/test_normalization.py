"""Fused batch normalisation: Keras' numbers, Keras' files, another kernel."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from kerasvision.ops.normalization import fused

ROOT = Path(__file__).parent.parent.parent


def maps(shape=(4, 5, 6, 3), seed=0):
    return np.random.default_rng(seed).normal(1.5, 2.0, shape).astype("float32")


def pair(shape=(4, 5, 6, 3), **options):
    """A fused layer and Keras' own with the same weights. No weight has its initial value."""
    ours, keras_own = fused(layers.BatchNormalization(**options)), layers.BatchNormalization(**options)
    for layer in ours, keras_own:
        layer.build(shape)
        generator = np.random.default_rng(7)
        for weight in layer.weights:
            weight.assign(generator.uniform(0.5, 1.5, weight.shape))
    return ours, keras_own


def passes_through_the_kernel(layer, x, **call):
    function = tf.function(lambda x: layer(x, **call))
    names = {op.type for op in function.get_concrete_function(tf.constant(x)).graph.get_operations()}
    return "FusedBatchNormV3" in names


def step(layer, x, training):
    """(outputs, gradients of a skewed sum with respect to x and the weights, weights afterwards)"""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
        uneven = np.arange(y.shape.num_elements()).reshape(y.shape) % 5
        loss = tf.reduce_sum(tf.cast(y, tf.float32) ** 2 * uneven.astype("float32"))
    gradients = tape.gradient(loss, [x, *(variable.value for variable in layer.trainable_variables)])
    return y, gradients, layer.get_weights()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}, {"momentum": 0.9, "epsilon": 1e-5}], ids=str)
def test_outputs_gradients_and_statistics_are_kerass(options, training):
    ours, keras_own = pair(**options)
    for of_ours, of_keras in zip(step(ours, maps(), training), step(keras_own, maps(), training), strict=True):
        for a, b in zip(tf.nest.flatten(of_ours), tf.nest.flatten(of_keras), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_kernel_is_used_in_every_precision_that_it_has(policy, training):
    layer = fused(layers.BatchNormalization(dtype=policy))
    assert passes_through_the_kernel(layer, maps(), training=training)


def test_variance_kept_is_that_of_the_batch_not_besselss():
    # 0 and 4: mean 2, sum of squares 8, over n = 2 that is 4, over n - 1 it is 8.
    layer = fused(layers.BatchNormalization(momentum=0.0))
    layer(np.reshape([0.0, 4.0], (2, 1, 1, 1)).astype("float32"), training=True)
    np.testing.assert_allclose(layer.moving_mean, [2.0], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, [4.0], rtol=1e-6)


def test_single_pixel_has_no_variance_and_no_nan():
    layer = fused(layers.BatchNormalization(momentum=0.0))
    np.testing.assert_array_equal(layer(np.full((1, 1, 1, 2), 7.0, "float32"), training=True), np.zeros((1, 1, 1, 2)))
    np.testing.assert_array_equal(layer.moving_variance, [0.0, 0.0])


def test_sums_of_bfloat16_maps_are_float32():
    # In bfloat16 a sum of 65,536 values near 1 stops growing at 256.
    layer = fused(layers.BatchNormalization(momentum=0.0, dtype="mixed_bfloat16"))
    x = tf.cast(maps((16, 64, 64, 2)), tf.bfloat16)
    y = layer(x, training=True)
    assert y.dtype == tf.bfloat16
    exact = tf.cast(x, tf.float64).numpy()
    np.testing.assert_allclose(layer.moving_mean, exact.mean((0, 1, 2)), rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance, exact.var((0, 1, 2)), rtol=1e-4)


def test_mean_far_from_zero_keeps_its_variance():
    far = 1000 + np.random.default_rng(0).normal(size=(32, 16, 16, 1)).astype("float32")
    normed = fused(layers.BatchNormalization(epsilon=1e-5))(far, training=True)
    assert abs(np.std(normed) - 1) < 0.01


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((4, 6), {}),
        ((4, 5, 6), {}),
        ((4, 3, 5, 6), {"axis": 1}),
        ((4, 5, 6, 3), {"dtype": "float64"}),
        ((4, 5, 6, 3), {"renorm": True}),
    ],
    ids=str,
)
def test_everything_else_goes_kerass_way(shape, options, training):
    ours, keras_own = pair(shape, **options)
    assert not passes_through_the_kernel(ours, maps(shape), training=training)
    for of_ours, of_keras in zip(step(ours, maps(shape), training), step(keras_own, maps(shape), training), strict=True):
        for a, b in zip(tf.nest.flatten(of_ours), tf.nest.flatten(of_keras), strict=True):
            np.testing.assert_array_equal(a, b)


def test_masked_pixels_do_not_count():
    ours, keras_own = pair()
    mask = np.random.default_rng(3).random((4, 5, 6)) < 0.5
    np.testing.assert_array_equal(ours(maps(), training=True, mask=mask), keras_own(maps(), training=True, mask=mask))
    np.testing.assert_array_equal(ours.moving_mean, keras_own.moving_mean)


def test_frozen_layer_normalises_by_what_it_kept_and_keeps_it():
    layer, _ = pair()
    layer.trainable = False
    before = layer.get_weights()
    np.testing.assert_array_equal(layer(maps(), training=True), layer(maps(), training=False))
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_saved_layer_is_kerass_own(tmp_path):
    image = keras.Input((5, 6, 3))
    model = keras.Model(image, fused(layers.BatchNormalization(name="norm"))(image))
    model(maps(), training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.get_layer("norm")) is layers.BatchNormalization
    assert "call" not in vars(loaded.get_layer("norm"))
    np.testing.assert_allclose(loaded(maps()), model(maps()), rtol=1e-5, atol=1e-5)


def run(program, **environment):
    quiet = {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment = os.environ | quiet | environment
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


TWO_REPLICAS = """
import keras, numpy as np, tensorflow as tf
from keras import layers
from kerasvision.ops.normalization import fused

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())
x = (1000 + np.random.default_rng(0).normal(0.0, [1, 2, 3], (8, 16, 16, 3))).astype("float32")
x[4:] += 5  # each replica sees another mean

with strategy.scope():
    layer = fused(layers.BatchNormalization(epsilon=1e-5, momentum=0.0, synchronized=True))
    layer.build(x.shape)
halves = strategy.experimental_distribute_values_from_function(
    lambda context: tf.constant(np.split(x, 2)[context.replica_id_in_sync_group])
)

@tf.function
def step(half):
    with tf.GradientTape() as tape:
        tape.watch(half)
        y = layer(half, training=True)
        loss = tf.reduce_sum(y ** 3)
    return y, tape.gradient(loss, half)

y, gradient = (np.concatenate([part.numpy() for part in strategy.experimental_local_results(parts)])
               for parts in strategy.run(step, args=(halves,)))

alone = fused(layers.BatchNormalization(epsilon=1e-5, momentum=0.0))
with tf.GradientTape() as tape:
    whole = tf.constant(x)
    tape.watch(whole)
    expected = alone(whole, training=True)
    loss = tf.reduce_sum(expected ** 3)
np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-3)
np.testing.assert_allclose(gradient, tape.gradient(loss, whole), rtol=1e-2, atol=1e-2)
np.testing.assert_allclose(layer.moving_mean.numpy(), x.astype("float64").mean((0, 1, 2)), rtol=1e-6)
np.testing.assert_allclose(layer.moving_variance.numpy(), x.astype("float64").var((0, 1, 2)), rtol=1e-3)
print("equal")
"""


def test_two_synchronised_replicas_normalise_by_the_whole_batch_far_from_zero_too(warm):
    done = warm.run(TWO_REPLICAS, CUDA_VISIBLE_DEVICES="-1")
    assert (done.returncode, done.stdout) == (0, "equal\n"), done.stderr


def test_backend_that_is_not_tensorflow_keeps_kerass_layer(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    layer = layers.BatchNormalization()
    assert fused(layer) is layer
    assert "call" not in vars(layer)


# tests/conformance builds networks with such layers on JAX in every run.
@pytest.mark.slow
def test_another_backend_keeps_kerass_layer():
    program = """
import keras, numpy as np
from keras import layers
from kerasvision.ops.normalization import fused
layer = layers.BatchNormalization()
assert fused(layer) is layer and "call" not in vars(layer)
print(keras.backend.backend(), layer(np.ones((1, 2, 2, 1), "float32")).shape)
"""
    assert run(program, KERAS_BACKEND="jax") == "jax (1, 2, 2, 1)\n"
