"""Which values the options of networks can have, checked without Keras.

So a pipeline file is rejected when it is read, not when the trainer builds the network, which makes the same checks.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeGuard, get_args

from kerasvision.errors import ConfigError
from kerasvision.lookup import did_you_mean

HeadNorm = Literal["group", "batch", "none"]
Distances = Literal["relu", "exp"]
Pooling = Literal["mean", "flatten"]
# Of the localizer's corners.
Squashing = Literal["sigmoid", "linear"]
# Of the autoencoder's decoder.
Upsampled = Literal["nearest", "transposed"]
# `kerasvision.models.units` says what each of these is.
Activation = Literal["sigmoid", "tanh", "relu", "leaky_relu", "elu", "maxout"]
Initialization = Literal["small_normal", "xavier", "he", "zeros", "sparse"]

# Where a norm or a sum stands between the convolution and the activation, there are no two sums to choose the larger from.
_MAXOUT = ("mlp", "lenet5", "alexnet", "alexnet_2012", "nin")
_PAPERS = {"alexnet_2012": ("paper",)}

# A larger factor than this on the channels of a backbone is a mistake.
_WIDEST = 16
# Default boxes of more than twice the image, or a hundred times as long as wide, fit no object.
_LARGEST_BOX, _LARGEST_RATIO = 2, 100


def check_autoencoder(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `autoencoder` with a value that it cannot have; options may be missing.

    >>> check_autoencoder({"bottleneck": 64, "code_channels": 8})
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: code_channels is for a code that is a map; received bottleneck=64, code_channels=8. ...
    """
    _check_choice("autoencoder", "upsampling", options, get_args(Upsampled))
    bottleneck, channels = options.get("bottleneck"), options.get("code_channels")
    bottleneck_sizes(bottleneck)
    if channels is not None and (type(channels) is not int or channels < 1):
        raise ConfigError("code_channels must be a positive integer", received=channels, hint="leave code_channels out")
    if channels is not None and bottleneck is not None:
        raise ConfigError(
            f"code_channels is for a code that is a map; received bottleneck={bottleneck!r}, code_channels={channels}",
            hint="leave one of them out",
        )
    check_width(options.get("width"), hint="the decoder mirrors the backbone, so it becomes as narrow")
    check_flag(options, "synchronized")


def bottleneck_sizes(bottleneck: object) -> tuple[int, ...]:
    """The units of the dense layers up to the code, whose size comes last; empty if the code is a map.

    Raises:
        ConfigError: the value is neither a positive integer nor several of them, joined by "-".

    >>> bottleneck_sizes("256-64"), bottleneck_sizes(64), bottleneck_sizes(None)
    ((256, 64), (64,), ())
    """
    if bottleneck is None:
        return ()
    is_number = type(bottleneck) is int and bottleneck > 0
    if not is_number and not (isinstance(bottleneck, str) and re.fullmatch(r"[1-9]\d{0,8}(-[1-9]\d{0,8})*", bottleneck)):
        raise ConfigError(
            "bottleneck must be the size of the code, 64, or the sizes of the dense layers up to it, '256-64'",
            received=bottleneck,
        )
    return tuple(map(int, str(bottleneck).split("-")))


