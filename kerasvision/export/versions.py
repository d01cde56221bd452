"""What lies in a model's folder: its versions, what is written about each, and whether each is whole.

```
saved_models/<name>/
    3/                    a version: what servers load, never changed once it is there; the highest number is the newest
        saved_model.pb, variables/, assets/, assets.extra/
        model_card.md     what a person should know of it
        version.json      where it came from, when and why it was pushed, and size and hash of every file
    .lock, .copying/      names that are no number, which servers pass over
```
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from kerasvision.errors import ConfigError, ExportError

MAIN = "saved_model.pb"
RECORD = "version.json"
CARD = "model_card.md"


def versions(folder: Path) -> list[int]:
    """The versions in a model's folder, in order. What is no whole number is none.

    >>> versions(Path("/nowhere"))
    []
    """
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if is_version_name(path.name) and path.is_dir())


def is_version_name(name: str) -> bool:
    """Whether a server takes this name for a version: digits, without leading zeros, which would name one version twice.

    >>> [is_version_name(name) for name in ("12", "0", "012", "-3", "1.5", "²")]
    [True, True, False, False, False, False]
    """
    return name.isascii() and name.isdecimal() and name == str(int(name))


def latest_version(folder: Path) -> Path:
    """The folder of the highest version, or the folder itself where it is a SavedModel.

    Raises:
        ExportError: no saved model is there, or one that is not whole.
    """
    chosen = folder if (folder / MAIN).is_file() else folder / str(max(versions(folder), default=""))
    if not (chosen / MAIN).is_file():
        state = "there is no such folder" if not folder.exists() else "it holds no saved_model.pb"
        raise ExportError(f"{folder} is no saved model: {state}", hint="`kerasvision run` writes one to saved_models/")
    wrong = complaint(chosen)
    if wrong:
        raise ExportError(
            f"{chosen} is half a saved model: {wrong}",
            hint="copy it anew, name another version by its folder, or go back with `kerasvision saved rollback`",
        )
    return chosen


def find_version(folder: Path, version: int | None = None) -> Path:
    """The folder of a version, the newest where none is named.

    Raises:
        ConfigError: there is no such model or version.
    """
    there = versions(folder)
    if not there:
        raise ConfigError(f"no model has been pushed to {folder}", hint="`kerasvision saved list` shows what there is")
    chosen = there[-1] if version is None else version
    if chosen not in there:
        raise ConfigError(f"{folder.name} has no version {chosen}; there are {', '.join(map(str, there))}")
    return folder / str(chosen)


def complaint(version: Path, *, thorough: bool = False) -> str:
    """What is wrong with the folder of a version; nothing where it is whole.

    Each file that its `version.json` names must be there with its size, which finds a version that is half copied. A version
    without that file, made by something else, needs `saved_model.pb` and the index of its variables.

    Args:
        version: the folder.
        thorough: read every file, and compare its hash too.
    """
    if not (version / MAIN).is_file():
        return "it holds no saved_model.pb"
    if not (version / "variables" / "variables.index").is_file():
        return "its variables are missing"
    try:
        files = read_record(version).get("files", {})
        found = ((name, _difference(version / name, known, thorough)) for name, known in files.items())
        return next((f"{name} {difference}" for name, difference in found if difference), "")
    except (ValueError, TypeError, KeyError, AttributeError):
        return f"its {RECORD} is damaged"


def read_record(version: Path) -> dict[str, object]:
    """What was written about a version when it was pushed; nothing where something else made it.

    Raises:
        ValueError: the file is damaged.
    """
    file = version / RECORD
    if not file.is_file():
        return {}
    record = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise ValueError(f"{file} is no JSON object")
    return record


def describe_files(version: Path) -> dict[str, dict[str, object]]:
    """path -> size and hash of every file, in order, but the record itself."""
    files = sorted(path for path in _files(version) if path != version / RECORD)
    return {path.relative_to(version).as_posix(): describe_file(path) for path in files}


def describe_file(file: Path) -> dict[str, object]:
    """Its size and hash."""
    with file.open("rb") as content:
        return {"bytes": file.stat().st_size, "sha256": hashlib.file_digest(content, "sha256").hexdigest()}


def _difference(file: Path, known: dict[str, object], thorough: bool) -> str:
    if not file.is_file():
        return "is missing"
    size = file.stat().st_size
    if size != known["bytes"]:
        return f"has {size:,} bytes instead of {known['bytes']:,}"
    return "is not what was pushed" if thorough and describe_file(file) != known else ""


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
