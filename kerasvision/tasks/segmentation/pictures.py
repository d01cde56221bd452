"""Segmentation in pages: a line below an image, and the true and the answered map over it."""

import pandas as pd

from kerasvision.tasks.class_maps import ClassMap
from kerasvision.tasks.segmentation.measuring import ANSWERED_PICTURE, TRUE_PICTURE


def caption_line(row: pd.Series) -> str:
    """The mean IoU of the image, the worst of its classes, and the commonest answered class that it does not have.

    >>> seen = {"iou": 0.8312, "worst_class": "cat", "worst_iou": 0.25, "absent_class": "", "pixels": 9}
    >>> caption_line(pd.Series(seen))
    'IoU 0.83, worst: cat 0.25'
    >>> caption_line(pd.Series({**seen, "absent_class": "dog"}))
    'IoU 0.83, worst: cat 0.25, answered but absent: dog'
    >>> caption_line(pd.Series({"iou": 1.0, "worst_class": "", "worst_iou": 1.0, "absent_class": "", "pixels": 0}))
    'no pixel is known'
    """
    if not row["pixels"]:
        return "no pixel is known"
    line = f"IoU {row['iou']:.2f}, worst: {row['worst_class']} {row['worst_iou']:.2f}"
    return f"{line}, answered but absent: {row['absent_class']}" if row["absent_class"] else line


def overlays(row: pd.Series, *, classes: tuple[str, ...], background: str) -> tuple[ClassMap, ...]:
    """The maps of the image of a row, the true one first.

    Args:
        row: of a judgement.
        classes: names in the order of their numbers.
        background: the class that is not painted, if it is one of them.

    >>> row = pd.Series({"true_picture": b"1", "answered_picture": b"2"})
    >>> [one.kind for one in overlays(row, classes=("background", "cat"), background="background")]
    ['truth', 'answer']
    """
    truth = ClassMap("truth", row[TRUE_PICTURE], classes, plain=background)
    return truth, ClassMap("answer", row[ANSWERED_PICTURE], classes, plain=background)
