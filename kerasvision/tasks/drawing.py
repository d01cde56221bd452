"""What is drawn over an image: rectangles with a tag, whose kinds differ by their lines too, not by colour alone."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import matplotlib
from matplotlib.font_manager import findSystemFonts
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

from kerasvision.data.class_colors import LABEL_COLORS

Kind = Literal["found", "false", "missed", "truth"]
# Widths of lines and heights of letters: a share of the image's longer side, but at least this many pixels.
LINE_SHARE, LEAST_LINE = 1 / 240, 2
FONT_SHARE, LEAST_FONT = 1 / 40, 11
# Under each line is a wider dark one, so that it is seen on any background.
HALO = "#101418"


@dataclass(frozen=True)
class Drawing:
    """A rectangle over an image.

    Attributes:
        kind: "found", an answer that is right; "false", an answer for something that is not there; "missed", something that
            is there and has no answer; "truth", something that is there.
        corners: y_min, x_min, y_max, x_max as shares of the sides of the upright image, in [0, 1].
        label: what it is.
        score: of the answer; None if it is not an answer.
    """

    kind: Kind
    corners: tuple[float, float, float, float]
    label: str
    score: float | None = None

    @property
    def text(self) -> str:
        """The label, and the score if there is one.

        >>> Drawing("found", (0.0, 0.0, 1.0, 1.0), "cat", 0.981).text
        'cat 0.98'
        """
        return self.label if self.score is None else f"{self.label} {self.score:.2f}"


@dataclass(frozen=True)
class Style:
    """How a kind is drawn.

    Attributes:
        color: of the line and of the tag behind white letters, as #rrggbb.
        dash: lengths of a dash and of the gap after it, in widths of the line; a gap of 0 gives a whole line.
        meaning: in words, for a legend.
    """

    color: str
    dash: tuple[float, float]
    meaning: str


STYLES: dict[Kind, Style] = {
    "found": Style("#1a7f37", (1, 0), "found, and it is there"),
    "false": Style("#c62828", (5, 2.5), "found, but it is not there"),
    "missed": Style("#a85a00", (1.5, 2), "there, but not found"),
    "truth": Style("#1d4f91", (9, 3), "there"),
}


def label_color(label: str) -> str:
    """The color of a label: always the same, and different for most labels.

    >>> label_color("cat") == label_color("cat"), label_color("cat") in LABEL_COLORS
    (True, True)
    """
    return LABEL_COLORS[sum(place * ord(letter) for place, letter in enumerate(label, 1)) % len(LABEL_COLORS)]


def draw_over(
    image: Image.Image,
    drawings: Sequence[Drawing],
    *,
    tag: Callable[[int, Drawing], str],
    color: Callable[[Drawing], str] = lambda drawing: STYLES[drawing.kind].color,
) -> Image.Image:
    """A copy of an image with rectangles. Lines and letters grow with the image.

    Args:
        image: any picture.
        drawings: what to draw; the first is drawn last, so that it is whole.
        tag: (place in `drawings`, drawing) -> the text at its upper left corner, or at the lower right one if it is not an
            answer, so that the tags of an object and of the answer for it do not hide each other; "" for none.
        color: of a drawing, as #rrggbb.

    Returns:
        An RGB picture of the same size.

    >>> frame = Drawing("found", (0.0, 0.0, 1.0, 1.0), "cat")
    >>> drawn = draw_over(Image.new("L", (40, 30)), [frame], tag=lambda place, drawing: "")
    >>> drawn.size, drawn.mode, drawn.getpixel((20, 15)), "#%02x%02x%02x" % drawn.getpixel((20, 1))
    ((40, 30), 'RGB', (0, 0, 0), '#1a7f37')
    """
    drawn = image.convert("RGB") if image.mode != "RGB" else image.copy()
    pen = ImageDraw.Draw(drawn)
    long_side = max(drawn.size)
    width = max(LEAST_LINE, round(long_side * LINE_SHARE))
    tagged = [(place, drawing, _pixels(drawing, drawn.size)) for place, drawing in enumerate(drawings)][::-1]
    for _, drawing, box in tagged:
        _rectangle(pen, box, color=color(drawing), dash=STYLES[drawing.kind].dash, width=width)
    for place, drawing, box in tagged:
        if text := tag(place, drawing):
            size = max(LEAST_FONT, round(long_side * FONT_SHARE))
            _tag(pen, text, box, color=color(drawing), size=size, width=width, below=drawing.score is None)
    return drawn


def draw_tags(image: Image.Image, tags: Sequence[tuple[str, str]]) -> Image.Image:
    """A copy of an image with lines of text in its upper left corner, as many as fit; letters grow with the image.

    Args:
        image: an RGB picture.
        tags: (text, colour behind it as #rrggbb) of each line.

    >>> tagged = draw_tags(Image.new("RGB", (200, 100)), [("cat", "#1a7f37")])
    >>> "#%02x%02x%02x" % tagged.getpixel((1, 1)), tagged.getpixel((199, 99))
    ('#1a7f37', (0, 0, 0))
    """
    drawn = image.copy()
    pen = ImageDraw.Draw(drawn)
    size = max(LEAST_FONT, round(max(drawn.size) * FONT_SHARE))
    width, line = max(LEAST_LINE, round(max(drawn.size) * LINE_SHARE)), round(1.6 * size)
    for place, (text, color) in enumerate(tags):
        if (place + 1) * line <= drawn.height:
            top = float(place * line)
            _tag(pen, text, (0.0, top, 0.0, top), color=color, size=size, width=width, below=False, inside=True)
    return drawn


def writable(label: str, *, otherwise: str) -> str:
    """The label, or another text if no font on this machine has all its letters.

    >>> writable("Kätzchen", otherwise="class 3")
    'Kätzchen'
    >>> writable("\\U0010fffd", otherwise="class 3")
    'class 3'
    """
    return label if _font_file(frozenset(label)) else otherwise


def _pixels(drawing: Drawing, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """left, top, right, bottom in pixels, the last two inclusive and never before the first two."""
    top, left, bottom, right = drawing.corners
    width, height = size
    x, y = (min(max(share, 0.0), 1.0) for share in (left, top))
    x, y = min(x * width, width - 1), min(y * height, height - 1)
    return x, y, max(x, min(right * width, width) - 1), max(y, min(bottom * height, height) - 1)


def _rectangle(
    pen: ImageDraw.ImageDraw,
    box: tuple[float, float, float, float],
    *,
    color: str,
    dash: tuple[float, float],
    width: int,
) -> None:
    left, top, right, bottom = box
    pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=HALO, width=width + 2)
    if not dash[1]:
        pen.rectangle(box, outline=color, width=width)
        return
    inner = width - 1
    for x_begin, x_end in _dashes(left, right, dash, width):
        pen.rectangle((x_begin, top, x_end, top + inner), fill=color)
        pen.rectangle((x_begin, max(top, bottom - inner), x_end, bottom), fill=color)
    for y_begin, y_end in _dashes(top, bottom, dash, width):
        pen.rectangle((left, y_begin, left + inner, y_end), fill=color)
        pen.rectangle((max(left, right - inner), y_begin, right, y_end), fill=color)


def _dashes(begin: float, end: float, dash: tuple[float, float], width: int) -> Iterable[tuple[float, float]]:
    """(begin, end) of each dash of a side."""
    place = begin
    while place <= end:
        yield place, min(place + dash[0] * width, end)
        place += sum(dash) * width


def _tag(
    pen: ImageDraw.ImageDraw,
    text: str,
    box: tuple[float, float, float, float],
    *,
    color: str,
    size: int,
    width: int,
    below: bool,
    inside: bool = False,
) -> None:
    """White letters on the color, at the upper left or lower right corner, always in the image.

    They are outside of the box if there is room, unless `inside` says that they belong into it.
    """
    font = ImageFont.truetype(_font_file(frozenset(text)) or _bundled(), size)
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    pad = max(2, width)
    wide, high = right - left + 2 * pad, bottom - top + 2 * pad
    sides = pen.im.size
    x = max(0.0, min(box[2] - wide + 1 if below else box[0], sides[0] - wide))
    y = box[1] - high if box[1] >= high and not inside else box[1]
    if below:
        y = box[3] + 1 if box[3] + high < sides[1] else box[3] - high + 1
    y = max(0.0, min(y, sides[1] - high))
    pen.rectangle((x, y, x + wide - 1, y + high - 1), fill=color)
    pen.text((x + pad - left, y + pad - top), text, fill="white", font=font)


def _bundled() -> str:
    """The font that comes with matplotlib: it is on every machine."""
    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


@lru_cache(maxsize=4096)
def _font_file(letters: frozenset[str]) -> str:
    """A font with all these letters: matplotlib's, or one of the system; "" if no font has them all."""
    wanted = {ord(letter) for letter in letters if not letter.isspace()}
    fonts = (_bundled(), *_system_fonts()) if not wanted <= _letters(_bundled()) else (_bundled(),)
    return next((font for font in fonts if wanted <= _letters(font)), "")


@lru_cache(maxsize=1)
def _system_fonts() -> tuple[str, ...]:
    return tuple(sorted(findSystemFonts()))


@lru_cache(maxsize=256)
def _letters(font: str) -> frozenset[int]:
    """The code points of a font; none if it cannot be read."""
    try:
        return frozenset(FT2Font(font).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
