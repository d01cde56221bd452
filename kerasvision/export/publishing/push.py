"""Copies a model to where servers look, `<folder>/<version>/`, as a whole and never over an existing version; rolls back."""

import getpass
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from filelock import FileLock

from kerasvision.errors import ConfigError, ExportError
from kerasvision.export.publishing.markdown import escape
from kerasvision.served.versions import (
    CARD,
    MAIN,
    RECORD,
    complaint,
    describe_file,
    describe_files,
    find_version,
    read_record,
    versions,
)
from kerasvision.whole_files import flush, flush_tree, write_whole

NO_CARD = "This version was pushed without a card.\n"


def push(
    saved_model: Path,
    *,
    folder: Path,
    card: str = NO_CARD,
    facts: Mapping[str, object] | None = None,
    token: str = "",
) -> int:
    """Copies a SavedModel to the next version of a model's folder.

    The model is copied under a name that is not a number, which servers ignore, with `saved_model.pb` last. Then it is
    flushed to the disk and renamed. The copy is in the same folder as the version, so the rename is one step even if the
    model comes from another disk. Only one push at a time works on a folder: the next one waits, and removes what a killed
    one left.

    Args:
        saved_model: the folder to copy.
        folder: `saved_models/<name>`; created if it does not exist.
        card: the text of `model_card.md`.
        facts: what `version.json` says in addition to the files: where the model came from, and who pushed it.
        token: of this push. If a complete version has it already, an earlier process made this push but was killed before it
            could report; the result is that version.

    Returns:
        The version: one more than the highest existing one, or 1.

    Raises:
        ExportError: the folder cannot be written, or the model to copy is not a complete SavedModel.
    """
    wrong = complaint(saved_model)
    if wrong:
        raise ExportError(f"{saved_model} cannot be pushed: {wrong}")
    with _alone(folder):
        made = next(_bearing(token, folder), None) if token else None
        return made or _add(saved_model, folder, card, {**(facts or {}), "push": token})


def roll_back(folder: Path, *, to: int | None = None, reason: str = "") -> tuple[int, int]:
    """Makes an earlier version the newest again: its content is pushed once more, as the highest version.

    No version is deleted or changed. A server of the highest number switches to the new version, and a server of a fixed
    number keeps it. The version that is left remains, and can be restored in the same way.

    Args:
        folder: `saved_models/<name>`.
        to: the version; by default the one before the newest. If the newest is itself a rollback, the one before the version
            that it restored.
        reason: for the record.

    Returns:
        (the new version, the version whose content it has)

    Raises:
        ConfigError: there is no such version, or it is already the newest.
        ExportError: it is incomplete, or the folder cannot be written.
    """
    find_version(folder, to)
    with _alone(folder):
        newest = versions(folder)[-1]
        chosen = find_version(folder, _version_before(folder, newest) if to is None else to)
        if chosen.name == str(newest):
            raise ConfigError(f"version {newest} of {folder.name} is already the newest")
        wrong = complaint(chosen, thorough=True)
        if wrong:
            raise ExportError(f"cannot roll back to {chosen}: {wrong}", hint="choose another version with --to")
        rollback = {"to": int(chosen.name), "from": newest, **who_and_when(), "reason": reason}
        facts = {key: value for key, value in read_record(chosen).items() if key not in ("files", "version", "push")}
        card = (chosen / CARD).read_text(encoding="utf-8") if (chosen / CARD).is_file() else NO_CARD
        return _add(chosen, folder, _rollback_note(rollback) + card, {**facts, "rolled_back": rollback}), int(chosen.name)


def record_push(record: Path, *, destination: Path, version: int, forced: Mapping[str, str] | None = None) -> None:
    """Writes where a model was pushed, relative to the record's folder, so that the root can be moved; and who forced it."""
    relative = os.path.relpath(destination, record.parent)
    extra = {"forced": dict(forced)} if forced else {}
    _write(record, {"pushed": True, "version": version, "destination": relative, **extra})


