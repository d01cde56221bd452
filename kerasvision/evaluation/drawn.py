"""Pictures of examples with what was found and what was missed drawn over them, each with a number and a line of text.

A class for each pixel is painted over the image: once for the truth and once for the answer. Versions of an image, such as a
restored one, are shown in place of it.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from kerasvision.data.class_colors import class_color
from kerasvision.data.examples import ExampleSet
from kerasvision.data.measuring.contact_sheets import (
    LARGE_SIDE,
    THUMBNAIL_SIDE,
    Picture,
    chosen_examples,
    pictures,
    thumbnail_url,
)
from kerasvision.ops.images import decode_image
from kerasvision.tasks.base import Task
from kerasvision.tasks.class_maps import ClassMap, paint_over
from kerasvision.tasks.drawing import STYLES, Drawing, Kind, draw_over
from kerasvision.tasks.versions import Version

MEANINGS = {"truth": "there", "answer": "answered"}
# More than this cannot be told apart.
MOST_MARKS = 30


@dataclass(frozen=True)
class Mark:
    """One drawing. Its number is in the picture; the text is beside it, because fonts of pictures lack many scripts.

    Attributes:
        number: from 1.
        kind: the kind of the drawing.
        text: its label and score.
    """

    number: int
    kind: Kind
    text: str


@dataclass(frozen=True)
class DrawnPicture(Picture):
    """A picture with drawings.

    Attributes:
        marks: what is drawn.
        more: how many drawings are left out, because there are too many.
    """

    marks: tuple[Mark, ...] = ()
    more: int = 0


@dataclass(frozen=True)
class Layer:
    """An image with a map painted over it, or a version of the image.

    Attributes:
        meaning: what the map or the version is, in a word or two.
        url: data URL of the picture.
    """

    meaning: str
    url: str


@dataclass(frozen=True)
class LegendRow:
    """A class that is painted.

    Attributes:
        color: its colour, as #rrggbb.
        name: of the class.
        shares: its share of the pixels of each map, in words.
    """

    color: str
    name: str
    shares: str


@dataclass(frozen=True)
class PaintedPicture(Picture):
    """A picture with maps of classes, or in several versions; `url` is that of the first one.

    Attributes:
        layers: the picture with each map.
        legend: the classes that are painted in any of them, the commonest first.
        more: how many classes are left out, because there are too many.
    """

    layers: tuple[Layer, ...] = ()
    legend: tuple[LegendRow, ...] = ()
    more: int = 0


def drawings_of(rows: pd.DataFrame, *, task: Task) -> dict[str, tuple[Drawing | ClassMap | Version, ...]]:
    """id -> what the task draws over its image, for these rows of a judgement."""
    return {row["id"]: task.drawings(row) for _, row in rows.iterrows()}


def shown_pictures(
    examples: ExampleSet, drawings: Mapping[str, Sequence[Drawing | ClassMap | Version]], *, significant_bits: int = 16
) -> dict[str, Picture]:
    """id -> picture, for these examples: small, or larger and drawn over if there are drawings. No other image is decoded.

    Args:
        examples: the data set.
        drawings: id -> what is drawn over the upright image, the most important first; may be empty.
        significant_bits: see `kerasvision.ops.images.decode_image`.
    """
    plain = [name for name, one in drawings.items() if not one]
    found = pictures(examples, plain, side=THUMBNAIL_SIDE, significant_bits=significant_bits)
    versions = {name: [part for part in one if isinstance(part, Version)] for name, one in drawings.items()}
    found |= {name: _in_versions(name, one) for name, one in versions.items() if one}
    for example in chosen_examples(examples, set(drawings) - set(found)):
        name = example["id"].decode()
        pixels = decode_image(example["image"], color_mode="rgb", significant_bits=significant_bits).numpy()
        found[name] = _picture(name, _resized(Image.fromarray(np.asarray(pixels, np.uint8))), drawings[name])
    return found


def kinds_in(shown: Iterable[Picture]) -> list[Kind]:
    """The kinds of all marks, in the order of a legend."""
    marked = {mark.kind for picture in shown if isinstance(picture, DrawnPicture) for mark in picture.marks}
    return [kind for kind in STYLES if kind in marked]


def _in_versions(name: str, versions: Sequence[Version]) -> PaintedPicture:
    images = [_resized(Image.open(io.BytesIO(one.png)).convert("RGB")) for one in versions]
    layers = tuple(Layer(one.meaning, thumbnail_url(np.asarray(image))) for one, image in zip(versions, images, strict=True))
    return PaintedPicture(id=name, url=layers[0].url, width=images[0].width, height=images[0].height, layers=layers)


def _picture(name: str, image: Image.Image, drawings: Sequence[Drawing | ClassMap | Version]) -> Picture:
    maps = [one for one in drawings if isinstance(one, ClassMap)]
    return _painted(name, image, maps) if maps else _drawn(name, image, [d for d in drawings if isinstance(d, Drawing)])


def _painted(name: str, image: Image.Image, maps: Sequence[ClassMap]) -> PaintedPicture:
    layers = []
    for one in maps:
        painted = paint_over(image, one.pixels, unpainted=one.unpainted)
        layers.append(Layer(MEANINGS[one.kind], thumbnail_url(np.asarray(painted))))
    present = list(dict.fromkeys(number for one in maps for number in one.present))
    return PaintedPicture(
        id=name,
        url=layers[0].url,
        width=image.width,
        height=image.height,
        layers=tuple(layers),
        legend=tuple(_legend_row(number, maps) for number in present[:MOST_MARKS]),
        more=max(0, len(present) - MOST_MARKS),
    )


def _legend_row(number: int, maps: Sequence[ClassMap]) -> LegendRow:
    shares = ", ".join(f"{MEANINGS[one.kind]} {np.mean(one.pixels == number):.2f}" for one in maps)
    known = (one.classes[number] for one in maps if number < len(one.classes))
    return LegendRow(class_color(number), next(known, f"class {number}"), shares)


def _drawn(name: str, plain: Image.Image, drawings: Sequence[Drawing]) -> DrawnPicture:
    shown = drawings[:MOST_MARKS]
    image = draw_over(plain, shown, tag=lambda place, drawing: str(place + 1))
    return DrawnPicture(
        id=name,
        url=thumbnail_url(np.asarray(image)),
        width=image.width,
        height=image.height,
        marks=tuple(Mark(number, drawing.kind, drawing.text) for number, drawing in enumerate(shown, 1)),
        more=len(drawings) - len(shown),
    )


def _resized(image: Image.Image) -> Image.Image:
    """The image with a longer side of 240 pixels. A smaller one keeps its pixels visible: their edges stay sharp."""
    share = LARGE_SIDE / max(image.size)
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(size, Image.Resampling.NEAREST if share > 1 else Image.Resampling.BOX)
