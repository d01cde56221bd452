"""Publishes a judged model as a version with its card: if it is blessed, or if a person overrules that and says why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasvision.errors import ConfigError
from kerasvision.export.publishing.model_card import CardFacts, model_card
from kerasvision.export.publishing.push import push, push_token, record_push, record_unpushed, who_and_when

Properties = dict[str, int | float | str]


@dataclass(frozen=True)
class JudgedModel:
    """A model, its verdicts, and the data for its card.

    Attributes:
        name: of its folder under `saved_models/`.
        saved_model: the SavedModel.
        refusals: why it is not blessed; empty if it is.
        files: field of `CardFacts` -> the file that contains it.
        headline: the metric that says most about it; "" if its task names none.
        simple: the best score of the simplest models: `accuracy`, `model`.
        lineage: where it comes from, as `kerasvision.pipeline.lineage.lineage_of` gives it.
    """

    name: str
    saved_model: Path
    refusals: tuple[str, ...]
    files: Mapping[str, Path]
    headline: str = ""
    simple: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)


def publish(
    judged: JudgedModel, *, saved_models: Path, record: Path, work: Path, overruled_because: str | None = None
) -> Properties:
    """Pushes a blessed model with its card, or records why it is not pushed.

    Args:
        judged: the model.
        saved_models: the folder of all models.
        record: the file for the outcome.
        work: a folder that outlives the process; see `push_token`.
        overruled_because: why a person pushes it although it is not blessed; None if nobody does.

    Returns:
        `pushed`, 1 or 0. After a push `pushed_version`, `pushed_destination`, and, if it was forced, `forced` with
        `forced_by`, `forced_at`, `forced_reason`, `forced_although`. Otherwise `reason`.

    Raises:
        ConfigError: it is blessed, and would be pushed by force.
        ExportError: it cannot be copied.
    """
    why = "; ".join(judged.refusals)
    if overruled_because is not None and not judged.refusals:
        raise ConfigError("only a model that is not blessed can be pushed by force; this one is", hint="remove --force")
    if judged.refusals and overruled_because is None:
        record_unpushed(record, why=why)
        return {"pushed": 0, "reason": why}
    pushed = who_and_when()
    forced = None if overruled_because is None else {**pushed, "reason": overruled_because, "although": why}
    version = _push_with_card(judged, saved_models / judged.name, token=push_token(work), pushed=pushed, forced=forced)
    record_push(record, destination=saved_models / judged.name / str(version), version=version, forced=forced)
    destination = f"{saved_models.name}/{judged.name}/{version}"
    return {
        "pushed": 1,
        "pushed_version": version,
        "pushed_destination": destination,
        **({"forced": 1, **{f"forced_{key}": value for key, value in forced.items()}} if forced else {}),
    }


def _push_with_card(
    judged: JudgedModel, folder: Path, *, token: str, pushed: dict[str, str], forced: dict[str, str] | None
) -> int:
    known = {"name": judged.name, "pushed": pushed, "lineage": judged.lineage, "simple": judged.simple, "forced": forced}
    read = CardFacts.read(judged.files, headline=judged.headline, **known)
    final = {"final": dict(read.final)} if read.final else {}
    return push(
        judged.saved_model,
        folder=folder,
        card=model_card(read),
        facts={"pushed": pushed, "forced": forced, "lineage": judged.lineage, **final},
        token=token,
    )
