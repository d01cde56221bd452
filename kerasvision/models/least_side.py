"""Rejects images of a size that a network does not read, without Keras: before any stage runs, and when it is built."""

from collections.abc import Mapping
from typing import Any

from kerasvision.backbone_options import backbone_of
from kerasvision.errors import ConfigError
from kerasvision.introspection import defaults
from kerasvision.lookup import MODELS
from kerasvision.models.table import find


def check_least_side(name: str, image_size: tuple[int | None, int | None], *, options: Mapping[str, Any]) -> None:
    """Raises ConfigError if images are smaller than the network, or the backbone that it is built on, reads.

    Or if a side is not a multiple of the network's step.

    A network that is given by its path is not in the table, and checks its images itself.

    Args:
        name: of the network.
        image_size: (height, width) in pixels; None for images of any size.
        options: of the network.

    >>> check_least_side("lenet5", (8, 28), options={})
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: lenet5 reads images of at least 12 x 12 pixels; received (8, 28). Resize the images to
    12 x 12 or more, or choose a smaller network.
    """
    name = MODELS.name(MODELS.path(name))
    on_backbone, own = backbone_of(name, options), find(name)
    row = find(on_backbone[0]) if on_backbone else own
    if row and own and own.own_side > row.smallest_side:
        row = own
    crop = {**defaults(MODELS.path(name)), **options}.get("crop")
    seen = image_size if crop is None else (crop, crop)
    if row and any(side is not None and side < row.smallest_side for side in seen):
        least = f"{row.smallest_side} x {row.smallest_side}"
        if crop is not None:
            hint = f"set model.options.crop to {row.smallest_side} or more, or choose a smaller backbone"
            raise ConfigError(f"{row.name} reads crops of at least {least} pixels", received=crop, hint=hint)
        raise ConfigError(
            f"{row.name} reads images of at least {least} pixels",
            received=image_size,
            hint=f"resize the images to {least} or more, or choose a smaller network",
        )
    check_step(name, image_size)


def check_step(name: str, image_size: tuple[int | None, int | None]) -> None:
    """Raises ConfigError if a side of the images, in pixels, is not a multiple of the network's step.

    >>> check_step("deconvnet", (96, 100))
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: deconvnet reads images whose sides are multiples of 32; received (96, 100). Resize the
    images to (96, 128).
    """
    row = find(name)
    if row and any(side is not None and side % row.side_step for side in image_size):
        sides = tuple(side for side in image_size if side is not None)
        fitting = tuple(side + -side % row.side_step for side in sides)
        raise ConfigError(
            f"{row.name} reads images whose sides are multiples of {row.side_step}",
            received=sides,
            hint=f"resize the images to {fitting}",
        )
