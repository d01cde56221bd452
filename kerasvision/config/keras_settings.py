"""Which settings of Keras itself every result here depends on, and so must not differ from machine to machine.

Keras reads ~/.keras/keras.json (or $KERAS_HOME/keras.json) and KERAS_BACKEND when it is imported. Networks, checkpoints
and exports here are written for one set of values, and another set gives other results or none. The backend is chosen
here where nobody chose it in the environment. The rest belongs to the user, whose file is read and never written.
"""

import json
import os
import sys
from pathlib import Path

from kerasvision.errors import ConfigError

BACKEND = "tensorflow"
NEEDED = {"image_data_format": "channels_last", "floatx": "float32", "epsilon": 1e-7}


def settle_keras() -> None:
    """Chooses TensorFlow as Keras' backend, and refuses settings of Keras that results here are not made for.

    Keras is not imported. Where it is there already, its own values count.

    Raises:
        ConfigError: another value; the message names where it comes from.
    """
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "config"):
        _check_backend(keras.config.backend(), "Keras in this process")
        _check({name: getattr(keras.config, name)() for name in NEEDED}, "Keras in this process")
        return
    _check_backend(os.environ.setdefault("KERAS_BACKEND", BACKEND), "the environment variable KERAS_BACKEND")
    file = keras_folder() / "keras.json"
    _check(_read(file), str(file))


def keras_folder() -> Path:
    """Where Keras keeps its settings and what it fetched: $KERAS_HOME, or else ~/.keras."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()


def _check_backend(backend: str, place: str) -> None:
    if backend != BACKEND:
        raise ConfigError(
            f"pipelines run on Keras' backend {BACKEND!r}; {place} says {backend!r}",
            hint=f"set KERAS_BACKEND={BACKEND} before Keras is imported",
        )


def _check(found: dict[str, object], place: str) -> None:
    for name, needed in NEEDED.items():
        if found.get(name, needed) != needed:
            raise ConfigError(
                f"pipelines need Keras' {name} to be {needed!r}; {place} says {found[name]!r}",
                hint=f"set it to {needed!r}, or run with the environment variable KERAS_HOME set to an empty folder",
            )


def _read(file: Path) -> dict[str, object]:
    """The user's settings. Like Keras, this passes over a file that is not there or is no JSON."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
