"""Reads artifacts, executions and runs from the metadata store as records."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasvision.pipeline import tables as t
from kerasvision.pipeline.fingerprint import Fingerprint
from kerasvision.pipeline.processes import KILLED, Process, fate_of
from kerasvision.pipeline.records import ITS_PROCESS_ENDED, PIPELINE, ArtifactRecord, ExecutionRecord, RunRecord, copies_in

# Written by hand: peewee takes longer to build these statements than SQLite to answer them.
_EXECUTIONS = """
    SELECT Execution.* FROM Execution
    JOIN Association ON Association.execution_id = Execution.id
    JOIN Context ON Context.id = Association.context_id
    JOIN Type ON Type.id = Context.type_id
    WHERE Type.name = ? AND Type.type_kind = ? AND Context.name = ?"""
_ARTIFACTS = """
    SELECT Artifact.id, Artifact.uri, Artifact.state, Type.name AS type_name, EventPath.step_key FROM Artifact
    JOIN Event ON Event.artifact_id = Artifact.id
    JOIN EventPath ON EventPath.event_id = Event.id AND NOT EventPath.is_index_step
    JOIN Type ON Type.id = Artifact.type_id
    WHERE Event.execution_id = ? AND Event.type = ?
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
    rows = t.ArtifactRow.raw(_ARTIFACTS, execution, event_type)
    return {row["step_key"]: _artifact_record(row, folder) for row in rows.dicts()}


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


def execution_record(row: t.ExecutionRow, folder: Path) -> ExecutionRecord:
    """One execution with what it read and wrote."""
    recorded = t.properties(t.ExecutionProperty, "execution_id", row.id)
    state = row.last_known_state or t.UNKNOWN
    outcome = _outcome(state, recorded)
    return ExecutionRecord(
        id=row.id,
        node=str(recorded["node"]),
        state=state,
        outcome=outcome,
        started_ms=row.create_time_since_epoch,
        seconds=float(recorded.get("seconds", 0.0)),
        error=str(recorded.get("error", ITS_PROCESS_ENDED if outcome == KILLED else "")),
        inputs=artifacts(row.id, t.INPUT, folder),
        outputs=artifacts(row.id, t.OUTPUT, folder),
    )


def run_record(row: t.ContextRow, *, tells: bool) -> RunRecord:
    """One run.

    Args:
        row: its context.
        tells: whether the store has properties of runs.
    """
    pipeline, run = row.name.split("/", 1)
    recorded = t.properties(t.ContextProperty, "context_id", row.id) if tells else {}
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


def _artifact_record(row: Mapping[str, Any], folder: Path) -> ArtifactRecord:
    properties = t.properties(t.ArtifactProperty, "artifact_id", row["id"])
    digest = str(properties.pop("digest", ""))
    copies = copies_in(properties.pop(t.COPIES, None))
    return ArtifactRecord(row["id"], row["type_name"], folder / row["uri"], row["state"], digest, properties, copies)


def _outcome(state: int, recorded: Mapping[str, int | float | str]) -> str:
    """A recorded state in one word; if no end was recorded, it depends on whether the process is alive."""
    if state == t.RUNNING:
        return fate_of(Process.from_text(str(recorded["process"])) if "process" in recorded else None)
    return KILLED if KILLED in recorded else t.STATE_NAMES.get(state, f"state {state}")
