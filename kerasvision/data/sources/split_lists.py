"""Images of a folder by their names without suffixes, and the splits that lists or folders put them in."""

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from kerasvision.config.image_files import opened_file, tidy
from kerasvision.config.listing import EMPTY, IMAGE_SUFFIXES, LOOP, Found, list_folder
from kerasvision.data.split_names import split_of
from kerasvision.errors import DataError

# The lists of single classes say after the id whether the image shows the class: 1, 0 or -1.
_FLAG = re.compile(r"\s+(-1|0|1)$")

# Path below the folder of the images, without its suffix -> the images with this path; usually one.
Images: TypeAlias = dict[str, list[Found]]


def images_by_stem(folder: Path) -> Images:
    """The images below a folder, by their paths without suffixes.

    Raises:
        DataError: there are none.
    """
    found: Images = {}
    for one in list_folder(folder):
        if one.is_named_like_an_image or one.fault not in ("", EMPTY, LOOP):
            found.setdefault(posixpath.splitext(one.name)[0], []).append(one)
    if not found:
        raise DataError(f"{folder} has no images", hint="set source.images to the folder that contains them")
    return found


def listed_splits(lists: list[Path]) -> dict[str, tuple[str, ...]]:
    """Id of an image -> the splits of the lists that name it."""
    splits: dict[str, tuple[str, ...]] = {}
    for file in lists:
        split = split_of(file.stem)
        for name in _ids(file):
            if split is not None and split not in splits.get(name, ()):
                splits[name] = (*splits.get(name, ()), split)
    return splits


def _ids(file: Path) -> list[str]:
    """The ids in a list, one per line; a suffix of an image after an id is accepted."""
    with opened_file(file) as opened:
        data = opened.read()
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not UTF-8 text (byte {error.start})") from None
    names = [_FLAG.sub("", line.strip()) for line in lines if line.strip()]
    if not names:
        raise DataError(f"{file} names no images", hint="remove the file, or write an id of an image into each line")
    return [
        tidy(root if suffix.lower() in IMAGE_SUFFIXES else root + suffix) for root, suffix in map(posixpath.splitext, names)
    ]


def splits_of(stem: str, splits: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The splits in the lists, or without lists that of a folder such as `train`."""
    of_folders = (split_of(part) for part in reversed(posixpath.dirname(stem).split("/")))
    return splits.get(stem) or tuple(filter(None, of_folders))[:1]
