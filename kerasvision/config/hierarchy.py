"""How a hierarchy of classes is read: a JSON or CSV file with the groups of each class, from the root down."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from kerasvision.errors import ConfigError, shown

COLUMNS = ("label", "groups")


def read_hierarchy(file: Path) -> dict[str, tuple[str, ...]]:
    """Class -> the names of its groups from the root down.

    A JSON file holds such a mapping. A CSV file has the columns `label` and `groups`, the latter with "/" between the names.

    Raises:
        ConfigError: the file does not exist, has another form, or names a class twice.
    """
    if not file.is_file():
        raise ConfigError(f"task.hierarchy: there is no file {file} (looked in {Path.cwd()})")
    found: dict[str, tuple[str, ...]] = {}
    for name, groups in _from_csv(file) if file.suffix.lower() == ".csv" else _from_json(file):
        if name in found:
            raise ConfigError(f"{file} must name each class once", received=name)
        found[name] = groups
    return found


def _from_json(file: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    try:
        pairs = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=list)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{file} is not JSON: {error}") from error
    for name, groups in pairs if _is_list(pairs, tuple) else [(None, pairs)]:
        if name is None or not _is_list(groups, str):
            raise ConfigError(
                f'{file} must be a mapping from classes to lists of names, such as {{"poodle": ["animal", "dog"]}}',
                received=shown(groups),
            )
        yield name, tuple(groups)


def _is_list(value: object, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _from_csv(file: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = csv.DictReader(opened)
            columns = rows.fieldnames or ()
            if missing := [name for name in COLUMNS if name not in columns]:
                rule = f"{file} must have the columns label and groups; {missing[0]} is missing"
                raise ConfigError(rule, received=list(columns))
            for row in rows:
                yield row["label"], tuple(filter(None, (name.strip() for name in (row["groups"] or "").split("/"))))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8: {error}") from error
