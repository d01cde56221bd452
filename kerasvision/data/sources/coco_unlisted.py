"""Images in the folders of a COCO file that no file lists."""

import json
import mmap
import posixpath
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from kerasvision.config.listing import Found, list_folder

_FILE_NAME = re.compile(rb'"file_name"\s*:\s*("(?:[^"\\]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*")')


def unlisted_images(folder: Path, *, listed: Collection[str], files: Collection[Path], is_own: bool) -> list[Found]:
    """The images in a folder that neither the files nor another JSON file in the same place lists.

    A folder often contains the images of several files, for example train.json and val.json. An image of another file is
    recognised by its file name alone, because that file's paths may start elsewhere. Other files are only read if an image
    is not listed.

    Args:
        folder: the folder where the listed names start.
        listed: paths below the folder.
        files: the JSON files that list them.
        is_own: whether the folder contains only their images. Otherwise only folders with a listed image are searched,
            because the rest may contain masks or other data.
    """
    folders = set(map(posixpath.dirname, listed))
    left = [
        found
        for found in list_folder(folder)
        if found.is_named_like_an_image and found.name not in listed and (is_own or posixpath.dirname(found.name) in folders)
    ]
    if not left:
        return []
    others = {other for file in files for other in file.parent.glob("*.json")} - set(files)
    elsewhere = {posixpath.basename(name) for file in sorted(others) for name in _file_names(file)}
    return [found for found in left if posixpath.basename(found.name) not in elsewhere]


def _file_names(file: Path) -> Iterator[str]:
    """Every `file_name` in a JSON file. Parsing it would take ten times its size in memory."""
    try:
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as text:
            for found in _FILE_NAME.finditer(text):
                yield json.loads(found[1].decode("utf-8", "replace"), strict=False).replace("\\", "/")
    except (OSError, ValueError):  # A file that cannot be read or is empty lists nothing.
        return
