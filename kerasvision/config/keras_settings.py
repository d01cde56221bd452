"""Checks the settings of Keras itself that every result depends on, so that they are the same on every machine.

Keras reads ~/.keras/keras.json (or $KERAS_HOME/keras.json) and KERAS_BACKEND when it is imported. Networks, checkpoints
and exports here require one set of values; others give different results or errors. This module chooses the backend if
the environment does not. The other settings belong to the user, whose file is read and never written.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasvision.errors import ConfigError

BACKEND = "tensorflow"
HERE = "Keras in this process"
NEEDED: Mapping[str, object] = {"image_data_format": "channels_last", "floatx": "float32", "epsilon": 1e-7}


def settle_keras() -> None:
    """Chooses TensorFlow as Keras' backend, and rejects settings of Keras that this package does not support.

    This does not import Keras. If Keras is already imported, its current values count.

    Raises:
        ConfigError: an unsupported value; the message says where it comes from.
    """
    keras = _loaded()
    if keras is not None:
        _check_backend(keras.config.backend(), HERE)
    else:
        # Keras treats an empty variable as unset.
        os.environ["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND") or BACKEND
        _check_backend(os.environ["KERAS_BACKEND"], "the environment variable KERAS_BACKEND")
    _check(NEEDED)


def check_image_layout() -> None:
    """Rejects channels_first: every network here requires images whose channels come last, on any backend.

    Raises:
        ConfigError: the message says where the setting comes from.
    """
    _check({"image_data_format": NEEDED["image_data_format"]})


def keras_folder() -> Path:
    """Where Keras keeps its settings and downloads: $KERAS_HOME, or else ~/.keras."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()


def _check_backend(backend: str, place: str) -> None:
    if backend != BACKEND:
        raise ConfigError(
            f"pipelines require the Keras backend {BACKEND!r}; {place} says {backend!r}",
            hint=f"set KERAS_BACKEND={BACKEND} before Keras is imported",
        )


def _check(wanted: Mapping[str, object]) -> None:
    keras, file = _loaded(), keras_folder() / "keras.json"
    if keras is None:
        found, place = _read(file), str(file)
    else:
        found, place = {name: getattr(keras.config, name)() for name in wanted}, HERE
    for name, needed in wanted.items():
        if found.get(name, needed) != needed:
            raise ConfigError(
                f"networks and pipelines require Keras' {name} to be {needed!r}; {place} says {found[name]!r}",
                hint=f"set it to {needed!r}, or set the environment variable KERAS_HOME to an empty folder",
            )


def _loaded() -> Any:
    """Keras, if this process has already imported it; then its current values count."""
    keras = sys.modules.get("keras")
    return keras if hasattr(keras, "config") else None


def _read(file: Path) -> dict[str, object]:
    """The user's settings. Like Keras, this ignores a file that is missing or is not JSON."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
