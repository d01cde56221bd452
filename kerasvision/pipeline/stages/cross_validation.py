"""Adds the scores of a fold to those of the folds before it."""

from kerasvision.config.stages import CrossValidationSettings
from kerasvision.pipeline.artifacts import CrossValidation, ModelEvaluation, Out


def cross_validation(
    evaluation: ModelEvaluation,
    scores: Out[CrossValidation],
    before: CrossValidation | None = None,
    *,
    settings: CrossValidationSettings,
) -> None:
    """ModelEvaluation of a fold, CrossValidation of the folds before -> CrossValidation: mean and deviation so far."""
    from kerasvision.evaluation.cross_validation import add_fold

    headline = str(evaluation.properties.get("headline", ""))
    found = add_fold(
        evaluation.scores,
        before=before.folds if before else None,
        folder=scores.uri,
        fold=settings.fold,
        folds=settings.folds,
        final=settings.final,
        headline=headline,
    )
    scores.properties.update(found)
