"""One process at a time: locks that are files under `runs/`, and die with the process that holds them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from kerasvision.errors import StoreError


@contextmanager
def alone(folder: Path, name: str, *, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """No other process is within this for the same folder and name.

    Args:
        folder: where runs are kept.
        name: of what is done alone.
        waiting: called once where another process is there first.

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
    """As `alone`, but does not wait: gives False where another process is within `alone` for the same folder and name.

    Args:
        folder: where runs are kept.
        name: of what is done alone.

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
            f"runs are kept in {folder}, and it cannot be written: {error.strerror}",
            hint="choose another place with --root",
        ) from error
