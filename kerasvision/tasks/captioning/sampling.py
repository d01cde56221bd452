"""Scheduled sampling: while it learns, a network goes on from its own words for a rising share of the tokens.

Source: Bengio et al., 2015, https://arxiv.org/abs/1506.03099, with a linear schedule.
"""

from typing import Any

import keras
import numpy as np

from kerasvision import config as c
from kerasvision.models.decoder import taught
from kerasvision.tasks.captioning.tokens import SILENT


def taught_network(network: keras.Model, settings: c.Captioning) -> keras.Model:
    """The same layers and weights; in training it hears some of its own words. Made in the scope of the strategy."""
    # Every token but the first is chosen.
    calls = settings.sampling_steps * settings.max_length
    return taught(network, OwnWords(share=settings.scheduled_sampling, calls=calls, name="own_words"))


class OwnWords(keras.layers.Layer):
    """Of [true tokens int32 (...), logits (..., V)] the tokens to go on from: outside of training the true ones.

    In training a token is one that is drawn by the network's own probabilities, with a chance that rises from call to call.
    Nothing is drawn that no caption may hold.

    Args:
        share: the chance in the end.
        calls: how many there are until then. Each device counts its own, alike.
        seed: of what is drawn; by default another one in every layer.
    """

    def __init__(self, *, share: float, calls: int, seed: int | None = None, **options: Any) -> None:
        # Sampling in 16 bits would never draw what is rare.
        super().__init__(**{"dtype": "float32", **options})
        self._share, self._last_call = share, calls
        self._random = keras.random.SeedGenerator(seed)

    def build(self, shapes: Any) -> None:
        """Makes the count of calls, which belongs to a checkpoint as the weights do."""
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
        """That of the true tokens."""
        return shapes[0]
