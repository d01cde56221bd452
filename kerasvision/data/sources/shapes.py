"""Scenes of coloured shapes, generated from a seed."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from kerasvision.config.sources import Shapes
from kerasvision.data.png import encode_png
from kerasvision.data.records import Object, Record
from kerasvision.data.repeatable import Repeatable
from kerasvision.data.sources.shape_captions import captions_of
from kerasvision.data.sources.shape_scenes import Draws, Scene, make_scene

# A separate seed for the words, so that a new sentence changes no picture.
WORDS = 1


def read_shapes(settings: Shapes) -> Iterator[Record]:
    """Scenes 0, 1, 2, ..., one at a time; picture and masks are drawn again each time they are read.

    >>> record = next(read_shapes(Shapes(count=1)))
    >>> record.name, record.label, len(record.objects) >= 1, list(record.values)
    ('0000000.png', 'circle', True, ['area', 'y', 'x', 'count'])
    """
    for number in range(settings.count):
        scene = make_scene(settings, number)
        yield Record(
            f"{number:07d}.png",
            Repeatable(partial(scene_png, settings, number)),
            scene.shapes[0].name,
            captions=captions_of(scene, Draws(settings.seed, number, WORDS)),
            objects=tuple(
                Object(shape.box, shape.name, partial(shape_mask_png, settings, number, index), area=shape.area)
                for index, shape in enumerate(scene.shapes)
            ),
            values=numbers_of(scene, settings.values) or None,
            tags=tuple(sorted({shape.name for shape in scene.shapes})) if settings.tags else None,
        )


def numbers_of(scene: Scene, names: Sequence[str]) -> dict[str, float]:
    """The named numbers about the largest shape, and how many shapes there are.

    `area`: its visible share of the picture; `y`, `x`: the middle of its visible pixels, as shares of height and width.
    """
    largest = scene.shapes[0].visible
    rows, columns = (places.mean() + 0.5 for places in np.nonzero(largest))
    height, width = largest.shape
    middle = {"y": float(rows / height), "x": float(columns / width)}
    every = {"area": float(largest.mean()), **middle, "count": float(len(scene.shapes))}
    return {name: every[name] for name in names}


def scene_png(settings: Shapes, number: int) -> bytes:
    """The encoded picture of a scene."""
    # Grain does not compress well: the fastest level takes 0.6 ms instead of 1.3, and gives 0.2 % more bytes.
    return encode_png(make_scene(settings, number).pixels, compress_level=1)


def shape_mask_png(settings: Shapes, number: int, index: int) -> bytes:
    """The encoded mask of a shape's visible pixels."""
    return encode_png(np.uint8(255) * make_scene(settings, number).shapes[index].visible)
