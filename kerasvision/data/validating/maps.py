"""Label maps without classes to learn, with classes that the schema does not have, or that mostly say nothing."""

from collections.abc import Iterator

from kerasvision.data.measuring.map_statistics import MapStatistics, ignored_shares
from kerasvision.data.measuring.statistics import Statistics
from kerasvision.data.splits import TRAIN
from kerasvision.data.validating.anomalies import MOST_OF_A_KIND, Anomaly, anomaly
from kerasvision.data.validating.schema import DataSchema
from kerasvision.data.validating.spelling import DIFFERENCE, show_differences, spelt_alike
from kerasvision.shortened import shortened


def map_anomalies(statistics: Statistics, schema: DataSchema) -> Iterator[Anomaly]:
    """Compares the label maps with the schema and with common sense. Without label maps, only a task that requires them."""
    if not statistics.map_classes:
        # A task may paint the masks of objects into maps; it reports objects without masks itself.
        if "label_maps" in schema.requires and not any(statistics.object_counts.values()):
            yield anomaly(
                "no_label_maps", "the task requires label maps, or objects with masks, and no usable image has them"
            )
        elif schema.map_classes:
            count = len(schema.map_classes)
            yield anomaly("no_label_maps", f"the schema has {count} classes of label maps, and no usable image has a map")
        return
    yield from _class_anomalies(statistics, schema)
    yield from _split_anomalies(statistics.maps, schema)


def _class_anomalies(statistics: Statistics, schema: DataSchema) -> Iterator[Anomaly]:
    present = {name for counts in statistics.maps["pixels"].values() for name, count in counts.items() if count}
    if len(present) < 2:
        yield anomaly("one_map_class", _only_one(statistics.maps, next(iter(present), "")))
    for name in sorted(present - set(schema.map_classes)):
        yield anomaly("unseen_map_class", f"label maps show class {name!r}, which is not in the schema")
    for name in sorted(set(schema.map_classes) - present):
        yield anomaly("missing_map_class", f"no label map shows class {name!r} of the schema")
    for names in spelt_alike(present):
        yield anomaly("map_class_variants", f"classes of label maps {show_differences(names)} {DIFFERENCE}")


def _only_one(maps: MapStatistics, name: str) -> str:
    message = f"label maps must show at least two classes, and only {name!r} has pixels"
    if not any(maps["ignored"].values()):
        return message
    return f"{message}; if the ignored pixels are a class, name their number in the settings of the source"


def _split_anomalies(maps: MapStatistics, schema: DataSchema) -> Iterator[Anomaly]:
    present = {name for counts in maps["pixels"].values() for name, count in counts.items() if count}
    for split, counts in maps["pixels"].items():
        missing = [name for name, count in counts.items() if not count and name in present]
        if missing:
            named = shortened(missing, most=MOST_OF_A_KIND)
            why = "; it cannot be learned" if split == TRAIN else ""
            yield anomaly("map_class_missing_in_split", f"no label map of the {split} split shows {named}{why}")
    for split, share in ignored_shares(maps).items():
        if share > schema.max_ignored:
            message = f"label maps of the {split} split say nothing about {share:.1%} of their pixels"
            yield anomaly("mostly_ignored", f"{message} (limit: {schema.max_ignored:.1%})")
