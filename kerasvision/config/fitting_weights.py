"""Which weights and which frozen levels cannot fit a network, as far as its name and options say.

The trainer finds everything else when it builds the network and reads the file: another size of the same family, or another
number of channels.

A level "c<l>" has stride 2**l; see `kerasvision.models.build`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasvision.config.keras_networks import KERAS_NETWORKS
from kerasvision.config.published import IMAGENET, PUBLISHED
from kerasvision.config.tensor_files import is_tensor_file
from kerasvision.config.torch_names import family_of
from kerasvision.errors import ConfigError
from kerasvision.lookup import MODELS, did_you_mean

# Module of the builders -> the numbers of the first and the last level of their networks.
_LEVELS = {
    "linear": (0, 0),
    "mlp": (0, 0),
    "lenet": (1, 2),
    "alexnet": (2, 5),
    "vgg": (1, 5),
    "nin": (2, 5),
    "googlenet": (1, 5),
    "inception": (1, 5),
    "resnet": (2, 5),
    "resnet_small": (0, 2),
    "resnet9": (0, 3),
    "resnet_v2": (2, 5),
    "densenet": (2, 5),
    "efficientnet_lite": (1, 5),
    "yolo": (1, 6),
    "deconvnet": (1, 5),
}


def levels_of(network: str) -> tuple[str, ...] | None:
    """The levels of a network without a backbone, by its name; None if they are not known by its name.

    >>> levels_of("lenet5"), levels_of("keras/convnext_tiny"), levels_of("mine:network")
    (('c1', 'c2'), ('c2', 'c3', 'c4', 'c5'), None)
    """
    if network in KERAS_NETWORKS:
        first, last = (2 if network.startswith("keras/convnext") else 1), 5
    else:
        module = MODELS.path(network).partition(":")[0].rpartition(".")[2] if network in MODELS else ""
        if module not in _LEVELS:
            return None
        first, last = _LEVELS[module]
    return tuple(f"c{number}" for number in range(first, last + 1))


def check_level(network: str, level: str) -> None:
    """Raises ConfigError if a network cannot be frozen up to this level, because it has no such level.

    >>> check_level("lenet5", "c9")
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: lenet5 has no level 'c9' to freeze up to; choose from backbone, c1, c2.
    """
    levels = levels_of(network)
    if levels is not None and level not in (*levels, "backbone"):
        raise ConfigError(f"{network} has no level {level!r} to freeze up to; {did_you_mean(level, [*levels, 'backbone'])}")


def check_kind(network: str, file: Path) -> None:
    """Raises ConfigError if files of other libraries of this kind, by the ending of its name, cannot be read for a network.

    >>> check_kind("lenet5", Path("vgg.h5"))
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: the weights of lenet5 must come from its own .keras file; received 'vgg.h5'. ...
    """
    is_torch = is_tensor_file(file)
    if not is_torch and network in KERAS_NETWORKS:
        return
    readable = [other for other in MODELS if (family_of(other) if is_torch else other in PUBLISHED)]
    if network not in readable:
        of_keras = "" if is_torch else ", and for the networks of keras.applications (keras/...)"
        raise ConfigError(
            f"the weights of {network} must come from its own .keras file",
            received=str(file),
            hint=f"a {file.suffix} file can be read for {', '.join(readable)}{of_keras}",
        )


def check_width(network: str, weights: str, options: Mapping[str, Any]) -> None:
    """Raises ConfigError if published weights are asked for a network with other channels.

    >>> check_width("resnet50", "imagenet", {"width": 0.5})
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: weights='imagenet' require the published channels of resnet50; received width=0.5. ...
    """
    width = options.get("width")
    if weights == IMAGENET and width not in (None, 1):
        raise ConfigError(
            f"weights='imagenet' require the published channels of {network}; received width={width}",
            hint="leave width out, or set weights=None to train a narrower network from nothing",
        )
