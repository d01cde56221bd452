"""Which names look the same to a reader, and how to show their differences."""

import re
import unicodedata
from collections.abc import Iterable

from kerasvision.shortened import shortened

DIFFERENCE = "differ only in case, spaces, invisible characters or the way a number is written"
# How many spellings of one name a message lists.
MOST_SPELLINGS = 10

# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt) without the category Cf, which has the rest of them:
# joiners, marks of direction, the byte order mark, the soft hyphen. The blank of Braille is invisible too.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | frozenset(
    map(chr, [*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)])
)
_WHOLE_NUMBER = re.compile(r"([+-]?)0*([0-9]+)(?:\.0*)?")


def spelt_alike(names: Iterable[str]) -> list[list[str]]:
    r"""Groups of names that look alike.

    They differ only in case, spaces, hyphens, underscores, invisible characters, the Unicode form of their letters, or the
    way a whole number is written.

    >>> spelt_alike(["hot dog", "Hot_Dog", "cat", "cat\u200b", "1", "01", "1.0", "10"])
    [['01', '1', '1.0'], ['Hot_Dog', 'hot dog'], ['cat', 'cat\u200b']]
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(_read(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def show_differences(names: Iterable[str]) -> str:
    r"""Names in a message, written so that a reader sees how they differ.

    >>> print(show_differences(["cat", "cat\u200b"]), show_differences(["caf\u00e9", "cafe\u0301"]))
    ['cat', 'cat\u200b'] ['caf\xe9', 'cafe\u0301']
    """
    names = list(names)
    composed = {unicodedata.normalize("NFKC", name) for name in names}
    escaped = len(composed) < len(names) or any(is_invisible(letter) for name in names for letter in name)
    return "[" + shortened(map(ascii if escaped else repr, names), most=MOST_SPELLINGS) + "]"


def is_invisible(letter: str) -> bool:
    r"""Whether a character is invisible and takes no space.

    >>> is_invisible("\ufeff"), is_invisible("\ufe0f"), is_invisible("-")
    (True, True, False)
    """
    return letter in _INVISIBLE or (unicodedata.category(letter) in ("Cf", "Cc") and not letter.isspace())


def _read(name: str) -> str:
    """The name as a reader perceives it."""
    # Normalised twice: lower-case letters may have marks that only a second step composes.
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    plain = "".join(letter for letter in plain if not is_invisible(letter)).strip()
    if number := _WHOLE_NUMBER.fullmatch(plain):
        return f"{number[1].strip('+')}{number[2]}"
    return re.sub(r"[\s_-]+", " ", plain).strip()
