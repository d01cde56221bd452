"""The names that a task distinguishes: its classes or, for example, words.

If the settings require it, they are fitted with the transform. Otherwise they are the classes of the labels.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from kerasvision.errors import DataError

FILE = "names.json"


def save_names(names: Sequence[str], *, transform: Path) -> None:
    """Writes the names into the folder of `transform.json`, in the order of their numbers."""
    text = json.dumps(list(names), indent=0, ensure_ascii=False)
    transform.with_name(FILE).write_text(text + "\n", encoding="utf-8")


def class_names(transform: Path, *, labels: Sequence[str]) -> tuple[str, ...]:
    """The names in the folder of `transform.json`; without such a file, the labels' classes.

    Raises:
        DataError: the file does not contain a list of names.
    """
    file = transform.with_name(FILE)
    if not file.is_file():
        return tuple(labels)
    try:
        names = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{file} is damaged: {error}") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{file} must contain a list of names")
    return tuple(names)
