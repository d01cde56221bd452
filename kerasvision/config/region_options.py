"""Which values the options of two-stage detectors can have, checked without Keras; see `network_options`."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from kerasvision.config.network_options import (
    check_dropout,
    check_flag,
    check_width,
    is_number,
    level_numbers,
    numbers_in,
)
from kerasvision.config.warm_start import LATEST
from kerasvision.errors import ConfigError

# More regions than this would fill the memory with their maps.
MOST_PROPOSALS = 2000
# Before suppression, each pair of candidates is compared.
MOST_CANDIDATES = 6000
# How many windows `fast_rcnn` and `rcnn` compare for overlap.
MOST_WINDOWS = 500
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
    kerasvision.errors.ConfigError: anchor_sizes must be numbers of pixels, each at least 1, such as '16-32' or ...
    """
    _check_regions(options, most=options.get("candidates", 1000))
    sides_in_pixels("anchor_sizes", options.get("anchor_sizes", 128))


def check_faster_rcnn_fpn(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `faster_rcnn_fpn` with a value that it cannot have; options may be missing."""
    # Each level has as many candidates.
    _check_regions(options, most=MOST_PROPOSALS)
    level_numbers(options.get("levels", "p2-p5"))
    strides = options.get("anchor_strides", 8.0)
    if not _is_positive(strides):
        raise ConfigError("anchor_strides must be a positive number", received=strides, hint="the paper has 8")


def check_fast_rcnn(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `fast_rcnn` with a value that it cannot have; options may be missing.

    >>> check_fast_rcnn({"proposer": "rpn.keras", "window_sides": (16, 32)})
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: window_sides has no meaning with proposer; received window_sides=(16, 32), ...
    """
    _check_regions(options, most=MOST_WINDOWS)
    sides_in_pixels("window_sides", options.get("window_sides", 128))
    proposer = options.get("proposer")
    if proposer is None:
        return
    if not isinstance(proposer, str) or not (proposer == LATEST or proposer.endswith(".keras")):
        raise ConfigError(
            "proposer must be the path of a .keras file", received=proposer, hint="leave it out to take windows as regions"
        )
    if "window_sides" in options:
        raise ConfigError(
            f"window_sides has no meaning with proposer; received window_sides={options['window_sides']}, "
            f"proposer={proposer!r}",
            hint="leave one of them out",
        )


def check_rcnn(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `rcnn` with a value that it cannot have; options may be missing."""
    check_fast_rcnn(options)


def check_rfcn(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `rfcn` with a value that it cannot have; options may be missing."""
    check_faster_rcnn(options)


def sides_in_pixels(option: str, value: object) -> tuple[float, ...]:
    """The sides of anchors or windows: one number, several, or a text of them joined by "-", which a search can vary.

    Raises:
        ConfigError: the value has another form, or a side is less than a pixel.

    >>> sides_in_pixels("anchor_sizes", "14-28-48"), sides_in_pixels("anchor_sizes", (16, 32))
    ((14.0, 28.0, 48.0), (16.0, 32.0))
    """
    sides = numbers_in(value)
    if not sides or any(side < 1 for side in sides):
        rule = f"{option} must be numbers of pixels, each at least 1, such as '16-32' or (16, 32)"
        raise ConfigError(rule, received=value, hint=_OF_THE_OBJECTS)
    return sides


def _check_regions(options: Mapping[str, Any], *, most: int) -> None:
    for option, usual in _USUAL.items():
        value = options.get(option, usual)
        if type(value) is not int or value < 1:
            raise ConfigError(f"{option} must be a positive integer", received=value, hint=f"a usual value is {usual}")
    candidates = options.get("candidates", 1000)
    if candidates > MOST_CANDIDATES:
        rule = f"candidates must be at most {MOST_CANDIDATES}, because each pair of them is compared"
        raise ConfigError(rule, received=candidates, hint="the papers have 6000, and torchvision has 1000")
    count = options.get("proposals", 300)
    if count > min(most, MOST_PROPOSALS):
        rule = f"proposals must be at most {min(most, MOST_PROPOSALS)}"
        raise ConfigError(rule, received=count, hint="lower it, or raise candidates" if "candidates" in options else "")
    check_dropout(options)
    check_width(options.get("width"), hint="set width=1.0 for the backbone's own channels")
    check_flag(options, "synchronized")


def _is_positive(value: object) -> TypeGuard[float]:
    return is_number(value) and value > 0
