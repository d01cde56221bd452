"""Lists the contents of a folder, in the same way for reading, predicting and fingerprints.

Links are followed, because the owner of the folder put them there. A link back to a folder above itself is reported as a
fault. Paths in a table or annotation file are not trusted in this way: see `kerasvision.config.image_files`.
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

IMAGE_SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".apng",
        ".bmp",
        ".dib",
        ".gif",
        ".webp",
        ".tif",
        ".tiff",
        ".heic",
        ".avif",
    }
)

# Files that operating systems and storage devices create, in lower case. Names that begin with a dot are hidden anyway.
LEFTOVERS = frozenset(
    {
        "thumbs.db",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "zbthumbnail.info",
        "picasa.ini",
        "desktop.ini",
        "$recycle.bin",
        "system volume information",
        "found.000",
        "lost+found",
        "__macosx",
        "icon\r",
        "@eadir",
        "@tmp",
        "@recycle",
        "@recently-snapshot",
        "@snapshot",
        "@sharebin",
        "#recycle",
        "#snapshot",
        "__pycache__",
    }
)

LOOP = "cannot be read: the link leads back to a folder above it"
EMPTY = "the folder is empty"

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")

# (device, inode) of the folders above an entry.
Above = frozenset[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Found:
    """One entry of a folder.

    Attributes:
        name: its path below the folder that was listed, with `/`.
        root: that folder.
        is_folder: True for a folder whose contents cannot be listed, or that is empty.
        is_outside: whether links below the root lead out of it to this entry.
        fault: why it cannot be read; "" if only reading can show that.
    """

    name: str
    root: Path
    is_folder: bool = False
    is_outside: bool = False
    fault: str = ""

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.root / self.name

    @property
    def is_named_like_an_image(self) -> bool:
        """Whether it is not a folder, and its name ends like an image's."""
        return not self.is_folder and os.path.splitext(self.name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122 (speed)


def list_folder(root: Path, *, recursive: bool = True, hidden: bool = False) -> Iterator[Found]:
    """Everything below a folder except non-empty folders themselves, sorted by the parts of their paths.

    Pipes and broken links are listed like files: reading them reports the fault. A folder is listed, with its fault, if it
    is empty, cannot be listed, or is a loop of links. Entries for which `is_passed_over` is true are left out.

    Args:
        root: the folder. If it cannot be listed, it is the only entry, with the name ".".
        recursive: also list the contents of the folders below it.
        hidden: also list names that begin with a dot, which reading ignores.
    """
    real = root.resolve()
    # A stack instead of recursion: a path may contain more folders than Python allows nested calls.
    above_root = frozenset(_identity(folder) for folder in (real, *real.parents))
    waiting: list[tuple[Found, Above | None]] = [(Found("", root, is_folder=True), above_root)]
    while waiting:
        found, above = waiting.pop()
        if above is None:
            yield found
        else:
            waiting += reversed(list(_below(found, above, real=real, recursive=recursive, hidden=hidden)))


def list_files(root: Path, *, hidden: bool = False) -> Iterator[tuple[str, Path]]:
    """(name, path) of everything that a reader of the folder depends on: its files, and entries that it may not read."""
    for found in list_folder(root, hidden=hidden):
        if found.fault not in (LOOP, EMPTY) and (found.fault or is_file(found.path)):
            yield printable(found.name), found.path


def is_file(path: Path) -> bool:
    """Whether the path is a regular file. One without read permission counts, because reading it reports the fault."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def is_folder(path: Path) -> bool:
    """Whether the path is a folder, as far as permissions let us see."""
    return os.path.isdir(path)  # noqa: PTH112 (Path.is_dir raises if a folder above is closed)


def is_passed_over(name: str, *, hidden: bool = False) -> bool:
    """Whether listing ignores an entry: an operating system or storage device created it, or it is hidden.

    >>> [is_passed_over(name) for name in (".DS_Store", "Thumbs.db", "__MACOSX", "@eaDir", "thumbs")]
    [True, True, True, True, False]
    """
    return (name.startswith(".") and not hidden) or name.casefold() in LEFTOVERS


def printable(name: str) -> str:
    r"""A file's name as one line of text: bytes that are not UTF-8, line breaks and other control characters are escaped.

    >>> printable("caf\udce9\n.jpg") == r"caf\udce9\n.jpg"
    True
    """
    return storable(_CONTROL.sub(lambda found: repr(found[0])[1:-1], name))


def storable(text: str) -> str:
    r"""A text that UTF-8 can encode: surrogates, which represent other bytes of a file's name, are escaped as in JSON.

    >>> storable("caf\udce9.jpg") == r"caf\udce9.jpg"
    True
    """
    return text.encode("utf-8", "backslashreplace").decode()


def _below(
    folder: Found, above: Above, *, real: Path, recursive: bool, hidden: bool
) -> Iterator[tuple[Found, Above | None]]:
    """The entries of a folder, each with the folders above it if it must be listed in turn, or else None."""
    try:
        with os.scandir(folder.path) as entries:
            # Keeping names instead of the entries takes a third of the memory for 100,000 files.
            kept = (entry for entry in entries if not is_passed_over(entry.name, hidden=hidden))
            named = sorted((entry.name, _is_folder(entry), entry.is_symlink()) for entry in kept)
    except OSError as error:
        yield replace(folder, name=folder.name or ".", fault=f"cannot be read: {error.strerror}"), None
        return
    if not named:
        yield replace(folder, name=folder.name or ".", fault=EMPTY), None
    for name, is_folder, is_link in named:
        found = Found(f"{folder.name}/{name}".lstrip("/"), folder.root, is_folder, folder.is_outside)
        if is_link:
            found = replace(found, is_outside=not Path(os.path.realpath(found.path)).is_relative_to(real))
        if not is_folder:
            yield found, None
        elif recursive:
            own = _identity(found.path)
            yield (replace(found, fault=LOOP), None) if is_link and own in above else (found, above | {own})


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or to a place without permission: reading reports it
        return False


def _identity(folder: Path) -> tuple[int, int]:
    try:
        state = folder.stat()
    except OSError:
        return -1, -1
    return state.st_dev, state.st_ino