def check_fcos(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `fcos` with a value that it cannot have; options may be missing.

    >>> check_fcos({"levels": "p5-p3"})
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: levels must have the form 'p3-p7', ...; received 'p5-p3'. Did you mean 'p3-p5'?
    """
    _check_head("fcos", options)
    _check_choice("fcos", "distances", options, get_args(Distances))


def check_retinanet(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `retinanet` with a value that it cannot have; options may be missing."""
    _check_head("retinanet", options)
    for option in ("ratios", "scales"):
        if options.get(option) is not None:
            anchor_numbers(option, options[option])


def check_ssd(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `ssd` with a value that it cannot have; options may be missing.

    >>> check_ssd({"smallest": 0.9})
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: smallest and largest must be shares of the image with 0 < smallest < largest <= 2; ...
    """
    level_numbers(options.get("levels", "p3-p7"))
    _check_size("channels", options.get("channels", 256), usual=256)
    ends = options.get("smallest", 0.1), options.get("largest", 0.9)
    smallest, largest = ends
    if not (is_number(smallest) and is_number(largest) and 0 < smallest < largest <= _LARGEST_BOX):
        raise ConfigError(
            f"smallest and largest must be shares of the image with 0 < smallest < largest <= {_LARGEST_BOX}; "
            f"received smallest={smallest!r}, largest={largest!r}",
            hint="the paper has 0.2 and 0.9",
        )
    box_ratios(options.get("ratios", "2-3"))
    check_width(options.get("width"), hint="set channels for the width of the maps after it")
    check_flag(options, "synchronized")


def check_ssd300(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `ssd300` with a value that it cannot have; options may be missing."""
    backbone = options.get("backbone", "vgg16")
    if not re.fullmatch(r"vgg\d\d", str(backbone)):
        raise ConfigError("ssd300 is built on a VGG network", received=backbone, hint="choose ssd for other backbones")
    check_width(options.get("width"), hint="the maps after the backbone become as narrow")


def check_yolo(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `yolo` with a value that it cannot have; options may be missing.

    >>> check_yolo({"hidden": 0})
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: hidden must be a positive integer, or None for no dense layer; received 0.
    """
    level, hidden = options.get("level"), options.get("hidden")
    if level is not None and not re.fullmatch(r"c\d", str(level)):
        raise ConfigError("level must be a map of the backbone, such as 'c4', or None for its last one", received=level)
    if hidden is not None and (type(hidden) is not int or hidden < 1):
        raise ConfigError("hidden must be a positive integer, or None for no dense layer", received=hidden)
    _check_size("channels", options.get("channels", 512), usual=1024)
    _check_size("depth", options.get("depth", 2), usual=4)
    _check_size("boxes_per_cell", options.get("boxes_per_cell", 2), usual=2)
    check_dropout(options)
    check_width(options.get("width"), hint="set channels for the width of the convolutions after it")
    for flag in ("batch_norm", "synchronized"):
        check_flag(options, flag)


def check_yolo_v1(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `yolo_v1` with a value that it cannot have; options may be missing."""
    _check_size("boxes_per_cell", options.get("boxes_per_cell", 2), usual=2)
    check_dropout(options)
    width = options.get("width", 1.0)
    if not is_number(width) or not 0 < width <= _WIDEST:
        raise ConfigError(f"width is a factor on the channels, at most {_WIDEST}", received=width)


def anchor_numbers(option: str, value: object) -> tuple[float, ...]:
    """The ratios or the scales of anchors: one number, several, or a text of them joined by "-".

    Raises:
        ConfigError: the value has another form, or a number does not lie in [0.1, 10].

    >>> anchor_numbers("ratios", "0.5-1-2"), anchor_numbers("scales", 0.5)
    ((0.5, 1.0, 2.0), (0.5,))
    """
    found = numbers_in(value)
    if not found or any(not 0.1 <= number <= 10 for number in found) or len(set(found)) < len(found):
        raise ConfigError(
            f"{option} must be different numbers from 0.1 to 10, such as '0.5-1-2'",
            received=value,
            hint=f"leave {option} out for those of the paper",
        )
    return found


def box_ratios(ratios: object) -> tuple[float, ...]:
    """The ratios of default boxes, longer side to shorter side: one number, several, or a text of them joined by "-".

    Raises:
        ConfigError: the value is neither, or a ratio does not lie in (1, 100].

    >>> box_ratios("2-3"), box_ratios((1.5, 2)), box_ratios(2)
    ((2.0, 3.0), (1.5, 2.0), (2.0,))
    """
    found = numbers_in(ratios)
    if not found or any(not 1 < ratio <= _LARGEST_RATIO for ratio in found) or len(set(found)) < len(found):
        raise ConfigError(
            "ratios must be different numbers above 1, the longer side of a box to its shorter one: '2-3'",
            received=ratios,
            hint="each of them gives a wide and a tall box, and squares are always there",
        )
    return found


def check_localizer(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `localizer` with a value that it cannot have; options may be missing."""
    _check_choice("localizer", "pooling", options, get_args(Pooling))
    _check_choice("localizer", "activation", options, get_args(Squashing))
    check_dropout(options)
    check_flag(options, "class_logits")


def check_mlp(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `mlp` with a value that it cannot have; options may be missing."""
    check_units("mlp", options)
    hidden_widths(options.get("hidden", 1))
    check_dropout(options)


def check_units(network: str, options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an activation or an initialization that a network of `kerasvision.models` does not have.

    >>> check_units("resnet18", {"activation": "leaky"})
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: resnet18 has no activation 'leaky'; did you mean 'leaky_relu'?
    """
    activations = [name for name in get_args(Activation) if name != "maxout" or network in _MAXOUT]
    _check_choice(network, "activation", options, activations)
    if options.get("initialization") is not None:
        choices = (*get_args(Initialization), *_PAPERS.get(network, ()))
        _check_choice(network, "initialization", options, choices)


def hidden_widths(hidden: object) -> tuple[int, ...]:
    """The widths of the hidden layers of `mlp`: one number, or a number for each layer.

    Raises:
        ConfigError: the value is neither, or a number is below 1.

    >>> hidden_widths(512), hidden_widths((512, 256))
    ((512,), (512, 256))
    """
    widths = tuple(hidden) if isinstance(hidden, list | tuple) else (hidden,)
    if not widths or any(type(width) is not int or width < 1 for width in widths):
        raise ConfigError(
            "hidden must be a positive integer, or one for each hidden layer",
            received=hidden,
            hint="set hidden=512 or hidden=(512, 256); a network without hidden layers is linear",
        )
    return widths


def level_numbers(levels: object) -> range:
    """The numbers of the levels of a pyramid, from the first to the last.

    Raises:
        ConfigError: the value is not such a text, or the last level comes before the first.

    >>> list(level_numbers("p3-p7"))
    [3, 4, 5, 6, 7]
    """
    match = re.fullmatch(r"p(\d)-p(\d)", levels) if isinstance(levels, str) else None
    if match is None or match[1] > match[2]:
        raise ConfigError(
            "levels must have the form 'p3-p7', the first and the last level",
            received=levels,
            hint=f"did you mean 'p{match[2]}-p{match[1]}'?" if match else "the papers' levels are 'p3-p7'",
        )
    return range(int(match[1]), int(match[2]) + 1)


def _check_head(network: str, options: Mapping[str, Any]) -> None:
    level_numbers(options.get("levels", "p3-p7"))
    _check_choice(network, "norm", options, get_args(HeadNorm))
    for option, usual in {"depth": 4, "channels": 256}.items():
        _check_size(option, options.get(option, usual), usual=usual)
    check_width(options.get("width"))
    check_flag(options, "synchronized")


def _check_size(option: str, size: object, *, usual: int) -> None:
    if type(size) is not int or size < 1:
        raise ConfigError(f"{option} must be a positive integer", received=size, hint=f"the papers have {usual}")


def check_dropout(options: Mapping[str, Any]) -> None:
    """Raises ConfigError if the option `dropout` is not a share in [0, 1)."""
    dropout = options.get("dropout", 0.0)
    if not is_number(dropout) or not 0 <= dropout < 1:
        raise ConfigError("dropout must lie in [0, 1)", received=dropout, hint="set dropout=0.0 to drop nothing")


def check_width(width: object, *, hint: str = "set channels for the width of the pyramid and the head") -> None:
    """Raises ConfigError if a factor on the channels of the backbone is not None and not in (0, 16]."""
    if width is not None and (not is_number(width) or not 0 < width <= _WIDEST):
        raise ConfigError(
            f"width is a factor on the channels of the backbone, at most {_WIDEST}",
            received=width,
            hint=hint,
        )


def _check_choice(network: str, option: str, options: Mapping[str, Any], choices: Iterable[str]) -> None:
    if option in options and options[option] not in (choices := tuple(choices)):
        raise ConfigError(f"{network} has no {option} {options[option]!r}; {did_you_mean(str(options[option]), choices)}")


def check_flag(options: Mapping[str, Any], option: str) -> None:
    """Raises ConfigError if an option is neither true nor false."""
    if not isinstance(options.get(option, False), bool):
        raise ConfigError(f"{option} must be true or false", received=options[option], hint=f"leave {option} out")


def numbers_in(value: object) -> tuple[float, ...]:
    """The finite numbers of a text or of a sequence, or the number itself; empty for any other value.

    >>> numbers_in("14-28.5"), numbers_in((2, 3)), numbers_in(2), numbers_in("2-")
    ((14.0, 28.5), (2.0, 3.0), (2.0,), ())
    """
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?(-\d+(\.\d+)?)*", value):
        found = tuple(map(float, value.split("-")))
    else:
        several = tuple(value) if isinstance(value, list | tuple) else (value,)
        found = tuple(map(float, several)) if all(map(is_number, several)) else ()
    return found if all(map(math.isfinite, found)) else ()


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a number, and not a truth value.

    >>> is_number(2), is_number(True)
    (True, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool)
