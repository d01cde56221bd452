"""Labels that are missing, new, spelt in two ways, or rare."""

from collections.abc import Iterator

import pandas as pd

from kerasvision.data.measuring.statistics import Statistics
from kerasvision.data.splits import TRAIN
from kerasvision.data.validating.anomalies import MOST_OF_A_KIND, Anomaly, anomaly, count_phrase, ids_by_label
from kerasvision.data.validating.schema import DataSchema
from kerasvision.data.validating.spelling import DIFFERENCE, show_differences, spelt_alike
from kerasvision.shortened import shortened


def label_anomalies(statistics: Statistics, schema: DataSchema, images: pd.DataFrame | None) -> Iterator[Anomaly]:
    """Compares the labels with those of the schema. If neither has any, nothing is reported."""
    present = {name for counts in statistics.counts.values() for name, count in counts.items() if count}
    if not present and not schema.classes:
        if "labels" in schema.requires:
            yield anomaly("unlabelled", "the task requires labels, and no usable image has one")
        return
    if schema.classes and not statistics.classes:
        yield anomaly("unlabelled", f"the schema has {len(schema.classes)} classes, and no image has a label")
        return
    if len(present) < 2:
        only = f"only {next(iter(present))!r} has images" if present else "no class has images"
        yield anomaly("one_class", f"there must be at least two classes, and {only}")
    # Looked up once: with 10,000 new labels, a search through the images for each would take minutes.
    named = ids_by_label(images)
    for name in sorted(present - set(schema.classes)):
        yield anomaly("unseen_label", f"label {name!r} is not in the schema", named.get(name, ()))
    for name in sorted(set(schema.classes) - present):
        yield anomaly("missing_label", f"no usable image has the label {name!r} of the schema")
    for names in spelt_alike(present):
        yield anomaly("label_variants", _variants("labels", names))


def balance_anomalies(statistics: Statistics, schema: DataSchema) -> Iterator[Anomaly]:
    """Classes with too few images: for training, for evaluation, or compared with the largest class."""
    train = statistics.counts.get(TRAIN, {})
    for name, count in train.items():
        if count < schema.min_train_examples:
            has = count_phrase(count, "training image", "training images")
            yield anomaly("too_few_examples", f"class {name!r} has {has}; at least {schema.min_train_examples} are needed")
    for split, counts in statistics.counts.items():
        missing = [name for name, count in counts.items() if not count]
        if split != TRAIN and missing:
            named = shortened(missing, most=MOST_OF_A_KIND)
            yield anomaly("label_missing_in_split", f"the {split} split has no image of {named}")
    smallest = min(train, key=train.__getitem__, default="")
    if train and train[smallest] and max(train.values()) / train[smallest] > schema.max_imbalance:
        largest = max(train, key=train.__getitem__)
        message = f"{largest!r} has {train[largest]} training images, and {smallest!r} {train[smallest]}"
        yield anomaly("imbalance", f"{message}: more than {schema.max_imbalance:g} times as many")


def object_anomalies(statistics: Statistics, schema: DataSchema) -> Iterator[Anomaly]:
    """Compares the classes of the objects in the images with those of the schema."""
    present = {name for name, count in statistics.object_counts.items() if count}
    if "objects" in schema.requires and not present:
        yield anomaly("no_objects", "the task requires objects with boxes, and no usable image has one")
    for name in sorted(present - set(schema.object_classes)):
        count = count_phrase(statistics.object_counts[name], "object is", "objects are")
        yield anomaly("unseen_object_class", f"{count} of class {name!r}, which is not in the schema")
    for name in sorted(set(schema.object_classes) - present):
        yield anomaly("missing_object_class", f"no object is of class {name!r} of the schema")
    for names in spelt_alike(present):
        yield anomaly("object_class_variants", _variants("object classes", names))


def box_anomalies(statistics: Statistics, schema: DataSchema) -> Iterator[Anomaly]:
    """Splits without an object of a class, images with very many objects, and boxes that are there twice.

    Nothing is reported for a task that does not require objects.
    """
    if "objects" not in schema.requires or not statistics.objects:
        return
    for split, counts in statistics.objects["by_split"].items():
        missing = [name for name, count in counts.items() if not count]
        if counts and len(missing) == len(counts):
            if any(statistics.object_counts.values()):
                yield anomaly("no_objects", f"the task requires objects with boxes, and the {split} split has none")
        elif missing:
            named = shortened(missing, most=MOST_OF_A_KIND)
            yield anomaly("object_class_missing_in_split", f"the {split} split has no object of {named}")
    most, where = statistics.objects["most"], statistics.objects["most_in"]
    if most > schema.max_objects:
        message = f"an image has {most} objects; at most {schema.max_objects} are expected, as a score counts few answers"
        yield anomaly("many_objects", message, [where])
    if repeated := statistics.objects["repeated"]:
        has = count_phrase(len(repeated), "image has", "images have")
        message = f"{has} the same box of the same class twice; a network cannot find it twice"
        yield anomaly("repeated_box", message, repeated)


def group_anomalies(images: pd.DataFrame) -> Iterator[Anomaly]:
    """Groups spelt in two ways: splits would separate images that belong together."""
    for names in spelt_alike(set(images["group"]) - {""} if "group" in images else ()):
        ids = images.loc[images["group"].isin(names), "id"]
        yield anomaly("group_variants", _variants("groups", names), ids)


def _variants(noun: str, names: list[str]) -> str:
    return f"{noun} {show_differences(names)} {DIFFERENCE}"
