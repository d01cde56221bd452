"""What PyTorch's libraries call the layers of our networks: rules from their names to ours, without Keras.

`kerasvision.models.torch_layers` reads a file of weights with these rules. Here they say, before anything runs, that a file
is of another network.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from kerasvision.errors import ConfigError
from kerasvision.lookup import MODELS

# How a name of the file becomes ours. The numbers are those that the pattern finds.
Rule = tuple[str, Callable[..., str]]

# A counter of PyTorch's norms, which Keras does not have.
UNUSED = "num_batches_tracked"
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

_RULES = {"resnet": RESNET, "densenet": DENSENET, "vgg": VGG_HEAD, "efficientnet_lite": LITE}
# Networks of these families that no library of PyTorch has.
_NOT_IN_PYTORCH = ("densenet_small",)


def family_of(network: str) -> str | None:
    """The family of a network whose weights can be read from such a file; None for other networks.

    >>> family_of("resnet50"), family_of("lenet5"), family_of("densenet_small")
    ('resnet', None, None)
    """
    if network not in MODELS or network in _NOT_IN_PYTORCH:
        return None
    family = MODELS.path(network).partition(":")[0].rpartition(".")[2]
    return family if family in _RULES else None


def check_names(network: str, tensors: Iterable[str], file: Path) -> None:
    """Rejects the file of a network of another family; one of another size of the family is found by the trainer.

    Args:
        network: whose `family_of` is known.
        tensors: their names in the file, such as "layer1.0.conv1.weight".
        file: for the error.

    Raises:
        ConfigError: no network of the family has a layer of the file.

    >>> check_names("resnet18", ["conv1.weight", "bn1.num_batches_tracked", "fc.bias"], Path("a.safetensors"))
    >>> check_names("resnet18", ["conv_stem.weight", "bn1.weight"], Path("a.safetensors"))
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: the weights file a.safetensors has a layer 'conv_stem' that resnet18 lacks. The layers of
    the file have the names of efficientnet_lite: set model.name to the network that it was trained with.
    """
    layers = [layer for layer, _, part in (name.rpartition(".") for name in tensors) if part != UNUSED]
    unknown = next((layer for layer in layers if not _is_known(layer, family_of(network) or "")), None)
    if unknown is None:
        return
    fitting = [family for family in _RULES if all(_is_known(layer, family) for layer in layers)]
    names = f"have the names of {' or '.join(fitting)}" if fitting else "have the names of no network here"
    raise ConfigError(
        f"the weights file {file} has a layer {unknown!r} that {network} lacks",
        hint=f"the layers of the file {names}: set model.name to the network that it was trained with",
    )


def translated(layer: str, family: str) -> str | None:
    """Our name of a layer of the file; None if its name alone does not determine it.

    >>> translated("layer1.0.bn2", "resnet"), translated("features.3", "vgg")
    ('stage2_block1_norm2', None)
    """
    for pattern, ours in _RULES[family]:
        if match := re.fullmatch(pattern, layer):
            return ours(*(int(group) if group.isdecimal() else group for group in match.groups()))
    return None


def in_a_row(layer: str) -> bool:
    """Whether this is one of VGG's convolutions and norms, which are numbered through."""
    return re.fullmatch(r"features\.\d+", layer) is not None


def in_a_block(layer: str) -> tuple[int | str, str] | None:
    """The block of a layer of EfficientNet-Lite, by its number or by our name, and the part of the block; None for others.

    >>> in_a_block("_blocks.3._bn0"), in_a_block("blocks.0.0.conv_pw"), in_a_block("blocks.1.0.se.conv_reduce")
    ((3, 'expand_norm'), ('stage2_block1', 'project_conv'), None)
    """
    if match := re.fullmatch(r"_blocks\.(\d+)\.(\w+)", layer):
        block: int | str = int(match[1])
        part = _LITE_PARTS.get(match[2])
    elif match := re.fullmatch(r"blocks\.(\d+)\.(\d+)\.(\w+)", layer):
        block = f"stage{int(match[1]) + 2}_block{int(match[2]) + 1}"
        part = (_LITE_FIRST if match[1] == "0" else _LITE_PARTS).get(match[3])
    else:
        return None
    return None if part is None else (block, part)


def _is_known(layer: str, family: str) -> bool:
    if translated(layer, family) is not None:
        return True
    return (family == "vgg" and in_a_row(layer)) or (family == "efficientnet_lite" and in_a_block(layer) is not None)
