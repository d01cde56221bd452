"""Images in class folders."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from kerasvision.config.image_files import existing_folder
from kerasvision.config.listing import EMPTY, LOOP, Found, list_folder, printable
from kerasvision.config.sources import ImageFolder
from kerasvision.data.records import LINKED_OUT, OUTSIDE, Record
from kerasvision.data.sources.tag_folders import merged_by_content
from kerasvision.data.split_names import split_of, splits_among
from kerasvision.errors import DataError
from kerasvision.progress import say

Folders = tuple[str, ...]


def read_image_folder(settings: ImageFolder) -> Iterator[Record]:
    """Every file below a class folder, by name. With `tags`, files with the same content are one image; see `tag_folders`.

    An image elsewhere gets a fault that says where it is: directly in the folder, directly in a split folder, or next to the
    split folders. Other files there (for example a licence) are ignored. Without labels, there are no class folders: every
    file is read that is named like an image, and the highest folders are split folders if all of them are named so.

    Raises:
        DataError: there is no such folder, it has no class folders, or one of them is empty or cannot be read.
    """
    root = existing_folder(settings.path)
    found = list(list_folder(root))
    if not settings.labels:
        yield from _unlabelled(root, found)
        return
    layout = _layout(found)
    _refuse_unreadable(found, layout)
    _refuse_empty(root, found, layout)
    unread = {name for one in found for name in _folders(one)[:1]}

    def records() -> Iterator[Record]:
        for one in found:
            record = None if one.fault == EMPTY else (_tagged if settings.tags else _record)(one, layout)
            if record is not None:
                unread.difference_update(_folders(one)[:1])
                yield record

    yield from merged_by_content(records()) if settings.tags else records()
    for name in sorted(unread):
        _say_once(f"{printable(str(root / name))} contains no images, and is not read")


def _unlabelled(root: Path, found: Sequence[Found]) -> Iterator[Record]:
    """The records of images in no class folders.

    Raises:
        DataError: no file is named like an image, or a folder cannot be listed.
    """
    first = {folders[0] for one in found if one.fault != LOOP and (folders := _folders(one))}
    splits = splits_among(first)
    splits = splits if splits.keys() == first else {}
    files = [one for one in found if not one.is_folder and one.is_named_like_an_image]
    if bad := next((one for one in found if one.is_folder and one.fault not in ("", EMPTY, LOOP)), None):
        raise DataError(f"folder {bad.path} {bad.fault}", hint="change its permissions, or remove it")
    if not files:
        raise DataError(f"{root} contains no file that is named like an image")
    for one in files:
        folders, notes = _folders(one), (LINKED_OUT,) if one.is_outside else ()
        split = splits[folders[0]] if splits and folders else None
        yield Record(printable(one.name), one.path, split=split, fault=one.fault or _dead_link(one), notes=notes)


@dataclass(frozen=True)
class _Layout:
    """Where the class folders are.

    Attributes:
        splits: name of a split folder -> split; empty if there are no split folders.
        split_at: 0 for `<split>/<class>/`, 1 for `<class>/<split>/`.
    """

    splits: dict[str, str]
    split_at: int = 0

    @property
    def class_at(self) -> int:
        return 1 - self.split_at if self.splits else 0

    def is_not_a_split(self, folders: Folders) -> bool:
        """Whether the first of the folders is next to the split folders, and is not one of them."""
        return bool(self.splits and self.split_at == 0 and folders and folders[0] not in self.splits)

    def class_folder(self, found: Found) -> Folders | None:
        """The class folder that contains an entry, or the entry itself if it is one; None if it is elsewhere."""
        folders = _folders(found)
        return None if self.is_not_a_split(folders) or len(folders) <= self.class_at else folders[: self.class_at + 1]


def _layout(found: Sequence[Found]) -> _Layout:
    above = [folders for one in found if one.fault != LOOP and (folders := _folders(one))]
    first = {folders[0] for folders in above}
    splits = splits_among(first)
    # Folders such as `train car` and `test car` are splits only if they contain class folders.
    if splits and (all(map(split_of, first)) or any(len(folders) > 1 for folders in above if folders[0] in splits)):
        return _Layout(splits)
    second = {folders[1] if len(folders) > 1 else "" for folders in above}
    splits = splits_among(second)
    return _Layout(splits if len(set(splits.values())) > 1 and splits.keys() == second else {}, split_at=1)


def _record(found: Found, layout: _Layout) -> Record | None:
    """The record of an entry; None for a file outside the class folders whose name is not that of an image.

    A broken link always gets a record, because it may have been a class folder on a disk that is not mounted now.
    """
    name, folders, class_folder = printable(found.name), _folders(found), layout.class_folder(found)
    if found.fault:
        return Record(name, found.path, fault=found.fault)
    if class_folder is None:
        if fault := _dead_link(found):
            return Record(name, found.path, fault=fault)
        return Record(name, found.path, fault=_where(found, layout)) if found.is_named_like_an_image else None
    split = layout.splits[folders[layout.split_at]] if layout.splits else None
    notes = (LINKED_OUT,) if found.is_outside else ()
    return Record(name, found.path, printable(class_folder[-1]), split, notes=notes)


def _tagged(found: Found, layout: _Layout) -> Record | None:
    """The same with the class folder as a tag. An image above the class folders has no tag."""
    record, folders = _record(found, layout), _folders(found)
    if record is None:
        return None
    if record.fault.startswith(OUTSIDE) and not layout.is_not_a_split(folders):
        split = layout.splits.get(folders[layout.split_at]) if len(folders) > layout.split_at else None
        return replace(record, fault="", split=split, tags=())
    return replace(record, label="", tags=(record.label,) if record.label else ())


def _dead_link(found: Found) -> str:
    """Why a link cannot be followed; "" if it can, and for an entry that is not a link."""
    try:
        found.path.stat()
    except OSError as error:
        return f"cannot be read: the link leads to no file or folder ({error.strerror})"
    return ""


def _where(found: Found, layout: _Layout) -> str:
    folders = _folders(found)
    if layout.is_not_a_split(folders):
        return f"{OUTSIDE}, in {printable(folders[0])}/, which is not a split"
    return f"{OUTSIDE}, directly in {printable('/'.join(folders) or str(found.root))}/"


def _folders(found: Found) -> Folders:
    """The names of the folders above a file; for a folder, also its own name."""
    if found.name == ".":
        return ()
    parts = tuple(found.name.split("/"))
    return parts if found.is_folder else parts[:-1]


def _refuse_unreadable(found: Sequence[Found], layout: _Layout) -> None:
    """Raises DataError if a class folder, or a folder above it, cannot be listed: unknown images would be missing."""
    for one in found:
        folders = _folders(one)
        if one.fault not in ("", EMPTY, LOOP) and len(folders) <= layout.class_at + 1 and not layout.is_not_a_split(folders):
            kind = "folder" if layout.class_folder(one) is None else "class folder"
            raise DataError(f"{kind} {one.path} {one.fault}", hint="change its permissions, or remove it")


def _refuse_empty(root: Path, found: Sequence[Found], layout: _Layout) -> None:
    """Raises DataError if there are no class folders, or if one is empty."""
    classes = {folder for one in found if one.fault != LOOP and (folder := layout.class_folder(one)) is not None}
    filled = {layout.class_folder(one) for one in found if one.fault not in (EMPTY, LOOP)}
    for folders in sorted(classes - filled):
        raise DataError(f"class folder {root.joinpath(*folders)} is empty", hint="put images into it, or remove the folder")
    if not classes:
        hint = "put the images of each class in a folder of its own"
        splits = f" in its split folders ({', '.join(sorted(layout.splits))})" if layout.splits else ""
        raise DataError(f"{root} contains no class folders{splits}", hint=hint)


@cache
def _say_once(text: str) -> None:
    """Prints a text once, although a source is read more than once."""
    say(text)
