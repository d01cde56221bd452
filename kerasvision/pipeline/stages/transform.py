"""Fits the transform on the training split alone."""

from kerasvision.config.stages import TransformSettings
from kerasvision.pipeline.artifacts import ExampleAnomalies, Examples, Out, Schema, TransformGraph


def transform(
    examples: Examples,
    schema: Schema,
    anomalies: ExampleAnomalies,
    transform_graph: Out[TransformGraph],
    *,
    settings: TransformSettings,
) -> None:
    """Examples -> TransformGraph. This stage rejects data with errors."""
    from kerasvision import lookup
    from kerasvision.data.examples import ExampleSet
    from kerasvision.data.names import save_names
    from kerasvision.data.reduced_copies import keep_copies
    from kerasvision.data.splits import TRAIN
    from kerasvision.data.transform import ImageTransform
    from kerasvision.data.validating.anomalies import refuse_errors

    refuse_errors(anomalies.file)
    known = ExampleSet(keep_copies(examples.data, examples.manifest, transform_graph.file, settings=settings.transform))
    images = known.dataset(TRAIN).map(lambda example: example["image"])
    ImageTransform.fit(settings.transform, images).save(transform_graph.file)
    if settings.names is not None:
        names = lookup.load(settings.names.implementation)(settings.names, known)
        save_names(names, transform=transform_graph.file)
