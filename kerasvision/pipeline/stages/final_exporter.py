"""Exports the network of the final training; without such a training, passes on the export of the judged network."""

import shutil

from kerasvision.config.stages import ExporterSettings
from kerasvision.pipeline.artifacts import Examples, Model, Out, SavedModel, Schema, TransformGraph


def final_exporter(
    examples: Examples,
    schema: Schema,
    transform_graph: TransformGraph,
    model: Model,
    judged: SavedModel,
    saved_model: Out[SavedModel],
    *,
    settings: ExporterSettings,
) -> None:
    """Model, SavedModel -> SavedModel. The temperature and the decisions stay those of the judged network: this one knows
    the images that they are made on."""
    from kerasvision.export.writing.exporting import TrainedFiles, export

    if "final_images" not in model.properties:
        shutil.copytree(judged.uri, saved_model.uri, dirs_exist_ok=True)
        return
    files = TrainedFiles(model=model.keras_file, examples=examples.data, schema=schema.file, transform=transform_graph.file)
    export(files, settings=settings, folder=saved_model.uri, fitted=judged.record)