def record_unpushed(record: Path, *, why: str) -> None:
    """Writes why a model was not pushed."""
    _write(record, {"pushed": False, "why": why})


def push_token(work: Path) -> str:
    """The mark of all versions of one push, even if it is started several times: kept in a folder that outlives the process.

    The folder is the work folder of a stage. An execution that follows a killed one finds it unchanged; one that follows a
    finished one, or is forced, finds it empty.
    """
    file = work / "push_token"
    if not file.is_file():
        work.mkdir(parents=True, exist_ok=True)
        write_whole(file, lambda beside: beside.write_text(secrets.token_hex(16), encoding="utf-8"))
    return file.read_text(encoding="utf-8")


def who_and_when() -> dict[str, str]:
    """`by`, the user's name on this machine, and `at`, the time in UTC."""
    try:
        name = getpass.getuser()
    except (KeyError, ImportError, OSError):  # a user id without a name, as in a container
        name = f"user {os.getuid()}"
    return {"by": name, "at": datetime.now(UTC).isoformat(timespec="seconds")}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Prevents other pushes to this folder; removes incomplete copies. OSError becomes ExportError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            try:
                yield
            finally:
                shutil.rmtree(_part(folder), ignore_errors=True)
    except OSError as error:
        # copytree collects the errors in an error of its own, which has no strerror.
        why = error.args[0][0][-1] if isinstance(error, shutil.Error) else error.strerror or error
        raise ExportError(f"{folder} cannot be written: {why}") from error


def _part(folder: Path) -> Path:
    return folder / ".copying"


def _bearing(token: str, folder: Path) -> Iterator[int]:
    """Complete versions that were pushed with this token, the newest first."""
    for version in reversed(versions(folder)):
        place = folder / str(version)
        if _record_or_empty(place).get("push") == token and not complaint(place, thorough=True):
            yield version


def _record_or_empty(version: Path) -> dict[str, Any]:
    """The record of a version; empty if it is damaged."""
    try:
        return read_record(version)
    except ValueError:
        return {}


def _add(content: Path, folder: Path, card: str, facts: Mapping[str, object]) -> int:
    """Copies and publishes while the lock is held. Existing versions, whoever made them, are not changed."""
    part, main = _part(folder), content / MAIN
    shutil.rmtree(part, ignore_errors=True)
    left = {MAIN, RECORD, CARD}
    shutil.copytree(
        content, part, copy_function=shutil.copyfile, ignore=lambda at, names: left if Path(at) == content else ()
    )
    part.chmod(0o755)  # copytree made it as read-only as its source
    (part / CARD).write_text(card, encoding="utf-8")
    described = dict(sorted({**describe_files(part), MAIN: describe_file(main)}.items()))
    for version in count(max(versions(folder), default=0) + 1):
        _write(part / RECORD, {"name": folder.name, "version": version, **facts, "files": described})
        shutil.copyfile(main, part / MAIN)
        flush_tree(part)
        try:
            part.rename(folder / str(version))
        except OSError:
            if not (folder / str(version)).exists():
                raise
        else:
            flush(folder)
            return version
    raise AssertionError  # there is always one more


def _version_before(folder: Path, version: int) -> int:
    """The version that was newest before this one; a rollback counts as the version that it restored.

    Raises:
        ConfigError: no earlier version exists.
    """
    first = version
    while rollback := _record_or_empty(folder / str(first)).get("rolled_back"):
        first = int(rollback["to"])
    earlier = [one for one in versions(folder) if one < first]
    if not earlier:
        there = ", ".join(map(str, versions(folder)))
        raise ConfigError(f"{folder.name} has no version before {first}", hint=f"choose one with --to: {there}")
    return earlier[-1]


def _rollback_note(rollback: Mapping[str, object]) -> str:
    because = f": {escape(rollback['reason'])}" if rollback["reason"] else ""
    places = f"from version {rollback['from']} to version {rollback['to']}"
    return f"> **Rolled back** {places} by {escape(rollback['by'])}, {rollback['at']}{because}\n\n"


def _write(record: Path, data: Mapping[str, object]) -> None:
    record.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
