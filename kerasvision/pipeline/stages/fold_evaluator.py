"""Scores the served model of a fold on that fold. No gate judges it: it is not pushed."""

from kerasvision.config.stages import EvaluatorSettings
from kerasvision.pipeline.artifacts import Examples, Model, ModelEvaluation, Out, SavedModel, Schema, TransformGraph


def fold_evaluator(
    examples: Examples,
    schema: Schema,
    transform_graph: TransformGraph,
    model: Model,
    saved_model: SavedModel,
    evaluation: Out[ModelEvaluation],
    *,
    settings: EvaluatorSettings,
) -> None:
    """SavedModel of a fold -> ModelEvaluation."""
    from kerasvision.evaluation.session import EvaluationFiles, evaluate_model

    files = EvaluationFiles(
        examples=examples.data,
        manifest=examples.manifest,
        schema=schema.file,
        transform=transform_graph.file,
        history=model.history,
        saved_model=saved_model.saved_model,
        network=model.keras_file,
    )
    _, evaluated = evaluate_model(files, settings, folder=evaluation.uri)
    evaluation.properties.update({name: value for name, value in evaluated.judgement.scores.items() if "[" not in name})
    headline = settings.task.headline_metric()
    if headline in evaluated.judgement.scores:
        evaluation.properties.update(headline=headline, split=evaluated.split)
