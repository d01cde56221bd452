"""Which backbone the options of a network name, and which of these options it gets, without importing its code."""

from collections.abc import Mapping
from typing import Any

from kerasvision.errors import ConfigError
from kerasvision.introspection import defaults, keywords
from kerasvision.lookup import MODELS

# Options that a network passes on to its backbone; see `backbone_of`.
HANDED_ON = ("width", "layout", "output_stride", "synchronized")


def backbone_of(name: str, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The backbone of a network with the option `backbone`, and the options that are passed on to it.

    A backbone without normalisation has no option `synchronized`, and does not receive it.

    Args:
        name: of the network, in `MODELS`, or "module:attribute".
        options: of the network.

    Returns:
        (name, options) of the backbone; None if the network takes no backbone, or a model was given as the backbone.

    Raises:
        ConfigError: no such network or backbone, the backbone is itself built on another, or its strides are fixed.

    >>> backbone_of("show_and_tell", {"backbone": "resnet9", "width": 0.25, "units": 256})
    ('resnet9', {'width': 0.25})
    >>> backbone_of("resnet9", {"width": 0.25}) is None
    True
    """
    path = MODELS.path(name)
    if "backbone" not in (keywords(path) or ()):
        return None
    options = {**defaults(path), **options}
    backbone = options["backbone"]
    return backbone_with_options(backbone, options) if isinstance(backbone, str) else None


def backbone_with_options(backbone: str, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A backbone, and the options that the network around it passes on; raises the same errors as `backbone_of`."""
    chosen = {option: options[option] for option in HANDED_ON if options.get(option) not in (None, False)}
    known = keywords(MODELS.path(backbone))
    if "backbone" in (known or ()):
        raise ConfigError("the backbone must not be built on another backbone", received=backbone)
    if known is not None and "synchronized" not in known:
        chosen.pop("synchronized", None)
    if known is not None and "output_stride" in chosen and "output_stride" not in known:
        raise ConfigError(
            f"{backbone} has no option 'output_stride', so none of its strides can be left out",
            received=chosen["output_stride"],
            hint="set output_stride to None, or choose a ResNet as the backbone",
        )
    return backbone, chosen
