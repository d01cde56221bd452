"""Numbers that a person gives by the names of classes, as an array in the order of the classes."""

from collections.abc import Mapping, Sequence

import numpy as np

from kerasvision import lookup
from kerasvision.errors import ConfigError


def numbers_by_class(named: Mapping[str, float], classes: Sequence[str], *, otherwise: float, setting: str) -> np.ndarray:
    """float32 (C,): the number of each class, and `otherwise` for a class without one.

    Raises:
        ConfigError: there is no class of that name. `setting` is the path of the mapping, for the message.

    >>> numbers_by_class({"daisy": 2}, ["rose", "daisy"], otherwise=1.0, setting="task.class_weights")
    array([1., 2.], dtype=float32)
    """
    if unknown := [name for name in named if name not in classes]:
        raise ConfigError(f"{setting}: no class is named {unknown[0]!r}; {lookup.did_you_mean(unknown[0], classes)}")
    return np.array([named.get(name, otherwise) for name in classes], np.float32)
