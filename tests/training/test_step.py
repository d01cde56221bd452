"""The training step on one device equals NumPy, and Keras' own fit where that is right."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.tasks.base import Objective
from kerasvision.training.gradients import NO_PENALTY, Penalty
from kerasvision.training.optimizing.averaging import WeightAverages
from kerasvision.training.optimizing.loss_scale import LOWEST, LossScale
from kerasvision.training.step import LostError, TrainStep

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(20, 4)).astype("float32")
TARGETS = np.eye(3, dtype="float32")[RANDOM.integers(3, size=20)]
WEIGHTS = RANDOM.uniform(0, 2, 20).astype("float32")


def linear(seed=0, **options):
    keras.utils.set_random_seed(seed)
    image = keras.Input((4,))
    return keras.Model(image, keras.layers.Dense(3, name="logits", **options)(image))


def cross_entropy(targets, logits, training):
    return tf.nn.softmax_cross_entropy_with_logits(targets, tf.cast(logits, tf.float32))


def make_step(network, *, losses=cross_entropy, optimizer=None, **options):
    metrics = [keras.metrics.CategoricalAccuracy(name="accuracy")]
    return TrainStep(
        network,
        objective=Objective(losses, metrics),
        optimizer=optimizer or keras.optimizers.SGD(0.5, momentum=0.9),
        strategy=tf.distribute.get_strategy(),
        **options,
    )


def batches(*, weighted=False, rows=8, arrays=(IMAGES, TARGETS)):
    return tf.data.Dataset.from_tensor_slices((*arrays, WEIGHTS) if weighted else arrays).batch(rows).repeat()


def filled_batches(*, weighted=False):
    """The same, but the last batch of 4 rows is padded to 8 with copies of weight 0, so that it can be cut into pieces."""
    places = [*range(20), *[16] * 4]
    weights = np.where(np.arange(24) < 20, WEIGHTS[places] if weighted else np.float32(1), np.float32(0))
    data = tf.data.Dataset.from_tensor_slices((IMAGES[places], TARGETS[places], weights))
    return data.batch(8, drop_remainder=True).repeat()


def by_hand(network, *, steps, weighted=False, clip_norm=None, penalty=NO_PENALTY):
    """Softmax regression by SGD with momentum 0.9 and rate 0.5, whole batches of 8, 8 and 4 rows, in float64."""
    weights = [weight.astype(float) for weight in network.get_weights()]
    velocity, losses = [np.zeros_like(weight) for weight in weights], []
    for number in range(steps):
        rows = slice(8 * (number % 3), min(8 * (number % 3) + 8, 20))
        x, t, w = IMAGES[rows].astype(float), TARGETS[rows], (WEIGHTS if weighted else np.ones(20))[rows, None]
        logits = x @ weights[0] + weights[1]
        softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        losses.append(-(w * t * np.log(softmax)).sum() / len(x))
        slope = w * (softmax - t) / len(x)
        gradients = [x.T @ slope + penalty.l1 * np.sign(weights[0]) + penalty.l2 * weights[0], slope.sum(axis=0)]
        norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
        shorter = min(1.0, clip_norm / norm) if clip_norm else 1.0
        velocity = [0.9 * v - 0.5 * shorter * gradient for v, gradient in zip(velocity, gradients, strict=True)]
        weights = [weight + v for weight, v in zip(weights, velocity, strict=True)]
    return weights, losses


# --- The gradient


L1, ELASTIC = {"penalty": Penalty(l1=0.1)}, {"penalty": Penalty(l1=0.05, l2=0.1)}
EVERYTHING = {"weighted": True, "clip_norm": 0.1, **ELASTIC}
OPTIONS = [{}, {"weighted": True}, {"clip_norm": 0.1}, L1, ELASTIC, EVERYTHING]
# Each option and each number of micro-batches once; the others are slow.
QUICK = [(1, {}), (1, {"clip_norm": 0.1}), (1, L1), (1, ELASTIC), (2, {"weighted": True}), (4, EVERYTHING)]


@pytest.mark.parametrize(
    ("micro_batches", "options"),
    [
        pytest.param(count, options, marks=[] if (count, options) in QUICK else pytest.mark.slow)
        for count in (1, 2, 4)
        for options in OPTIONS
    ],
    ids=str,
)
def test_weights_and_losses_are_those_computed_by_hand(micro_batches, options):
    network = linear()
    weights, losses = by_hand(network, steps=20, **options)
    of_step = {name: value for name, value in options.items() if name != "weighted"}
    step = make_step(network, micro_batches=micro_batches, **of_step)
    data = (batches if micro_batches == 1 else filled_batches)(weighted="weighted" in options)
    found = step.run(iter(step.share_out(data)), 20)
    np.testing.assert_allclose(found, losses, rtol=2e-6)
    for weight, expected in zip(network.get_weights(), weights, strict=True):
        np.testing.assert_allclose(weight, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_losses_that_are_not_one_number_per_example_are_refused():
    def every_target_with_every_output(targets, outputs, training):
        return tf.square(outputs[:, :1] - targets[:, 0])  # (N, 1) - (N,) is (N, N)

    step = make_step(linear(), losses=every_target_with_every_output)
    with pytest.raises(ConfigError, match=r"must be one number per example, float32 \(N,\); received '\(N, N\)'\. Compare"):
        step.run(iter(step.share_out(batches())), 1)


def test_several_calls_are_as_good_as_one():
    one, several = linear(), linear()
    make_step(one).run(iter(batches()), 9)
    step, iterator = make_step(several), iter(batches())
    for count in (1, 5, 3):
        assert len(step.run(iterator, count)) == count
    for left, right in zip(one.get_weights(), several.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_row_of_weight_zero_is_no_example():
    with_copies, without = linear(), linear()
    filled = (np.concatenate([IMAGES[:6], IMAGES[:2] * 100]), TARGETS[[*range(6), 0, 0]], np.float32([1] * 6 + [0] * 2))
    steps = [make_step(with_copies), make_step(without)]
    steps[0].run(iter(tf.data.Dataset.from_tensors(filled)), 1)
    steps[1].run(iter(tf.data.Dataset.from_tensors((IMAGES[:6], TARGETS[:6]))), 1)
    for left, right in zip(with_copies.get_weights(), without.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6)
    assert steps[0].results() == pytest.approx(steps[1].results(), rel=1e-6)


@pytest.mark.parametrize("micro_batches", [1, 4])
def test_what_layers_add_to_the_loss_is_added_once_as_keras_does(micro_batches):
    ours, theirs = (linear(kernel_regularizer=keras.regularizers.L2(0.3)) for _ in range(2))
    step = make_step(ours, micro_batches=micro_batches)
    losses = step.run(iter(step.share_out(filled_batches().take(2))), 2)
    theirs.compile(keras.optimizers.SGD(0.5, momentum=0.9), keras.losses.CategoricalCrossentropy(from_logits=True))
    shown = [theirs.train_on_batch(IMAGES[rows], TARGETS[rows]) for rows in (slice(0, 8), slice(8, 16))]
    for left, right in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)
    assert losses[0] == pytest.approx(float(shown[0]), rel=1e-5)


def test_a_weight_that_the_loss_does_not_depend_on_stays():
    image = keras.Input((4,))
    network = keras.Model(image, [keras.layers.Dense(3)(image), keras.layers.Dense(2)(image)])
    before = network.get_weights()
    metrics_see = Objective(lambda targets, outputs, training: cross_entropy(targets, outputs[0], training), [])
    TrainStep(network, objective=metrics_see, optimizer=keras.optimizers.Adam(), strategy=tf.distribute.get_strategy()).run(
        iter(batches()), 2
    )
    moved = [bool((left != right).any()) for left, right in zip(before, network.get_weights(), strict=True)]
    assert moved == [True, True, False, False]


# --- Measures


def test_evaluation_counts_each_row_once_and_leaves_the_training_alone():
    step = make_step(linear())
    step.run(iter(batches()), 2)
    shown = step.results()
    logits = step.network(IMAGES).numpy().astype(float)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    data = tf.data.Dataset.from_tensor_slices((IMAGES, TARGETS)).batch(8)
    found = step.evaluate(data)
    assert found["loss"] == pytest.approx(-np.log((softmax * TARGETS).sum(axis=1)).mean(), rel=1e-5)
    assert found["accuracy"] == pytest.approx((logits.argmax(axis=1) == TARGETS.argmax(axis=1)).mean())
    assert step.results() == shown
    assert step.evaluate(data) == found
    assert step.evaluate(data.filter(lambda *_: True)) == found  # then the number of batches is unknown


def test_training_measures_begin_anew_after_a_reset():
    step, iterator = make_step(linear()), iter(batches())
    step.run(iterator, 3)
    step.reset()
    losses = step.run(iterator, 2)
    assert step.results()["loss"] == pytest.approx(losses.mean(), rel=1e-6)


# --- Lost steps


def test_an_infinite_loss_stops_at_its_step_and_leaves_the_weights_of_the_one_before():
    network, other = linear(), linear()
    spoilt = IMAGES.copy()
    spoilt[10] = np.inf
    step = make_step(network)
    with pytest.raises(LostError) as lost:
        step.run(iter(batches(arrays=(spoilt, TARGETS))), 20)
    assert lost.value.position == 1
    assert not np.isfinite(lost.value.loss)
    make_step(other).run(iter(batches()), 1)
    for left, right in zip(network.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_gradient_that_is_no_number_stops_it_too():
    network = linear()
    before = network.get_weights()
    step = make_step(network, losses=lambda targets, logits, training: tf.sqrt(0 * logits[:, 0]))
    with pytest.raises(LostError) as lost:
        step.run(iter(batches()), 3)
    assert (lost.value.position, lost.value.loss) == (0, 0.0)
    np.testing.assert_array_equal(network.get_weights()[0], before[0])


def test_in_float16_an_overflow_only_lowers_the_scale_until_that_cannot_help():
    network = linear(dtype="mixed_float16")
    before = network.get_weights()
    scale = LossScale(initial=2.0**30)
    step, iterator = make_step(network, loss_scale=scale), iter(batches())
    step.run(iterator, 3)
    assert float(scale.value) == 2.0**27
    np.testing.assert_array_equal(network.get_weights()[0], before[0])
    scale.value.assign(LOWEST)
    step = make_step(network, loss_scale=scale, losses=lambda targets, logits, training: tf.sqrt(0 * logits[:, 0]))
    with pytest.raises(LostError):
        step.run(iterator, 1)


def test_the_scale_changes_no_gradient():
    scaled, plain = linear(), linear()
    make_step(scaled, loss_scale=LossScale(initial=2.0**10)).run(iter(batches()), 5)
    make_step(plain).run(iter(batches()), 5)
    for left, right in zip(scaled.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)  # a power of two does not round


# --- Variables of a checkpoint


def with_everything(seed):
    keras.utils.set_random_seed(seed)
    image = keras.Input((4,))
    x = keras.layers.BatchNormalization()(keras.layers.Dropout(0.3)(image))
    network = keras.Model(image, keras.layers.Dense(3)(x))
    averages = WeightAverages(network, decay=0.9)
    return make_step(network, optimizer=keras.optimizers.Adam(0.1), averages=averages, loss_scale=LossScale())


@pytest.mark.slow
def test_a_step_with_anothers_variables_goes_on_as_that_one_to_the_bit():
    one, other = with_everything(seed=0), with_everything(seed=1)
    one.run(iter(batches()), 4)
    assert list(other.variables()) == list(one.variables())
    for name, variable in other.variables().items():
        variable.assign(one.variables()[name])
    losses = [step.run(iter(batches()), 5) for step in (one, other)]
    np.testing.assert_array_equal(*losses)
    assert one.results() == other.results()
    for name, variable in one.variables().items():
        np.testing.assert_array_equal(variable, other.variables()[name], err_msg=name)


def test_on_several_replicas_an_optimizer_that_sums_gradients_itself_is_refused():
    objective, two = Objective(cross_entropy, []), SimpleNamespace(num_replicas_in_sync=2)
    with pytest.raises(ConfigError, match=r"must accept gradients that are already summed.*'SGD'. Make it with for_"):
        TrainStep(linear(), objective=objective, optimizer=keras.optimizers.SGD(), strategy=two)
