"""Writes files and folders atomically: writes to a temporary name, flushes, renames.

After a kill or a power cut at any moment, a path has either its old content or the complete new content. This requires this
order: flush the content, rename it, flush the folder that contains it.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO


def write_whole(file: Path, write: Callable[[Path], object], *, suffix: str = ".tmp") -> None:
    """Writes a file atomically. An existing file is replaced in one step.

    Args:
        file: the final path; its folder must exist.
        write: writes the content to the temporary path that it receives, which is next to `file`.
        suffix: appended to the name of `file` for the temporary path; processes that write at the same time need different
            ones.

    Raises:
        OSError: the file cannot be written, for example on a full disk. The old file is unchanged, and no temporary file
            is left.

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
    """Renames something that is already flushed to its final path, and flushes the folder that contains it."""
    written.rename(final)
    flush(final.parent)


def flush_tree(folder: Path) -> None:
    """Flushes a folder and every file and folder below it."""
    for path in [*folder.rglob("*"), folder]:
        flush(path)


def flush(path: Path) -> None:
    """Flushes a file or the entries of a folder to disk, so that they survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_stream(stream: IO[bytes]) -> None:
    """Flushes what was written to a stream to disk, so that it survives a power cut."""
    stream.flush()
    os.fsync(stream.fileno())
