"""Reads the source, splits it without leakage, and stores the encoded bytes."""

from kerasvision.config.runners import LOCAL, Runner
from kerasvision.config.stages import ExampleGenSettings
from kerasvision.pipeline.artifacts import Examples, Out


def example_gen(
    examples: Out[Examples], previous: Examples | None = None, *, settings: ExampleGenSettings, runner: Runner = LOCAL
) -> None:
    """Source -> Examples, and what changed since the previous examples."""
    from kerasvision.data.ingesting.ingest import ingest
    from kerasvision.data.ingesting.spans import PreviousExamples
    from kerasvision.data.mapping.mapper import mapper_of

    ingested = ingest(
        settings.source,
        splits=settings.splits,
        policy=settings.ingest,
        data=examples.data,
        manifest=examples.manifest,
        span=examples.span,
        previous=PreviousExamples(previous.manifest, previous.span) if previous else None,
        fold=settings.fold,
        mapper=mapper_of(runner, scratch=examples.uri / "scratch"),
    )
    examples.properties["span"] = ingested.span.number
    examples.properties.update({kind: count for kind, count in ingested.span.counts.items() if count})
    if ingested.unmatched:
        examples.properties["quarantine_unmatched"] = len(ingested.unmatched)
    if ingested.without_objects:
        examples.properties["classes_without_objects"] = len(ingested.without_objects)
