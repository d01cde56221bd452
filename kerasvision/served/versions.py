"""The content of a model's folder: its versions, the record of each, and whether each is complete.

```
saved_models/<name>/
    3/                    a version: what servers load, never changed after it is written; the highest number is the newest
        saved_model.pb, variables/, assets/, assets.extra/
        model_card.md     what a person should know about it
        version.json      where it came from, when and why it was pushed, and size and hash of every file
    .lock, .copying/      names that are not numbers, which servers ignore
```
"""

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from kerasvision.config.listing import is_passed_over
from kerasvision.errors import ConfigError, ExportError

MAIN = "saved_model.pb"
RECORD = "version.json"
CARD = "model_card.md"


def versions(folder: Path) -> list[int]:
    """The versions in a model's folder, in order. A name that is not a whole number is not a version.

    >>> versions(Path("/nowhere"))
    []
    """
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if is_version_name(path.name) and path.is_dir())


def is_version_name(name: str) -> bool:
    """Whether a server treats this name as a version: digits, without leading zeros, which would name one version twice.

    >>> [is_version_name(name) for name in ("12", "0", "012", "-3", "1.5", "²")]
    [True, True, False, False, False, False]
    """
    return name.isascii() and name.isdecimal() and name == str(int(name))


def latest_version(folder: Path) -> Path:
    """The folder of the highest version, or the folder itself if it is a SavedModel; all its files were compared.

    Raises:
        ConfigError: there is no saved model.
        ExportError: there is one, but it is incomplete, or differs from what was pushed.
    """
    chosen = find_saved_model(folder)
    check_whole(chosen)
    return chosen


def find_saved_model(folder: Path) -> Path:
    """The folder of the highest version, or the folder itself if it is a SavedModel or a part of one.

    Raises:
        ConfigError: there is no saved model.
    """
    there = versions(folder)
    if there and not (folder / MAIN).is_file():
        return folder / str(there[-1])
    if folder.is_dir() and (any((folder / name).exists() for name in (MAIN, "variables")) or is_version_name(folder.name)):
        return folder
    state = f"it contains no {MAIN}" if folder.is_dir() else "it is a file" if folder.exists() else "there is no such folder"
    others = versions(folder.parent) if is_version_name(folder.name) else []
    hint = f"its versions are {', '.join(map(str, others))}" if others else "`kerasvision run` writes one to saved_models/"
    raise ConfigError(f"{folder} is not a saved model: {state}", hint=hint)


def check_whole(version: Path) -> None:
    """Reads every file of a version, before it is loaded, and compares it with what was pushed.

    A gigabyte takes about 1.5 seconds. A SavedModel without `version.json` was made by other software: its graph and the
    index of its variables must exist, and their content is not checked.

    Raises:
        ExportError: it is incomplete, or differs from what was pushed.
    """
    wrong = complaint(version, thorough=True)
    if wrong:
        if not os.path.isfile(version / MAIN):  # noqa: PTH113 - a folder without read permission raises no error
            state = "is not a saved model"
        else:
            state = "was changed or is half copied" if (version / RECORD).exists() else "is an incomplete saved model"
        raise ExportError(
            f"{version} {state}: {wrong}",
            hint="copy it again, name the folder of another version, or go back with `kerasvision saved rollback`",
        )


def find_version(folder: Path, version: int | None = None) -> Path:
    """The folder of a version; the newest one by default.

    Raises:
        ConfigError: there is no such model or version.
    """
    there = versions(folder)
    if not there:
        raise ConfigError(f"no model has been pushed to {folder}", hint="`kerasvision saved list` shows all pushed models")
    chosen = there[-1] if version is None else version
    if chosen not in there:
        raise ConfigError(f"{folder.name} has no version {chosen}; there are {', '.join(map(str, there))}")
    return folder / str(chosen)


def complaint(version: Path, *, thorough: bool = False) -> str:
    """What is wrong with the folder of a version; empty if it is complete.

    Each file that its `version.json` names must exist with its size, which detects a version that is half copied, and no
    other file may exist. A version without `version.json`, made by other software, requires `saved_model.pb` and the index
    of its variables. A link counts as the file that it leads to.

    Args:
        version: the folder.
        thorough: read every file, and also compare its hash.
    """
    try:
        if not (version / MAIN).is_file():
            return f"it contains no {MAIN}"
        if not (version / "variables" / "variables.index").is_file():
            return "its variables are missing"
        record = read_record(version)
        if not record:
            # Every push writes a card: if a card is there, the record was lost.
            return f"its {RECORD} is missing" if (version / CARD).is_file() else ""
        files = dict(record["files"])
        found = ((name, _difference(version / name, known, thorough)) for name, known in files.items())
        wrong = next((f"{name} {difference}" for name, difference in found if difference), "")
        return wrong or _added(version, files) or _pushed_as_another(version, record)
    except (ValueError, TypeError, KeyError, AttributeError):
        return f"its {RECORD} is damaged"
    except OSError as error:
        return f"{Path(error.filename or version).name} cannot be read: {error.strerror}"


def read_record(version: Path) -> dict[str, Any]:
    """The record that was written when a version was pushed; empty if other software made the version.

    Raises:
        ValueError: the file is damaged.
    """
    file = version / RECORD
    if not os.path.lexists(file):
        return {}
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError(f"{file} is nested too deep") from error
    if not isinstance(record, dict) or not record.get("files"):
        raise ValueError(f"{file} names no files")
    return record


def describe_files(version: Path) -> dict[str, dict[str, object]]:
    """path -> size and hash of every file except the record itself, in order."""
    files = sorted(path for path in _files(version) if path != version / RECORD)
    return {path.relative_to(version).as_posix(): describe_file(path) for path in files}


def describe_file(file: Path) -> dict[str, object]:
    """The size and hash of a file."""
    with file.open("rb") as content:
        return {"bytes": file.stat().st_size, "sha256": hashlib.file_digest(content, "sha256").hexdigest()}


def _difference(file: Path, known: dict[str, object], thorough: bool) -> str:
    if not file.is_file():
        return "is missing"
    size = file.stat().st_size
    if size != known["bytes"]:
        return f"has {size:,} bytes instead of {known['bytes']:,}"
    return "is not what was pushed" if thorough and describe_file(file) != known else ""


def _added(version: Path, files: Collection[str]) -> str:
    """A file that was added later, if any. Files of the system (Thumbs.db, @eaDir) are ignored: no server reads them."""
    for path in sorted(version.rglob("*")):
        name = path.relative_to(version).as_posix()
        if path.is_dir() and (not path.is_symlink() or any(known.startswith(f"{name}/") for known in files)):
            continue
        if name not in files and name != RECORD and not any(map(is_passed_over, name.split("/"))):
            return f"{name} was added after the push"
    return ""


def _pushed_as_another(version: Path, record: Mapping[str, object]) -> str:
    """A complaint if the folder of one version contains another one, with its record."""
    name = version.resolve().name
    if not is_version_name(name) or str(record.get("version", name)) == name:
        return ""
    return f"it contains version {record['version']}, which belongs in a folder of that number"


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
