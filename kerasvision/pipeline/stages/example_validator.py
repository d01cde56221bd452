"""What is wrong with the data, with a severity each, and which single images are suspected."""

from kerasvision.pipeline.artifacts import ExampleAnomalies, ExampleStatistics, Out, Schema


def example_validator(
    statistics: ExampleStatistics,
    schema: Schema,
    anomalies: Out[ExampleAnomalies],
    previous_statistics: ExampleStatistics | None = None,
) -> None:
    """ExampleStatistics, Schema -> ExampleAnomalies. Compared with the statistics of the run before, where there is one."""
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
