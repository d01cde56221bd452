"""Different random numbers on every replica; Keras gives all replicas the same.

Keras' `SeedGenerator` has one state, mirrored on all replicas, so the third image of each replica would drop the same units.
"""

from collections.abc import Iterator
from types import MethodType

import keras
import tensorflow as tf

# Large, so that a replica's seed does not equal another layer's seed; Knuth's multiplier for hashes (TAOCP 3, 6.4).
_STRIDE = 2654435761


def differ_by_replica(network: keras.Model) -> None:
    """Shifts the seeds of every random layer by the number of the replica. The first replica, and one device, keep them."""
    for generator in seed_generators(network):
        generator.next = MethodType(_next, generator)


def seed_generators(network: keras.Model) -> Iterator[keras.random.SeedGenerator]:
    """The generators of seeds of all layers.

    >>> network = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.5, seed=7), keras.layers.Dropout(0.0)])
    >>> [generator.state.numpy().tolist() for generator in seed_generators(network)]
    [[7, 0]]
    """
    for layer in network._flatten_layers():
        yield from layer._seed_generators


def _next(generator: keras.random.SeedGenerator, ordered: bool = True) -> tf.Tensor:
    seed = type(generator).next(generator, ordered)
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return seed
    shift = tf.cast(context.replica_id_in_sync_group, seed.dtype) * _STRIDE
    return seed + tf.stack([shift, tf.zeros_like(shift)])
