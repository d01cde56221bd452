"""Two parts of a network that learn from losses of their own, compared with gradients by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.tasks.base import Objective, Player
from kerasvision.training.optimizing.optimizers import for_training
from kerasvision.training.step import TrainStep

ROWS = np.array([[1.0], [2.0], [3.0], [6.0]], np.float32)


def game(*, first=2.0, second=5.0):
    """a * b * x for two weights a and b."""
    image = keras.Input((1,))
    x = keras.layers.Dense(1, use_bias=False, name="first")(image)
    network = keras.Model(image, keras.layers.Dense(1, use_bias=False, name="second")(x))
    network.set_weights([np.array([[first]], np.float32), np.array([[second]], np.float32)])
    return network


def losses_of(factor):
    return lambda targets, outputs, training: factor * outputs[:, 0]


def opposed(network):
    """The first layer wants a b x to be small, and the second layer wants three times it to be large."""
    return [Player([layer.kernel], losses_of(factor)) for layer, factor in zip(network.layers[1:], (1.0, -3.0), strict=True)]


def step_of(network, *, players=opposed, optimizer=None, **options):
    return TrainStep(
        network,
        objective=Objective(losses_of(1.0), [], players=players),
        optimizer=optimizer or for_training(keras.optimizers.SGD)(0.01),
        strategy=tf.distribute.get_strategy(),
        **options,
    )


def run(step, *, steps=1, rows=4, weights=None):
    arrays = (ROWS, ROWS) if weights is None else (ROWS, ROWS, np.array(weights, np.float32))
    batches = tf.data.Dataset.from_tensor_slices(arrays).batch(rows, drop_remainder=True).repeat()
    losses = step.run(iter(step.share_out(batches)), steps)
    return losses, [weight.item() for weight in step.network.get_weights()]


def test_each_player_follows_its_own_loss_at_the_weights_before_the_step():
    losses, weights = run(step_of(game()))
    # The mean of x is 3. First: 2 - 0.01 * 5 * 3. Second: 5 + 0.01 * 3 * 2 * 3, with the first weight still at 2.
    np.testing.assert_allclose(weights, [1.85, 5.18], rtol=1e-6)
    assert losses == pytest.approx([2 * 5 * 3])


def test_micro_batches_and_weights_change_nothing_but_what_they_say():
    whole, pieces = run(step_of(game())), run(step_of(game(), micro_batches=2))
    np.testing.assert_allclose(pieces[1], whole[1], rtol=1e-6)
    # Rows 1 and 3 alone: the mean of x is 2.
    _, weights = run(step_of(game()), weights=[1, 0, 1, 0])
    np.testing.assert_allclose(weights, [2 - 0.01 * 5 * 2, 5 + 0.01 * 3 * 2 * 2], rtol=1e-6)


def test_the_gradient_of_each_player_is_clipped_by_its_own_norm():
    # Their norms are 15 and 18: each becomes 1.
    _, weights = run(step_of(game(), clip_norm=1.0))
    np.testing.assert_allclose(weights, [1.99, 5.01], rtol=1e-6)


def test_one_adam_for_both_does_what_two_adams_do():
    network, adam = game(), lambda: for_training(keras.optimizers.Adam)(0.1, beta_1=0.5)
    _, weights = run(step_of(network, optimizer=adam()), steps=4)
    first, second = keras.Variable([[2.0]]), keras.Variable([[5.0]])
    apart = [adam(), adam()]
    for optimizer, one in zip(apart, (first, second), strict=True):
        optimizer.build([one])
    for _ in range(4):
        gradients = [3.0 * second.numpy(), -9.0 * first.numpy()]
        for optimizer, one, gradient in zip(apart, (first, second), gradients, strict=True):
            optimizer.apply([tf.constant(gradient)], [one])
    np.testing.assert_allclose(weights, [first.numpy().item(), second.numpy().item()], rtol=1e-5)


def test_every_trainable_weight_belongs_to_one_player():
    for wrong in (lambda network: opposed(network)[:1], lambda network: [*opposed(network), opposed(network)[0]]):
        with pytest.raises(ConfigError, match="each trainable weight of the network once"):
            step_of(game(), players=wrong)
