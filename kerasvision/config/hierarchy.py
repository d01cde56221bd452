"""How a hierarchy of classes is read: a JSON or CSV file with the groups of each class, from the root down."""

import json
from collections.abc import Iterator
from pathlib import Path

from kerasvision.config.table_files import read_csv
from kerasvision.errors import ConfigError, shown

COLUMNS = ("label", "groups")


def read_hierarchy(file: Path) -> dict[str, tuple[str, ...]]:
    """Class -> the names of its groups from the root down.

    A JSON file holds such a mapping. A CSV file has the columns `label` and `groups`, the latter with "/" between the names.
    Spaces around names in a CSV file are dropped.

    Raises:
        ConfigError: the file does not exist, has another form, or names a class twice.
        DataError: a CSV file cannot be read.
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
        pairs = json.loads(file.read_text(encoding="utf-8-sig"), object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
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
    for _, (label, groups) in read_csv(file, columns=COLUMNS, separator=","):
        yield str(label).strip(), tuple(filter(None, (name.strip() for name in str(groups).split("/"))))
