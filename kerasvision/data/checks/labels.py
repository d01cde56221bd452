"""Labels that are missing, new, written in two ways, or rare."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

import pandas as pd

from kerasvision.data.anomalies import Anomaly, anomaly, counted
from kerasvision.data.schema import DataSchema
from kerasvision.data.splits import TRAIN
from kerasvision.data.statistics import Statistics


def label_anomalies(statistics: Statistics, schema: DataSchema, images: pd.DataFrame | None) -> Iterator[Anomaly]:
    """The labels against those of the schema. Where neither knows any, there is nothing to look for."""
    present = {name for counts in statistics.counts.values() for name, count in counts.items() if count}
    if not present and not schema.classes:
        return
    if schema.classes and not statistics.classes:
        yield anomaly("unlabelled", f"the schema has {len(schema.classes)} classes, and no image has a label")
        return
    if len(present) < 2:
        only = f"only {next(iter(present))!r} has images" if present else "no class has images"
        yield anomaly("one_class", f"there must be at least two classes, and {only}")
    for name in sorted(present - set(schema.classes)):
        ids = images.loc[images["label"] == name, "id"] if images is not None else ()
        yield anomaly("unseen_label", f"label {name!r} is not in the schema", ids)
    for name in sorted(set(schema.classes) - present):
        yield anomaly("missing_label", f"no usable image has the label {name!r} of the schema")
    for names in spelt_alike(present):
        yield anomaly("label_variants", f"labels {names} differ only in case or spaces")


def balance_anomalies(statistics: Statistics, schema: DataSchema) -> Iterator[Anomaly]:
    """Classes with too few images: to train on, to judge by, or beside the largest."""
    train = statistics.counts.get(TRAIN, {})
    for name, count in train.items():
        if count < schema.min_train_examples:
            has = counted(count, "training image", "training images")
            yield anomaly("too_few_examples", f"class {name!r} has {has}; at least {schema.min_train_examples} are needed")
    for split, counts in statistics.counts.items():
        missing = [name for name, count in counts.items() if not count]
        if split != TRAIN and missing:
            yield anomaly("label_missing_in_split", f"the {split} split has no image of {', '.join(missing)}")
    smallest = min(train, key=train.__getitem__, default="")
    if train and train[smallest] and max(train.values()) / train[smallest] > schema.max_imbalance:
        largest = max(train, key=train.__getitem__)
        message = f"{largest!r} has {train[largest]} training images, and {smallest!r} {train[smallest]}"
        yield anomaly("imbalance", f"{message}: more than {schema.max_imbalance:g} times as many")


def object_anomalies(statistics: Statistics, schema: DataSchema) -> Iterator[Anomaly]:
    """The classes of the objects in the images against those of the schema."""
    present = {name for name, count in statistics.object_counts.items() if count}
    for name in sorted(present - set(schema.object_classes)):
        count = counted(statistics.object_counts[name], "object is", "objects are")
        yield anomaly("unseen_object_class", f"{count} of class {name!r}, which is not in the schema")
    for name in sorted(set(schema.object_classes) - present):
        yield anomaly("missing_object_class", f"no object is of class {name!r} of the schema")
    for names in spelt_alike(present):
        yield anomaly("object_class_variants", f"object classes {names} differ only in case or spaces")


def spelt_alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of names that differ only in case, spaces, hyphens, underscores, or in how Unicode writes their letters.

    >>> spelt_alike(["hot dog", "Hot_Dog", "cat"])
    [['Hot_Dog', 'hot dog']]
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        plain = unicodedata.normalize("NFKC", name).casefold()
        groups.setdefault(re.sub(r"[\s_-]+", " ", plain).strip(), []).append(name)
    return [group for group in groups.values() if len(group) > 1]
