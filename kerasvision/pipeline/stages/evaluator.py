"""Scores the served model, compares it with the last blessed one, and applies the gate."""

from kerasvision.config.stages import EvaluatorSettings
from kerasvision.pipeline.artifacts import (
    Examples,
    InfraBlessing,
    Model,
    ModelBlessing,
    ModelEvaluation,
    Out,
    SavedModel,
    Schema,
    SimpleScores,
    TransformGraph,
)


def evaluator(
    examples: Examples,
    schema: Schema,
    transform_graph: TransformGraph,
    model: Model,
    saved_model: SavedModel,
    evaluation: Out[ModelEvaluation],
    blessing: Out[ModelBlessing],
    simple_scores: SimpleScores | None = None,
    baseline_saved_model: SavedModel | None = None,
    infra_blessing: InfraBlessing | None = None,
    *,
    settings: EvaluatorSettings,
) -> None:
    """SavedModel -> ModelEvaluation, ModelBlessing. `infra_blessing` is only an input if a rule bounds what it measured."""
    from kerasvision.evaluation.session import EvaluationFiles, evaluate_model
    from kerasvision.served.versions import check_whole

    for member in settings.evaluation.ensemble:
        if member.is_dir():
            check_whole(member)
    files = EvaluationFiles(
        examples=examples.data,
        manifest=examples.manifest,
        schema=schema.file,
        transform=transform_graph.file,
        history=model.history,
        saved_model=saved_model.saved_model,
        network=model.keras_file,
        baseline=baseline_saved_model.saved_model if baseline_saved_model else None,
        simple_scores=simple_scores.table if simple_scores else None,
        simple_choices=simple_scores.choices if simple_scores else None,
        certificate=infra_blessing.certificate if infra_blessing else None,
        export=saved_model.record,
    )
    former = {"saved_model": "/".join(baseline_saved_model.uri.parts[-3:])} if baseline_saved_model else None
    verdict, evaluated = evaluate_model(files, settings, folder=evaluation.uri, baseline_identity=former)
    verdict.save(blessing.uri)
    blessing.properties.update(blessed=int(verdict.blessed), verdict=verdict.verdict, reason=verdict.reason)
    # Only scores of the whole split; those of single classes are in the file.
    evaluation.properties.update({name: value for name, value in evaluated.judgement.scores.items() if "[" not in name})
    headline = settings.task.headline_metric()
    if headline in evaluated.judgement.scores:
        evaluation.properties.update(headline=headline, split=evaluated.split)
    if simple_scores:
        evaluation.properties.update(simple_scores.properties)
    evaluation.properties.update({f"human_{name}": value for name, value in settings.evaluation.human.items()})
