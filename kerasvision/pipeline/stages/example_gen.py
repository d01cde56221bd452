"""Reads the source, splits it without leakage, and keeps the encoded bytes."""

from kerasvision.config.stages import ExampleGenSettings
from kerasvision.pipeline.artifacts import Examples, Out


def example_gen(examples: Out[Examples], *, settings: ExampleGenSettings) -> None:
    """Source -> Examples."""
    from kerasvision.data.ingest import ingest

    ingest(
        settings.source,
        splits=settings.splits,
        policy=settings.ingest,
        data=examples.data,
        manifest=examples.manifest,
    )
