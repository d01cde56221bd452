"""What PyTorch's libraries call the layers of a network, and the arrays of these layers in our order and our axes.

Four libraries: torchvision, timm, and for EfficientNet-Lite also efficientnet-lite-pytorch. Some networks are named alike in
several of them. A layer has up to four tensors, in this order, which is that of Keras:

    convolution, dense layer    weight, bias
    normalisation               weight, bias, running_mean, running_var

    kernels of        PyTorch                        Keras
    a convolution     out, in, height, width         height, width, in, out
    by channel        channels, 1, height, width     height, width, channels, 1
    a dense layer     out, in                        in, out
"""

import re
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

import keras
import numpy as np
from keras import layers

from kerasvision.config.torch_names import UNUSED, in_a_block, in_a_row, translated
from kerasvision.errors import ConfigError
from kerasvision.models.weight_files import Stored

_PARTS = ("weight", "bias", "running_mean", "running_var")


def our_layers(model: keras.Model, family: str, tensors: Mapping[str, Stored], file: Path) -> dict[str, Sequence[Stored]]:
    """Our name of each layer in the file -> its arrays, with our axes.

    Args:
        model: the network with a head. With a head for another number of classes, the arrays of the head keep their sizes.
        family: of the network, one of `FAMILIES`.
        tensors: by the names in the file.
        file: for errors.

    Raises:
        ConfigError: the network lacks a layer of the file; the message has the layer's name in the file.
    """
    grouped: dict[str, dict[str, Stored]] = {}
    for name, tensor in tensors.items():
        layer, _, part = name.rpartition(".")
        if part != UNUSED:
            grouped.setdefault(layer, {})[part] = tensor
    ours = our_names(family, [layer.name for layer in model.layers if layer.weights], list(grouped))
    by_name = {layer.name: layer for layer in model.layers if layer.weights}
    found: dict[str, Sequence[Stored]] = {}
    for theirs, parts in grouped.items():
        own = ours.get(theirs, "")
        if own not in by_name or not set(parts) <= set(_PARTS):
            raise ConfigError(
                f"the weights file {file} has a layer {theirs!r} ({', '.join(parts)}) that {model.name} lacks",
                hint="name the network and the options that the file was trained with",
            )
        found[own] = [turned(parts[part], by_name[own], model) for part in _PARTS if part in parts]
    return found


def our_names(family: str, layers_in_order: Sequence[str], theirs: Sequence[str]) -> dict[str, str]:
    """The file's name of a layer -> our name of it, for the layers that we know.

    Args:
        family: one of `FAMILIES`.
        layers_in_order: our layers with weights.
        theirs: the file's layers, in any order.

    >>> our_names("resnet", [], ["conv1", "layer1.0.bn2", "layer4.1.downsample.0", "fc", "other"])
    {'conv1': 'stem_conv', 'layer1.0.bn2': 'stage2_block1_norm2', 'layer4.1.downsample.0': 'stage5_block2_shortcut_conv',
     'fc': 'logits'}
    """
    found = {name: ours for name in theirs if (ours := translated(name, family)) is not None}
    if family == "vgg":
        found |= _in_a_row(layers_in_order, theirs)
    if family == "efficientnet_lite":
        found |= _in_blocks(layers_in_order, theirs)
    return found


def _in_a_row(layers_in_order: Sequence[str], theirs: Sequence[str]) -> dict[str, str]:
    """VGG's convolutions and norms are numbered together with the layers without weights: matched by their order.

    A `.safetensors` file lists its tensors in another order.
    """
    features = sorted((name for name in theirs if in_a_row(name)), key=lambda name: int(name[9:]))
    return dict(zip(features, (name for name in layers_in_order if name.startswith("block")), strict=False))


def _in_blocks(layers_in_order: Sequence[str], theirs: Sequence[str]) -> dict[str, str]:
    """EfficientNet-Lite's blocks are numbered through, or by stage and block from 0."""
    blocks = list(dict.fromkeys(re.findall(r"stage\d_block\d+", " ".join(layers_in_order))))
    found = {}
    for name in theirs:
        place, part = in_a_block(name) or (None, "")
        if isinstance(place, int):
            found[name] = f"{blocks[place] if place < len(blocks) else f'block{place}'}_{part}"
        elif place is not None:
            found[name] = f"{place}_{part}"
    return found


class Turned:
    """A tensor of PyTorch with Keras' axes.

    Attributes:
        shape: after turning.
    """

    def __init__(self, tensor: Stored, split: Sequence[int], axes: Sequence[int], shape: Sequence[int]) -> None:
        """`split`: the tensor's shape before its axes are put into the order `axes`; `shape`: that after it."""
        self._tensor, self._split, self._axes = tensor, split, axes
        self.shape = tuple(shape)

    def read(self) -> np.ndarray:
        """The numbers: float32, of `shape`."""
        return self._tensor.read().reshape(self._split).transpose(self._axes).reshape(self.shape)


def turned(tensor: Stored, layer: keras.Layer, model: keras.Model) -> Stored:
    """A tensor with the axes of the layer that takes it. A tensor that is not a kernel stays as it is."""
    shape = tensor.shape
    if isinstance(layer, layers.Dense) and len(shape) in (2, 4):
        channels_first = _flattened(layer, model) if len(shape) == 2 else shape[1:]
        if prod(channels_first) == prod(shape[1:]):
            split = (shape[0], *channels_first)
            return Turned(tensor, split, (*range(2, len(split)), 1, 0), (prod(shape[1:]), shape[0]))
        return Turned(tensor, shape, (1, 0), shape[::-1])
    if len(shape) == 4:
        axes = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
        return Turned(tensor, shape, axes, [shape[axis] for axis in axes])
    return tensor


def _flattened(layer: keras.Layer, model: keras.Model) -> tuple[int, ...]:
    """The axes of the map that a dense layer reads flattened, channels first; its input's one axis if it reads no map."""
    before = layer._inbound_nodes[0].input_tensors[0]._keras_history.operation
    if isinstance(before, layers.Flatten):
        height, width, channels = before.input.shape[1:]
        return channels, height, width
    return (layer.kernel.shape[0],)
