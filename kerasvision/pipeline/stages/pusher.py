"""Copies a blessed model to saved_models/<name>/<version>/."""

from pathlib import Path

from kerasvision.config.stages import PusherSettings
from kerasvision.pipeline.artifacts import InfraBlessing, Model, ModelBlessing, Out, PushedModel


def pusher(
    model: Model,
    model_blessing: ModelBlessing,
    infra_blessing: InfraBlessing,
    pushed_model: Out[PushedModel],
    *,
    settings: PusherSettings,
    root: Path,
) -> None:
    """Model -> PushedModel: a new version, or a record of why there is none."""
    from kerasvision.export.push import push, record_push, record_refusal

    blessings = (model_blessing.properties, infra_blessing.properties)
    if all(properties["blessed"] == 1 for properties in blessings):
        folder = root / "saved_models" / settings.name
        version = push(model.saved_model, folder=folder)
        record_push(pushed_model.record, destination=folder / str(version), version=version)
        pushed_model.properties.update(
            pushed=1, pushed_version=version, pushed_destination=f"saved_models/{settings.name}/{version}"
        )
    else:
        why = "; ".join(str(properties["reason"]) for properties in blessings if properties["blessed"] != 1)
        record_refusal(pushed_model.record, why=why)
        pushed_model.properties.update(pushed=0, reason=why)
