"""Fused optimizer updates give Keras' numbers with another kernel."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import optimizers

from kerasvision import config as c
from kerasvision.training.optimizing.one_pass import ONE_PASS, OnePassSgd
from kerasvision.training.optimizing.optimizers import for_training, make_optimizer

PLAIN, KERNEL = "ResourceApplyGradientDescent", "ResourceApplyKerasMomentum"
CASES = pytest.mark.parametrize(
    ("kind", "options", "kernel"),
    [
        (optimizers.SGD, {"learning_rate": 0.1}, PLAIN),
        (optimizers.SGD, {"learning_rate": 0.1, "momentum": 0.9}, KERNEL),
        (optimizers.SGD, {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}, KERNEL),
        (optimizers.SGD, {"momentum": 0.9, "weight_decay": 0.01, "global_clipnorm": 1.0}, KERNEL),
        (optimizers.SGD, {"learning_rate": optimizers.schedules.CosineDecay(0.1, 5), "momentum": 0.9}, KERNEL),
        (optimizers.RMSprop, {"learning_rate": 0.01, "momentum": 0.8}, "ResourceApplyRMSProp"),
        (optimizers.RMSprop, {"momentum": 0.8, "centered": True, "epsilon": 0.1}, "ResourceApplyCenteredRMSProp"),
        (optimizers.Adam, {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}, "ResourceApplyAdam"),
        (optimizers.AdamW, {"learning_rate": 0.01, "weight_decay": 0.1}, "ResourceApplyAdam"),
    ],
    ids=["plain", "momentum", "nesterov", "decay and clipping", "schedule", "rmsprop", "centred", "adam", "adamw"],
)


class MySgd(optimizers.SGD):
    """A subclass may change the update."""


def gradients(step):
    generator = np.random.default_rng(step)
    return [tf.constant(generator.normal(size=shape), tf.float32) for shape in [(3, 4), (5,)]]


def trained(optimizer, steps=5):
    weights = [keras.Variable(np.ones((3, 4), "float32")), keras.Variable(np.ones(5, "float32"))]
    optimizer.build(weights)
    step = tf.function(lambda grads: optimizer.apply(grads, weights))
    for number in range(steps):
        step(gradients(number))
    kernels = {op.type for op in step.get_concrete_function(gradients(0)).graph.get_operations()}
    return [np.array(x) for x in [*weights, *optimizer.variables]], kernels


@CASES
def test_weights_and_state_are_kerass_after_five_steps(kind, options, kernel):
    ours, our_kernels = trained(ONE_PASS[kind](**options))
    keras_own, keras_kernels = trained(kind(**options))
    assert kernel in our_kernels
    assert kernel not in keras_kernels
    for a, b in zip(ours, keras_own, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kind", "options"), [(optimizers.Adam, {"amsgrad": True}), (optimizers.RMSprop, {})])
def test_options_without_a_kernel_go_kerass_way_bit_for_bit(kind, options):
    ours, our_kernels = trained(ONE_PASS[kind](0.1, **options))
    keras_own, keras_kernels = trained(kind(0.1, **options))
    assert our_kernels == keras_kernels
    for a, b in zip(ours, keras_own, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", [optimizers.Adagrad, optimizers.Lion, MySgd])
def test_every_other_optimizer_updates_as_it_does(kind):
    assert for_training(kind).update_step is kind.update_step


@pytest.mark.parametrize(("kind", "options"), [(optimizers.SGD, {"momentum": 0.9}), (optimizers.Adam, {})])
def test_weight_in_another_precision_goes_kerass_way(kind, options):
    weight = keras.Variable(np.ones(3), dtype="float64")
    ONE_PASS[kind](0.5, **options).apply([tf.ones(3, tf.float64)], [weight])
    # Adam's first step is the rate itself, except for epsilon; and Keras rounds its betas to float32.
    np.testing.assert_allclose(weight, [0.5, 0.5, 0.5], rtol=1e-4)


def test_sparse_gradient_goes_kerass_way():
    weight = keras.Variable(np.ones((3, 2), "float32"))
    gradient = tf.IndexedSlices(tf.ones((1, 2)), tf.constant([1]), tf.constant([3, 2]))
    OnePassSgd(0.5, momentum=0.9).apply([gradient], [weight])
    np.testing.assert_array_equal(weight, [[1, 1], [0.5, 0.5], [1, 1]])


def assert_both_are_one_devices(cases, kind, *kernels):
    single, both = cases[f"1 {kind}"], cases[f"2 {kind}"]
    assert single["kernels"].tolist() == both["kernels"].tolist() == [*kernels]
    for name in ("weight 0", "weight 1", "weight 2"):
        assert (len(single[name]), len(both[name])) == (1, 2)
        assert (single[name] != 1).any()
        for copy in both[name]:
            np.testing.assert_array_equal(copy, single[name][0], err_msg=name)


# Lion is an example of the optimizers without a kernel.
@pytest.mark.parametrize(
    ("kind", "kernels"),
    [
        ("momentum", [KERNEL]),
        ("Adam", ["ResourceApplyAdam"]),
        ("Lion", []),
    ],
)
def test_both_replicas_get_the_weights_of_one_device_bit_for_bit(on_replicas, kind, kernels):
    assert_both_are_one_devices(on_replicas, kind, *kernels)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "kernels"), [("Sgd", [PLAIN]), ("RmsProp with momentum", ["ResourceApplyRMSProp"])])
def test_both_replicas_get_them_with_each_kernel(on_replicas_in_each_case, kind, kernels):
    assert_both_are_one_devices(on_replicas_in_each_case, kind, *kernels)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["RmsProp", "Adagrad", "Muon"])
def test_so_they_do_where_keras_updates(on_replicas_in_each_case, kind):
    assert_both_are_one_devices(on_replicas_in_each_case, kind)


def test_training_takes_one_pass_updates():
    optimizer = make_optimizer(c.Training(optimizer=c.Sgd(momentum=0.9)), steps_per_epoch=1)
    assert isinstance(optimizer, OnePassSgd)
