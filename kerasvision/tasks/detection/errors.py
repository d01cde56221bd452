"""Why answers are wrong, and what each kind of error costs: the kinds of TIDE (Bolya et al., 2020,
https://arxiv.org/abs/2008.08115, section 2.2), and which classes are taken for which.

    wrong class             IoU of at least 0.5 with an object of another class
    badly placed            IoU from 0.1 to 0.5 with an object of its class
    wrong class and place   IoU from 0.1 to 0.5 with an object of another class
    double                  IoU of at least 0.5 with an object that a better answer found
    nothing there           IoU below 0.1 with all objects
    missed                  an object that no answer found, and that is not the object of an error above
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from kerasvision.tasks.detection.average_precision import BoxScores
from kerasvision.tasks.detection.classes import Classes
from kerasvision.tasks.detection.matching import Answers, Floats, Ints, Objects, iou_of
from kerasvision.tasks.detection.scores import AT_HALF

WRONG_CLASS, BADLY_PLACED, BOTH = "wrong class", "badly placed", "wrong class and place"
DOUBLE, NOTHING_THERE, MISSED = "double", "nothing there", "missed"
KINDS = (WRONG_CLASS, BADLY_PLACED, BOTH, DOUBLE, NOTHING_THERE, MISSED)
ENOUGH, LITTLE = 0.5, 0.1
NOTHING = "(nothing)"
RIGHT = -1


class Errors(NamedTuple):
    """What is wrong with each of D answers and G objects.

    Attributes:
        kinds: int64 (D,), a place in `KINDS`; RIGHT for right answers and those that do not count.
        of: int64 (D,), the object that the answer is near; -1 without one.
        missed: bool (G,).
    """

    kinds: Ints
    of: Ints
    missed: np.ndarray


def kinds_of_errors(boxes: BoxScores) -> Errors:
    """The error of each answer and of each object, at IoU 0.5."""
    answers, objects = boxes.answers, boxes.objects
    right, ignored = boxes.matches.right[AT_HALF], boxes.matches.ignored[AT_HALF]
    mine, mine_iou, other, other_iou = _nearest(answers, objects, boxes.matches.counts)
    kinds = np.full(len(answers.scores), KINDS.index(NOTHING_THERE))
    of = np.full(len(kinds), -1)
    # The last rule that applies counts, so the first of TIDE's rules comes last.
    for kind, near, objects_of in (
        (BOTH, other_iou >= LITTLE, other),
        (DOUBLE, mine_iou >= ENOUGH, mine),
        (BADLY_PLACED, (mine_iou >= LITTLE) & (mine_iou < ENOUGH), mine),
        (WRONG_CLASS, (other_iou >= ENOUGH) & (mine_iou < ENOUGH), other),
    ):
        kinds[near], of[near] = KINDS.index(kind), objects_of[near]
    counted = ~right & ~ignored
    kinds[~counted] = RIGHT
    found = np.zeros(len(objects.classes), bool)
    found[found_objects(boxes)] = True
    is_near = counted & np.isin(kinds, [KINDS.index(WRONG_CLASS), KINDS.index(BADLY_PLACED)])
    found[of[is_near]] = True
    return Errors(kinds, of, boxes.matches.counts & ~found)


def error_table(boxes: BoxScores, *, score: float, classes: int) -> pd.DataFrame:
    """kind, count, and average_precision_50 lost.

    `count` is of answers of at least this score, and of all missed objects. What is lost is by how much
    `box_average_precision_50` rises if all errors of this kind are corrected (TIDE's oracles): an answer is moved to its
    object, or removed if another answer found that object; a missed object is removed.
    """
    errors = kinds_of_errors(boxes)
    before = _average_precision(boxes.objects, boxes.answers, boxes.count, classes)
    rows = []
    for number, kind in enumerate(KINDS):
        chosen = errors.kinds == number
        count = errors.missed.sum() if kind == MISSED else (chosen & (boxes.answers.scores >= score)).sum()
        after = _average_precision(*_corrected(boxes, errors, kind), boxes.count, classes)
        rows.append((kind, int(count), max(after - before, 0.0)))
    return pd.DataFrame(rows, columns=["kind", "count", "average_precision_50 lost"])


def confusion_with_nothing(boxes: BoxScores, classes: Classes, *, score: float) -> pd.DataFrame:
    """How often an object of each class (rows) was answered with each class (columns), and with nothing.

    Of the answers of at least this score, each takes the object that it overlaps most, of any class, with an IoU of at least
    0.5; the best answer chooses first. In the row "(nothing)" are answers that no object is left for.
    """
    answers, objects, counts = boxes.answers, boxes.objects, boxes.matches.counts
    size = len(classes.names)
    table = np.zeros((size + 1, size + 1), np.int64)
    pairs_of, pairs, iou = _pairs(answers, objects, counts)
    near = iou >= ENOUGH
    order = np.lexsort((-iou[near], -answers.scores[pairs_of[near]]))
    taken, used = np.zeros(len(counts), bool), np.zeros(len(answers.scores), bool)
    used |= (answers.scores < score) | boxes.matches.ignored[AT_HALF]
    for answer, thing in zip(pairs_of[near][order], pairs[near][order], strict=True):
        if not used[answer] and not taken[thing]:
            used[answer] = taken[thing] = True
            table[objects.classes[thing], answers.classes[answer]] += 1
    table[size, :size] = np.bincount(answers.classes[~used], minlength=size)
    table[:size, size] = np.bincount(objects.classes[counts & ~taken], minlength=size)
    shown = [*classes.numbers, size]
    names = [*classes.found, NOTHING]
    return pd.DataFrame(
        table[np.ix_(shown, shown)], index=pd.Index(names, name="truth"), columns=pd.Index(names, name="answer")
    )


def _pairs(answers: Answers, objects: Objects, counts: np.ndarray) -> tuple[Ints, Ints, Floats]:
    """Every answer with every object of its image that counts: places of both, int64 (P,), and the IoU, float64 (P,)."""
    kept = np.flatnonzero(counts)
    kept = kept[np.argsort(objects.images[kept], kind="stable")]
    first, last = (np.searchsorted(objects.images[kept], answers.images, side) for side in ("left", "right"))
    of = np.repeat(np.arange(len(answers.images)), last - first)
    things = kept[np.arange(len(of)) - np.repeat(np.cumsum(last - first) - last, last - first)]
    return of, things, iou_of(answers.boxes[of], objects.boxes[things], crowd=np.zeros(len(of), bool))


def _nearest(answers: Answers, objects: Objects, counts: np.ndarray) -> tuple[Ints, Floats, Ints, Floats]:
    """For each answer the nearest object of its class with its IoU, and the nearest of another class with its IoU."""
    of, things, iou = _pairs(answers, objects, counts)
    is_mine = answers.classes[of] == objects.classes[things]
    found: list[np.ndarray] = []
    for chosen in (is_mine, ~is_mine):
        best, place = np.zeros(len(answers.scores)), np.full(len(answers.scores), -1)
        order = np.argsort(iou[chosen], kind="stable")  # the largest IoU is written last
        best[of[chosen][order]], place[of[chosen][order]] = iou[chosen][order], things[chosen][order]
        found += [place, best]
    return found[0], found[1], found[2], found[3]


def found_objects(boxes: BoxScores, *, score: float = 0.0) -> Ints:
    """The objects that right answers of at least this score found, int64 (F,): the nearest free one of their class each."""
    answers, objects, right = boxes.answers, boxes.objects, boxes.matches.right[AT_HALF] & (boxes.answers.scores >= score)
    of, things, iou = _pairs(answers, objects, boxes.matches.counts)
    kept = right[of] & (answers.classes[of] == objects.classes[things]) & (iou >= ENOUGH)
    # COCO takes the last of objects with equal IoU.
    order = np.lexsort((-things[kept], -iou[kept], -answers.scores[of[kept]]))
    free, waiting, found = np.ones(len(objects.classes), bool), right.copy(), []
    for answer, thing in zip(of[kept][order], things[kept][order], strict=True):
        if waiting[answer] and free[thing]:
            waiting[answer] = free[thing] = False
            found.append(thing)
    return np.array(found, np.int64)


def _corrected(boxes: BoxScores, errors: Errors, kind: str) -> tuple[Objects, Answers]:
    """Objects and answers without the errors of one kind."""
    answers, objects = boxes.answers, boxes.objects
    chosen = errors.kinds == KINDS.index(kind)
    if kind == MISSED:
        return objects.part(~errors.missed), answers
    if kind in (DOUBLE, NOTHING_THERE):
        return objects, answers.part(~chosen)
    is_found = np.zeros(len(objects.classes), bool)
    is_found[found_objects(boxes)] = True
    moved, kept = answers.boxes.copy(), ~chosen
    classes = answers.classes.copy()
    for answer in np.flatnonzero(chosen)[np.argsort(-answers.scores[chosen], kind="stable")]:
        thing = errors.of[answer]
        if not is_found[thing]:
            is_found[thing] = kept[answer] = True
            moved[answer], classes[answer] = objects.boxes[thing], objects.classes[thing]
    return objects, Answers(answers.images, classes, moved, answers.scores).part(kept)


def _average_precision(objects: Objects, answers: Answers, count: int, classes: int) -> float:
    scores = BoxScores(objects, answers, count=count, classes=classes).scores(np.ones((count, 1)))
    return float(np.nan_to_num(scores["box_average_precision_50"][0]))
