"""Pictures of examples with what was found and what was missed drawn over them, each with a number and a line of text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

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
from kerasvision.tasks.drawing import STYLES, Drawing, Kind, draw_over

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


def drawings_of(rows: pd.DataFrame, *, task: Task) -> dict[str, tuple[Drawing, ...]]:
    """id -> what the task draws over its image, for these rows of a judgement."""
    return {row["id"]: task.drawings(row) for _, row in rows.iterrows()}


def shown_pictures(
    examples: ExampleSet, drawings: Mapping[str, Sequence[Drawing]], *, significant_bits: int = 16
) -> dict[str, Picture]:
    """id -> picture, for these examples: small, or larger and drawn over if there are drawings. No other image is decoded.

    Args:
        examples: the data set.
        drawings: id -> what is drawn over the upright image, the most important first; may be empty.
        significant_bits: see `kerasvision.ops.images.decode_image`.
    """
    plain = [name for name, one in drawings.items() if not one]
    found = pictures(examples, plain, side=THUMBNAIL_SIDE, significant_bits=significant_bits)
    for example in chosen_examples(examples, set(drawings) - set(plain)):
        name = example["id"].decode()
        pixels = decode_image(example["image"], color_mode="rgb", significant_bits=significant_bits).numpy()
        found[name] = _drawn(name, np.asarray(pixels, np.uint8), drawings[name])
    return found


def kinds_in(shown: Iterable[Picture]) -> list[Kind]:
    """The kinds of all marks, in the order of a legend."""
    marked = {mark.kind for picture in shown if isinstance(picture, DrawnPicture) for mark in picture.marks}
    return [kind for kind in STYLES if kind in marked]


def _drawn(name: str, pixels: np.ndarray, drawings: Sequence[Drawing]) -> DrawnPicture:
    shown = drawings[:MOST_MARKS]
    image = draw_over(_resized(Image.fromarray(pixels)), shown, tag=lambda place, drawing: str(place + 1))
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
