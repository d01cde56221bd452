"""The error classes, and the exit code of each.

    KerasvisionError            1   any error that the toolkit itself raises
    +-- ConfigError             2   a pipeline file, an override or an argument is not valid
    |   +-- GraphError          2   stages cannot be connected
    +-- DataError               3   the images or labels cannot be used
    +-- NotBlessedError         4   a model was trained, but may not be served
    +-- StageError              5   a stage failed while it ran
    |   +-- ExportError         5   a saved model cannot be written, loaded or used
    +-- StoreError              6   the folder of the runs cannot be read or written
    +-- Interrupted           143   the run was asked to stop, and the next run can continue it

Each message gives the rule, then what was received, then the way out:

>>> raise ConfigError("epochs must be at least 1", received=0, hint="set training.epochs to 1 or more")
Traceback (most recent call last):
...
kerasvision.errors.ConfigError: epochs must be at least 1; received 0. Set training.epochs to 1 or more.
"""

import pickle
from typing import TypeVar

E = TypeVar("E", bound=BaseException)

_ABSENT = object()
# How many characters of a received value are shown.
LONGEST = 300


class KerasvisionError(Exception):
    """Base class of every error that the toolkit itself raises.

    Args:
        rule: the rule that was broken, without a full stop at the end.
        received: what was received instead; shown in Python's notation.
        hint: the way out, one sentence.
    """

    exit_code = 1

    def __init__(self, rule: str, *, received: object = _ABSENT, hint: str = "") -> None:
        message = rule if received is _ABSENT else f"{rule}; received {shown(received)}"
        message = message if message.endswith((".", "?", "!")) else message + "."
        if hint:
            hint = hint if hint.endswith((".", "?", "!")) else hint + "."
            message += " " + hint[0].upper() + hint[1:]
        # A file name may contain bytes that are not UTF-8, and control characters for a terminal.
        message = "".join(sign if sign >= " " or sign in "\n\t" else repr(sign)[1:-1] for sign in message)
        super().__init__(message.encode("utf-8", "backslashreplace").decode())


def shown(received: object, *, most: int = LONGEST) -> str:
    """The value in Python's notation; only the beginning if that is longer than `most` characters.

    >>> shown("cat"), shown([1, 2, 3], most=4)
    ("'cat'", '[1, ... (9 characters)')
    """
    text = repr(received)
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


class ConfigError(KerasvisionError):
    """A pipeline file, an override or an argument is not valid."""

    exit_code = 2


class GraphError(ConfigError):
    """Stages cannot be connected: a wrong type, a missing input, a cycle."""


class DataError(KerasvisionError):
    """The images or labels cannot be used."""

    exit_code = 3


class NotBlessedError(KerasvisionError):
    """A model was trained, but its gate or infra_validator does not allow it to be served."""

    exit_code = 4


class StageError(KerasvisionError):
    """A stage failed while it ran."""

    exit_code = 5


class ExportError(StageError):
    """A saved model cannot be written, loaded or used."""


class StoreError(KerasvisionError):
    """The folder of the runs cannot be read or written."""

    exit_code = 6


class Interrupted(KerasvisionError):
    """The run was asked to stop (SIGTERM), and the next run can continue it. 143 is a shell's code for SIGTERM."""

    exit_code = 143


def portable(error: E) -> E | StageError:
    """The error, or a StageError with the same text if the error cannot be sent to another process.

    >>> portable(ValueError("too long"))
    ValueError('too long')
    """
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return StageError(f"{type(error).__name__}: {error}")
    return error
