"""Class folders of images."""

from collections.abc import Iterator
from pathlib import Path

from kerasvision.config.sources import ImageFolder
from kerasvision.data.records import Record
from kerasvision.data.splits import SPLIT_NAMES
from kerasvision.errors import DataError


def read_image_folder(settings: ImageFolder) -> Iterator[Record]:
    """Every file below a class folder, by name. Files beside the class folders (a licence, say) are left alone.

    Raises:
        DataError: no such folder, no class folders, or one without a file.
    """
    root = settings.path
    if not root.is_dir():
        raise DataError(f"there is no folder {root}", hint="set source.path to the folder with the images")
    folders = _visible_folders(root)
    if not folders:
        raise DataError(f"{root} holds no class folders", hint="put the images of each class in a folder of its own")
    if all(folder.name.lower() in SPLIT_NAMES for folder in folders):
        for folder in folders:
            yield from _read_classes(root, folder, SPLIT_NAMES[folder.name.lower()])
    else:
        yield from _read_classes(root, root, None)


def _read_classes(root: Path, folder: Path, split: str | None) -> Iterator[Record]:
    for class_folder in _visible_folders(folder):
        # Pipes and links to nowhere too: they are named among the images that cannot be read, not passed over.
        files = sorted(path for path in class_folder.rglob("*") if not path.is_dir() and not _hidden(path, class_folder))
        if not files:
            raise DataError(f"class folder {class_folder} is empty", hint="put images into it, or remove the folder")
        for path in files:
            yield Record(path.relative_to(root).as_posix(), path, class_folder.name, split)


def _visible_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
