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
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from pathlib import Path

import keras
import numpy as np
from keras import layers

from kerasvision.errors import ConfigError
from kerasvision.models.table import find
from kerasvision.models.weight_files import Stored

# How a name of the file becomes ours. The numbers are those that the pattern finds.
Rule = tuple[str, Callable[..., str]]

_PARTS = ("weight", "bias", "running_mean", "running_var")
# A counter of PyTorch's norms, which Keras does not have.
_UNUSED = "num_batches_tracked"
_KINDS = {"conv": "conv", "bn": "norm", "norm": "norm"}

RESNET: tuple[Rule, ...] = (
    (r"conv1", lambda: "stem_conv"),
    (r"bn1", lambda: "stem_norm"),
    (r"layer(\d)\.(\d+)\.(conv|bn)(\d)", lambda s, b, kind, n: f"stage{s + 1}_block{b + 1}_{_KINDS[kind]}{n}"),
    (r"layer(\d)\.(\d+)\.downsample\.0", lambda s, b: f"stage{s + 1}_block{b + 1}_shortcut_conv"),
    (r"layer(\d)\.(\d+)\.downsample\.1", lambda s, b: f"stage{s + 1}_block{b + 1}_shortcut_norm"),
    (r"fc", lambda: "logits"),
)

DENSENET: tuple[Rule, ...] = (
    (r"features\.conv0", lambda: "stem_conv"),
    (r"features\.norm0", lambda: "stem_norm"),
    # The older files of torchvision have a dot before the number.
    (
        r"features\.denseblock(\d)\.denselayer(\d+)\.(conv|norm)\.?(\d)",
        lambda s, n, kind, k: f"stage{s + 1}_layer{n}_{_KINDS[kind]}{k}",
    ),
    (r"features\.transition(\d)\.(conv|norm)", lambda s, kind: f"transition{s + 1}_{_KINDS[kind]}"),
    (r"features\.norm5", lambda: "final_norm"),
    (r"classifier", lambda: "logits"),
)

VGG_HEAD: tuple[Rule, ...] = (
    (r"classifier\.0|pre_logits\.fc1", lambda: "hidden1_dense"),
    (r"classifier\.3|pre_logits\.fc2", lambda: "hidden2_dense"),
    (r"classifier\.6|head\.fc", lambda: "logits"),
)

LITE: tuple[Rule, ...] = (
    (r"_?conv_stem", lambda: "stem_conv"),
    (r"_bn0|bn1", lambda: "stem_norm"),
    (r"_?conv_head", lambda: "final_conv"),
    (r"_bn1|bn2", lambda: "final_norm"),
    (r"_fc|classifier", lambda: "logits"),
)
# In the first stage a block has no expansion, so timm's other names move up by one.
_LITE_PARTS = {
    "_expand_conv": "expand_conv", "_bn0": "expand_norm", "_depthwise_conv": "depthwise_conv", "_bn1": "depthwise_norm",
    "_project_conv": "project_conv", "_bn2": "project_norm",
    "conv_pw": "expand_conv", "bn1": "expand_norm", "conv_dw": "depthwise_conv", "bn2": "depthwise_norm",
    "conv_pwl": "project_conv", "bn3": "project_norm",
}  # fmt: skip
_LITE_FIRST = {
    "conv_dw": "depthwise_conv", "bn1": "depthwise_norm", "conv_pw": "project_conv", "bn2": "project_norm",
}  # fmt: skip

FAMILIES = ("resnet", "vgg", "densenet", "efficientnet_lite")
# Networks of these families that no library of PyTorch has.
_NOT_IN_PYTORCH = ("densenet_small",)


def family_of(network: str) -> str | None:
    """The family of a network whose weights can be read from such a file; None for other networks.

    >>> family_of("resnet50"), family_of("lenet5"), family_of("densenet_small")
    ('resnet', None, None)
    """
    row = find(network)
    return row.family if row is not None and row.family in FAMILIES and network not in _NOT_IN_PYTORCH else None


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
        if part != _UNUSED:
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
    rules = {"resnet": RESNET, "densenet": DENSENET, "vgg": VGG_HEAD, "efficientnet_lite": LITE}[family]
    found = {name: ours for name in theirs if (ours := _translated(name, rules)) is not None}
    if family == "vgg":
        found |= _in_a_row(layers_in_order, theirs)
    if family == "efficientnet_lite":
        found |= _in_blocks(layers_in_order, theirs)
    return found


def _translated(name: str, rules: Iterable[Rule]) -> str | None:
    for pattern, ours in rules:
        if match := re.fullmatch(pattern, name):
            return ours(*(int(group) if group.isdecimal() else group for group in match.groups()))
    return None


def _in_a_row(layers_in_order: Sequence[str], theirs: Sequence[str]) -> dict[str, str]:
    """VGG's convolutions and norms are numbered together with the layers without weights: matched by their order.

    A `.safetensors` file lists its tensors in another order.
    """
    features = sorted((name for name in theirs if re.fullmatch(r"features\.\d+", name)), key=lambda name: int(name[9:]))
    return dict(zip(features, (name for name in layers_in_order if name.startswith("block")), strict=False))


def _in_blocks(layers_in_order: Sequence[str], theirs: Sequence[str]) -> dict[str, str]:
    """EfficientNet-Lite's blocks are numbered through, or by stage and block from 0."""
    blocks = list(dict.fromkeys(re.findall(r"stage\d_block\d+", " ".join(layers_in_order))))
    found = {}
    for name in theirs:
        part: str | None
        if match := re.fullmatch(r"_blocks\.(\d+)\.(\w+)", name):
            number, part = int(match[1]), _LITE_PARTS.get(match[2])
            block = blocks[number] if number < len(blocks) else f"block{number}"
        elif match := re.fullmatch(r"blocks\.(\d+)\.(\d+)\.(\w+)", name):
            part = (_LITE_FIRST if match[1] == "0" else _LITE_PARTS).get(match[3])
            block = f"stage{int(match[1]) + 2}_block{int(match[2]) + 1}"
        else:
            continue
        found[name] = f"{block}_{part}"
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
