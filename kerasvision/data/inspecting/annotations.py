"""Checks and encodes annotations of an image: captions must have text, boxes must be inside, maps must have its size."""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from PIL import Image

from kerasvision.data.example_encoder import ExampleObject
from kerasvision.data.inspecting.fitted_objects import fit_objects
from kerasvision.data.inspecting.label_maps import CheckedMap, check_map
from kerasvision.data.inspecting.numbers import usable_numbers
from kerasvision.data.png import encode_png
from kerasvision.data.records import Box, Object, Record, class_name

EMPTY_CAPTION = "an empty caption was left out"
EMPTY_TAG = "an empty tag was left out"
REPEATED_TAG = "a tag is given twice, and was counted once"
BOX_CLIPPED = "a box reaches beyond the image, and was clipped"
BOX_DROPPED = "a box without any area inside the image was left out"
MASK_SIZE = "a mask of another size than the image was left out"
MASK_UNREADABLE = "a mask that cannot be read was left out"
MASK_MISSING = "an object has no mask, although others have one: in a map that is painted from the masks it is background"

# A box that reaches beyond the image by less than this is only rounded: COCO gives two decimals.
ROUNDING_PIXELS = 0.05


@dataclass(frozen=True)
class Annotations:
    """The usable annotations of an image.

    Attributes:
        captions: those with text.
        tags: their names on one line, each once, sorted; None if the record does not know its tags.
        objects: in pixels of the upright image, with boxes inside it.
        label_map: which class each pixel of the upright image has; None without a map.
        values: name -> number, NaN where it is missing; empty without numbers.
        notes: what was changed or left out, one line each.
        fault: why the image cannot be used with these annotations; otherwise "".
    """

    captions: tuple[str, ...] = ()
    tags: tuple[str, ...] | None = None
    objects: tuple[Object, ...] = ()
    label_map: CheckedMap | None = None
    values: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    fault: str = ""


def usable_annotations(record: Record, data: bytes, *, width: int, height: int) -> Annotations:
    """The usable annotations of a record; objects are fitted to the image and clipped to it.

    Args:
        record: the image from its source.
        data: the encoded image.
        width, height: size of the upright image.

    >>> record = Record("a", bytes, captions=("a cat", ""), objects=(Object((0, 0, 2, 9), "cat"),))
    >>> usable = usable_annotations(record, b"", width=4, height=4)
    >>> usable.captions, usable.objects[0].box
    (('a cat',), (0.0, 0.0, 2.0, 4.0))
    """
    captions, on_captions = nonempty_captions(record.captions)
    fitted, on_size, fault = fit_objects(record, data, width=width, height=height)
    objects, on_objects = clip_objects(fitted, width=width, height=height)
    checked = None
    if record.label_map is not None:
        checked = check_map(record.label_map, data, width=width, height=height)
        on_objects, fault = [*on_objects, *checked.notes], fault or checked.fault
    values, wrong = usable_numbers(record)
    tags, on_tags = (None, []) if record.tags is None else distinct_tags(record.tags)
    notes = (*on_captions, *on_tags, *on_size, *on_objects)
    return Annotations(captions, tags, tuple(objects), checked, values, notes, fault or wrong)


def nonempty_captions(captions: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """The captions with text, and a note if there are others.

    >>> nonempty_captions(("a cat", " "))
    (('a cat',), ['an empty caption was left out'])
    """
    kept = tuple(caption for caption in captions if caption.strip())
    return kept, [] if len(kept) == len(captions) else [EMPTY_CAPTION]


def distinct_tags(tags: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """The tags with a name, each once and sorted, and notes if others were left out.

    >>> distinct_tags((" sea\\nside", "sun", "", "sun"))
    (('sea side', 'sun'), ['an empty tag was left out', 'a tag is given twice, and was counted once'])
    """
    names = [name for tag in tags if (name := class_name(tag))]
    kept = tuple(sorted(set(names)))
    notes = [EMPTY_TAG] if len(names) < len(tags) else []
    return kept, notes + ([REPEATED_TAG] if len(kept) < len(names) else [])


def clip_objects(objects: Sequence[Object], *, width: int, height: int) -> tuple[list[Object], list[str]]:
    """The objects whose boxes have an area inside the image, clipped to it, and notes on the others.

    Args:
        objects: from the source.
        width, height: size of the upright image.

    >>> kept, notes = clip_objects([Object((-2, 0, 4, 8), "cat"), Object((0, 5, 9, 5), "dog")], width=8, height=6)
    >>> kept[0].box, notes
    ((0.0, 0.0, 4.0, 8.0), ['a box reaches beyond the image, and was clipped',
                            'a box without any area inside the image was left out'])
    """
    kept, notes = [], []
    for thing in objects:
        corners = np.array(thing.box, np.float64)
        inside = np.clip(corners, 0, [height, width, height, width])
        if not (inside[2:] > inside[:2]).all():  # NaN as a corner drops the box too
            notes.append(BOX_DROPPED)
            continue
        if np.abs(corners - inside).max() > ROUNDING_PIXELS:
            notes.append(BOX_CLIPPED)
        kept.append(replace(thing, box=tuple(inside.tolist()), label=object_class(thing.label)))
    return kept, sorted(set(notes), key=notes.index)


def object_class(label: str) -> str:
    """The class of an object: "object" if its label is empty."""
    return class_name(label) or "object"


def box_area(box: Box) -> float:
    """Height times width.

    >>> box_area((1, 2, 4, 10))
    24
    """
    y_min, x_min, y_max, x_max = box
    return (y_max - y_min) * (x_max - x_min)


def encode_objects(
    objects: Sequence[Object], *, width: int, height: int, masks: bool
) -> tuple[list[ExampleObject], list[str]]:
    """The objects of `clip_objects` in the form of `ExampleWriter`, and notes on masks that are missing or cannot be kept.

    Args:
        objects: with boxes inside the image.
        width, height: size of the upright image.
        masks: whether the data set has masks: then an object without a mask gets an empty one.
    """
    placed, notes = [], []
    for thing in objects:
        one: ExampleObject = {
            "bbox": _shares(thing.box, width, height),
            "label": thing.label,
            "crowd": thing.crowd,
            "area": box_area(thing.box) if thing.area is None else thing.area,
        }
        if masks:
            mask = thing.mask() if callable(thing.mask) else thing.mask
            note = MASK_MISSING if mask is None else _mask_fault(mask, width, height)
            notes += [note] if note else []
            one["mask"] = _empty_mask(width, height) if mask is None or note else mask
        placed.append(one)
    return placed, sorted(set(notes))


def _shares(box: Box, width: int, height: int) -> Box:
    y_min, x_min, y_max, x_max = box
    return y_min / height, x_min / width, y_max / height, x_max / width


def _mask_fault(mask: bytes, width: int, height: int) -> str | None:
    """Checks only the header and the checksums: decoding every mask would take longer than everything else."""
    try:
        with Image.open(io.BytesIO(mask), formats=("PNG",)) as image:
            size, mode = image.size, image.mode
            image.verify()
    except (OSError, SyntaxError, ValueError, struct.error):  # what Pillow raises on a broken PNG
        return MASK_UNREADABLE
    if size != (width, height):
        return MASK_SIZE
    return None if mode in ("L", "1") else MASK_UNREADABLE


@lru_cache(maxsize=64)
def _empty_mask(width: int, height: int) -> bytes:
    return encode_png(np.zeros((height, width), np.uint8))
