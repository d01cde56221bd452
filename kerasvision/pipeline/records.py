"""What the store answers with: artifacts, executions and runs as plain records."""

from dataclasses import dataclass, field
from pathlib import Path

from kerasvision.pipeline.artifacts import TYPES, Artifact

# What a run was made for, where it was made to run a pipeline; other runs bear the name of their command.
PIPELINE = "run"
# The error of an execution that could not record its own end.
ITS_PROCESS_ENDED = "its process ended before the stage did"


# What a stage said of its artifact, or the store of an execution or a run.
Properties = dict[str, int | float | str]


@dataclass(frozen=True)
class ArtifactRecord:
    """One artifact as the store knows it."""

    id: int
    type: str
    uri: Path
    state: int
    digest: str
    properties: Properties

    def open(self) -> Artifact:
        """The artifact itself."""
        return TYPES.get(self.type, Artifact)(self.uri, self.properties)


@dataclass(frozen=True)
class ExecutionRecord:
    """One execution as the store knows it.

    Attributes:
        id, node, state: its number, stage and recorded state.
        outcome: the state in a word: ran, reused, failed, stopped, running, killed; `unfinished` where the end was not
            recorded and its process cannot be seen from here.
        started_ms, seconds: when it began (milliseconds since 1970), and how long it took.
        error: why it has no result; empty where it has.
        inputs, outputs: by name.
    """

    id: int
    node: str
    state: int
    outcome: str
    started_ms: int
    seconds: float
    error: str
    inputs: dict[str, ArtifactRecord] = field(default_factory=dict)
    outputs: dict[str, ArtifactRecord] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        id, pipeline: its id, and the pipeline's name.
        started_ms: milliseconds since 1970.
        purpose: `run`, or the command that needed some stages of the pipeline, such as `data show`.
        outcome: finished, failed, stopped, running, killed; `unfinished` as for executions.
    """

    id: str
    pipeline: str
    started_ms: int
    purpose: str = PIPELINE
    outcome: str = "running"
