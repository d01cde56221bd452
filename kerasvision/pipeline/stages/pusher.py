"""Copies a blessed model to saved_models/<name>/<version>/, with a model card."""

from pathlib import Path
from typing import Any

from kerasvision.config.stages import ForcedPusherSettings, PusherSettings
from kerasvision.pipeline.artifacts import (
    CrossValidation,
    ExampleStatistics,
    InfraBlessing,
    Model,
    ModelBlessing,
    ModelEvaluation,
    Out,
    PushedModel,
    SavedModel,
)


def pusher(
    model: Model,
    saved_model: SavedModel,
    model_blessing: ModelBlessing,
    infra_blessing: InfraBlessing,
    pushed_model: Out[PushedModel],
    statistics: ExampleStatistics | None = None,
    evaluation: ModelEvaluation | None = None,
    cross_validation: CrossValidation | None = None,
    *,
    settings: PusherSettings,
    root: Path,
    work: Path,
    lineage: dict[str, Any],
) -> None:
    """SavedModel -> PushedModel: a new version with its card, or a record of why nothing was pushed."""
    from kerasvision.export.publishing.publish import JudgedModel, publish
    from kerasvision.served.signatures import TRANSFORM_FILE

    files = {
        "verdict": model_blessing.verdict,
        "certificate": infra_blessing.certificate,
        "settings": model.settings,
        "exported": saved_model.record,
        "final": model.final,
        "transform": saved_model.saved_model / TRANSFORM_FILE,
        **({"statistics": statistics.summary} if statistics else {}),
        **({"folds": cross_validation.record} if cross_validation else {}),
        **({"scores": evaluation.scores, "slices": evaluation.slices} if evaluation else {}),
    }
    blessings = (model_blessing.properties, infra_blessing.properties)
    scores = evaluation.properties if evaluation else {}
    judged = JudgedModel(
        name=settings.name,
        saved_model=saved_model.saved_model,
        refusals=tuple(str(one["reason"]) for one in blessings if one["blessed"] != 1),
        files=files,
        headline=str(scores.get("headline", "")),
        simple={key.removeprefix("simple_"): value for key, value in scores.items() if key.startswith("simple_")},
        lineage=lineage,
    )
    because = settings.reason if isinstance(settings, ForcedPusherSettings) else None
    done = publish(
        judged, saved_models=root / "saved_models", record=pushed_model.record, work=work, overruled_because=because
    )
    pushed_model.properties.update(done)
