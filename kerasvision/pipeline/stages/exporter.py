"""Exports the trained network in the formats that servers load."""

from kerasvision.config.stages import ExporterSettings
from kerasvision.pipeline.artifacts import Examples, Model, Out, SavedModel, Schema, TransformGraph


def exporter(
    examples: Examples,
    schema: Schema,
    transform_graph: TransformGraph,
    model: Model,
    saved_model: Out[SavedModel],
    *,
    settings: ExporterSettings,
) -> None:
    """Model -> SavedModel, with the current settings of the task. The examples are used for calibration."""
    from kerasvision.export.writing.exporting import TrainedFiles, export

    files = TrainedFiles(model=model.keras_file, examples=examples.data, schema=schema.file, transform=transform_graph.file)
    export(files, settings=settings, folder=saved_model.uri)
