"""Faults that keep a network from learning a batch and that can be found without training."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasvision.shortened import shortened
from kerasvision.tasks.base import Objective

MOST_NAMED = 6


def batch_faults(batch: tuple[Any, Any], *, ids: Sequence[str]) -> list[str]:
    """Finds inputs that are not finite, inputs that are all equal, and equal inputs with different targets.

    Args:
        batch: (inputs, targets), any nesting of tensors whose first axis is the example: float32 (N, H, W, C) inputs and
            int32 (N,) targets, for example.
        ids: of the examples.

    Returns:
        A sentence for each fault.

    >>> images = np.array([[1.0], [2.0], [1.0]])
    >>> batch_faults((images, np.array([0, 1, 1])), ids=["a", "b", "c"])
    ['2 images in the batch have different targets, but are equal as the network sees them: a, c']
    """
    inputs, targets = (_rows(part) for part in batch)
    faults = []
    lost = [name for name, row in zip(ids, inputs, strict=True) if not all(map(_is_finite, row))]
    if lost:
        faults.append(f"{len(lost)} of {len(inputs)} images have values that are infinite or not a number: {_named(lost)}")
    groups: dict[bytes, list[int]] = {}
    for number, row in enumerate(inputs):
        groups.setdefault(_bytes(row), []).append(number)
    if len(groups) == 1 and len(inputs) > 1:
        faults.append(f"all {len(inputs)} images are the same as the network sees them")
    torn = [number for group in groups.values() if len({_bytes(targets[n]) for n in group}) > 1 for number in group]
    if torn:
        names = _named([ids[number] for number in torn])
        faults.append(
            f"{len(torn)} images in the batch have different targets, but are equal as the network sees them: {names}"
        )
    return faults


def lost_weights(network: keras.Model) -> list[str]:
    """Finds layers whose weights are not all finite. ReLU units can hide them: TensorFlow's return 0 for not-a-number.

    Returns:
        A sentence that names the layers, or an empty list.
    """
    lost = dict.fromkeys(_layer(weight, network) for weight in network.weights if not _is_finite(weight.numpy()))
    return [f"weights are infinite or not a number: {_named(list(lost))}"] if lost else []


def unmoved_layers(network: keras.Model, objective: Objective, batch: tuple[Any, Any]) -> list[str]:
    """Finds layers whose gradients are all zero or missing for this batch.

    Args:
        network: in training mode.
        objective: its loss.
        batch: (inputs, targets), tensors whose first axis is the example.

    Returns:
        A sentence that names the layers, or an empty list.

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
    """The arrays of each example."""
    arrays = [np.asarray(each) for each in keras.tree.flatten(part)]
    return [[array[row] for array in arrays] for row in range(len(arrays[0]))]


def _bytes(row: list[np.ndarray]) -> bytes:
    return b"".join(array.tobytes() for array in row)


def _is_finite(array: np.ndarray) -> bool:
    return array.dtype.kind not in "fc" or bool(np.isfinite(array).all())


def _named(names: Sequence[str]) -> str:
    return shortened(names, most=MOST_NAMED)
