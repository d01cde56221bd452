"""What is wrong with the data, with a severity each."""

from kerasvision.pipeline.artifacts import ExampleAnomalies, ExampleStatistics, Out, Schema


def example_validator(statistics: ExampleStatistics, schema: Schema, anomalies: Out[ExampleAnomalies]) -> None:
    """ExampleStatistics, Schema -> ExampleAnomalies."""
    from kerasvision.data.schema import DataSchema
    from kerasvision.data.statistics import Statistics
    from kerasvision.data.validation import find_anomalies, save_anomalies

    found = find_anomalies(Statistics.load(statistics.summary), DataSchema.load(schema.file))
    save_anomalies(found, anomalies.file)
    for severity in ("error", "warning"):
        anomalies.properties[f"{severity}s"] = sum(anomaly.severity == severity for anomaly in found)
