"""Numbers that are missing, outside the range of the schema, always the same, or contradicted by a copy."""

from collections.abc import Iterator

import pandas as pd

from kerasvision.data.measuring.statistics import Statistics
from kerasvision.data.measuring.value_statistics import ValueSummary, value_column
from kerasvision.data.splits import TRAIN
from kerasvision.data.validating.anomalies import Anomaly, anomaly, count_phrase
from kerasvision.data.validating.schema import DataSchema


def value_anomalies(statistics: Statistics, schema: DataSchema, images: pd.DataFrame | None) -> Iterator[Anomaly]:
    """Compares the numbers with the schema and with common sense."""
    if not statistics.value_names:
        if "values" in schema.requires or schema.values:
            yield anomaly("no_values", "the task or the schema requires numbers, and no usable image has one")
        return
    for name in sorted(set(schema.values) - set(statistics.value_names)):
        yield anomaly("missing_value_name", f"no image has the value {name!r} of the schema")
    for name in statistics.value_names:
        if name not in schema.values:
            yield anomaly("unseen_value_name", f"images have the value {name!r}, which is not in the schema")
        yield from _of_one(name, statistics, schema)
        if images is not None:
            yield from _outside(name, schema, images)
            yield from _contradictions(name, statistics, images)


def _of_one(name: str, statistics: Statistics, schema: DataSchema) -> Iterator[Anomaly]:
    for split, summaries in statistics.values.items():
        summary = summaries[name]
        if not summary["count"]:
            why = "; it cannot be learned" if split == TRAIN else ""
            yield anomaly("value_missing_in_split", f"no image of the {split} split has a number for {name!r}{why}")
        elif (share := _missing_share(summary)) > schema.max_missing_values:
            message = f"{share:.1%} of the images of the {split} split have no number for {name!r}"
            yield anomaly("many_missing_values", f"{message} (limit: {schema.max_missing_values:.1%})")
        if summary["count"] > 1 and summary["least"] == summary["most"]:
            yield anomaly("constant_value", f"{name!r} is {summary['most']:g} in all images of the {split} split")


def _missing_share(summary: ValueSummary) -> float:
    return summary["missing"] / (summary["count"] + summary["missing"])


def _outside(name: str, schema: DataSchema, images: pd.DataFrame) -> Iterator[Anomaly]:
    if name not in schema.values:
        return
    (least, most), numbers = schema.values[name], images[value_column(name)]
    outside = images[(numbers < least) | (numbers > most)]
    if len(outside):
        has = count_phrase(len(outside), "image has", "images have")
        message = f"{has} a number for {name!r} outside {least:g} to {most:g}, such as {numbers[outside.index[0]]:g}"
        yield anomaly("value_out_of_range", message, outside["id"], suspects=outside["id"])


def _contradictions(name: str, statistics: Statistics, images: pd.DataFrame) -> Iterator[Anomaly]:
    numbers = dict(zip(images["id"], images[value_column(name)], strict=True))
    groups = [ids for ids in statistics.duplicates if len({numbers[one] for one in ids if numbers[one] == numbers[one]}) > 1]
    if groups:
        ids = [one for group in groups for one in group]
        message = f"{len(ids)} images are copies with different numbers for {name!r}: {' = '.join(groups[0][:3])}"
        yield anomaly("value_contradiction", message, groups[0], suspects=ids)
