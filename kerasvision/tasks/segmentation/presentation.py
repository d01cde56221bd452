"""Shows a class for each pixel: `road 0.61, car 0.24 (+3)`, a row per class, a painted picture, a map as a file."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from kerasvision.data.class_colors import class_color
from kerasvision.data.png import encode_png
from kerasvision.errors import ConfigError
from kerasvision.tasks.class_maps import map_pixels, paint_with_legend, with_palette
from kerasvision.tasks.presentation import NAME, Outputs, Presentation

PIXEL_CLASSES = "pixel_classes"
PROBABILITIES, MAP, SHARES, CLASSES, IMAGE_SIZE = "probabilities", "mask_png_bytes", "shares", "classes", "image_size"
# A line shows the classes with at least this share of the pixels, and at most this many.
SHOWN_FROM, MOST_SHOWN = 0.01, 4
# What is said of an image that the network did not see, or whose classes all have a small share.
NOTHING = "nothing found"


def answers_of(classes: Sequence[str], *, background: str) -> dict[str, Any]:
    """The content of `answers.json`, without the category ids.

    `places` says which outputs a page needs to paint the answer: a grey PNG of class numbers, the names and the shares of
    the classes; and their colours, of which that of the background is empty, because it is not painted.

    Args:
        classes: names in the order of their numbers.
        background: the class that is not painted, if it is one of them.

    >>> answers_of(("background", "cat"), background="background")["places"]["colors"]
    ['', '#a4271b']
    """
    colors = ["" if name == background else class_color(number) for number, name in enumerate(classes)]
    places = {"map": MAP, "labels": CLASSES, "scores": SHARES, "colors": colors, "shown_from": SHOWN_FROM}
    return {NAME: PIXEL_CLASSES, "places": places, "background": background}


class PixelClasses(Presentation):
    """Answers of a class for each pixel of an image, with the share of each of K classes.

    `mask_png_bytes` is a grey PNG of class numbers, of the size of the upright image; 255 where it was cut off. `shares` is
    float (K,), `classes` string (K,), and `image_size` int (2,), height and width.

    >>> import numpy as np
    >>> from kerasvision.data.png import encode_png
    >>> answer = {
    ...     "mask_png_bytes": encode_png(np.array([[0, 0], [0, 1]], np.uint8)), "shares": np.array([0.75, 0.25, 0.0]),
    ...     "classes": np.array([b"road", b"car", b"bus"]), "image_size": np.array([2, 2]),
    ... }
    >>> shown = PixelClasses(answers_of(("road", "car", "bus"), background="background"))
    >>> shown.line(shown.kept(answer)), shown.rows(shown.kept(answer))[1]
    ('road 0.75, car 0.25', {'label': 'car', 'class_number': 1, 'share': 0.25})
    """

    heading = "share of the pixels"
    instead = "`kerasvision predict --draw` paints the class of each pixel over the image"
    needs = (MAP, SHARES, CLASSES, IMAGE_SIZE)
    columns: ClassVar[Mapping[str, type]] = MappingProxyType({"label": str, "class_number": int, "share": float})
    has_maps = True
    has_objects = False
    tile_signature = PROBABILITIES

    def __init__(self, answers: Mapping[str, Any]) -> None:
        super().__init__(answers)
        self.shown_from = SHOWN_FROM

    def kept(self, outputs: Outputs, *, least_score: float = 0.0) -> dict[str, Any]:
        """The answer, with a share of 0 for each class of a smaller share; its map does not change."""
        shares = np.asarray(outputs[SHARES], np.float32)
        return {**outputs, SHARES: np.where(shares >= least_score, shares, np.float32(0))}

    def line(self, kept: Outputs) -> str:
        """The classes with their shares of the pixels, the largest first; then how many more there are."""
        rows = self.rows(kept)
        if not rows:
            return NOTHING
        shown = ", ".join(f"{row['label']} {row['share']:.2f}" for row in rows[:MOST_SHOWN])
        return f"{shown} (+{len(rows) - MOST_SHOWN})" if len(rows) > MOST_SHOWN else shown

    def rows(self, kept: Outputs) -> list[dict[str, Any]]:
        """A row for each class that occurs: its name, its number and its share of the pixels, the largest first."""
        shares = np.asarray(kept[SHARES], np.float64)
        found = [number for number in np.argsort(-shares, kind="stable").tolist() if shares[number] > 0]
        return [
            {"label": _text(kept[CLASSES][number]), "class_number": number, "share": float(shares[number])}
            for number in found
        ]

    def drawn(self, image: Image.Image, kept: Outputs) -> Image.Image:
        """The image with all classes but the background painted over it, and a legend."""
        names = list(map(_text, kept[CLASSES]))
        return paint_with_legend(image, _pixels(kept), names=names, plain=self.answers.get("background"))

    def map(self, kept: Outputs) -> Image.Image:
        """The class numbers, as a picture whose palette has the colours of the classes."""
        return with_palette(_pixels(kept))

    def of_map(self, numbers: npt.NDArray[np.uint8], names: Sequence[str]) -> dict[str, Any]:
        """The outputs for an image: its map, the shares of the classes, their names, and the size."""
        counts = np.bincount(numbers.ravel(), minlength=len(names))[: len(names)]
        return {
            MAP: encode_png(numbers),
            SHARES: (counts / numbers.size).astype(np.float32),
            CLASSES: np.array([name.encode() for name in names], object),
            IMAGE_SIZE: np.array(numbers.shape, np.int32),
        }

    def results(self, kept: Outputs, *, image_id: int, category_ids: Mapping[str, int]) -> list[dict[str, Any]]:
        """Raises ConfigError: COCO's results contain objects, and a class for each pixel does not tell objects apart."""
        raise ConfigError("COCO's results contain single objects; this model answers with a class for each pixel")


def _pixels(kept: Outputs) -> npt.NDArray[np.uint8]:
    return map_pixels(bytes(kept[MAP]))


def _text(label: Any) -> str:
    return label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label)
