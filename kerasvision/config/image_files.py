"""Resolves a path in a table or annotation file to a file inside its folder, or to a fault.

Such a path is untrusted text. If it leads out of the folder, it must never be opened, not even to hash the file.
"""

import os
import posixpath
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import ENOENT, ENOTDIR
from pathlib import Path
from typing import BinaryIO

from kerasvision.config.listing import printable
from kerasvision.errors import DataError

# If at least this many rows, and most of all rows, have no image, the folder or the table is the wrong one.
HOPELESS_ROWS = 1_000


class ImageFiles:
    """The image files of one folder, looked up by the paths in a table or annotation file.

    Args:
        root: the folder that the paths start from.

    >>> ImageFiles(Path("photos")).fault("../secret.jpg")
    'the path leads out of photos'
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real_root = os.path.realpath(root)
        self._folders: dict[str, str] = {}

    def name(self, written: str) -> str:
        """The path as `tidy` spells it, relative to the folder; absolute paths are made relative if they are below it.

        Backslashes are separators unless a file with that name exists. A path outside stays as it is; it has a `fault`.

        >>> ImageFiles(Path("/photos")).name("/photos/cats/1.jpg"), ImageFiles(Path("/photos")).name("/other/1.jpg")
        ('cats/1.jpg', '/other/1.jpg')
        """
        name = tidy(written)
        if "\\" in name and not os.path.lexists(os.path.join(self.root, name)):  # noqa: PTH118 (speed)
            name = tidy(name.replace("\\", "/"))
        if not posixpath.isabs(name) or not _is_text(name):
            return name
        folder = self._real(posixpath.dirname(name))
        if not self._contains(folder):
            return "." if self._real(name) == self._real_root else name
        return posixpath.normpath(posixpath.join(os.path.relpath(folder, self._real_root), posixpath.basename(name)))

    def path(self, name: str) -> Path:
        """The file with that name, whether it may be read or not."""
        return self.root / name

    def fault(self, name: str) -> str:
        """Why the file with that name cannot be read, in one line; "" if it can. Takes a few microseconds."""
        if not name.strip():
            return "the path is empty"
        if "\0" in name:
            return "the path contains a NUL character"
        if "://" in name:
            return "the path is a network address: download the image first"
        try:
            return self._fault_on_disk(name)
        except UnicodeEncodeError:
            return "the path is not valid text"
        except OSError as error:
            return _missing(name) if error.errno in (ENOENT, ENOTDIR) else f"cannot be read: {error.strerror}"

    def _fault_on_disk(self, name: str) -> str:
        # One system call per image. Folders are resolved once each, and links and ".." are rare.
        full = os.path.join(self.root, name)  # noqa: PTH118 (pathlib takes ten times as long)
        folder = name if posixpath.basename(name) == ".." else posixpath.dirname(name)
        if posixpath.isabs(name) or not self._is_inside(folder):
            return self._leads_out()
        state = os.lstat(full)
        if stat.S_ISLNK(state.st_mode):
            if not self._contains(os.path.realpath(full)):
                return self._leads_out()
            state = Path(full).stat()
        return "" if stat.S_ISREG(state.st_mode) else "not a regular file"

    def _leads_out(self) -> str:
        return f"the path leads out of {printable(str(self.root))}"

    def _is_inside(self, folder: str) -> bool:
        return self._contains(self._real(os.path.join(self.root, folder)))  # noqa: PTH118 (speed)

    def _real(self, folder: str) -> str:
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return self._folders[folder]

    def _contains(self, real: str) -> bool:
        return real == self._real_root or real.startswith(self._real_root.rstrip(os.sep) + os.sep)


def _missing(name: str) -> str:
    """
    >>> _missing("C:/photos/1.jpg")
    'there is no such file (a drive letter belongs to a Windows machine: write the path below the folder)'
    """
    is_windows = name[1:2] == ":" and name[:1].isalpha()
    hint = " (a drive letter belongs to a Windows machine: write the path below the folder)" if is_windows else ""
    return f"there is no such file{hint}"


def _is_text(name: str) -> bool:
    """Whether the file system accepts such a name."""
    try:
        return b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        return False


def is_hopeless(bad: int, *, of: int) -> bool:
    """Whether too many rows of a table have no image file for reading to continue.

    >>> is_hopeless(900, of=900), is_hopeless(1_000, of=1_900), is_hopeless(1_000, of=50_000)
    (False, True, False)
    """
    return bad >= HOPELESS_ROWS and 2 * bad > of


def tidy(name: str) -> str:
    """One spelling for each path: without `./`, `x/../` and double slashes. An empty path or an address is unchanged.

    >>> tidy("./cats//1.jpg")
    'cats/1.jpg'
    """
    return posixpath.normpath(name) if name.strip() and "://" not in name else name


def existing_folder(path: Path) -> Path:
    """The path itself.

    Raises:
        DataError: it is not a folder, or there is no permission to look at it.
    """
    if not _is(stat.S_ISDIR, path):
        rule = f"{path} is a file, not a folder" if path.exists() else f"there is no folder {path}"
        raise DataError(f"{rule} (looked in {Path.cwd()})", hint="set source.path to the folder with the images")
    return path


def names_in(folder: Path) -> list[str]:
    """The sorted names of the entries of a folder; empty if there is no such folder.

    Raises:
        DataError: there is no permission to list it.
    """
    try:
        return sorted(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DataError(f"folder {folder} cannot be read: {error.strerror}", hint="change its permissions") from error


def existing_file(path: Path, *, field: str) -> Path:
    """The path itself.

    Raises:
        DataError: it is not a file, or there is no permission to look at it. The message names the field of the source.
    """
    if not _is(stat.S_ISREG, path):
        raise DataError(f"there is no file {path} (looked in {Path.cwd()})", hint=f"set source.{field} to an existing file")
    return path


def _is(kind: Callable[[int], bool], path: Path) -> bool:
    try:
        return kind(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        hint = "check the permissions of the folders above it"
        raise DataError(f"{path} cannot be read: {error.strerror}", hint=hint) from error


@contextmanager
def opened_file(path: Path) -> Iterator[BinaryIO]:
    """Opens a file that the source cannot do without, for reading bytes.

    Raises:
        DataError: it cannot be opened, or reading it fails.
    """
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint="check its permissions, and the disk") from error
