"""The whole history of a store as one graph: which execution read and wrote which artifact, in which run.

It is read in a few statements, whatever the number of runs. So a question about all of them takes no longer than reading the
tables.
"""

import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kerasvision.pipeline import tables as t
from kerasvision.pipeline.processes import Process, fate_of
from kerasvision.pipeline.records import copies_in

_CONTEXTS = """
    SELECT Context.id, Type.name, Context.name, Context.create_time_since_epoch FROM Context
    JOIN Type ON Type.id = Context.type_id AND Type.type_kind = ?"""
_ARTIFACTS = """
    SELECT Artifact.id, Type.name, Artifact.uri, Artifact.state FROM Artifact
    JOIN Type ON Type.id = Artifact.type_id WHERE Artifact.uri IS NOT NULL"""
_EVENTS = "SELECT artifact_id, execution_id FROM Event WHERE type = ? ORDER BY id"
# Of artifacts that a push recorded, of blessings, and of artifacts with copies in object stores.
_PROPERTIES = """
    SELECT artifact_id, name, int_value, string_value FROM ArtifactProperty
    WHERE name IN ('pushed', 'pushed_destination', 'blessed', 'copied_to')"""
_PROCESSES = "SELECT {owner}, string_value FROM {table} WHERE name = 'process'"
_STATES = "SELECT context_id, int_value FROM ContextProperty WHERE name = 'state'"


class KnownArtifact(NamedTuple):
    """An artifact as the store knows it: its type, its folder below `runs/`, and its state."""

    id: int
    type: str
    uri: str
    state: int


@dataclass
class KnownRun:
    """A run, with the numbers of its executions.

    Attributes:
        pipeline, id: the pipeline's name, and the run's id.
        started_ms: milliseconds since 1970.
        purpose: `run`, or the command that needed it.
        state: its recorded state.
        fate: `running`, `killed` or `unfinished ...` if no end was recorded; empty otherwise.
        executions: their numbers.
    """

    pipeline: str
    id: str
    started_ms: int
    purpose: str = ""
    state: int = t.COMPLETE
    fate: str = ""
    executions: list[int] = field(default_factory=list)

    @property
    def may_go_on(self) -> bool:
        """Whether its process may still be alive: it is, or runs where it cannot be seen."""
        return self.fate not in ("", "killed")


@dataclass(frozen=True)
class Provenance:
    """What a store knows of all runs.

    Attributes:
        artifacts: number -> artifact.
        reads, writes: number of an execution -> numbers of artifacts.
        makers: number of an artifact -> number of the execution that made it.
        states: number of an execution -> its recorded state.
        alive: the executions without a recorded end whose process may still be alive.
        keys: number of an execution -> the key of its fingerprint.
        nodes: number of an execution -> (pipeline, stage).
        runs: all runs, newest first.
        properties: number of an artifact -> what a push or a gate recorded about it, and its copies.
    """

    artifacts: Mapping[int, KnownArtifact]
    reads: Mapping[int, list[int]]
    writes: Mapping[int, list[int]]
    makers: Mapping[int, int]
    states: Mapping[int, int]
    alive: frozenset[int]
    keys: Mapping[int, str]
    nodes: Mapping[int, tuple[str, str]]
    runs: tuple[KnownRun, ...]
    properties: Mapping[int, Mapping[str, Any]]

    def is_live(self, artifact: int) -> bool:
        """Whether an artifact was published and not removed since."""
        return artifact in self.artifacts and self.artifacts[artifact].state == t.LIVE

    def copies(self, artifact: int, *, half: bool = False) -> dict[str, int]:
        """Address -> size in bytes of an artifact's copies in object stores; with `half`, also of those only begun."""
        return copies_in(self.properties.get(artifact, {}).get(t.COPIES), half=half)

    def touched_by(self, executions: Iterable[int]) -> Iterator[int]:
        """What the executions read and wrote."""
        for execution in executions:
            yield from self.reads[execution]
            yield from self.writes[execution]

    def with_ancestors(self, artifacts: Iterable[int]) -> set[int]:
        """The artifacts, all that they were made from, and what was made together with them."""
        found: set[int] = set()
        waiting = list(artifacts)
        while waiting:
            artifact = waiting.pop()
            if artifact in found:
                continue
            found.add(artifact)
            if (maker := self.makers.get(artifact)) is not None:
                # An execution can be reused only if all its outputs are there.
                waiting += self.touched_by((maker,))
        return found


