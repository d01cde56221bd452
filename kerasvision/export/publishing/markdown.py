"""Writes Markdown from data: labels and file names appear unchanged, on one line, whatever they contain."""

import re
from collections.abc import Iterable, Sequence

# Characters with a meaning inside a line, in CommonMark or in GitHub's tables and formulas.
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&#$])")


def escape(value: object) -> str:
    """The value as text on one line without markup; numbers to 6 digits; "" for None.

    >>> print(escape("<b>a|b</b>\\n*c*"))
    \\<b\\>a\\|b\\</b\\> \\*c\\*
    >>> escape(0.12345678), escape(None), escape(True)
    ('0.123457', '', 'yes')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    shown = "".join(sign if sign.isprintable() else " " for sign in text)
    return _SPECIAL.sub(r"\\\1", " ".join(shown.split()))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with escaped cells and the columns after the first aligned right; "" if there are no rows.

    >>> print(table(["split", "images"], [["train", 10]]))
    | split | images |
    | --- | ---: |
    | train | 10 |
    <BLANKLINE>
    """
    lines = ["| " + " | ".join(map(escape, row)) + " |" for row in rows]
    if not lines:
        return ""
    head = "| " + " | ".join(heads) + " |"
    rule = "| " + " | ".join(["---", *["---:"] * (len(heads) - 1)]) + " |"
    return "\n".join([head, rule, *lines]) + "\n"


def bullets(lines: Iterable[str]) -> str:
    """A list; its lines must be Markdown already."""
    return "".join(f"- {line}\n" for line in lines)
