"""How often a functional model calls its layers for one image, and with tensors of which sizes.

A network may put several rows for one image into the batch: R-CNN reads P crops of each image with its backbone. Keras does
not know these rows, because the batch has no size in a functional model. So the shapes are computed once more, for a batch
of one image.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
from keras import KerasTensor


class Use(NamedTuple):
    """One call of a layer, for one image.

    Attributes:
        inputs: the tensors that it takes, flattened. They have shapes and types, and no numbers.
        outputs: what it returns, flattened. The first axis of each is the rows that one image has in the batch, usually 1.
    """

    inputs: tuple[KerasTensor, ...]
    outputs: tuple[KerasTensor, ...]


def uses_of(model: keras.Model, inputs: Sequence[KerasTensor] | None = None) -> dict[int, list[Use]]:
    """Layer, by its id -> its calls, in the order in which the network was built.

    Args:
        model: a functional model, or a `Sequential` one.
        inputs: what it takes, of any dtype and shape, with a batch of known size; None: one image. An axis of unknown length
            stays unknown.

    >>> image = keras.Input((8, 8, 3))  # four quarters, as rows of a batch
    >>> quarters = keras.ops.reshape(image, (-1, 4, 4, 3))
    >>> conv = keras.layers.Conv2D(6, 3)
    >>> model = keras.Model(image, conv(quarters))
    >>> [use.outputs[0].shape for use in uses_of(model)[id(conv)]]
    [(4, 2, 2, 6)]
    """
    graph = graph_of(model)
    given = [KerasTensor((1, *one.shape[1:]), one.dtype) for one in graph.inputs] if inputs is None else inputs
    known = {id(ours): theirs for ours, theirs in zip(graph.inputs, given, strict=True)}
    found: dict[int, dict[int, Use]] = {}
    for node in calls_of(graph):
        if not node.is_input:
            args, kwargs = node.arguments.fill_in(known)
            shapes = [one.shape for one in keras.tree.flatten(node.operation.compute_output_spec(*args, **kwargs))]
            # The type is that of the model's own tensor, which is computed in the layer's precision.
            known |= {
                id(ours): KerasTensor(shape, ours.dtype) for ours, shape in zip(node.output_tensors, shapes, strict=True)
            }
        read, made = (tuple(known[id(one)] for one in part) for part in (node.input_tensors, node.output_tensors))
        found.setdefault(id(node.operation), {})[node.operation._inbound_nodes.index(node)] = Use(read, made)
    return {layer: [use for _, use in sorted(uses.items())] for layer, uses in found.items()}


def calls_of(graph: keras.Model) -> list[Any]:
    """The calls of the layers and operations of a graph, each after those whose results it takes: Keras' nodes."""
    by_depth = graph._nodes_by_depth  # Keras has no public name for it
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def outputs_of(model: keras.Model, layer: keras.Layer) -> list[KerasTensor]:
    """What a layer returns in each of its calls in a functional model: of a convolution, float32 (N, h, w, channels)."""
    return [node.output_tensors[0] for node in calls_of(model) if node.operation is layer]


def graph_of(model: keras.Model) -> keras.Model:
    """The functional model itself, or the one in which a `Sequential` model keeps its graph."""
    return getattr(model, "_functional", model)
