"""Copies a blessed model to saved_models/<name>/<version>/, with a card that says what it is."""

from pathlib import Path

from kerasvision.config.stages import ForcedPusherSettings, PusherSettings
from kerasvision.errors import ConfigError
from kerasvision.pipeline.artifacts import (
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
    *,
    settings: PusherSettings,
    root: Path,
    work: Path,
    lineage: dict,
) -> None:
    """SavedModel -> PushedModel: a new version with its card, or a record of why there is none."""
    from kerasvision.export.publishing.model_card import CardFacts, model_card
    from kerasvision.export.publishing.push import push, push_token, record_push, record_refusal, who_and_when

    blessings = (model_blessing.properties, infra_blessing.properties)
    why = "; ".join(str(properties["reason"]) for properties in blessings if properties["blessed"] != 1)
    is_blessed = all(properties["blessed"] == 1 for properties in blessings)
    pushed, forced = who_and_when(), None
    if isinstance(settings, ForcedPusherSettings):
        if is_blessed:
            raise ConfigError("only a model that is not blessed is pushed by force; this one is", hint="leave out --force")
        forced = {**pushed, "reason": settings.reason, "although": why}
    elif not is_blessed:
        record_refusal(pushed_model.record, why=why)
        pushed_model.properties.update(pushed=0, reason=why)
        return
    files = {
        "verdict": model_blessing.verdict,
        "certificate": infra_blessing.certificate,
        "settings": model.settings,
        "exported": saved_model.record,
        **({"statistics": statistics.summary} if statistics else {}),
        **({"scores": evaluation.scores, "slices": evaluation.slices} if evaluation else {}),
    }
    told = evaluation.properties if evaluation else {}
    simple = {key.removeprefix("simple_"): value for key, value in told.items() if key.startswith("simple_")}
    known = {"name": settings.name, "pushed": pushed, "lineage": lineage, "simple": simple, "forced": forced}
    card = model_card(CardFacts.read(files, **known))
    folder = root / "saved_models" / settings.name
    version = push(
        saved_model.saved_model,
        folder=folder,
        card=card,
        facts={"pushed": pushed, "forced": forced, "lineage": lineage},
        token=push_token(work),
    )
    record_push(pushed_model.record, destination=folder / str(version), version=version, forced=forced)
    pushed_model.properties.update(
        pushed=1, pushed_version=version, pushed_destination=f"saved_models/{settings.name}/{version}"
    )
    if forced:
        pushed_model.properties.update({"forced": 1, **{f"forced_{key}": value for key, value in forced.items()}})
