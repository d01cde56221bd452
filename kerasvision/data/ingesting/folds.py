"""Whether a source can be divided into folds, each of which judges one training."""

import pandas as pd

from kerasvision.config.preparing import Splits
from kerasvision.data.splits import unit_numbers
from kerasvision.errors import DataError
from kerasvision.progress import say
from kerasvision.shortened import shortened

MOST_NAMED = 10


def check_folds(table: pd.DataFrame, splits: Splits) -> None:
    """Says which classes are too rare to be in every fold.

    Args:
        table: a row per image: sha256, split, label, group, fault ("" for an image that is used).
        splits: with folds.

    Raises:
        DataError: the source has splits of its own; there are fewer images than folds, where images that must stay together
            count once; or, with `stratify`, fewer of a class.
    """
    folds = splits.folds or 0
    if own := sorted(set(table["split"]) - {"", "train"}):
        raise DataError(
            "splits.folds divides all images, and this source has splits of its own: " + ", ".join(own),
            hint="set splits.folds=None, or give the source a folder or table without splits",
        )
    used = table[table["fault"] == ""]
    units = pd.Series(unit_numbers(used["sha256"].tolist(), used["group"].tolist()), index=used.index)
    if units.nunique() < folds:
        raise DataError(
            f"splits.folds must not exceed the number of images, {units.nunique():,}, where copies and groups count once; "
            f"received {folds}",
            hint="set a smaller splits.folds, or add images",
        )
    counts = units.groupby(used["label"]).nunique().sort_values(kind="stable")
    if not (rare := counts[counts < folds]).empty and any(counts.index):
        named = shortened([f"{name!r} has {count}" for name, count in rare.items()], most=MOST_NAMED)
        if splits.stratify:
            raise DataError(
                f"splits.stratify with splits.folds={folds} requires at least {folds} images of each class, where copies "
                f"and groups count once: {named}",
                hint="set a smaller splits.folds, add images, or set splits.stratify=False",
            )
        say(f"not every one of the {folds} folds has images of each class: {named}")
