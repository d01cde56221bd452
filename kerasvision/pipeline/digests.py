"""SHA-256 of files and folders. A file is only read if its size, times or inode changed since the last time."""

import errno
import hashlib
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from kerasvision.config.base import canonical_json
from kerasvision.config.listing import printable

# File systems round times (FAT to 2 s), so a second change this soon after the first might not be noticed.
SETTLED_NS = 2_000_000_000

# What is remembered of a file: its SHA-256, or what its source says (see source.py).
Finding = Literal["digest", "source"]


@dataclass(frozen=True)
class FileState:
    """What the file system reports about a file without reading it."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Memo(Protocol):
    """Remembers what was found in a file and the file's state at that time. The store implements this."""

    def recall(self, finding: Finding, keys: list[str]) -> dict[str, tuple[FileState, str, int]]:
        """key -> (state, what was found, time of reading in ns)."""

    def remember(self, finding: Finding, rows: list[tuple[str, FileState, str, int]]) -> None:
        """Keeps rows of (key, state, what was found, time of reading in ns)."""


def tree_digest(paths: Iterable[Path], memo: Memo | None) -> str:
    """SHA-256 of whole folders: names and contents of all files, in order.

    Without `memo`, every file is read.

    Raises:
        OSError: one of the paths does not exist, or a file cannot be read.
    """
    return digest_of(tree_files(paths, memo))


def digest_of(files: Mapping[str, str]) -> str:
    """SHA-256 of what `tree_files` returns."""
    return hashlib.sha256(canonical_json(files).encode()).hexdigest()


def tree_files(paths: Iterable[Path], memo: Memo | None) -> dict[str, str]:
    """SHA-256 of each file of whole folders, by its name: the number of the folder, from 0, then the path below it.

    Raises:
        OSError: one of the paths does not exist, or a file cannot be read. A reason in place of its SHA-256 would be
            recorded as the content.
    """
    files: list[tuple[str, Path]] = []
    for number, root in enumerate(paths):
        if not root.exists():
            raise FileNotFoundError(root)
        found = (path for path in root.rglob("*") if path.is_file())
        files += [(f"{number}/{path.relative_to(root).as_posix()}", path) for path in found]
    return {name: _raised(found) for name, found in _read(files, memo).items()}


def file_digests(files: Iterable[tuple[str, Path]], memo: Memo | None) -> dict[str, str]:
    """name -> SHA-256 of each file, or why it cannot be read, so that changed permissions count as a change."""
    return {name: _digest_or_fault(found) for name, found in _read(files, memo).items()}


def _read(files: Iterable[tuple[str, Path]], memo: Memo | None) -> dict[str, str | OSError]:
    named = [(name, path, path_key(path)) for name, path in files]
    found = read_changed("digest", {key: path for _, path, key in named}, lambda _, path: file_digest(path), memo)
    return {name: found[key] for name, _, key in named}


def read_changed(
    finding: Finding, files: Mapping[str, Path], read: Callable[[str, Path], str], memo: Memo | None
) -> dict[str, str | OSError]:
    """key -> the finding of each file, or the error of reading it. Unchanged files are not read.

    Args:
        finding: what to find.
        files: key -> file.
        read: finds it, from a key and a file.
        memo: remembers what was found. Without it, every file is read.
    """
    known = memo.recall(finding, list(files)) if memo else {}
    found: dict[str, str | OSError] = {}
    fresh = []
    for key, path in files.items():
        try:
            state = _state(path)
            recorded, text, at_ns = known.get(key, (None, "", 0))
            if recorded != state or at_ns - max(state.mtime_ns, state.ctime_ns) < SETTLED_NS:
                at_ns = time.time_ns()
                text = read(key, path)
                fresh.append((key, state, text, at_ns))
            found[key] = text
        except OSError as error:
            found[key] = error
    if memo and fresh:
        memo.remember(finding, fresh)
    return found


def path_key(path: Path) -> str:
    """A file's absolute path as text that every database can keep."""
    return printable(str(path.absolute()))


def _digest_or_fault(found: str | OSError) -> str:
    return f"cannot be read: {found.strerror}" if isinstance(found, OSError) else found


def _raised(found: str | OSError) -> str:
    if isinstance(found, OSError):
        raise found
    return found


def _state(path: Path) -> FileState:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")  # opening a pipe may block forever
    return FileState(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def file_digest(path: Path) -> str:
    """SHA-256 of a file, which is read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
