"""Puts files and folders on disk whole or not at all: written beside, flushed, renamed.

A kill or a power cut at any moment leaves under a name what was there before, or the whole new content. That takes this
order: flush the content, rename it, flush the folder that holds the name.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO


def write_whole(file: Path, write: Callable[[Path], object], *, suffix: str = ".tmp") -> None:
    """Writes a file whole or not at all. What was there before is replaced in one step.

    Args:
        file: the name that stands for the whole content afterwards; its folder exists.
        write: writes the content to the path that it receives, beside `file`.
        suffix: what that path has after the name of `file`; two processes that may write at once need two of them.

    Raises:
        OSError: the disk is full, and the like. What was there before is as it was, and nothing is left beside it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "a.txt", lambda beside: beside.write_text("whole"))
    ...     [path.name for path in Path(folder).iterdir()], (Path(folder) / "a.txt").read_text()
    (['a.txt'], 'whole')
    """
    beside = file.with_name(file.name + suffix)
    try:
        write(beside)
        flush(beside)
        beside.rename(file)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    flush(file.parent)


def rename_into_place(written: Path, final: Path) -> None:
    """Gives what is flushed already its final name, and flushes the folder that holds the name."""
    written.rename(final)
    flush(final.parent)


def flush_tree(folder: Path) -> None:
    """Flushes every file and folder below, and the folder itself."""
    for path in [*folder.rglob("*"), folder]:
        flush(path)


def flush(path: Path) -> None:
    """After a power cut the file holds what it holds now, or the folder the names that it holds now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_stream(stream: IO[bytes]) -> None:
    """After a power cut the file holds what was written to this stream so far."""
    stream.flush()
    os.fsync(stream.fileno())