@contextmanager
def _without_collections() -> Iterator[None]:
    """No garbage collections meanwhile: they would look at the growing history again and again, and find nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@_without_collections()
def read_provenance() -> Provenance:
    """The history of the store to which the tables are bound."""
    ask = t.ArtifactRow._meta.database.execute_sql
    states = dict(ask("SELECT id, last_known_state FROM Execution"))
    reads, writes, makers = defaultdict(list), defaultdict(list), {}
    for artifact, execution in ask(_EVENTS, (t.INPUT,)):
        reads[execution].append(artifact)
    for artifact, execution in ask(_EVENTS, (t.OUTPUT,)):
        writes[execution].append(artifact)
        if states.get(execution) == t.COMPLETE:
            makers[artifact] = execution
    runs, keys, nodes = _contexts(ask)
    properties: dict[int, dict[str, Any]] = defaultdict(dict)
    for artifact, name, number, text in ask(_PROPERTIES):
        properties[artifact][name] = number if text is None else text
    return Provenance(
        artifacts={one.id: one for one in map(KnownArtifact._make, ask(_ARTIFACTS))},
        reads=reads,
        writes=writes,
        makers=makers,
        states=states,
        alive=_alive(ask, states),
        keys=keys,
        nodes=nodes,
        runs=runs,
        properties=properties,
    )


def _contexts(ask: Any) -> tuple[tuple[KnownRun, ...], dict[int, str], dict[int, tuple[str, str]]]:
    """All runs, newest first; the key of each execution; and its (pipeline, stage)."""
    runs: dict[int, KnownRun] = {}
    stages: dict[int, tuple[str, str]] = {}
    of_keys: dict[int, str] = {}
    for context, kind, name, started in ask(_CONTEXTS, (t.CONTEXT_TYPE,)):
        if kind == "pipeline_run":
            pipeline, _, run = name.partition("/")
            runs[context] = KnownRun(pipeline, run, started)
        elif kind == "node":
            pipeline, _, stage = name.partition(".")
            stages[context] = (pipeline, stage)
        elif kind == "execution_cache":
            of_keys[context] = name
    executions = {context: run.executions for context, run in runs.items()}
    keys, nodes = {}, {}
    for context, execution in ask("SELECT context_id, execution_id FROM Association"):
        if context in stages:
            nodes[execution] = stages[context]
        elif context in executions:
            executions[context].append(execution)
        elif context in of_keys:
            keys[execution] = of_keys[context]
    _describe(ask, runs)
    return tuple(runs[context] for context in sorted(runs, reverse=True)), keys, nodes


def _describe(ask: Any, runs: Mapping[int, KnownRun]) -> None:
    """Adds the purpose, the state and the fate of each run; the earliest version did not record them."""
    database = t.ContextProperty._meta.database
    if "ContextProperty" not in database.get_tables():
        return
    for context, purpose in ask("SELECT context_id, string_value FROM ContextProperty WHERE name = 'purpose'"):
        if context in runs:
            runs[context].purpose = purpose
    for context, state in ask(_STATES):
        if context in runs:
            runs[context].state = state
    for context, text in ask(_PROCESSES.format(owner="context_id", table="ContextProperty")):
        if context in runs and runs[context].state == t.RUNNING:
            runs[context].fate = fate_of(Process.from_text(text))


def _alive(ask: Any, states: Mapping[int, int]) -> frozenset[int]:
    """The RUNNING executions whose process may still be alive."""
    running = {execution for execution, state in states.items() if state == t.RUNNING}
    if not running:
        return frozenset()
    processes = dict(ask(_PROCESSES.format(owner="execution_id", table="ExecutionProperty")))
    fates = {number: fate_of(Process.from_text(processes[number]) if number in processes else None) for number in running}
    return frozenset(number for number, fate in fates.items() if fate != "killed")
