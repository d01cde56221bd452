"""Trains another network on the images of all splits, if the judged one is blessed; otherwise passes on the judged one."""

import shutil
from pathlib import Path

from kerasvision.config.stages import TrainerSettings
from kerasvision.pipeline.artifacts import Examples, FinalPlan, HyperParameters, Model, Out, Schema, TransformGraph


def final_trainer(
    examples: Examples,
    schema: Schema,
    transform_graph: TransformGraph,
    judged: Model,
    plan: FinalPlan,
    model: Out[Model],
    hyperparameters: HyperParameters | None = None,
    *,
    settings: TrainerSettings,
    work: Path,
) -> None:
    """Examples, TransformGraph, FinalPlan -> Model. A training that began in `work` is continued."""
    from kerasvision.training.final import FinalTraining, final_settings, record_final, train_final
    from kerasvision.training.session import TrainingFiles, with_hyperparameters

    planned = FinalTraining.load(plan.file)
    if planned.trains:
        chosen = with_hyperparameters(settings, hyperparameters.best if hyperparameters else None)
        final_settings(chosen).save(model.settings)
        files = TrainingFiles(
            examples=examples.data,
            schema=schema.file,
            transform=transform_graph.file,
            model=model.keras_file,
            history=model.history,
            work=work,
            epochs=model.epochs,
        )
        train_final(chosen, files, plan=planned)
    else:
        shutil.copytree(judged.uri, model.uri, dirs_exist_ok=True)
    images = record_final(model.final, plan=planned, examples=examples.data)
    if planned.trains:
        model.properties["final_images"] = images
