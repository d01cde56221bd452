"""Reads artifacts, executions and runs from the metadata store as records."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kerasvision.pipeline import tables as t
from kerasvision.pipeline.fingerprint import Fingerprint
from kerasvision.pipeline.processes import KILLED, Process, fate_of
from kerasvision.pipeline.records import (
    ITS_PROCESS_ENDED,
    PIPELINE,
    ArtifactRecord,
    ExecutionRecord,
    Properties,
    RunRecord,
    copies_in,
)

# Written by hand: peewee takes longer to build these statements than SQLite to answer them.
_EXECUTIONS = """
    SELECT Execution.* FROM Execution
    JOIN Association ON Association.execution_id = Execution.id
    JOIN Context ON Context.id = Association.context_id
    JOIN Type ON Type.id = Context.type_id
    WHERE Type.name = ? AND Type.type_kind = ? AND Context.name = ?"""
_OF_RUNS = """
    SELECT Context.name, Execution.id, Execution.last_known_state, Execution.create_time_since_epoch FROM Execution
    JOIN Association ON Association.execution_id = Execution.id
    JOIN Context ON Context.id = Association.context_id
    JOIN Type ON Type.id = Context.type_id
    WHERE Type.name = 'pipeline_run' AND Type.type_kind = ? AND Context.name IN ({marks})
    ORDER BY Execution.id"""
_ARTIFACTS = """
    SELECT Event.execution_id, EventPath.step_key, Artifact.id, Type.name, Artifact.uri, Artifact.state FROM Artifact
    JOIN Event ON Event.artifact_id = Artifact.id
    JOIN EventPath ON EventPath.event_id = Event.id AND NOT EventPath.is_index_step
    JOIN Type ON Type.id = Artifact.type_id
    WHERE Event.type = ? AND Event.execution_id IN ({marks})
    ORDER BY Event.id"""


def executions_in(kind: str, name: str, state: int | None = None) -> list[t.ExecutionRow]:
    """Executions of a context, newest first.

    Args:
        kind: of the context: `pipeline`, `pipeline_run`, `node` or `execution_cache`.
        name: of the context.
        state: only executions in this state.
    """
    is_asked = " AND Execution.last_known_state = ?" if state is not None else ""
    query = f"{_EXECUTIONS}{is_asked} ORDER BY Execution.id DESC"
    parameters = (kind, t.CONTEXT_TYPE, name, *(() if state is None else (state,)))
    return list(t.ExecutionRow.raw(query, *parameters))


def artifacts(execution: int, event_type: int, folder: Path) -> dict[str, ArtifactRecord]:
    """What an execution read (INPUT) or wrote (OUTPUT), by name.

    Args:
        execution: its id.
        event_type: INPUT or OUTPUT.
        folder: where artifacts are kept.
    """
    return artifacts_of((execution,), event_type, folder)[execution]


def artifacts_of(executions: Sequence[int], event_type: int, folder: Path) -> dict[int, dict[str, ArtifactRecord]]:
    """What several executions read or wrote: id -> `artifacts`."""
    ask = t.ArtifactRow._meta.database.execute_sql
    rows = [
        row
        for some in t.chunks(executions, t.MOST_VALUES - 1)
        for row in ask(_ARTIFACTS.format(marks=t.marks(some)), (event_type, *some))
    ]
    recorded = t.properties_of(t.ArtifactProperty, "artifact_id", [artifact for _, _, artifact, *_ in rows])
    found: dict[int, dict[str, ArtifactRecord]] = {execution: {} for execution in executions}
    for execution, key, artifact, kind, uri, state in rows:
        known = dict(recorded[artifact])
        digest, copies = str(known.pop("digest", "")), copies_in(known.pop(t.COPIES, None))
        found[execution][key] = ArtifactRecord(artifact, kind, folder / uri, state, digest, known, copies)
    return found


def removed(found: Mapping[str, ArtifactRecord]) -> list[str]:
    """The keys of artifacts that were LIVE when they were found, and are not any more."""
    numbers = [artifact.id for artifact in found.values() if artifact.state == t.LIVE]
    still = t.ArtifactRow.select(t.ArtifactRow.id).where(t.ArtifactRow.id.in_(numbers), t.ArtifactRow.state == t.LIVE)
    there = {row.id for row in still}
    return [key for key, artifact in found.items() if artifact.state == t.LIVE and artifact.id not in there]


def fingerprint_parts(execution: int) -> Mapping[str, Any]:
    """The fingerprint of an execution as plain data; empty for a reuse."""
    recorded = t.properties(t.ExecutionProperty, "execution_id", execution)
    parts: Mapping[str, Any] = json.loads(str(recorded.get("fingerprint", "{}")))
    return parts


def belong_together(execution: int, key: str, outputs: Mapping[str, ArtifactRecord]) -> bool:
    """Whether an execution has this key and wrote these outputs. In a damaged store a row may name the wrong number.

    The fingerprint of the execution gives its key once more, and the folder of an output has its name and the number of its
    execution: `.../<name>/<number>`.

    Args:
        execution: its id.
        key: the key under which it was found.
        outputs: by name.
    """
    parts = fingerprint_parts(execution)
    in_place = all(record.uri.parts[-2:] == (name, str(execution)) for name, record in outputs.items())
    return in_place and bool(parts) and Fingerprint.from_data(parts).key == key


def executions_of(runs: Sequence[RunRecord], folder: Path) -> list[list[ExecutionRecord]]:
    """The executions of each run, in order, with what they read and wrote."""
    ask = t.ExecutionRow._meta.database.execute_sql
    found: dict[str, list[ExecutionRecord]] = {f"{run.pipeline}/{run.id}": [] for run in runs}
    for some in t.chunks(list(found), t.MOST_VALUES - 1):
        rows = ask(_OF_RUNS.format(marks=t.marks(some)), (t.CONTEXT_TYPE, *some)).fetchall()
        records = execution_records([row for _, *row in rows], folder)
        for (run, *_), record in zip(rows, records, strict=True):
            found[run].append(record)
    return list(found.values())


def execution_records(rows: Iterable[Sequence[Any]], folder: Path) -> list[ExecutionRecord]:
    """Executions, given as (id, state, milliseconds of the start), with what they read and wrote."""
    rows = list(rows)
    numbers = [number for number, *_ in rows]
    recorded = t.properties_of(t.ExecutionProperty, "execution_id", numbers, without="fingerprint")
    inputs, outputs = (artifacts_of(numbers, event_type, folder) for event_type in (t.INPUT, t.OUTPUT))
    return [
        _execution_record(number, state or t.UNKNOWN, started_ms, recorded[number], inputs[number], outputs[number])
        for number, state, started_ms in rows
    ]


def _execution_record(
    number: int,
    state: int,
    started_ms: int,
    recorded: Properties,
    inputs: dict[str, ArtifactRecord],
    outputs: dict[str, ArtifactRecord],
) -> ExecutionRecord:
    outcome = _outcome(state, recorded)
    return ExecutionRecord(
        id=number,
        node=str(recorded["node"]),
        state=state,
        outcome=outcome,
        started_ms=started_ms,
        seconds=float(recorded.get("seconds", 0.0)),
        error=str(recorded.get("error", ITS_PROCESS_ENDED if outcome == KILLED else "")),
        inputs=inputs,
        outputs=outputs,
    )


def run_records(rows: Sequence[t.ContextRow], *, tells: bool) -> list[RunRecord]:
    """Runs.

    Args:
        rows: their contexts.
        tells: whether the store has properties of runs.
    """
    numbers = [row.id for row in rows]
    recorded = t.properties_of(t.ContextProperty, "context_id", numbers, without="request") if tells else {}
    return [_run_record(row, recorded.get(row.id, {})) for row in rows]


def _run_record(row: t.ContextRow, recorded: Properties) -> RunRecord:
    pipeline, run = row.name.split("/", 1)
    state = int(recorded.get("state", t.COMPLETE))
    if "state" not in recorded and (newest := executions_in("pipeline_run", row.name)[:1]):
        state = newest[0].last_known_state or t.UNKNOWN  # a run of an earlier version, in which only stages have a state
    outcome = _outcome(state, recorded)
    outcome = "finished" if outcome in ("ran", "reused") else outcome
    started, is_running = row.create_time_since_epoch, outcome == "running"
    return RunRecord(
        id=run,
        pipeline=pipeline,
        started_ms=started,
        purpose=str(recorded.get("purpose", PIPELINE)),
        outcome=outcome,
        seconds=seconds_since(started) if is_running else float(recorded.get("seconds", 0.0)),
        pid=Process.from_text(str(recorded["process"])).pid if is_running else 0,
    )


def seconds_since(milliseconds: int) -> float:
    """How long ago that was; 0 if the clock was set back since."""
    return max(0, t.now_ms() - milliseconds) / 1000


def _outcome(state: int, recorded: Properties) -> str:
    """A recorded state in one word; if no end was recorded, it depends on whether the process is alive."""
    if state == t.RUNNING:
        return fate_of(Process.from_text(str(recorded["process"])) if "process" in recorded else None)
    return KILLED if KILLED in recorded else t.STATE_NAMES.get(state, f"state {state}")
