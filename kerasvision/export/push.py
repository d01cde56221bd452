"""Copy a model to where servers look: `<folder>/<version>/`, never over an existing version, never half."""

import json
import os
import shutil
from pathlib import Path

from filelock import FileLock

from kerasvision.errors import ExportError


def push(saved_model: Path, *, folder: Path) -> int:
    """Copies a SavedModel to the next version of a model's folder.

    It is copied under a name that is no number, which servers pass over, and renamed when it is whole. One push at a time
    per folder: the next one waits, and clears away what a killed one left.

    Args:
        saved_model: the folder to copy.
        folder: `saved_models/<name>`; made where it does not exist.

    Returns:
        The version: one more than the highest there is, 1 for the first.

    Raises:
        ExportError: the folder cannot be written.
    """
    part = folder / ".copying"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(saved_model, part)
            _flush(part)
            return _publish(part, folder)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        # copytree gathers what went wrong in an error of its own, which has no strerror.
        why = error.args[0][0][-1] if isinstance(error, shutil.Error) else error.strerror
        raise ExportError(f"{folder} cannot be written: {why}") from error


def record_push(record: Path, *, destination: Path, version: int) -> None:
    """Writes where a model went, relative to the record's folder, so that the root can be moved."""
    relative = os.path.relpath(destination, record.parent)
    _write(record, {"pushed": True, "version": version, "destination": relative})


def record_refusal(record: Path, *, why: str) -> None:
    """Writes why a model was not pushed."""
    _write(record, {"pushed": False, "why": why})


def versions(folder: Path) -> list[int]:
    """The versions in a model's folder, in order. What is no whole number is none.

    >>> versions(Path("/nowhere"))
    []
    """
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal() and path.is_dir())


def latest_version(folder: Path) -> Path:
    """The folder of the highest version, or the folder itself where it is a SavedModel.

    Raises:
        ExportError: no saved model is there, or one that is not whole.
    """
    chosen = folder if (folder / "saved_model.pb").is_file() else folder / str(max(versions(folder), default=""))
    if not (chosen / "saved_model.pb").is_file():
        state = "there is no such folder" if not folder.exists() else "it holds no saved_model.pb"
        raise ExportError(f"{folder} is no saved model: {state}", hint="`kerasvision run` writes one to saved_models/")
    if not (chosen / "variables" / "variables.index").is_file():
        raise ExportError(f"{chosen} is half a saved model: its variables are missing")
    return chosen


def _publish(part: Path, folder: Path) -> int:
    """Renames to the first free version. What is there already, put there by whomever, is left as it is."""
    version = max(versions(folder), default=0) + 1
    while True:
        try:
            part.rename(folder / str(version))
        except OSError:
            if not (folder / str(version)).exists():
                raise
            version += 1
        else:
            return version


def _flush(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write(record: Path, data: dict[str, object]) -> None:
    record.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
