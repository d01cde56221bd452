"""Infers a schema of valid data from the statistics, or takes the one that a person committed."""

from kerasvision.config.stages import SchemaGenSettings
from kerasvision.pipeline.artifacts import ExampleStatistics, Out, Schema


def schema_gen(statistics: ExampleStatistics, schema: Out[Schema], *, settings: SchemaGenSettings) -> None:
    """ExampleStatistics -> Schema."""
    from kerasvision.data.measuring.statistics import Statistics
    from kerasvision.data.validating.schema import DataSchema

    if settings.schema_file is not None:
        chosen = DataSchema.load(settings.schema_file)
    else:
        chosen = DataSchema.infer(Statistics.load(statistics.summary))
    if settings.requires:
        chosen = chosen.model_copy(update={"requires": settings.requires})
    chosen = chosen.model_copy(update={"parts_tags": settings.parts_tags})
    chosen.save(schema.file)
