"""Which images the generators of our table can make, checked without Keras when a pipeline file is read."""

from collections.abc import Mapping
from typing import Any

from kerasvision.errors import ConfigError

# The smallest map has at least this many pixels on each side, as in Radford et al., 2016, figure 1.
SMALLEST_MAP = 4
# And it is at most this many halvings away from the image: channels double with each.
MOST_HALVINGS = 5
LEAST_SIDE = 16


def halvings(sides: tuple[int, int]) -> int:
    """How often the sides of an image are halved down to the smallest map: as often as they can be.

    Args:
        sides: height and width in pixels.

    Raises:
        ConfigError: a side is not a multiple of 4, or is shorter than 16.

    >>> halvings((28, 28)), halvings((32, 32)), halvings((64, 64)), halvings((48, 96))
    (2, 3, 4, 3)
    >>> halvings((30, 30))
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: the sides of generated images must be multiples of 4, and at least 16 pixels; ...
    """
    if any(side % 4 or side < LEAST_SIDE for side in sides):
        near = tuple(max(LEAST_SIDE, 4 * round(side / 4)) for side in sides)
        raise ConfigError(
            "the sides of generated images must be multiples of 4, and at least 16 pixels",
            received=tuple(sides),
            hint=f"set transform.image_size={near}",
        )
    fitting = (
        count
        for count in range(2, MOST_HALVINGS + 1)
        if all(side % 2**count == 0 and side >> count >= SMALLEST_MAP for side in sides)
    )
    return max(fitting)


def check_couplings(couplings: object, *, latent_size: int) -> None:
    """Raises ConfigError for a learned prior of codes of a single number, which has no halves.

    >>> check_couplings(2, latent_size=1)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: couplings require a latent_size of at least 2; received 1. Set couplings=0, or ...
    """
    if couplings and latent_size < 2:
        raise ConfigError(
            "couplings require a latent_size of at least 2",
            received=latent_size,
            hint="set couplings=0, or a larger latent_size",
        )


def check_generator(options: Mapping[str, Any]) -> None:
    """Raises ConfigError for an option of `vae` or `dcgan` with a value that it cannot have; options may be missing.

    >>> check_generator({"channels": 0})
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: channels must be a positive integer; received 0.
    """
    channels = options.get("channels", 1)
    if type(channels) is not int or channels < 1:
        raise ConfigError("channels must be a positive integer", received=channels)
    couplings = options.get("couplings", 0)
    if type(couplings) is not int or couplings < 0:
        raise ConfigError("couplings must be a whole number from 0", received=couplings)
    if "latent_size" in options:
        raise ConfigError(
            "latent_size is a setting of the task", received=options["latent_size"], hint="set task.latent_size"
        )
