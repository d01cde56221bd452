"""Reads the tags of an image: lists, texts with a separator, and columns of 0 and 1."""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from kerasvision.data.sources.values import NEITHER_0_NOR_1, NO_NAME, UnusableValue, Values
from kerasvision.errors import shown

FLAGS = {"0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}


class ListedTags:
    """A column or feature that holds the tags of each image.

    A list, also a text that is a JSON list, has a tag in each value. Another text is parted at the separator; spaces around
    a tag are left out. An empty cell and an empty list mean that the image has no tag.

    Args:
        noun: its name in messages: "column 'tags' of birds.csv".
        separator: between two tags of a text; None: a text is one tag.
        names: of the tags 0, 1, ...; without names a number is its own name.

    >>> column = ListedTags("column 'tags' of birds.csv", separator=";")
    >>> [column.read(cell, "row 1") for cell in ("sea; sun", '["sea;side", "sun"]', ["sea", "sun"], "", None)]
    [('sea', 'sun'), ('sea;side', 'sun'), ('sea', 'sun'), (), ()]
    """

    def __init__(self, noun: str, *, separator: str | None = None, names: Sequence[str] = ()) -> None:
        self._values, self._separator, self._names = Values(noun), separator, names

    def read(self, value: object, where: str) -> tuple[str, ...]:
        """The tags in a cell, as they are given; empty tags stay, and ingest notes them.

        Raises:
            UnusableValue: a number that is not whole or has no name, or bytes that are not UTF-8.
            DataError: a value that is neither a text nor a whole number, nor a list of such values.
        """
        found = _plain(value)
        if isinstance(found, bytes):
            found = self._values.text(found, where)
        if isinstance(found, str):
            found = _parts(found, self._separator)
        several = found if isinstance(found, list) else [found]
        tags = tuple(self._named(one, where) for one in several)
        return () if tags == ("",) else tags

    def _named(self, value: object, where: str) -> str:
        text = self._values.text(value, where)
        if not self._names or not text or isinstance(value, str | bytes):
            return text
        if not 0 <= int(text) < len(self._names):
            raise UnusableValue(
                f"{self._values.noun} holds the tag {text} in {where}, which {NO_NAME} the list of {len(self._names)}"
            )
        return self._names[int(text)]


class FlagColumns:
    """Several columns, each named like a tag, with 1 for an image that has it and 0 for one that does not.

    >>> FlagColumns("birds.csv").read({"sea": "1", "sun": "0", "sand": "true"}, "row 1")
    ('sea', 'sand')
    """

    def __init__(self, noun: str) -> None:
        self._noun = noun

    def read(self, cells: Mapping[str, object], where: str) -> tuple[str, ...]:
        """The names of the columns with a 1.

        Raises:
            UnusableValue: a cell that holds something else than 0 and 1, true and false.
        """
        return tuple(name for name, value in cells.items() if self._flag(name, value, where))

    def _flag(self, name: str, value: object, where: str) -> bool:
        plain = _plain(value)
        text = plain.decode("utf-8", "replace") if isinstance(plain, bytes) else str(plain)
        flag = FLAGS.get(text.strip().lower())
        if flag is None:
            raise UnusableValue(
                f"column {name!r} of {self._noun} holds {shown(plain, most=60)} in {where}, {NEITHER_0_NOR_1}"
            )
        return flag


def _plain(value: object) -> object:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _parts(text: str, separator: str | None) -> list[object]:
    """The values of a text that is a JSON list; the parts of another text."""
    if text.strip().startswith("["):
        try:
            listed = json.loads(text)
        except (ValueError, RecursionError):
            listed = None
        if isinstance(listed, list):
            return listed
    return [text] if separator is None else [*text.split(separator)]
