"""Nested settings by dotted path: `training.epochs`, `augment.0.pad`."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

MOST_CHANGES = 8


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """`field: old -> new` of every field that differs, the first few of them.

    >>> changes({"training": {"epochs": 3, "seed": 0}}, {"training": {"epochs": 5, "seed": 0}, "source": "a"})
    ['source: absent -> "a"', 'training.epochs: 3 -> 5']
    """
    before, after = dict(_fields(old)), dict(_fields(new))
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    lines = [f"{name}: {before.get(name, 'absent')} -> {after.get(name, 'absent')}" for name in changed]
    rest = len(lines) - MOST_CHANGES
    return lines if rest <= 0 else [*lines[:MOST_CHANGES], f"and {rest} more"]


def _fields(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """(dotted path, JSON) of every leaf."""
    children = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    if not children or not value:
        yield path, json.dumps(value, ensure_ascii=False)
    for name, child in children:
        yield from _fields(child, f"{path}.{name}" if path else str(name))
