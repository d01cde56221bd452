"""Where a path leads that a table or an annotation gives: to a file inside its folder, or to a fault.

Such a path is somebody else's text. One that leads out of the folder must never be opened, not even to hash it.
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

# So many rows without an image behind them, and most so: the folder is the wrong one, or the table is none.
HOPELESS_ROWS = 1_000


class ImageFiles:
    """The image files of one folder, looked up by the paths that somebody wrote down.

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
        """The path below the folder of a path as somebody wrote it: `tidy`, and from the folder on where it is a whole path.

        Backslashes separate folders where no file has them in its name. What lies elsewhere stays as it is: a `fault`.

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
        """The file of that name, whether it may be read or not."""
        return self.root / name

    def fault(self, name: str) -> str:
        """Why the file of that name cannot be read, one line; "" where it can. Takes a few microseconds."""
        if not name.strip():
            return "the path is empty"
        if "\0" in name:
            return "the path holds a NUL character"
        if "://" in name:
            return "the path is an address on a network: download the image first"
        try:
            return self._fault_on_disk(name)
        except UnicodeEncodeError:
            return "the path is no valid text"
        except OSError as error:
            return _missing(name) if error.errno in (ENOENT, ENOTDIR) else f"cannot be read: {error.strerror}"

    def _fault_on_disk(self, name: str) -> str:
        # One question to the file system per image; folders, links and ".." are rare enough to be resolved.
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
    """Whether the system can be asked about such a name."""
    try:
        return b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        return False


def is_hopeless(bad: int, *, of: int) -> bool:
    """Whether so many rows of a table lead nowhere that reading on is of no use.

    >>> is_hopeless(900, of=900), is_hopeless(1_000, of=1_900), is_hopeless(1_000, of=50_000)
    (False, True, False)
    """
    return bad >= HOPELESS_ROWS and 2 * bad > of


def tidy(name: str) -> str:
    """One spelling for one path: without `./`, `x/../` and doubled slashes; as it is where it is empty or an address.

    >>> tidy("./cats//1.jpg")
    'cats/1.jpg'
    """
    return posixpath.normpath(name) if name.strip() and "://" not in name else name


def existing_folder(path: Path) -> Path:
    """The folder itself.

    Raises:
        DataError: there is none, or it may not be looked at.
    """
    if not _is(stat.S_ISDIR, path):
        raise DataError(
            f"there is no folder {path} (looked in {Path.cwd()})", hint="set source.path to the folder with the images"
        )
    return path


def names_in(folder: Path) -> list[str]:
    """The names of what lies in a folder, sorted; none where there is no folder.

    Raises:
        DataError: it may not be listed.
    """
    try:
        return sorted(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DataError(f"folder {folder} cannot be read: {error.strerror}", hint="change its permissions") from error


def existing_file(path: Path, *, field: str) -> Path:
    """The file itself.

    Raises:
        DataError: there is none, or it may not be looked at; the message says which field of the source names it.
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
    """The bytes of a file without which the source cannot be read.

    Raises:
        DataError: it cannot be opened, or reading it fails.
    """
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint="check its permissions, and the disk") from error
