"""The true and the answered map of an image, as a page paints them over it."""

import pandas as pd

from kerasvision.tasks.class_maps import ClassMap

# Columns of the rows of a judgement: grey PNG of class numbers.
TRUE_PICTURE, ANSWERED_PICTURE = "true_picture", "answered_picture"


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
