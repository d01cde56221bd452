"""Trains under a tf.distribute strategy, and exports what a server loads."""

from pathlib import Path

from kerasvision.config.stages import TrainerSettings
from kerasvision.pipeline.artifacts import Examples, HyperParameters, Model, Out, Schema, TransformGraph


def trainer(
    examples: Examples,
    schema: Schema,
    transform_graph: TransformGraph,
    model: Out[Model],
    hyperparameters: HyperParameters | None = None,
    *,
    settings: TrainerSettings,
    work: Path,
) -> None:
    """Examples, TransformGraph -> Model. Checkpoints and logs go to `work`; a training begun there goes on.

    Where several workers train, it runs on all of them at once, and the chief alone writes the model.
    """
    from kerasvision.data.schema import DataSchema
    from kerasvision.data.transform import ImageTransform
    from kerasvision.export.saved_model import export_saved_model
    from kerasvision.models.saved import load_network
    from kerasvision.tasks.base import make_task
    from kerasvision.training.session import TrainingFiles, train, with_hyperparameters

    chosen = with_hyperparameters(settings, hyperparameters.best if hyperparameters else None)
    chosen.save(model.settings)
    is_written = train(
        chosen,
        TrainingFiles(
            examples=examples.data,
            schema=schema.file,
            transform=transform_graph.file,
            model=model.keras_file,
            history=model.history,
            work=work,
        ),
    )
    if not is_written:
        return
    export_saved_model(
        load_network(model.keras_file),
        task=make_task(settings.task, DataSchema.load(schema.file).classes),
        transform=ImageTransform.load(transform_graph.file),
        folder=model.saved_model,
    )
