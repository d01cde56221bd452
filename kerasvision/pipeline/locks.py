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
    lock = FileLock(folder / "locks" / f"{name}.lock")
    try:
        (folder / "locks").mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0.2)
        except Timeout:
            waiting()
            lock.acquire()
    except OSError as error:
        raise StoreError(
            f"runs are kept in {folder}, and it cannot be written: {error.strerror}",
            hint="choose another place with --root",
        ) from error
    try:
        yield
    finally:
        lock.release()
