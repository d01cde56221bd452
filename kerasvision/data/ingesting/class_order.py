"""The order in which a data set numbers its classes."""

import re
import unicodedata
from collections.abc import Iterable


def class_order(labels: Iterable[str]) -> list[str]:
    """Distinct labels in the order of their class numbers: sorted, with digits within a label sorted by value.

    >>> class_order(["10", "9", "9", "a"])
    ['9', '10', 'a']
    """

    def number(digits: str) -> tuple[int, int, str]:
        # By length and then by digit, which is the order of the values: Python rejects integers of over 4,300 digits.
        plain = "".join(str(unicodedata.decimal(digit)) for digit in digits).lstrip("0")
        return 0, len(plain), plain

    def natural(label: str) -> list[tuple[int, int, str]]:
        return [number(part) if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", label) if part]

    return sorted(set(labels), key=lambda label: (natural(label), label))
