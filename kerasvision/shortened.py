"""Shortens a long list in a message or on a page to its first entries, and how many more there are."""

from collections.abc import Iterable, Sequence


def and_more(count: int, *, most: int, noun: str = "") -> str:
    """The text after the first `most` of `count` entries; empty if there are no more.

    >>> and_more(12, most=10), and_more(12, most=10, noun="classes"), and_more(10, most=10)
    ('and 2 more', 'and 2 more classes', '')
    """
    return f"and {count - most:,} more {noun}".rstrip() if count > most else ""


def first_lines(lines: Sequence[str], *, most: int) -> list[str]:
    """The first lines, and a last line that says how many more there are.

    >>> first_lines(["a", "b", "c", "d"], most=2), first_lines(["a", "b"], most=2)
    (['a', 'b', 'and 2 more'], ['a', 'b'])
    """
    more = and_more(len(lines), most=most)
    return [*lines[:most], more] if more else list(lines)


def shortened(names: Iterable[object], *, most: int, separator: str = ", ") -> str:
    """A list in a message: the first names, and how many more there are.

    >>> shortened(["a", "b", "c", "d"], most=2)
    'a, b and 2 more'
    """
    texts = [str(name) for name in names]
    more = and_more(len(texts), most=most)
    return separator.join(texts[:most]) + (f" {more}" if more else "")
