"""The names of what a task distinguishes: words, say. Where settings ask for it, they are fitted with the transform.

Without such settings they are the classes that the labels have.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from kerasvision.errors import DataError

FILE = "names.json"


def save_names(names: Sequence[str], *, transform: Path) -> None:
    """Writes them into the folder of `transform.json`, in the order of their numbers."""
    text = json.dumps(list(names), indent=0, ensure_ascii=False)
    transform.with_name(FILE).write_text(text + "\n", encoding="utf-8")


def class_names(transform: Path, *, labels: Sequence[str]) -> tuple[str, ...]:
    """The names in the folder of `transform.json`; where there are none, the labels' classes.

    Raises:
        DataError: the file holds something else.
    """
    file = transform.with_name(FILE)
    if not file.is_file():
        return tuple(labels)
    try:
        names = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{file} is damaged: {error}") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{file} must hold a list of names")
    return tuple(names)
