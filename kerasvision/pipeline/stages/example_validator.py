"""Finds anomalies of the data, with their severity, and suspicious images."""

from kerasvision.pipeline.artifacts import ExampleAnomalies, ExampleStatistics, Out, Schema


def example_validator(
    statistics: ExampleStatistics,
    schema: Schema,
    anomalies: Out[ExampleAnomalies],
    previous_statistics: ExampleStatistics | None = None,
) -> None:
    """ExampleStatistics, Schema -> ExampleAnomalies. The statistics of the previous run are compared, if there are any."""
    import pandas as pd

    from kerasvision.data.ingesting.quarantine import write_quarantine
    from kerasvision.data.measuring.statistics import Statistics
    from kerasvision.data.validating.anomalies import save_anomalies, suspect_images
    from kerasvision.data.validating.drift import PreviousRun
    from kerasvision.data.validating.schema import DataSchema
    from kerasvision.data.validating.validation import find_anomalies

    computed, images = Statistics.load(statistics.summary), pd.read_parquet(statistics.images)
    previous = None
    if previous_statistics is not None:
        previous = PreviousRun(Statistics.load(previous_statistics.summary), pd.read_parquet(previous_statistics.images))
    found = find_anomalies(computed, DataSchema.load(schema.file), images=images, previous=previous)
    save_anomalies(found, anomalies.file)
    write_quarantine(suspect_images(found, images), anomalies.quarantine)
    for severity in ("error", "warning"):
        anomalies.properties[f"{severity}s"] = sum(anomaly.severity == severity for anomaly in found)
