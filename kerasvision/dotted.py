"""Nested settings by dotted path: `training.epochs`, `augment.0.pad`."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kerasvision.shortened import first_lines

MOST_CHANGES = 8


def leaves(data: object, *, lists: bool = True, path: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted path, value) of all leaves: plain values, and empty mappings and lists.

    Args:
        data: nested mappings and lists, as in JSON.
        lists: whether the entries of a list have their own paths; otherwise a list is a value.
        path: the path of the data themselves.

    >>> list(leaves({"training": {"epochs": 3}, "augment": [{"pad": 2}], "options": {}}))
    [('training.epochs', 3), ('augment.0.pad', 2), ('options', {})]
    >>> list(leaves({"split": {"size": [32, 32]}}, lists=False))
    [('split.size', [32, 32])]
    """
    children = data.items() if isinstance(data, Mapping) else enumerate(data) if isinstance(data, list) and lists else None
    if not data or children is None:
        yield path, data
        return
    for name, child in children:
        yield from leaves(child, lists=lists, path=f"{path}.{name}" if path else str(name))


def set_leaves(data: object) -> dict[str, Any]:
    """The leaves that are neither None nor an empty mapping or list.

    >>> set_leaves({"training": {"epochs": 3, "clip_norm": None}, "options": {}, "augment": [{"kind": "random_flip"}]})
    {'training.epochs': 3, 'augment.0.kind': 'random_flip'}
    """
    return {path: value for path, value in leaves(data) if value is not None and value != {} and value != []}


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """`field: old -> new` of the first few fields that differ, and how many more there are.

    >>> changes({"training": {"epochs": 3, "seed": 0}}, {"training": {"epochs": 5, "seed": 0}, "source": "a"})
    ['source: absent -> "a"', 'training.epochs: 3 -> 5']
    """
    before, after = _as_json(old), _as_json(new)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    lines = [f"{name}: {before.get(name, 'absent')} -> {after.get(name, 'absent')}" for name in changed]
    return first_lines(lines, most=MOST_CHANGES)


def _as_json(data: object) -> dict[str, str]:
    return {path: json.dumps(value, ensure_ascii=False) for path, value in leaves(data)}
