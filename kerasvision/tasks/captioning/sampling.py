"""Scheduled sampling: during training, a network continues from its own words for a rising share of the tokens.

Source: Bengio et al., 2015, https://arxiv.org/abs/1506.03099, with a linear schedule.
"""

from typing import Any

import keras
import numpy as np

from kerasvision import config as c
from kerasvision.models.decoder import taught
from kerasvision.tasks.captioning.tokens import SILENT


def taught_network(network: keras.Model, settings: c.Captioning) -> keras.Model:
    """The same layers and weights; in training, some inputs are the network's own words. Made in the strategy's scope."""
    # Every token but the first is chosen.
    calls = settings.sampling_steps * settings.max_length
    return taught(network, OwnWords(share=settings.scheduled_sampling, calls=calls, name="own_words"))


class OwnWords(keras.layers.Layer):
    """Maps [true tokens int32 (...), logits (..., V)] to the tokens to continue from, int32 (...).

    Outside training, these are the true tokens. In training, each token is replaced, with a probability that rises from call
    to call, by one drawn from the network's own probabilities. Tokens that no caption may contain are never drawn.

    Args:
        share: the final probability.
        calls: how many calls it takes to reach it. Each device counts its own, the same way.
        seed: of the random numbers; by default another one in every layer.
        seed: of what is drawn; by default another one in every layer.
    """

    def __init__(self, *, share: float, calls: int, seed: int | None = None, **options: Any) -> None:
        # Sampling in 16 bits would never draw rare tokens.
        super().__init__(**{"dtype": "float32", **options})
        self._share, self._last_call = share, calls
        self._random = keras.random.SeedGenerator(seed)

    def build(self, shapes: Any) -> None:
        """Creates the counter of calls, which is saved in a checkpoint like the weights."""
        count = {"dtype": "int64", "initializer": "zeros", "trainable": False, "aggregation": "only_first_replica"}
        self._calls_made = self.add_weight(shape=(), name="calls_made", **count)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """See the class."""
        true, logits = inputs
        if not training:
            return true
        ops = keras.ops
        size = logits.shape[-1]
        rows = ops.reshape(ops.where(np.isin(np.arange(size), SILENT), -1e9, logits), (-1, size))
        drawn = ops.reshape(keras.random.categorical(rows, 1, dtype=true.dtype, seed=self._random), ops.shape(true))
        chance = self._share * ops.minimum(ops.cast(self._calls_made, "float32") / self._last_call, 1.0)
        self._calls_made.assign_add(1)
        is_own = keras.random.uniform(ops.shape(true), seed=self._random) < chance
        return ops.where(is_own, drawn, true)

    def compute_output_shape(self, shapes: Any) -> Any:
        """The shape of the true tokens."""
        return shapes[0]
