"""Shows found objects: `cat 0.98 at 12,30-200,310 (+3)`, rows in pixels, a picture with boxes, COCO's results."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from kerasvision.tasks.drawing import Drawing, draw_over, label_color, writable
from kerasvision.tasks.presentation import NAME, Outputs, Presentation

FOUND_OBJECTS, LOCATED_OBJECT = "found_objects", "located_object"
BOXES, SCORES, CLASSES, NUMBERS, COUNT, IMAGE_SIZE = "boxes", "scores", "classes", "class_numbers", "count", "image_size"
BOX = "box"
# A line and a picture show objects from this score on. A detector answers with many objects of small scores, because average
# precision counts them.
SHOWN_FROM = 0.3
# What is said of an image in which nothing was found.
NOTHING = "nothing found"
# The label of an object whose class the network does not answer.
OBJECT = "object"

# The content of `answers.json`, without the category ids. `places` says which outputs a page needs to draw the answer.
ANSWERS: Mapping[str, Any] = MappingProxyType(
    {
        NAME: FOUND_OBJECTS,
        "places": {"corners": BOXES, "labels": CLASSES, "scores": SCORES, "count": COUNT, "shown_from": SHOWN_FROM},
    }
)
# The same for one object per image.
ANSWER: Mapping[str, Any] = MappingProxyType(
    {NAME: LOCATED_OBJECT, "places": {"corners": BOX, "labels": CLASSES, "scores": SCORES, "shown_from": 0.0}}
)


class Found(NamedTuple):
    """The n objects of an answer, the best first.

    Attributes:
        boxes: float64 (n, 4), y_min, x_min, y_max, x_max as shares of the image's height and width.
        labels: n texts.
        numbers: n class numbers.
        scores: n numbers in [0, 1]; None if the network gives no scores.
        size: height and width of the upright image in pixels.
    """

    boxes: npt.NDArray[np.float64]
    labels: list[str]
    numbers: list[int]
    scores: list[float] | None
    size: tuple[int, int]

    def pixels(self) -> npt.NDArray[np.float64]:
        """float64 (n, 4): left, top, right, bottom in pixels of the upright image."""
        height, width = self.size
        return self.boxes[:, [1, 0, 3, 2]] * np.array([width, height, width, height], np.float64)

    def shown_scores(self) -> Sequence[float | None]:
        """The n scores, or None for each."""
        return [None] * len(self.labels) if self.scores is None else self.scores


class ObjectsPresentation(Presentation):
    """Shows answers that are objects with a box each; how the outputs hold them, subclasses say."""

    heading = "found"
    instead = "`kerasvision predict --draw` draws what it finds, and where"
    columns: ClassVar[Mapping[str, type]] = MappingProxyType(
        {"label": str, "score": float, "left": float, "top": float, "right": float, "bottom": float}
    )

    @abstractmethod
    def found(self, kept: Outputs) -> Found:
        """The objects of an answer."""

    def line(self, kept: Outputs) -> str:
        """The best object with its score and its corners, left,top-right,bottom in pixels; then how many more there are."""
        found = self.found(kept)
        if not found.labels:
            return NOTHING
        left, top, right, bottom = np.rint(found.pixels()[0]).astype(int)
        score = "" if found.scores is None else f" {found.scores[0]:.2f}"
        best = f"{found.labels[0]}{score} at {left},{top}-{right},{bottom}"
        others = len(found.labels) - 1
        return f"{best} (+{others})" if others else best

    def rows(self, kept: Outputs) -> list[dict[str, Any]]:
        """A row for each object: label, score or None, and its corners in pixels of the upright image."""
        found = self.found(kept)
        return [
            dict(zip(self.columns, (label, score, *corners), strict=True))
            for label, score, corners in zip(found.labels, found.shown_scores(), found.pixels().tolist(), strict=True)
        ]

    def drawn(self, image: Image.Image, kept: Outputs) -> Image.Image:
        """The image with a box, a label and a score for each object. A label that no font can write is a class number."""
        found = self.found(kept)
        drawings = []
        parts = (found.boxes.tolist(), found.labels, found.numbers, found.shown_scores())
        for corners, label, number, score in zip(*parts, strict=True):
            y_min, x_min, y_max, x_max = corners
            name = writable(label, otherwise=f"class {number}")
            drawings.append(Drawing("found", (y_min, x_min, y_max, x_max), name, score))
        return draw_over(
            image, drawings, tag=lambda _, drawing: drawing.text, color=lambda drawing: label_color(drawing.label)
        )

    def results(self, kept: Outputs, *, image_id: int, category_ids: Mapping[str, int]) -> list[dict[str, Any]]:
        """Rows of `pycocotools.coco.COCO.loadRes`: left, top, width, height in pixels. The score is 1 if there are none."""
        found = self.found(kept)
        # A box in [0, 1] is a float32: more digits of a pixel would mean nothing.
        corners = np.round(found.pixels(), 3)
        sides = np.concatenate([corners[:, :2], np.round(corners[:, 2:] - corners[:, :2], 3)], axis=1).tolist()
        return [
            {"image_id": image_id, "category_id": category_ids[label], "bbox": box, "score": score}
            for label, score, box in zip(found.labels, found.scores or [1.0] * len(sides), sides, strict=True)
            if label in category_ids
        ]


class FoundObjects(ObjectsPresentation):
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

    needs = (BOXES, SCORES, CLASSES, NUMBERS, COUNT, IMAGE_SIZE)

    def __init__(self, answers: Mapping[str, Any]) -> None:
        super().__init__(answers)
        self.shown_from = SHOWN_FROM

    def kept(self, outputs: Outputs, *, least_score: float = 0.0) -> dict[str, Any]:
        """The rows of objects with at least this score; `count` is their number."""
        count = int(outputs[COUNT])
        rows = np.flatnonzero(np.asarray(outputs[SCORES])[:count] >= least_score)
        lists = {name: np.asarray(outputs[name])[rows] for name in (BOXES, SCORES, CLASSES, NUMBERS)}
        return {**outputs, **lists, COUNT: np.int32(len(rows))}

    def found(self, kept: Outputs) -> Found:
        """The objects of an answer."""
        return Found(
            boxes=_corners(kept[BOXES]),
            labels=list(map(_text, kept[CLASSES])),
            numbers=list(map(int, kept[NUMBERS])),
            scores=list(map(float, kept[SCORES])),
            size=_size(kept),
        )


class LocatedObject(ObjectsPresentation):
    """Answers of one object per image, which has a class and a score if the network answers them.

    `box` float (4,) y_min, x_min, y_max, x_max in [0, 1] of the upright image; `image_size` int (2,), its height and width;
    and perhaps `classes` string (), `class_numbers` int () and `scores` float ().

    >>> import numpy as np
    >>> found = {"box": np.array([0.25, 0.5, 0.75, 1.0]), "image_size": np.array([40, 20])}
    >>> shown = LocatedObject(ANSWER)
    >>> shown.line(shown.kept(found))
    'object at 10,10-20,30'
    >>> named = {**found, "classes": b"cat", "class_numbers": np.int32(0), "scores": np.float32(0.75)}
    >>> shown.line(shown.kept(named)), shown.line(shown.kept(named, least_score=0.95))
    ('cat 0.75 at 10,10-20,30', 'nothing found')
    """

    needs = (BOX, IMAGE_SIZE)

    def kept(self, outputs: Outputs, *, least_score: float = 0.0) -> dict[str, Any]:
        """The answer; without the numbers of its box, if its score is lower."""
        is_low = SCORES in outputs and float(outputs[SCORES]) < least_score
        return {**outputs, BOX: np.zeros(0, np.float32)} if is_low else dict(outputs)

    def found(self, kept: Outputs) -> Found:
        """The object of an answer; none if its score was too low."""
        boxes = _corners(kept[BOX])
        labels = [_text(kept[CLASSES]) if CLASSES in kept else OBJECT][: len(boxes)]
        numbers = [int(kept.get(NUMBERS, 0))][: len(boxes)]
        scores = [float(kept[SCORES])][: len(boxes)] if SCORES in kept else None
        return Found(boxes, labels, numbers, scores, _size(kept))


def _corners(boxes: Any) -> npt.NDArray[np.float64]:
    return np.asarray(boxes, np.float64).reshape(-1, 4)


def _size(kept: Outputs) -> tuple[int, int]:
    height, width = kept[IMAGE_SIZE]
    return int(height), int(width)


def _text(label: Any) -> str:
    return label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label)
