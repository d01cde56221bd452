"""Where a YOLO data set has its images and labels: data.yaml, folders of images, and lists of images.

Source of the form: https://docs.ultralytics.com/datasets/detect/ and https://docs.ultralytics.com/datasets/segment/.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasvision.config.image_files import ImageFiles, existing_file, opened_file, tidy
from kerasvision.config.listing import EMPTY, LOOP, is_file, is_folder, list_folder, printable
from kerasvision.errors import DataError

USUAL_NAME = "data.yaml"
# The keys of data.yaml -> our names of the splits.
SPLITS = {"train": "train", "val": "validation", "validation": "validation", "test": "test"}
# Programs that mark images put the names of the classes into the folder of the labels, under this name.
NAMES_FILE = "classes.txt"
# A key with one of these values is not set: `test:` without a path, for example.
NOTHING = ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True)
class YoloData:
    """The content of data.yaml.

    Attributes:
        file: data.yaml itself.
        root: the folder that the paths start from.
        names: number of a class -> its name.
        parts: split -> the folders and lists of its images, as paths below `root`.
    """

    file: Path
    root: Path
    names: Mapping[int, str]
    parts: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class YoloImage:
    """One image of the data set.

    Attributes:
        name: its path below the root.
        splits: those that data.yaml puts it into, in its order.
        fault: why it cannot be read; "" if only reading can show that.
        is_outside: whether a link below the root leads out of it to this image.
    """

    name: str
    splits: tuple[str, ...]
    fault: str = ""
    is_outside: bool = False


def label_name(image: str) -> str:
    """The label file of an image: in `labels` instead of the last `images`, or next to the image; the suffix is .txt.

    >>> label_name("images/train/1.jpg"), label_name("train/1.jpg")
    ('labels/train/1.txt', 'train/1.txt')
    """
    folders = posixpath.dirname(image).split("/")
    if "images" in folders:
        folders[len(folders) - 1 - folders[::-1].index("images")] = "labels"
    return posixpath.join(*folders, posixpath.splitext(posixpath.basename(image))[0] + ".txt")


def read_yolo_data(path: Path, *, root: Path | None) -> YoloData:
    """The content of data.yaml, checked.

    Args:
        path: the file, or the folder that contains it.
        root: the folder that the paths in the file start from; None: what the file says, or its own folder.

    Raises:
        DataError: there is no such file, it is not YAML, or it lacks the names of the classes or the paths of the images.
    """
    file = _data_file(path)
    content = _parsed(file)
    if "kpt_shape" in content:
        raise DataError(f"{file} describes keypoints (kpt_shape), and Yolo reads boxes and polygons")
    if root is None:
        root = file.parent / _paths(content.get("path", "."), file.parent, f"path in {file}")[0]
    parts = {split: _paths(content[key], root, f"{key} in {file}") for key, split in SPLITS.items() if key in content}
    if not parts:
        raise DataError(
            f"{file} must say where the images are: train, val or test",
            received=sorted(map(str, content))[:10],
            hint="for example, train: images",
        )
    return YoloData(file, root, _class_names(content, file), parts)


def yolo_images(data: YoloData) -> list[YoloImage]:
    """Every image of the folders and lists, in their order. An image in several splits is one image.

    Raises:
        DataError: a folder or list does not exist, or has no images.
    """
    found: dict[str, YoloImage] = {}
    for split, places in data.parts.items():
        for place in places:
            for image in _images_at(data.root, place, split):
                first = found.setdefault(image.name, image)
                if split not in first.splits:
                    found[image.name] = YoloImage(image.name, (*first.splits, split), first.fault, first.is_outside)
    return list(found.values())


def yolo_lists(data: YoloData) -> list[str]:
    """The lists of images, as paths below the root."""
    return [place for places in data.parts.values() for place in places if not is_folder(data.root / place)]


def yolo_files(data: YoloData) -> Iterator[tuple[str, Path]]:
    """(path below the root, path) of data.yaml, the lists, and every visible file next to an image or to its labels."""
    yield printable(data.file.name), data.file
    names = set(yolo_lists(data))
    images = [image.name for image in yolo_images(data) if not image.fault]
    for folder in sorted({posixpath.dirname(one) for name in images for one in (name, label_name(name))}):
        if is_folder(data.root / folder):
            names |= {posixpath.join(folder, one.name) for one in list_folder(data.root / folder, recursive=False)}
    for name in sorted(names):
        if is_file(data.root / name) and data.root / name != data.file:
            yield printable(name), data.root / name


def _data_file(path: Path) -> Path:
    if not is_folder(path):
        return existing_file(path, field="path")
    found = sorted(one for pattern in ("*.yaml", "*.yml") for one in path.glob(pattern) if is_file(one))
    usual = [one for one in found if one.stem == "data"]
    if len(usual or found) != 1:
        names = [one.name for one in found]
        raise DataError(
            f"{path} must contain {USUAL_NAME}, or one other YAML file",
            received=names,
            hint="set source.path to the YAML file that names the classes and says where the images are",
        )
    return (usual or found)[0]


def _parsed(file: Path) -> dict[str, Any]:
    import yaml

    with opened_file(file) as opened:
        text = opened.read()
    try:
        # This loader makes texts of all values: with others, a class named `no` would be False.
        content = yaml.load(text.decode("utf-8-sig"), Loader=yaml.BaseLoader)
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not YAML: not UTF-8 text (byte {error.start})") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}," if error.problem_mark else ""
        raise DataError(f"{file}{line} is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise DataError(f"{file} is not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise DataError(f"{file} is nested too deeply") from None
    if not isinstance(content, dict):
        raise DataError(f"{file} must contain names, and train, val or test", received=content)
    return {key: value for key, value in content.items() if value not in NOTHING}


def _class_names(content: Mapping[str, Any], file: Path) -> dict[int, str]:
    names = content.get("names")
    rows = enumerate(names) if isinstance(names, list) else names.items() if isinstance(names, dict) else ()
    found = {int(number): str(name) for number, name in rows if _is_number(str(number)) and _is_text(name)}
    if not found or len(found) != len(names or ()):
        raise DataError(
            f"{file}: names must be a list of the classes' names, or a mapping from their numbers",
            received=names,
            hint="for example, names: [cat, dog]",
        )
    if content.get("nc") not in (None, str(len(found))):
        raise DataError(f"{file} must name as many classes as nc says", received={"nc": content["nc"], "names": len(found)})
    return found


def _paths(written: object, root: Path, where: str) -> tuple[str, ...]:
    several = written if isinstance(written, list) else [written]
    if not all(map(_is_text, several)):
        raise DataError(f"{where} must be a folder, a list of folders, or a text file of images", received=written)
    return tuple(_inside(root, str(one), where) for one in several)


def _is_number(text: str) -> bool:
    # Python converts at most 4,300 digits.
    return text.isdecimal() and len(text) <= 9


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _inside(root: Path, written: str, where: str) -> str:
    """A path below the root. Some programs write `../train/images` for `train/images`."""
    images = ImageFiles(root)
    for name in (images.name(written), images.name(tidy(written).removeprefix("../"))):
        if images.fault(name) in ("", "not a regular file") and (is_file(root / name) or is_folder(root / name)):
            return name
    if "leads out" in images.fault(images.name(written)):
        raise DataError(
            f"{where} must be below {root}", received=written, hint="set source.root to the folder that contains the images"
        )
    raise DataError(
        f"there is no {root / images.name(written)}, which {where} names",
        hint="set source.root to the folder that the path starts from",
    )


def _images_at(root: Path, place: str, split: str) -> Iterator[YoloImage]:
    is_any = False
    for image in (_in_folder if is_folder(root / place) else _in_list)(root, place, split):
        is_any = True
        yield image
    if not is_any:
        raise DataError(f"{root / place} has no images", hint="put images there, or remove it from data.yaml")


def _in_folder(root: Path, folder: str, split: str) -> Iterator[YoloImage]:
    for one in list_folder(root / folder):
        if one.is_named_like_an_image or one.fault not in ("", EMPTY, LOOP):
            yield YoloImage(tidy(posixpath.join(folder, one.name)), (split,), one.fault, one.is_outside)


def _in_list(root: Path, file: str, split: str) -> Iterator[YoloImage]:
    """The images that a text file names, one per line: from the root, or with `./` from the folder of the file."""
    images = ImageFiles(root)
    with opened_file(root / file) as opened:
        for number, line in enumerate(opened, start=1):
            try:
                written = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError as error:
                raise DataError(f"{root / file}, line {number}, is not UTF-8 text (byte {error.start})") from None
            if written:
                start = posixpath.dirname(file) if written.startswith("./") else ""
                name = images.name(posixpath.join(start, written))
                yield YoloImage(name, (split,), images.fault(name))
