"""Reads one raw value of a source: a text or a whole number. Other values are rejected, not converted.

Tables, TFRecord files and TFDS data sets contain values of many types. `str` would turn each value into a separate class
("b'cat'", "[0, 1]", "0.5"), so all sources read their labels, groups, splits and captions here.
"""

from collections.abc import Sequence
from decimal import Decimal
from numbers import Integral

from kerasvision.data.raw_values import UnusableValue as UnusableValue
from kerasvision.data.raw_values import plain
from kerasvision.data.sources.text import replace_surrogates
from kerasvision.errors import DataError, shown
from kerasvision.shortened import shortened

# Parts of the faults of single values, by which `kerasvision.data.validating.images` recognises them.
NEITHER = "neither a text nor a whole number"
NOT_UTF8 = "not UTF-8 text"
NO_SUCH_NAME = "is not among the"
NO_NAME = "has no name in"
NEITHER_0_NOR_1 = "neither 0 nor 1"
# Above this, some whole numbers share a float.
MOST_EXACT_FLOAT = 2**53


class Values:
    """The values of one column of a table, or of one feature of a data set.

    Args:
        noun: its name in messages: "column 'label' of birds.parquet".

    >>> values = Values("column 'group' of birds.csv")
    >>> [values.text(value, "row 1") for value in ("anna ", b"anna", 7, 7.0, None, float("nan"))]
    ['anna', 'anna', '7', '7', '', '']
    """

    def __init__(self, noun: str) -> None:
        self.noun = noun

    def text(self, value: object, row: str) -> str:
        """The value as text; "" for None and NaN. 1.0 and 1 are both "1": pandas makes floats of a column with gaps.

        Raises:
            UnusableValue: a number that is not whole, or bytes that are not UTF-8.
            DataError: a value of another kind: a truth value, a date, a list, a structure.
        """
        value = plain(value)
        if value is None or value != value:
            return ""
        if isinstance(value, str):
            return replace_surrogates(value).strip()
        if isinstance(value, bytes):
            return self._decoded(value, row).strip()
        if isinstance(value, float | Decimal):
            return str(self._whole(value, row))
        if isinstance(value, Integral) and not isinstance(value, bool):
            return str(value)
        raise DataError(
            f"{self.noun} must hold texts or whole numbers; {row} holds {_shown(value)}",
            hint="write each value as one text or one whole number",
        )

    def texts(self, value: object, row: str) -> tuple[str, ...]:
        """One text, or those of a list; see `text`."""
        value = plain(value)
        return tuple(self.text(item, row) for item in (value if isinstance(value, list) else [value]))

    def _decoded(self, value: bytes, row: str) -> str:
        try:
            # If all rows have the same length, bytes are padded with zeros.
            return value.rstrip(b"\0").decode("utf-8")
        except UnicodeDecodeError:
            raise UnusableValue(f"{self.noun} holds {_shown(value)} in {row}, bytes that are {NOT_UTF8}") from None

    def _whole(self, value: float | Decimal, row: str) -> int:
        if value % 1 != 0 or not -MOST_EXACT_FLOAT <= value <= MOST_EXACT_FLOAT:  # infinity % 1 is NaN
            raise UnusableValue(f"{self.noun} holds {_shown(value)} in {row}, {NEITHER}")
        return int(value)


class Labels(Values):
    """The values of a column or feature, each read as one class name.

    A list of one value is that value. A list of zeros with exactly one 1 is one-hot: the index of the 1 is the number of the
    class. Since [1, 0] could also mean the classes 1 and 0 of one image, lists are read as one-hot only if all are one-hot
    and have the same length, which must be the number of names if there are names.

    Args:
        noun: see `Values`.
        names: of the classes 0, 1, ...; without names a number is its own name.
        named_in: the place of the names, for messages.
        missing: a number that means "no label".
        one_hot: whether a list may be one-hot; False if its values are known to be class numbers.

    >>> labels = Labels("feature 'label'", names=("cat", "dog"), named_in="source.class_names")
    >>> labels.read([0, 1], "record 0"), labels.read([1, 0], "record 1")
    (('dog', ''), ('cat', ''))
    """

    def __init__(
        self,
        noun: str,
        *,
        names: Sequence[str] = (),
        named_in: str = "",
        missing: int | None = None,
        one_hot: bool = True,
    ) -> None:
        super().__init__(noun)
        self.names, self.named_in, self.missing, self.one_hot = names, named_in, missing, one_hot
        self._known = frozenset(names)
        self._length: int | None = None

    def read(self, value: object, row: str) -> tuple[str, str]:
        """(class name, fault): the name is "" if there is no label or a fault.

        Raises:
            DataError: the value is not a text, a whole number or a one-hot list, or it is a list of several labels.
        """
        try:
            return self.name(self._one_value(plain(value), row), row), ""
        except UnusableValue as fault:
            return "", str(fault)

    def name(self, value: object, row: str) -> str:
        """The class name of a single value.

        Raises:
            UnusableValue: see `text`; or a number or text without a class.
            DataError: see `text`.
        """
        text = self.text(value, row)
        if not text or not self.names:
            return text
        if isinstance(plain(value), str | bytes):
            if text not in self._known:
                raise UnusableValue(f"label {text!r} in {row} {NO_SUCH_NAME} {len(self.names)} names in {self.named_in}")
            return text
        number = int(text)
        if number == self.missing:
            return ""
        if not 0 <= number < len(self.names):
            raise UnusableValue(f"label {number} {NO_NAME} {self.named_in}, which has {len(self.names)}")
        return self.names[number]

    def _one_value(self, value: object, row: str) -> object:
        """The single value, or the class number of a one-hot list."""
        several = value if isinstance(value, list) else [value]
        if not several or several == [None]:
            return None
        length = len(several)
        is_one_hot = self.one_hot and (not self.names or length == len(self.names)) and _is_one_hot(several)
        if length > 1 and not is_one_hot:
            whole = f", {len(self.names)} values in all" if self.names and self.one_hot else ""
            raise DataError(
                f"{self.noun} must hold one label for each image; {row} holds {length}: {_shown(several)}",
                hint="write one text or one whole number; a one-hot list needs exactly one 1, and a 0 for each other class"
                f"{whole}",
            )
        if self._length not in (None, length):
            raise DataError(
                f"{self.noun} must hold values of one kind; {row} holds {_kind(length)}, and the rows before "
                f"hold {_kind(self._length)}"
            )
        self._length = length
        return several[0] if length == 1 else several.index(1)


def _is_one_hot(values: list[object]) -> bool:
    ones = [value == 1 for value in values if isinstance(value, Integral | float) and value in (0, 1)]
    return len(ones) == len(values) and sum(ones) == 1


def _kind(length: int) -> str:
    return "a single label" if length == 1 else f"a list of {length}"


def _shown(value: object) -> str:
    if isinstance(value, list):
        return "[" + shortened(map(_shown, value), most=5) + "]"
    return shown(value, most=60)
