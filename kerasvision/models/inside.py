"""What is inside a trained network: the outputs of its layers, and the filters of its first layer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from kerasvision.errors import ConfigError
from kerasvision.lookup import did_you_mean


@dataclass(frozen=True)
class Filters:
    """The weights of the first layer as pictures.

    Attributes:
        layer: its name.
        weights: float32 (K, h, w, C): what each of its K outputs multiplies the channels of the image with.
        are_templates: whether each of them covers the whole image, and is compared with it directly.
    """

    layer: str
    weights: np.ndarray
    are_templates: bool


def inside(model: keras.Model, layer: str) -> keras.Model:
    """A network from the image to [output of a layer, outputs of the network]. The weights are shared.

    Args:
        model: a functional network of one image.
        layer: the name of one of its layers.

    Raises:
        ConfigError: the network has no such layer, or one without a single output.

    >>> from kerasvision.models import build
    >>> lenet5 = build("lenet5", image_shape=(28, 28, 1), num_classes=10)
    >>> [tuple(tensor.shape[1:]) for tensor in inside(lenet5, "conv1").outputs]
    [(28, 28, 6), (10,)]
    """
    found = dict(_outputs(model))
    if layer not in found:
        raise ConfigError(f"the network has no layer {layer!r} with one output; {did_you_mean(layer, found)}")
    return keras.Model(model.inputs[0], [found[layer], model.outputs[0]])


def last_maps(model: keras.Model) -> str:
    """The name of the last layer whose output has places: maps of more than one cell.

    Selvaraju et al., 2017, section 3, take it for Grad-CAM: later layers lose the places, earlier ones know less of classes.

    Raises:
        ConfigError: no layer has such maps after the image itself.

    >>> from kerasvision.models import build
    >>> last_maps(build("lenet5", image_shape=(28, 28, 1), num_classes=10))
    'pool2'
    """
    first = next((layer.name for layer in model.layers if layer.weights), "")
    names = [name for name, output in _outputs(model) if len(output.shape) == 4 and output.shape[1] * output.shape[2] > 1]
    # What comes before the first weights is the image itself, at most scaled.
    names = names[names.index(first) :] if first in names else []
    if not names:
        raise ConfigError(
            "Grad-CAM requires a network with maps, and this one has no layer with more than one place",
            hint="use --method occlusion or --method integrated_gradients",
        )
    return names[-1]


def first_filters(model: keras.Model) -> Filters:
    """The weights of the first layer that has a kernel.

    Raises:
        ConfigError: that layer is neither a convolution nor a dense layer of the flattened image.

    >>> from kerasvision.models import build
    >>> filters = first_filters(build("lenet5", image_shape=(28, 28, 1), num_classes=10))
    >>> filters.layer, filters.weights.shape, filters.are_templates
    ('conv1', (6, 5, 5, 1), False)
    """
    _, height, width, channels = model.inputs[0].shape
    layer = next((one for one in model.layers if getattr(one, "kernel", None) is not None), None)
    if isinstance(layer, layers.Conv2D) and not isinstance(layer, layers.DepthwiseConv2D):
        return Filters(layer.name, np.moveaxis(_numbers(layer.kernel), -1, 0), are_templates=False)
    if isinstance(layer, layers.Dense) and layer.kernel.shape[0] == height * width * channels:
        weights = _numbers(layer.kernel).T.reshape(layer.units, height, width, channels)
        return Filters(layer.name, weights, are_templates=True)
    raise ConfigError(
        "filters can be shown if the first layer is a convolution, or a dense layer of the flattened image",
        received="a network without a kernel" if layer is None else f"{type(layer).__name__} {layer.name!r}",
        hint="--layer NAME shows what a layer answers for an image",
    )


def _outputs(model: keras.Model) -> Iterator[tuple[str, Any]]:
    """(name, symbolic output) of the layers after the input, in order, if they have one output; of several uses the last."""
    nodes = getattr(model, "_nodes_by_depth", None) or getattr(getattr(model, "_functional", None), "_nodes_by_depth", None)
    if nodes is None:
        raise ConfigError("this requires a network made of connected Keras layers", received=type(model).__name__)
    last = {node.operation.name: node for depth in sorted(nodes, reverse=True) for node in nodes[depth]}
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer) or layer.name not in last:
            continue
        outputs = last[layer.name].output_tensors
        if len(outputs) == 1:
            yield layer.name, outputs[0]


def _numbers(kernel: Any) -> np.ndarray:
    numbers: np.ndarray = keras.ops.convert_to_numpy(keras.ops.cast(kernel, "float32"))
    return numbers
