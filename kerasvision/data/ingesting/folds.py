"""Whether a source can be divided into folds, each of which judges one training."""

import pandas as pd

from kerasvision.config.preparing import Splits
from kerasvision.data.ingesting.manifest import tags_of
from kerasvision.data.splits import unit_numbers
from kerasvision.errors import DataError
from kerasvision.progress import say
from kerasvision.shortened import shortened

MOST_NAMED = 10


def check_folds(table: pd.DataFrame, splits: Splits) -> None:
    """Says which classes and tags are too rare to be in every fold.

    Args:
        table: a row per image: sha256, split, label, tag_names, group, fault ("" for an image that is used).
        splits: with folds.

    Raises:
        DataError: the source has splits of its own; there are fewer images than folds, where images that must stay together
            count once; or, with `stratify`, fewer of a class or of a tag.
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
    _check_rare("class", units, used["label"], splits)
    _check_rare("tag", units, used["tag_names"].map(tags_of).explode().dropna(), splits)


def _check_rare(what: str, units: pd.Series, names: pd.Series, splits: Splits) -> None:
    """Says, or with `stratify` refuses, that classes or tags have fewer units than there are folds.

    Args:
        what: "class" or "tag".
        units: of each image, the number of its unit.
        names: of each image, its class; or a row for each of its tags, with the image's index.
        splits: with folds.
    """
    counts = units.reindex(names.index).groupby(names).nunique().sort_values(kind="stable")
    rare = counts[counts < (splits.folds or 0)]
    if rare.empty or not any(counts.index):
        return
    named = shortened([f"{name!r} has {count}" for name, count in rare.items()], most=MOST_NAMED)
    if splits.stratify:
        raise DataError(
            f"splits.stratify with splits.folds={splits.folds} requires at least {splits.folds} images of each {what}, "
            f"where copies and groups count once: {named}",
            hint="set a smaller splits.folds, add images, or set splits.stratify=False",
        )
    say(f"not every one of the {splits.folds} folds has images of each {what}: {named}")
