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
    base_model: Model | None = None,
    base_examples: Examples | None = None,
    *,
    settings: TrainerSettings,
    work: Path,
) -> None:
    """Examples, TransformGraph -> Model. Checkpoints and logs go to `work`; a training that began there is continued.

    With `model.weights="latest"` the weights begin as those of `base_model`, which was trained on `base_examples`. An option
    of the network that names a file may be "latest" too. With several workers it runs on all of them at once, and only the
    chief writes the model.
    """
    from kerasvision.training.session import TrainingFiles, train, with_hyperparameters
    from kerasvision.training.warm_start import with_latest_weights

    chosen = with_hyperparameters(settings, hyperparameters.best if hyperparameters else None)
    chosen = with_latest_weights(
        chosen,
        network=base_model.keras_file if base_model else None,
        manifest=examples.manifest,
        network_manifest=base_examples.manifest if base_examples else None,
    )
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
