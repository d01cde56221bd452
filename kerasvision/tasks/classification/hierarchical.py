"""Hierarchical softmax: a class is found by the decisions on its path through a binary tree.

    p(class | image) = product over the inner nodes n of its path of sigmoid(sign_n * (w_n . features + b_n))

A training step computes the nodes on the paths of its labels, about log2 C for each image instead of C, and updates the
weights of these alone. An answer computes all C - 1 nodes; its probabilities sum to 1 because those of two branches do.

Source: Morin & Bengio, 2005, "Hierarchical Probabilistic Neural Network Language Model", section 3.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from kerasvision import config as c
from kerasvision.config.hierarchy import read_hierarchy
from kerasvision.errors import ConfigError
from kerasvision.ops.rows import update_rows_only
from kerasvision.tasks.classification.tree import Tree, groups_of, tree_of

FEATURES, NODES, PATHS = "tree_features", "tree", "paths"


def class_tree(settings: c.Classification, classes: Sequence[str], counts: Sequence[int]) -> Tree:
    """The tree of these classes, inside the hierarchy of the settings if there is one.

    Args:
        settings: of the task.
        classes: class names in the order of their numbers.
        counts: how many training images each class has.

    Raises:
        ConfigError: the hierarchy misses a class, or there is only one class.
    """
    if len(classes) < 2:
        raise ConfigError("loss='hierarchical' requires at least two classes", received=", ".join(classes))
    hierarchy = None if settings.hierarchy is None else read_hierarchy(settings.hierarchy)
    return tree_of(counts, groups=None if hierarchy is None else groups_of(classes, hierarchy))


def on_paths(batch: Mapping[str, tf.Tensor], tree: Tree, *, weights: np.ndarray) -> tuple[Any, Any]:
    """Inputs and targets of a batch: (images, int32 (N, L) nodes), and what `path_losses` takes.

    Args:
        batch: "image", and "label", int64 (N,).
        tree: of the classes.
        weights: float32 (C,), of the classes.

    Raises:
        ConfigError: images were mixed.
    """
    if "label_shares" in batch:
        raise ConfigError("a mixed image has two paths in a tree", hint="remove augmentations that mix images")
    label = batch["label"]
    targets = {"signs": tf.gather(tree.signs, label), "weight": tf.gather(weights, label)}
    return (batch["image"], tf.gather(tree.nodes, label)), targets


def with_tree(network: keras.Model, tree: Tree, *, name: str) -> keras.Model:
    """A network to train: its last dense layer is replaced by the nodes of a tree.

    The bias of a node is the weight of a last feature, which is 1.

    Args:
        network: from images to (N, units) by a dense layer.
        tree: of the classes.
        name: of the network, for messages.

    Returns:
        Model from images and int32 (N, L) nodes, the paths of the labels, to float32 (N, L): their outputs before the
        sigmoid.

    Raises:
        ConfigError: the network does not end with a dense layer.
    """
    last = getattr(getattr(network, "output", None), "_keras_history", (None,))[0]
    if not isinstance(last, keras.layers.Dense) or len(last.input.shape) != 2:
        raise ConfigError(
            f"loss='hierarchical' requires a network that ends with a Dense layer on features (N, D), and {name} does not",
            hint="choose another network, or loss='cross_entropy'",
        )
    features = keras.layers.Concatenate(name=FEATURES, dtype="float32")([last.input, ops.ones_like(last.input[:, :1])])
    nodes = keras.layers.ReversibleEmbedding(
        len(tree.classes) - 1,
        features.shape[-1],
        embeddings_initializer="glorot_uniform",
        dtype="float32",
        name=NODES,
    )
    paths = keras.Input((tree.nodes.shape[1],), dtype="int32", name=PATHS)
    outputs = ops.einsum("nld,nd->nl", nodes(paths), features)
    update_rows_only(nodes.embeddings)
    made = keras.Model([network.input, paths], outputs, name=network.name)
    made.tree = tree
    return made


def answering(network: keras.Model) -> keras.Model:
    """The network to save, of stock Keras layers: from images to the logarithms of the classes' probabilities.

    Args:
        network: the result of `with_tree`. Weights are shared.

    Returns:
        Model from images to float32 (N, C).
    """
    features = network.get_layer(FEATURES).output
    every = network.get_layer(NODES)(features, reverse=True)
    image = network.inputs[0]
    return keras.Model(image, class_logarithms(every, network.tree), name=network.name)


def class_logarithms(nodes: Any, tree: Tree) -> Any:
    """The logarithm of each class's probability, (N, C), from the outputs of all nodes, (N, C - 1).

    Level by level: a branch has the probability of its node, times that of the decision for it.

    >>> from kerasvision.tasks.classification.tree import tree_of
    >>> nodes = tf.constant([[0.0, 1.0]])
    >>> tf.exp(class_logarithms(nodes, tree_of([5, 1, 2]))).numpy().round(4)  # 1/2, 1/2 sigmoid(1), 1/2 sigmoid(-1)
    array([[0.5   , 0.3655, 0.1345]], dtype=float32)
    """
    first = ops.log_sigmoid(nodes)
    second = first - nodes  # log sigmoid(-x) = log sigmoid(x) - x
    above, leaves, start = ops.zeros_like(nodes[:, :1]), [], 0
    for level in tree.levels:
        end = start + level.nodes
        branches = ops.concatenate([above + first[:, start:end], above + second[:, start:end]], axis=1)
        if len(level.leaves):
            leaves.append(ops.take(branches, level.leaves, axis=1))
        above, start = ops.take(branches, level.inner, axis=1) if len(level.inner) else None, end
    places = tree.classes.argsort().astype("int32")
    return ops.take(ops.concatenate(leaves, axis=1), places, axis=1)


def path_losses(targets: Any, outputs: tf.Tensor, *, training: bool = False) -> tf.Tensor:
    """float32 (N,): -log of the probability of each image's class, times the weight of the class.

    Args:
        targets: "signs", float32 (N, L), of `Tree`; "weight", float32 (N,).
        outputs: (N, L), of the nodes of the same paths.
        training: not used.
    """
    return targets["weight"] * _unlikeliness(targets["signs"], outputs)


class PathLogLoss(keras.metrics.Mean):
    """The mean of -log p of the true class."""

    def update_state(self, targets: Any, outputs: tf.Tensor, sample_weight: tf.Tensor | None = None) -> None:
        """Adds a batch: arguments as for `path_losses`; `sample_weight` is float32 (N,)."""
        super().update_state(_unlikeliness(targets["signs"], outputs), sample_weight)


class PathAccuracy(keras.metrics.Mean):
    """The share of images for which every decision on the path to the true class is right.

    For these images, going down from the root by the likelier branch ends at the true class.
    """

    def update_state(self, targets: Any, outputs: tf.Tensor, sample_weight: tf.Tensor | None = None) -> None:
        """Adds a batch: arguments as for `path_losses`; `sample_weight` is float32 (N,)."""
        signs = targets["signs"]
        is_right = tf.reduce_all((tf.cast(outputs, tf.float32) * signs > 0) | (signs == 0), axis=1)
        super().update_state(tf.cast(is_right, tf.float32), sample_weight)


def _unlikeliness(signs: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.abs(signs) * tf.nn.softplus(-signs * tf.cast(outputs, tf.float32)), axis=1)
