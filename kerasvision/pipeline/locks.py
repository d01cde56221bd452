"""Locks for one process at a time. They are files in `runs/`, and are released when the process that holds them ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from kerasvision.errors import StoreError

# The lock of whoever brings an artifact back from an object store.
FETCHING = "fetching"


@contextmanager
def alone(folder: Path, name: str, *, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """No other process is inside this context for the same folder and name.

    Args:
        folder: where runs are kept.
        name: of the lock.
        waiting: called once if another process holds the lock.

    Raises:
        StoreError: the folder cannot be written.
    """
    with _writing(folder):
        lock = _lock(folder, name)
        try:
            lock.acquire(timeout=0.2)
        except Timeout:
            waiting()
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def alone_now(folder: Path, name: str) -> Iterator[bool]:
    """Like `alone`, but without waiting: yields False if another process holds the lock.

    Args:
        folder: where runs are kept.
        name: of the lock.

    Raises:
        StoreError: the folder cannot be written.
    """
    is_alone = True
    with _writing(folder):
        lock = _lock(folder, name)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            is_alone = False
    try:
        yield is_alone
    finally:
        lock.release()


def _lock(folder: Path, name: str) -> FileLock:
    (folder / "locks").mkdir(parents=True, exist_ok=True)
    return FileLock(folder / "locks" / f"{name}.lock")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"runs are kept in {folder}, which cannot be written: {error.strerror}",
            hint="choose another folder with --root",
        ) from error
