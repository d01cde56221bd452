"""Images with label maps in PNG files; see `kerasvision.config.map_sources.Masks` for the form."""

import posixpath
from collections.abc import Iterator, Sequence
from functools import partial

from kerasvision.config.image_files import tidy
from kerasvision.config.listing import Found, list_folder, printable
from kerasvision.config.map_sources import FolderPair, Masks
from kerasvision.data.records import LINKED_OUT, NO_MAP, TWO_SPLITS, UNLISTED, LabelMap, Record
from kerasvision.data.sources.map_files import read_numbers
from kerasvision.data.sources.map_tables import MapNames, map_names
from kerasvision.data.sources.split_lists import Images, images_by_stem, listed_splits, splits_of
from kerasvision.data.split_names import split_of

# What follows a map's name in a folder of maps: only PNG can be used, and the others are recognised.
_PNG = ".png"


def read_masks(settings: Masks) -> Iterator[Record]:
    """The images by name, each with its label map or a fault; then maps without an image.

    Raises:
        DataError: a folder is missing or has no images; a list or the table cannot be read.
    """
    names = map_names(settings)
    lists = settings.split_lists()
    splits = listed_splits(lists)
    not_listed = f"{UNLISTED} {' or '.join(file.name for file in lists)}"
    for pair in settings.pairs():
        images = _images(pair, settings.image_suffix)
        maps = _maps(pair, settings.mask_suffix)
        for stem in sorted(images.keys() | splits.keys()):
            for found in images.get(stem, ()):
                if lists and stem not in splits:
                    yield Record(_name(pair, settings.images, found.name), found.path, fault=not_listed)
                    continue
                of = splits_of(stem, splits) or tuple(filter(None, [split_of(pair.prefix.rstrip("/"))]))
                yield _record(found, pair, of, _of_png(maps.get(stem, [])), names=names, settings=settings)
            if stem not in images:
                # The path is the text of a list, so it is never opened.
                name = _name(pair, settings.images, stem)
                yield Record(name, pair.images, fault=f"there is no such file: {printable(stem)} with any suffix")
        if not lists:
            yield from _without_images(pair, images, maps, settings)


def _record(
    found: Found, pair: FolderPair, splits: Sequence[str], maps: Sequence[Found], *, names: MapNames, settings: Masks
) -> Record:
    fault = found.fault or _maps_fault(found, maps, settings)
    notes = (*((LINKED_OUT,) if found.is_outside else ()), *((TWO_SPLITS,) if len(splits) > 1 else ()))
    label_map = None
    if not fault:
        load = partial(read_numbers, maps[0].path, names.colours)
        label_map = LabelMap(load, names.names, names.ignored)
    return Record(
        _name(pair, settings.images, found.name),
        found.path,
        split=splits[0] if len(splits) == 1 else None,
        fault=fault,
        notes=notes,
        label_map=label_map,
    )


def _maps_fault(found: Found, maps: Sequence[Found], settings: Masks) -> str:
    """Why an image has not exactly one map; "" if it has."""
    stem = posixpath.splitext(found.name)[0]
    if not stem.endswith(settings.image_suffix):
        return f"{NO_MAP}: the name does not end in {settings.image_suffix!r}, which is source.image_suffix"
    if not maps:
        expected = stem.removesuffix(settings.image_suffix) + settings.mask_suffix + _PNG
        return f"{NO_MAP}: there is no {printable(posixpath.join(settings.masks, expected))}"
    if len(maps) > 1:
        return f"more than one label map: {' and '.join(printable(one.name) for one in maps)}"
    return f"its label map {maps[0].fault}" if maps[0].fault else ""


def _images(pair: FolderPair, suffix: str) -> Images:
    """The images by the shared part of their names."""
    found: Images = {}
    for stem, several in images_by_stem(pair.images).items():
        found.setdefault(stem.removesuffix(suffix), []).extend(several)
    return found


def _maps(pair: FolderPair, suffix: str) -> Images:
    """The maps by the shared part of their names. With a suffix, other files in the folder are not maps."""
    found: Images = {}
    for one in list_folder(pair.masks):
        stem = posixpath.splitext(one.name)[0]
        if one.is_named_like_an_image and stem.endswith(suffix):
            found.setdefault(stem.removesuffix(suffix), []).append(one)
    return found


def _of_png(found: list[Found]) -> list[Found]:
    """The PNG files, if there are any: files of other kinds with the same name are not maps then."""
    return [one for one in found if one.name.lower().endswith(_PNG)] or found


def _without_images(pair: FolderPair, images: Images, maps: Images, settings: Masks) -> Iterator[Record]:
    for stem in sorted(maps.keys() - images.keys()):
        for one in maps[stem]:
            yield Record(_name(pair, settings.masks, one.name), one.path, fault="a label map without an image")


def _name(pair: FolderPair, folder: str, name: str) -> str:
    return printable(tidy(posixpath.join(pair.prefix, folder, name)))
