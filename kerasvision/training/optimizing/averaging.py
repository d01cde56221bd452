"""Averages of the weights over the steps of a training, which often score better than the last weights.

Source: Polyak & Juditsky, 1992, "Acceleration of Stochastic Approximation by Averaging". The decay, and the evaluation with
averages instead of weights, follow Szegedy et al., 2015, https://arxiv.org/abs/1512.00567, section 8.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf


class WeightAverages:
    """An exponential moving average of every weight of a network, including the statistics of batch normalisation.

    After step t (from 1), average <- d * average + (1 - d) * weight, with d = min(decay, (1 + t) / (10 + t)). Without this
    warm-up the random initial weights would dominate the average for about 1 / (1 - decay) steps.

    Args:
        network: built; its current weights are the first averages.
        decay: in [0, 1); 0.999 averages over about the last thousand steps.
        strategy: the one in whose scope the network was built.

    >>> network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    >>> averages = WeightAverages(network, decay=0.9)
    >>> _ = network.layers[0].kernel.assign([[11.0]])
    >>> averages.update()  # d = 2 / 11
    >>> with averages.in_place():
    ...     round(network.get_weights()[0].item(), 5)
    9.0
    >>> network.get_weights()[0].item()
    11.0
    """

    def __init__(self, network: keras.Model, *, decay: float, strategy: tf.distribute.Strategy | None = None) -> None:
        self._strategy = strategy or tf.distribute.get_strategy()
        self._decay = decay
        self._weights = [weight.value for weight in network.weights]
        with self._strategy.scope():
            self._averages = [tf.Variable(weight, trainable=False) for weight in self._weights]
            self._count = tf.Variable(0, trainable=False, dtype=tf.int64)
        self._swap = tf.function(self._swap_now, autograph=False)

    def update(self) -> None:
        """Updates the averages after a step. Call it outside the context of a replica."""
        self._count.assign_add(1)
        count = tf.cast(self._count, tf.float32)
        share = 1.0 - tf.minimum(self._decay, (1.0 + count) / (10.0 + count))
        for average, weight in zip(self._averages, self._weights, strict=True):
            self._strategy.extended.update(average, _move, args=(weight, share), group=False)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within it, the network's weights are the averages; afterwards its own weights are back, bit for bit."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def keep(self) -> None:
        """Replaces the network's weights by the averages permanently."""
        self._swap()

    def variables(self) -> dict[str, tf.Variable]:
        """What a checkpoint must contain: `count`, int64 scalar, and each average, of its weight's shape and dtype."""
        return {"count": self._count, **{f"{number:04d}": average for number, average in enumerate(self._averages)}}

    def _swap_now(self) -> None:
        for average, weight in zip(self._averages, self._weights, strict=True):
            self._strategy.extended.update(average, _exchange, args=(weight,), group=False)


def _move(average: tf.Variable, weight: tf.Variable, share: tf.Tensor) -> None:
    average.assign_add((tf.convert_to_tensor(weight) - average) * tf.cast(share, average.dtype))


def _exchange(average: tf.Variable, weight: tf.Variable) -> None:
    own = tf.identity(weight)
    with tf.control_dependencies([own]):
        weight.assign(tf.identity(average))
    average.assign(own)
