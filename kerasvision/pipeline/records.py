"""Artifacts, executions and runs as plain records, which the store returns."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kerasvision.pipeline.artifacts import TYPES, Artifact

# The purpose of a run that runs a pipeline. Other runs have the name of their command as purpose.
PIPELINE = "run"
# The error of an execution that could not record its own end.
ITS_PROCESS_ENDED = "its process ended before the stage did"


# States of an artifact that `runs gc` has removed: ML Metadata's MARKED_FOR_DELETION and DELETED.
REMOVED = (3, 4)

# What a stage recorded about its artifact, or the store about an execution or a run.
Properties = dict[str, int | float | str]


@dataclass(frozen=True)
class ArtifactRecord:
    """One artifact as the store knows it.

    Attributes:
        copies: address of each copy in an object store -> its size in bytes.
    """

    id: int
    type: str
    uri: Path
    state: int
    digest: str
    properties: Properties
    copies: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_removed(self) -> bool:
        """Whether `runs gc` has removed its folder."""
        return self.state in REMOVED

    def open(self) -> Artifact:
        """The artifact itself."""
        return TYPES.get(self.type, Artifact)(self.uri, self.properties)


def copies_in(recorded: object, *, half: bool = False) -> dict[str, int]:
    """Address -> size in bytes of an artifact's copies in object stores, from what the store recorded, if anything.

    With `half`, those are included of which only a part may have been sent.

    >>> copies_in('{"s3://bucket/folder/3f2a": [5, true]}'), copies_in(None)
    ({'s3://bucket/folder/3f2a': 5}, {})
    """
    if not recorded:
        return {}
    found = json.loads(str(recorded)).items()
    return {str(address): int(size) for address, (size, is_whole) in found if is_whole or half}


@dataclass(frozen=True)
class ExecutionRecord:
    """One execution as the store knows it.

    Attributes:
        id, node, state: its number, stage and recorded state.
        outcome: the state in one word: ran, reused, failed, stopped, running, killed; `unfinished` if the end was not
            recorded and this machine cannot see its process.
        started_ms, seconds: when it started (milliseconds since 1970), and how long it took.
        error: why it has no result; empty if it has one.
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
        outcome: finished, failed, stopped, running, killed or unfinished; see `ExecutionRecord`.
        seconds: how long it took, or has been running; 0 if that is not known, as of a killed run.
        pid: the number of its process if it is running; 0 otherwise.
    """

    id: str
    pipeline: str
    started_ms: int
    purpose: str = PIPELINE
    outcome: str = "running"
    seconds: float = 0.0
    pid: int = 0
