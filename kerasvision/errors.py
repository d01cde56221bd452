"""The error tree: which kinds of failure there are, and the exit code of each.

    KerasvisionError            1   anything that the toolkit itself raises
    +-- ConfigError             2   a pipeline file, an override or an argument says something impossible
    |   +-- GraphError          2   stages that do not fit together
    +-- DataError               3   the images or labels cannot be used as they are
    +-- NotBlessedError         4   a model was trained, and may not be served
    +-- StageError              5   a stage failed while it ran
    |   +-- ExportError         5   a saved model that cannot be loaded or used
    +-- StoreError              6   the place where runs are kept cannot be read or written
    +-- Interrupted           143   asked to stop, and stopped where the next run can go on

Each message says the rule, then what came in, then the way out:

>>> raise ConfigError("epochs must be at least 1", received=0, hint="set training.epochs to 1 or more")
Traceback (most recent call last):
...
kerasvision.errors.ConfigError: epochs must be at least 1; received 0. Set training.epochs to 1 or more.
"""

_ABSENT = object()
# Signs of what came in that are shown.
LONGEST = 300


class KerasvisionError(Exception):
    """Base of every error that the toolkit raises itself.

    Args:
        rule: what must hold, without a closing full stop.
        received: what came in instead; shown as it would be written in Python.
        hint: the way out, one sentence.
    """

    exit_code = 1

    def __init__(self, rule: str, *, received: object = _ABSENT, hint: str = "") -> None:
        message = rule if received is _ABSENT else f"{rule}; received {shown(received)}"
        message = message if message.endswith((".", "?", "!")) else message + "."
        if hint:
            hint = hint if hint.endswith((".", "?", "!")) else hint + "."
            message += " " + hint[0].upper() + hint[1:]
        # A file's name may hold bytes that are no UTF-8, and what commands a terminal.
        message = "".join(sign if sign >= " " or sign in "\n\t" else repr(sign)[1:-1] for sign in message)
        super().__init__(message.encode("utf-8", "backslashreplace").decode())


def shown(received: object, *, most: int = LONGEST) -> str:
    """As it would be written in Python; of something longer than `most` characters, the beginning.

    >>> shown("cat"), shown([1, 2, 3], most=4)
    ("'cat'", '[1, ... (9 characters)')
    """
    text = repr(received)
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


class ConfigError(KerasvisionError):
    """A pipeline file, an override or an argument says something impossible."""

    exit_code = 2


class GraphError(ConfigError):
    """Stages that do not fit together: a wrong type, a missing input, a cycle."""


class DataError(KerasvisionError):
    """The images or labels cannot be used as they are."""

    exit_code = 3


class NotBlessedError(KerasvisionError):
    """A model was trained, and its gate or its proof says that it may not be served."""

    exit_code = 4


class StageError(KerasvisionError):
    """A stage failed while it ran."""

    exit_code = 5


class ExportError(StageError):
    """A saved model cannot be written, loaded or used."""


class StoreError(KerasvisionError):
    """The place where runs are kept cannot be read or written."""

    exit_code = 6


class Interrupted(KerasvisionError):
    """Asked to stop (SIGTERM), and stopped where the next run can go on. 143 is what a shell calls a death by SIGTERM."""

    exit_code = 143
