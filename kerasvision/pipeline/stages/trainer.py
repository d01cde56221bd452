"""Trains the network under a tf.distribute strategy."""

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
    """Examples, TransformGraph -> Model. Checkpoints and logs go to `work`; a training that began there is continued.

    With several workers it runs on all of them at once, and only the chief writes the model.
    """
    from kerasvision.training.session import TrainingFiles, train, with_hyperparameters

    chosen = with_hyperparameters(settings, hyperparameters.best if hyperparameters else None)
    chosen.save(model.settings)
    train(
        chosen,
        TrainingFiles(
            examples=examples.data,
            schema=schema.file,
            transform=transform_graph.file,
            model=model.keras_file,
            history=model.history,
            work=work,
            epochs=model.epochs,
        ),
    )
