"""Kills this process at one of its operations on files or of its statements to SQLite, or lets the system refuse them."""

import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import peewee as pw
from file_operations import Operations

READS = ("open", "open r", "open rb")  # a plain open is that of a folder or file that is flushed
# Which operations the system may refuse, and what SQLite says to the statement that meets the same.
REFUSALS = {
    "disk full": (errno.ENOSPC, ("mkdir", "open", "write", "fsync"), "database or disk is full"),
    "quota": (errno.EDQUOT, ("mkdir", "open", "write", "fsync"), "database or disk is full"),
    "input/output error": (errno.EIO, ("mkdir", "rename", "unlink", "rmdir", "open", "write", "fsync"), "disk I/O error"),
    "read-only": (
        errno.EROFS,
        ("mkdir", "rename", "unlink", "rmdir", "open", "write"),
        "attempt to write a readonly database",
    ),
    "too many open files": (errno.EMFILE, ("open",), "unable to open database file"),
}


@contextmanager
def killed_at(number: int) -> Iterator[list[str]]:
    """Kills this process before its n-th operation, counted from 0. Yields the operations so far."""
    with _watched(lambda count, *_: os.kill(os.getpid(), signal.SIGKILL) if count == number else None) as seen:
        yield seen


@contextmanager
def refused_from(number: int, refusal: str, *, lasts: bool) -> Iterator[list[str]]:
    """From the n-th operation on the system refuses what `REFUSALS` says; only one operation unless it lasts."""
    code, names, says = REFUSALS[refusal]
    used = []

    def act(count: int, operation: str, path: Path | None) -> None:
        is_concerned = path is None or operation.split()[0] in names
        if operation in READS and code not in (errno.EIO, errno.EMFILE):
            is_concerned = False
        if count >= number and is_concerned and (lasts or not used):
            used.append(operation)
            if path is None:
                raise pw.OperationalError(says)
            # The system names the file, except where it knows only a descriptor.
            raise OSError(code, os.strerror(code), *([] if operation.startswith(("write", "fsync")) else [str(path)]))

    with _watched(act) as seen:
        yield seen


@contextmanager
def _watched(act: Callable[[int, str, Path | None], None]) -> Iterator[list[str]]:
    """Calls `act(count, operation, path)` before each operation; a statement has no path."""
    seen: list[str] = []

    def before(operation: str, path: Path | None = None) -> None:
        seen.append(operation)
        act(len(seen) - 1, operation, path)

    cursor = pw.Database.cursor

    def told_cursor(self: pw.Database, *arguments: object, **keywords: object) -> object:
        # Every statement needs a cursor, COMMIT too.
        before("statement")
        return cursor(self, *arguments, **keywords)

    operations = Operations(before)
    with operations.watched(), mock.patch.object(pw.Database, "cursor", told_cursor):
        yield seen
