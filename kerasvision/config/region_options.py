"""Which values the options of two-stage detectors can have, checked without Keras; see `network_options`."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from kerasvision.config.network_options import level_numbers
from kerasvision.errors import ConfigError

# More regions than this would fill the memory with their maps.
MOST_PROPOSALS = 2000
# How many windows `fast_rcnn` and `rcnn` compare for overlap.
MOST_WINDOWS = 500
_WIDEST = 16
# Option -> a usual value.
_USUAL = {
    "proposals": 300,
    "candidates": 1000,
    "channels": 256,
    "proposal_channels": 512,
    "hidden": 1024,
    "pooled": 7,
    "crop": 227,
    "bins": 7,
}
_OF_THE_OBJECTS = "choose about the sizes of the objects, in pixels of the network's image"


def check_faster_rcnn(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `faster_rcnn` with a value that it cannot have; options may be missing.

    >>> check_faster_rcnn({"anchor_sizes": (128, -1)})
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: anchor_sizes must be positive numbers of pixels, at least one; received (128, -1). ...
    """
    _check_regions(options, most=options.get("candidates", 1000))
    _check_sides(options, "anchor_sizes")


def check_faster_rcnn_fpn(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `faster_rcnn_fpn` with a value that it cannot have; options may be missing."""
    _check_regions(options, most=options.get("candidates", 1000))
    level_numbers(options.get("levels", "p2-p5"))
    strides = options.get("anchor_strides", 8.0)
    if not _is_positive(strides):
        raise ConfigError("anchor_strides must be a positive number", received=strides, hint="the paper has 8")


def check_fast_rcnn(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `fast_rcnn` with a value that it cannot have; options may be missing."""
    _check_regions(options, most=MOST_WINDOWS)
    _check_sides(options, "window_sides")


def check_rcnn(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `rcnn` with a value that it cannot have; options may be missing."""
    check_fast_rcnn(options)


def check_rfcn(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `rfcn` with a value that it cannot have; options may be missing."""
    check_faster_rcnn(options)


def _check_sides(options: Mapping[str, Any], option: str) -> None:
    sides = options.get(option, (128,))
    if not isinstance(sides, list | tuple) or not sides or not all(_is_positive(side) and side >= 1 for side in sides):
        raise ConfigError(f"{option} must be positive numbers of pixels, at least one", received=sides, hint=_OF_THE_OBJECTS)


def _check_regions(options: Mapping[str, Any], *, most: int) -> None:
    for option, usual in _USUAL.items():
        value = options.get(option, usual)
        if type(value) is not int or value < 1:
            raise ConfigError(f"{option} must be a positive integer", received=value, hint=f"a usual value is {usual}")
    count = options.get("proposals", 300)
    if count > min(most, MOST_PROPOSALS):
        rule = f"proposals must be at most {min(most, MOST_PROPOSALS)}"
        raise ConfigError(rule, received=count, hint="lower it, or raise candidates" if "candidates" in options else "")
    dropout = options.get("dropout", 0.0)
    if not _is_number(dropout) or not 0 <= dropout < 1:
        raise ConfigError("dropout must lie in [0, 1)", received=dropout, hint="set dropout=0.0 to drop nothing")
    width = options.get("width")
    if width is not None and not (_is_positive(width) and width <= _WIDEST):
        raise ConfigError(f"width is a factor on the channels of the backbone, at most {_WIDEST}", received=width)
    if not isinstance(options.get("synchronized", False), bool):
        raise ConfigError("synchronized must be true or false", received=options["synchronized"])


def _is_positive(value: object) -> TypeGuard[float]:
    return _is_number(value) and value > 0


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
