"""Shows found objects: `cat 0.98 at 12,30-200,310 (+3)`, rows in pixels, a picture with boxes, COCO's results."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from kerasvision.tasks.drawing import Drawing, draw_over, label_color, writable
from kerasvision.tasks.presentation import NAME, Outputs, Presentation

FOUND_OBJECTS = "found_objects"
BOXES, SCORES, CLASSES, NUMBERS, COUNT, IMAGE_SIZE = "boxes", "scores", "classes", "class_numbers", "count", "image_size"
# A line and a picture show objects from this score on. A detector answers with many objects of small scores, because average
# precision counts them.
SHOWN_FROM = 0.3
# What is said of an image in which nothing was found.
NOTHING = "nothing found"

# The content of `answers.json`, without the category ids. `places` says which outputs a page needs to draw the answer.
ANSWERS: Mapping[str, Any] = MappingProxyType(
    {
        NAME: FOUND_OBJECTS,
        "places": {"corners": BOXES, "labels": CLASSES, "scores": SCORES, "count": COUNT, "shown_from": SHOWN_FROM},
    }
)


class FoundObjects(Presentation):
    """Answers of K rows per image, sorted by score, of which the first `count` are objects.

    `boxes` float (K, 4) y_min, x_min, y_max, x_max in [0, 1] of the upright image; `scores` float (K,); `classes` string
    (K,); `class_numbers` int (K,); `count` int; `image_size` int (2,), height and width of the upright image.

    >>> import numpy as np
    >>> found = {
    ...     "boxes": np.array([[0.25, 0.5, 0.75, 1.0], [0, 0, 0.5, 0.5], [0, 0, 0, 0]]), "scores": np.array([0.9, 0.5, 0.0]),
    ...     "classes": np.array([b"cat", b"dog", b""]), "class_numbers": np.array([0, 1, 0]), "count": np.array(2),
    ...     "image_size": np.array([40, 20]),
    ... }
    >>> shown = FoundObjects(ANSWERS)
    >>> shown.line(shown.kept(found)), shown.line(shown.kept(found, least_score=0.95))
    ('cat 0.90 at 10,10-20,30 (+1)', 'nothing found')
    >>> shown.results(shown.kept(found), image_id=7, category_ids={"cat": 17})
    [{'image_id': 7, 'category_id': 17, 'bbox': [10.0, 10.0, 10.0, 20.0], 'score': 0.9}]
    """

    heading = "found"
    needs = (BOXES, SCORES, CLASSES, NUMBERS, COUNT, IMAGE_SIZE)
    columns: ClassVar[Mapping[str, type]] = MappingProxyType(
        {"label": str, "score": float, "left": float, "top": float, "right": float, "bottom": float}
    )

    def __init__(self, answers: Mapping[str, Any]) -> None:
        super().__init__(answers)
        self.shown_from = SHOWN_FROM

    def kept(self, outputs: Outputs, *, least_score: float = 0.0) -> dict[str, Any]:
        """The rows of objects with at least this score; `count` is their number."""
        count = int(outputs[COUNT])
        rows = np.flatnonzero(np.asarray(outputs[SCORES])[:count] >= least_score)
        lists = {name: np.asarray(outputs[name])[rows] for name in (BOXES, SCORES, CLASSES, NUMBERS)}
        return {**outputs, **lists, COUNT: np.int32(len(rows))}

    def line(self, kept: Outputs) -> str:
        """The best object with its score and its corners, left,top-right,bottom in pixels; then how many more there are."""
        if not len(kept[SCORES]):
            return NOTHING
        x_min, y_min, x_max, y_max = np.rint(_pixels(kept)[0]).astype(int)
        best = f"{_text(kept[CLASSES][0])} {kept[SCORES][0]:.2f} at {x_min},{y_min}-{x_max},{y_max}"
        others = len(kept[SCORES]) - 1
        return f"{best} (+{others})" if others else best

    def rows(self, kept: Outputs) -> list[dict[str, Any]]:
        """A row for each object: label, score, and its corners in pixels of the upright image."""
        return [
            dict(zip(self.columns, (_text(label), float(score), *corners), strict=True))
            for label, score, corners in zip(kept[CLASSES], kept[SCORES], _pixels(kept).tolist(), strict=True)
        ]

    def drawn(self, image: Image.Image, kept: Outputs) -> Image.Image:
        """The image with a box, a label and a score for each object. A label that no font can write is a class number."""
        drawings = []
        for corners, label, number, score in zip(kept[BOXES], kept[CLASSES], kept[NUMBERS], kept[SCORES], strict=True):
            y_min, x_min, y_max, x_max = map(float, corners)
            name = writable(_text(label), otherwise=f"class {int(number)}")
            drawings.append(Drawing("found", (y_min, x_min, y_max, x_max), name, float(score)))
        return draw_over(
            image, drawings, tag=lambda _, drawing: drawing.text, color=lambda drawing: label_color(drawing.label)
        )

    def results(self, kept: Outputs, *, image_id: int, category_ids: Mapping[str, int]) -> list[dict[str, Any]]:
        """Rows of `pycocotools.coco.COCO.loadRes`: left, top, width, height in pixels."""
        # A box in [0, 1] is a float32: more digits of a pixel would mean nothing.
        corners = np.round(_pixels(kept), 3)
        sides = np.concatenate([corners[:, :2], np.round(corners[:, 2:] - corners[:, :2], 3)], axis=1).tolist()
        return [
            {"image_id": image_id, "category_id": category_ids[label], "bbox": box, "score": float(score)}
            for label, score, box in zip(map(_text, kept[CLASSES]), kept[SCORES], sides, strict=True)
            if label in category_ids
        ]


def _pixels(kept: Outputs) -> np.ndarray:
    """float64 (n, 4): left, top, right, bottom in pixels of the upright image."""
    height, width = (float(side) for side in kept[IMAGE_SIZE])
    corners = np.asarray(kept[BOXES], np.float64).reshape(-1, 4)
    return corners[:, [1, 0, 3, 2]] * [width, height, width, height]


def _text(label: Any) -> str:
    return label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label)
