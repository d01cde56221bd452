"""Finds every anomaly of a data set, with its severity."""

from dataclasses import replace

import pandas as pd

from kerasvision.data.measuring.statistics import Statistics
from kerasvision.data.validating.anomalies import CODES, SEVERITIES, Anomaly, summarize
from kerasvision.data.validating.checks import check_anomalies
from kerasvision.data.validating.copies import copy_anomalies
from kerasvision.data.validating.drift import PreviousRun, drift_since, split_drift
from kerasvision.data.validating.images import (
    caption_anomalies,
    fault_anomalies,
    note_anomalies,
    pixel_anomalies,
    size_anomalies,
)
from kerasvision.data.validating.labels import (
    balance_anomalies,
    box_anomalies,
    group_anomalies,
    label_anomalies,
    object_anomalies,
)
from kerasvision.data.validating.layout import layout_anomalies
from kerasvision.data.validating.maps import map_anomalies
from kerasvision.data.validating.schema import DataSchema
from kerasvision.data.validating.tags import tag_anomalies
from kerasvision.data.validating.values import value_anomalies


def find_anomalies(
    statistics: Statistics,
    schema: DataSchema,
    *,
    images: pd.DataFrame | None = None,
    previous: PreviousRun | None = None,
) -> list[Anomaly]:
    """Every anomaly of the data, compared with the schema, with common sense and with the last run, worst first.

    Args:
        statistics: of the data set.
        schema: what is normal; it may also change the severity of a kind of anomaly, or ignore the kind.
        images: a row per usable image, from `compute_statistics`. Without it only the statistics are checked: blank images,
            drift and so on are not found, and few anomalies name images.
        previous: the results of the previous run; None if there was none.
    """
    found = [
        *label_anomalies(statistics, schema, images),
        *balance_anomalies(statistics, schema),
        *object_anomalies(statistics, schema),
        *box_anomalies(statistics, schema),
        *map_anomalies(statistics, schema),
        *value_anomalies(statistics, schema, images),
        *tag_anomalies(statistics, schema),
        *layout_anomalies(statistics, images),
        *fault_anomalies(statistics),
        *size_anomalies(statistics, schema, images),
        *note_anomalies(statistics, images),
        *copy_anomalies(statistics, schema, images),
    ]
    if images is not None:
        found += group_anomalies(images)
        found += pixel_anomalies(images, schema)
        found += caption_anomalies(statistics, schema, images)
        found += split_drift(images, schema)
    if images is not None and previous is not None:
        found += drift_since(previous, statistics, images, schema)
    classes = {*schema.classes, *schema.object_classes, *schema.map_classes, *schema.tag_classes}
    own = check_anomalies(statistics, schema.checks, classes=classes)
    return sorted([*_by_severity(found, schema), *own], key=lambda one: SEVERITIES.index(one.severity))


def _by_severity(found: list[Anomaly], schema: DataSchema) -> list[Anomaly]:
    """The anomalies with the severities of the schema, without the ignored ones."""
    severities = {**CODES, **schema.severities}
    kept = []
    for one in summarize(found):
        severity = severities[one.code]
        if severity != "ignore":
            kept.append(replace(one, severity=severity))
    return kept
