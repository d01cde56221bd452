"""What can be seen in one batch, before or besides training, that keeps a network from learning it."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasvision.shortened import shortened
from kerasvision.tasks.base import Objective

MOST_NAMED = 6


def batch_faults(batch: tuple[Any, Any], *, ids: Sequence[str]) -> list[str]:
    """Inputs that are no numbers, inputs that are all alike, and equal inputs with different targets; a sentence each.

    Args:
        batch: (inputs, targets), any nesting of tensors whose first axis is the example.
        ids: of the examples.

    >>> images = np.array([[1.0], [2.0], [1.0]])
    >>> batch_faults((images, np.array([0, 1, 1])), ids=["a", "b", "c"])
    ['2 images stand in the batch with different targets though they are equal as the network sees them: a, c']
    """
    inputs, targets = (_rows(part) for part in batch)
    faults = []
    lost = [name for name, row in zip(ids, inputs, strict=True) if not all(map(_is_finite, row))]
    if lost:
        faults.append(f"{len(lost)} images hold what is infinite or not a number: {_named(lost)}")
    groups: dict[bytes, list[int]] = {}
    for number, row in enumerate(inputs):
        groups.setdefault(_bytes(row), []).append(number)
    if len(groups) == 1 and len(inputs) > 1:
        faults.append(f"all {len(inputs)} images are the same as the network sees them")
    torn = [number for group in groups.values() if len({_bytes(targets[n]) for n in group}) > 1 for number in group]
    if torn:
        names = _named([ids[number] for number in torn])
        faults.append(
            f"{len(torn)} images stand in the batch with different targets though they are equal as the network sees them: "
            f"{names}"
        )
    return faults


def lost_weights(network: keras.Model) -> list[str]:
    """Layers whose weights are not all finite; a sentence, or none. ReLU units can hide them: TensorFlow's give 0 there."""
    lost = dict.fromkeys(_layer(weight, network) for weight in network.weights if not _is_finite(weight.numpy()))
    return [f"weights are infinite or not a number: {_named(list(lost))}"] if lost else []


def unmoved_layers(network: keras.Model, objective: Objective, batch: tuple[Any, Any]) -> list[str]:
    """Layers that no gradient reaches from the batch; a sentence, or none.

    >>> network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "relu", name="dead"), keras.layers.Dense(1)])
    >>> network.layers[0].set_weights([np.array([[1.0]]), np.array([-9.0])])
    >>> squares = Objective(lambda targets, outputs, training: (outputs - targets)[:, 0] ** 2, [])
    >>> unmoved_layers(network, squares, (np.ones((2, 1)), np.ones((2, 1))))
    ['no gradient reaches the weights of dead']
    """
    inputs, targets = batch
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(objective.losses(targets, network(inputs, training=True), training=True))
    reached: dict[str, bool] = {}
    weights = network.trainable_variables
    for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
        layer = _layer(weight, network)
        moves = gradient is not None and bool(tf.reduce_any(tf.convert_to_tensor(gradient) != 0))
        reached[layer] = reached.get(layer, False) or moves
    still = [layer for layer, moves in reached.items() if not moves]
    return [f"no gradient reaches the weights of {_named(still)}"] if still else []


def _layer(weight: keras.Variable, network: keras.Model) -> str:
    path: str = weight.path
    return path.removeprefix(f"{network.name}/").rpartition("/")[0]


def _rows(part: Any) -> list[list[np.ndarray]]:
    """Of each example, its arrays."""
    arrays = [np.asarray(each) for each in keras.tree.flatten(part)]
    return [[array[row] for array in arrays] for row in range(len(arrays[0]))]


def _bytes(row: list[np.ndarray]) -> bytes:
    return b"".join(array.tobytes() for array in row)


def _is_finite(array: np.ndarray) -> bool:
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def _named(names: Sequence[str]) -> str:
    return shortened(names, most=MOST_NAMED)
