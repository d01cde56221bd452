"""Opens the SQLite file of a store, and explains why it cannot be used."""

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

import peewee as pw

from kerasvision.config.listing import storable
from kerasvision.errors import StoreError

# Parts of SQLite's messages for a damaged file; "no such table" if its list of tables is damaged.
DAMAGE = ("malformed", "not a database", "no such table", "no such column", "could not decode")
# With fewer free bytes than this, the disk counts as full.
SCARCE = 2**20
# Errors from rows that no version writes: a text that is not JSON, or a missing property.
ODD_CONTENT = (LookupError, ValueError, TypeError, ArithmeticError)
# Measured with SQLite 3.40 on Linux: its limit of 512 bytes, less what the names of the side files add.
LONGEST_PATH = 504
# Where an SQLite file says whether it has WAL, and how. Source: https://www.sqlite.org/fileformat.html, section 1.3.3
WAL_MARK = (18, b"\x02\x02")
# The errors of reading or writing the file. While it fetches rows, peewee does not wrap SQLite's own errors.
UNUSABLE = (pw.DatabaseError, sqlite3.Error, *ODD_CONTENT)


def check_path(folder: Path) -> None:
    """Raises StoreError if the path is not UTF-8: SQLite and TensorFlow cannot use it, and the store keeps paths as text."""
    if storable(str(folder)) != str(folder):
        raise StoreError(
            "the path of the folder with the runs must be UTF-8",
            received=str(folder),
            hint="rename it, or give the absolute path of another folder with --root",
        )


def open_database(file: Path, *, read_only: bool, between_machines: bool = False) -> pw.SqliteDatabase:
    """A connection to the file, or to an empty database in memory if it is only read and does not exist.

    Args:
        file: the SQLite file.
        read_only: never write.
        between_machines: whether processes on other machines may write the file. Then it loses WAL, which requires memory
            that all writers share, and never gets it back.

    Source: https://www.sqlite.org/wal.html#overview, "WAL does not work over a network filesystem".
    """
    if not read_only:
        # WAL: readers never wait for the writer. busy_timeout: a second writer waits instead of failing.
        mode = "delete" if between_machines or _has_no_wal(file) else "wal"
        return pw.SqliteDatabase(str(file), timeout=30, pragmas={"journal_mode": mode, "synchronous": "full"})
    if not file.exists():
        root = file.parent.parent
        if root.exists() and not root.is_dir():
            raise StoreError(f"the root must be a folder; {root} is a file", hint="choose another folder with --root")
        return empty_database()
    # Without write permission for the folder, SQLite cannot create WAL's side files, and no other process writes either.
    immutable = "" if os.access(file.parent, os.W_OK) else "&immutable=1"
    if immutable and _holds_something(file.with_name(f"{file.name}-wal")):
        return _copied(file)
    return pw.SqliteDatabase(f"file:{quote(str(file))}?mode=ro{immutable}", uri=True, timeout=30)


def empty_database() -> pw.SqliteDatabase:
    """A database in memory, for a reader of a root in which nothing was recorded."""
    return pw.SqliteDatabase(":memory:")


def _has_no_wal(file: Path) -> bool:
    """Whether the file exists and was written without WAL."""
    place, mark = WAL_MARK
    with suppress(OSError), file.open("rb") as opened:
        opened.seek(place)
        return opened.read(len(mark)) not in (mark, b"")
    return False


def _copied(file: Path) -> pw.SqliteDatabase:
    """A copy in memory. For an immutable file SQLite ignores -wal, which may contain the newest rows of a killed process."""
    copy = pw.SqliteDatabase(":memory:")
    with tempfile.TemporaryDirectory(prefix="kerasvision-store-") as folder:
        for part in (file, file.with_name(f"{file.name}-wal")):
            shutil.copyfile(part, Path(folder) / part.name)
        with closing(sqlite3.connect(Path(folder) / file.name)) as source:
            source.backup(copy.connection())  # type: ignore[no-untyped-call]  # peewee's types leave it out
    return copy


def _holds_something(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


def unusable(file: Path, error: BaseException) -> StoreError:
    """SQLite's first error, and the way out. A full disk, for example, also makes the rollback after it fail."""
    while isinstance(error.__context__, pw.DatabaseError | sqlite3.Error):
        error = error.__context__
    is_odd = isinstance(error, ODD_CONTENT)
    text = f"{type(error).__name__}: {error}" if is_odd else str(error)
    is_damaged = is_odd or any(sign in text.lower() for sign in DAMAGE)
    hint = _move_away(file) if is_damaged else _way_out(file, text)
    return StoreError(f"the metadata store {file} cannot be used: {text}", hint=hint)


def _move_away(file: Path) -> str:
    parts = [part.name for part in sorted(file.parent.glob(f"{file.name}*"))]
    names = " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))
    return (
        f"the file is damaged: move {names} out of {file.parent} and run again. All stages then run again, and "
        "their new folders get higher numbers than the existing ones"
    )


def _way_out(file: Path, text: str) -> str:
    if file.is_dir():
        return "it is a folder: move it away, or choose another folder with --root"
    if (length := len(os.fsencode(file))) > LONGEST_PATH:
        return f"its path has {length} bytes, and SQLite opens up to {LONGEST_PATH}: choose a shorter path with --root"
    if "readonly" in text or "unable to open" in text or "permission" in text:
        return "make the folder writable, or choose another folder with --root"
    # SQLite says "disk I/O error" if it cannot even create its side files.
    is_full = "full" in text or shutil.disk_usage(file.parent).free < SCARCE
    return "free some space on that disk" if is_full else "choose another folder with --root"
