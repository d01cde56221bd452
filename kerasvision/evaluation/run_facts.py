"""What a report knows of a run: plain facts, gathered by the pipeline, which knows where runs are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ArtifactFacts:
    """A folder that a stage wrote.

    Attributes:
        id, type: as the runs' records have them.
        folder: where it lies.
        digest: SHA-256 of its content.
        properties: what the stage said of it in a few words.
    """

    id: int
    type: str
    folder: Path
    digest: str = ""
    properties: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class StageFacts:
    """What a stage did in a run.

    Attributes:
        name: the stage.
        execution: the number of this execution.
        made_by: the number of the execution that made its outputs: another one where they were reused.
        state: ran, reused, failed, stopped, running, killed, or unfinished where it cannot be seen which.
        started: when, written out.
        seconds: how long the execution took that made its outputs; 0 where that is not known.
        error: why it failed; empty where it did not.
        inputs, outputs: by name.
        settings: path of a setting -> value.
    """

    name: str
    execution: int
    made_by: int
    state: str
    started: str = ""
    seconds: float = 0.0
    error: str = ""
    inputs: Mapping[str, ArtifactFacts] = field(default_factory=dict)
    outputs: Mapping[str, ArtifactFacts] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class RunFacts:
    """A run: what came of it (finished, failed, stopped, running, killed), and what each of its stages did, in order."""

    id: str
    pipeline: str
    started: str
    root: Path
    stages: tuple[StageFacts, ...] = ()
    outcome: str = "finished"

    def newest(self, kind: str) -> ArtifactFacts | None:
        """The last artifact of a type that a stage wrote or reused, and that is still there; None where there is none."""
        made = [artifact for stage in self.stages for artifact in stage.outputs.values() if artifact.type == kind]
        return next((artifact for artifact in reversed(made) if artifact.folder.is_dir()), None)

    def settings(self, stage: str) -> Mapping[str, object]:
        """The settings of a stage; nothing where it was not reached."""
        return next((one.settings for one in self.stages if one.name == stage), {})
