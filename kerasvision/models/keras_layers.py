"""What keras.applications calls the layers of its networks, and what we call the same layers.

A weights file of keras.applications lists its layers by its own names. If a name says what the layer is, a table here
translates it. The layers of Inception v3 are only numbered; they are matched by their order.
"""

import re
from collections.abc import Iterable
from functools import cache

import keras

HEAD = ((r"predictions|probs|fc1000", "logits"),)

VGG = (
    (r"block(\d)_conv(\d)", r"block\1_conv\2"),
    (r"fc([12])", r"hidden\1_dense"),
    *HEAD,
)

RESNET = (
    (r"conv1_conv", "stem_conv"),
    (r"conv1_bn", "stem_norm"),
    (r"conv(\d)_block(\d+)_0_conv", r"stage\1_block\2_shortcut_conv"),
    (r"conv(\d)_block(\d+)_0_bn", r"stage\1_block\2_shortcut_norm"),
    (r"conv(\d)_block(\d+)_([123])_conv", r"stage\1_block\2_conv\3"),
    (r"conv(\d)_block(\d+)_([123])_bn", r"stage\1_block\2_norm\3"),
    *HEAD,
)

RESNET_V2 = (
    (r"conv(\d)_block(\d+)_preact_bn", r"stage\1_block\2_preact_norm"),
    (r"post_bn", "final_norm"),
    *RESNET,
)

DENSENET = (
    (r"conv1[_/]conv", "stem_conv"),  # with a slash in the files, with an underscore in today's source
    (r"conv1[_/]bn", "stem_norm"),
    (r"conv(\d)_block(\d+)_0_bn", r"stage\1_layer\2_norm1"),
    (r"conv(\d)_block(\d+)_1_conv", r"stage\1_layer\2_conv1"),
    (r"conv(\d)_block(\d+)_1_bn", r"stage\1_layer\2_norm2"),
    (r"conv(\d)_block(\d+)_2_conv", r"stage\1_layer\2_conv2"),
    (r"pool(\d)_bn", r"transition\1_norm"),
    (r"pool(\d)_conv", r"transition\1_conv"),
    (r"bn", "final_norm"),
    *HEAD,
)

# The units of each module of Inception v3, in the order in which keras.applications makes them.
_STEM = ("conv1", "conv2", "conv3", "conv4", "conv5")
_FIGURE_5 = ("1x1", "5x5_reduce", "5x5", "3x3_reduce", "3x3_1", "3x3_2", "pool_proj")
_TO_17 = ("3x3", "double_reduce", "double_3x3_1", "double_3x3_2")
_FIGURE_6 = (
    "1x1", "7x7_reduce", "7x7_1x7", "7x7_7x1",
    "double_reduce", "double_7x1_1", "double_1x7_1", "double_7x1_2", "double_1x7_2", "pool_proj",
)  # fmt: skip
_TO_8 = ("3x3_reduce", "3x3", "7x7_reduce", "7x7_1x7", "7x7_7x1", "7x7_3x3")
_FIGURE_7 = (
    "1x1", "3x3_reduce", "3x3_1x3", "3x3_3x1", "double_reduce", "double_3x3", "double_1x3", "double_3x1", "pool_proj",
)  # fmt: skip
_MODULES = (*[_FIGURE_5] * 3, _TO_17, *[_FIGURE_6] * 4, _TO_8, *[_FIGURE_7] * 2)
INCEPTION_V3 = (*_STEM, *(f"mixed{number}_{unit}" for number, units in enumerate(_MODULES) for unit in units))


def our_names(network: str, theirs: Iterable[str]) -> dict[str, str]:
    """The file's name of a layer -> our name of it. A layer that we do not know keeps its name.

    Args:
        network: our name of the network.
        theirs: the names of the file's layers that have weights, in the file's order.

    >>> our_names("resnet50", ["conv1_conv", "conv2_block1_0_bn", "predictions"])
    {'conv1_conv': 'stem_conv', 'conv2_block1_0_bn': 'stage2_block1_shortcut_norm', 'predictions': 'logits'}
    """
    if network == "inception_v3":
        # The head, if there is one, comes last.
        return dict(zip(theirs, [*_inception_by_order(), "logits"], strict=False))
    family = network.rstrip("0123456789")
    table = {"vgg": VGG, "resnet": RESNET, "densenet": DENSENET}.get(family, RESNET_V2)
    return {name: _translated(name, table) for name in theirs}


def _translated(name: str, table: Iterable[tuple[str, str]]) -> str:
    matches = ((re.fullmatch(pattern, name), ours) for pattern, ours in table)
    return next((match.expand(ours) for match, ours in matches if match), name)


@cache
def _inception_by_order() -> tuple[str, ...]:
    """Our names of Inception v3's layers, in the order of a file of weights.

    Names in a file cannot be translated: the numbers in them depend on what the Keras process had built before.
    Keras itself loads them in the order of the layers in its own network. It makes and numbers them in the order of
    `INCEPTION_V3`, but lists them by their distance from the logits.
    """
    reference = keras.applications.InceptionV3(include_top=False, weights=None, input_shape=(75, 75, 3))
    made = [layer.name for layer in reference.layers if layer.weights]
    ours: dict[str, str] = {}
    for kind, ending in ("conv2d", "conv"), ("batch_normalization", "norm"):
        numbered = sorted((name for name in made if name.startswith(kind)), key=_number)
        ours |= {name: f"{unit}_{ending}" for name, unit in zip(numbered, INCEPTION_V3, strict=True)}
    return tuple(ours[name] for name in made)


def _number(name: str) -> int:
    """17 for "conv2d_17"; 0 for "conv2d", the first in a process."""
    number = name.rpartition("_")[2]
    return int(number) if number.isdecimal() else 0
