"""Which answered box found which object: COCO's matching, for a whole data set at once.

For each image and class, the answers choose in the order of their scores. An answer takes the object that it overlaps most,
of those that no answer before it took, if their IoU reaches a threshold. This is done for each of the thresholds 0.5, 0.55,
... 0.95. Some objects do not count: crowds, and objects outside the range of areas. An answer takes one of them only if it
can take no other object, and then counts neither as right nor as wrong.

COCO's own code goes through images, classes, areas, thresholds, answers and objects one by one. Here all images and classes
go together: step n of the loop lets the n-th answer of each of them choose. Few answers overlap an object at all, so a step
has little to do.

Source: Lin et al., 2014, https://arxiv.org/abs/1405.0312, and the rules of https://cocodataset.org/#detection-eval.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
# COCO counts at most this many answers per image and class.
MOST_ANSWERS = 100
# A threshold of exactly 1 could not be reached after rounding.
BELOW_ONE = 1 - 1e-10


@dataclass(frozen=True)
class Objects:
    """The objects of N images, in any order.

    Attributes:
        images: int64 (G,), the image of each object, in [0, N).
        classes: int64 (G,), its class number.
        boxes: float64 (G, 4), y_min, x_min, y_max, x_max in pixels.
        crowd: bool (G,), whether it stands for several objects: answers on it count neither as right nor as wrong.
        areas: float64 (G,), in square pixels: of the outline, where it is known.
    """

    images: Ints
    classes: Ints
    boxes: Floats
    crowd: Bools
    areas: Floats

    def part(self, kept: Bools) -> Self:
        """Some of the objects, bool (G,)."""
        return type(self)(self.images[kept], self.classes[kept], self.boxes[kept], self.crowd[kept], self.areas[kept])


@dataclass(frozen=True)
class Answers:
    """The boxes that a detector answered for N images, in any order.

    Attributes:
        images: int64 (D,), the image of each box, in [0, N).
        classes: int64 (D,), its class number.
        boxes: float64 (D, 4), y_min, x_min, y_max, x_max in pixels.
        scores: float64 (D,); of two boxes with one score, the first one chooses first.
    """

    images: Ints
    classes: Ints
    boxes: Floats
    scores: Floats

    def part(self, kept: Bools) -> Self:
        """Some of the answers, bool (D,)."""
        return type(self)(self.images[kept], self.classes[kept], self.boxes[kept], self.scores[kept])

    def best(self, most: int = MOST_ANSWERS) -> Self:
        """The answers ordered by image, class and falling score, at most `most` for each image and class."""
        order = np.lexsort((-self.scores, self.classes, self.images))
        order = order[place_in_group(self.images[order], self.classes[order]) < most]
        return type(self)(self.images[order], self.classes[order], self.boxes[order], self.scores[order])


@dataclass(frozen=True)
class Overlaps:
    """The pairs of an answer and an object of one image and class whose IoU reaches the lowest threshold.

    Attributes:
        answers: int64 (P,), rising; positions in the answers that `overlaps` received.
        objects: int64 (P,), positions in the objects.
        iou: float64 (P,); with a crowd, the share of the answer's area that is inside it.
    """

    answers: Ints
    objects: Ints
    iou: Floats


@dataclass(frozen=True)
class Matches:
    """What became of D answers at each of T thresholds.

    Attributes:
        right: bool (T, D), the answer took an object that counts.
        ignored: bool (T, D), it counts neither as right nor as wrong.
        counts: bool (G,), the objects that count.
    """

    right: Bools
    ignored: Bools
    counts: Bools


def place_in_group(*keys: Ints) -> Ints:
    """How many rows before each row have the same keys; rows with the same keys stand together.

    >>> place_in_group(np.array([3, 3, 3, 5, 5]), np.array([0, 0, 1, 1, 1])).tolist()
    [0, 1, 0, 0, 1]
    """
    rows = np.arange(len(keys[0]))
    begins = np.ones(len(rows), bool)
    if len(rows):
        begins[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    place: Ints = rows - np.maximum.accumulate(np.where(begins, rows, 0))
    return place


def areas_of(boxes: Floats) -> Floats:
    """float64 (M,) from boxes float64 (M, 4), y_min, x_min, y_max, x_max.

    >>> areas_of(np.array([[0.0, 0.0, 2.0, 3.0]])).tolist()
    [6.0]
    """
    areas: Floats = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas


def iou_of(boxes: Floats, others: Floats, *, crowd: Bools) -> Floats:
    """The IoU of each box with the other in the same row, float64 (P,), in [0, 1].

    Args:
        boxes, others: float64 (P, 4), y_min, x_min, y_max, x_max.
        crowd: bool (P,), where the other is a crowd: the share of the box's area that is inside it.

    >>> iou_of(np.array([[0.0, 0, 2, 2]]), np.array([[0.0, 1, 2, 5]]), crowd=np.array([False])).round(3).tolist()
    [0.2]
    """
    sides = np.minimum(boxes[:, 2:], others[:, 2:]) - np.maximum(boxes[:, :2], others[:, :2])
    shared = np.where((sides > 0).all(1), sides.prod(1), 0.0)
    mine = areas_of(boxes)
    union = np.where(crowd, mine, mine + areas_of(others) - shared)
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def overlaps(answers: Answers, objects: Objects) -> Overlaps:
    """The pairs that can match at some threshold.

    Args:
        answers: as `Answers.best` orders them.
        objects: in any order.
    """
    order = np.lexsort((objects.classes, objects.images))
    span = 1 + max(answers.classes.max(initial=0), objects.classes.max(initial=0))
    keys = (objects.images * span + objects.classes)[order]
    wanted = answers.images * span + answers.classes
    first, last = np.searchsorted(keys, wanted, "left"), np.searchsorted(keys, wanted, "right")
    of = np.repeat(np.arange(len(wanted)), last - first)
    objects_of = order[np.arange(len(of)) - np.repeat(np.cumsum(last - first) - last, last - first)]
    iou = iou_of(answers.boxes[of], objects.boxes[objects_of], crowd=objects.crowd[objects_of])
    near = iou >= THRESHOLDS[0]
    return Overlaps(of[near], objects_of[near], iou[near])


def match(
    answers: Answers, objects: Objects, near: Overlaps, *, least_area: float = 0.0, most_area: float = np.inf
) -> Matches:
    """COCO's matching at all thresholds.

    Args:
        answers: as `Answers.best` orders them.
        objects: of the same images.
        near: the overlaps of the two.
        least_area, most_area: objects outside do not count, nor do answers outside that took no object.
    """
    counts = ~(objects.crowd | (objects.areas < least_area) | (objects.areas > most_area))
    taken_by = _taken(answers, objects, near, counts)
    shape = (len(THRESHOLDS), len(answers.scores))
    right, ignored = np.zeros(shape, bool), np.zeros(shape, bool)
    threshold, pair = np.nonzero(taken_by)
    is_right = counts[near.objects[pair]]
    right[threshold[is_right], near.answers[pair[is_right]]] = True
    ignored[threshold[~is_right], near.answers[pair[~is_right]]] = True
    areas = areas_of(answers.boxes)
    outside = (areas < least_area) | (areas > most_area)
    return Matches(right, ignored | (outside & ~right), counts)


def _taken(answers: Answers, objects: Objects, near: Overlaps, counts: Bools) -> Bools:
    """Whether the answer of a pair takes its object, bool (T, P)."""
    # What an answer prefers comes first: objects that count, the largest IoU, and of equal ones, the last.
    order = np.lexsort((-near.objects, -near.iou, ~counts[near.objects], near.answers))
    answer, thing, iou = near.answers[order], near.objects[order], near.iou[order]
    reached = iou >= np.minimum(THRESHOLDS, BELOW_ONE)[:, None]
    free, waiting = np.ones((len(THRESHOLDS), len(counts)), bool), np.ones((len(THRESHOLDS), len(answers.scores)), bool)
    taken = np.zeros(reached.shape, bool)
    for pairs in _in_turns(answers, answer):
        taking = reached[:, pairs] & free[:, thing[pairs]] & waiting[:, answer[pairs]]
        taken[:, order[pairs]] = taking
        waiting[:, answer[pairs]] &= ~taking
        free[:, thing[pairs]] &= ~taking | objects.crowd[thing[pairs]]
    return taken


def _in_turns(answers: Answers, answer: Ints) -> list[Ints]:
    """The pairs that are decided together, in turn: of each image and class the next answer, and of that the next object.

    Args:
        answers: as `Answers.best` orders them.
        answer: int64 (P,), the answer of each pair, rising.
    """
    choice = place_in_group(answer)
    choosing = answer[choice == 0]
    turn = place_in_group(answers.images[choosing], answers.classes[choosing])
    turn = np.repeat(turn, np.bincount(answer, minlength=1)[choosing])
    order = np.lexsort((choice, turn))
    changes = np.flatnonzero(np.diff(turn[order]) | np.diff(choice[order])) + 1
    return np.split(order, changes) if len(order) else []
