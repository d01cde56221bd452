"""The facts of a run that a report shows, gathered by the pipeline, which knows where runs are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ArtifactFacts:
    """An artifact: a folder that a stage wrote.

    Attributes:
        id, type: as in the records of runs.
        folder: where it is.
        digest: SHA-256 of its content.
        properties: the stage's short facts about it.
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
        made_by: the number of the execution that made its outputs; another one if they were reused.
        state: ran, reused, failed, stopped, running, killed, or unfinished if it cannot be determined which.
        started: the time, as text.
        seconds: duration of the execution that made its outputs; 0 if unknown.
        error: why it failed; empty if it did not.
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
    """A run: its outcome (finished, failed, stopped, running, killed), and what each of its stages did, in order."""

    id: str
    pipeline: str
    started: str
    root: Path
    stages: tuple[StageFacts, ...] = ()
    outcome: str = "finished"

    def newest(self, kind: str, *, without: str = "") -> ArtifactFacts | None:
        """The last artifact of a type that a stage wrote or reused and that still exists; None if the run has none.

        Args:
            kind: the type.
            without: a file that the artifact must not have; "" for any artifact.
        """
        made = [artifact for stage in self.stages for artifact in stage.outputs.values() if artifact.type == kind]
        there = (artifact for artifact in reversed(made) if artifact.folder.is_dir())
        return next((artifact for artifact in there if not without or not (artifact.folder / without).exists()), None)

    def settings(self, stage: str) -> Mapping[str, object]:
        """The settings of a stage; empty if the run did not reach it."""
        return next((one.settings for one in self.stages if one.name == stage), {})
