"""Rows of the metadata store as records: artifacts, executions and runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasvision.pipeline import tables as t
from kerasvision.pipeline.processes import KILLED, Process, fate_of
from kerasvision.pipeline.records import ITS_PROCESS_ENDED, PIPELINE, ArtifactRecord, ExecutionRecord, RunRecord


def executions_in(kind: str, name: str, state: int | None = None) -> list[t.ExecutionRow]:
    """Executions of a context, newest first.

    Args:
        kind: of the context: `pipeline`, `pipeline_run`, `node` or `execution_cache`.
        name: the context's.
        state: only executions in this state.
    """
    query = (
        t.ExecutionRow.select()
        .join(t.Association, on=(t.Association.execution_id == t.ExecutionRow.id))
        .join(t.ContextRow, on=(t.ContextRow.id == t.Association.context_id))
        .join(t.Type, on=(t.Type.id == t.ContextRow.type_id))
        .where(t.Type.name == kind, t.Type.type_kind == t.CONTEXT_TYPE, t.ContextRow.name == name)
        .order_by(t.ExecutionRow.id.desc())
    )
    return list(query if state is None else query.where(t.ExecutionRow.last_known_state == state))


def artifacts(execution: int, event_type: int, folder: Path) -> dict[str, ArtifactRecord]:
    """What an execution read (INPUT) or wrote (OUTPUT), by name.

    Args:
        execution: its id.
        event_type: INPUT or OUTPUT.
        folder: that artifacts are kept in.
    """
    query = (
        t.ArtifactRow.select(t.ArtifactRow, t.EventPath.step_key, t.Type.name.alias("type_name"))
        .join(t.Event, on=(t.Event.artifact_id == t.ArtifactRow.id))
        .join(t.EventPath, on=((t.EventPath.event_id == t.Event.id) & (t.EventPath.is_index_step == False)))  # noqa: E712
        .join(t.Type, on=(t.Type.id == t.ArtifactRow.type_id))
        .where(t.Event.execution_id == execution, t.Event.type == event_type)
        .order_by(t.Event.id)
    )
    return {row["step_key"]: _artifact_record(row, folder) for row in query.dicts()}


def execution_record(row: t.ExecutionRow, folder: Path) -> ExecutionRecord:
    """One execution with what it read and wrote."""
    told = t.properties(t.ExecutionProperty, "execution_id", row.id)
    outcome = _outcome(row.last_known_state, told)
    return ExecutionRecord(
        id=row.id,
        node=told["node"],
        state=row.last_known_state,
        outcome=outcome,
        started_ms=row.create_time_since_epoch,
        seconds=told.get("seconds", 0.0),
        error=told.get("error", ITS_PROCESS_ENDED if outcome == KILLED else ""),
        inputs=artifacts(row.id, t.INPUT, folder),
        outputs=artifacts(row.id, t.OUTPUT, folder),
    )


def run_record(row: t.ContextRow, *, tells: bool) -> RunRecord:
    """One run.

    Args:
        row: its context.
        tells: whether the store keeps properties of runs.
    """
    pipeline, run = row.name.split("/", 1)
    told = t.properties(t.ContextProperty, "context_id", row.id) if tells else {}
    state = told.get("state", t.COMPLETE)
    if "state" not in told and (newest := executions_in("pipeline_run", row.name)[:1]):
        state = newest[0].last_known_state  # a run of an earlier version: only its stages have a state
    outcome = _outcome(state, told)
    outcome = "finished" if outcome in ("ran", "reused") else outcome
    return RunRecord(run, pipeline, row.create_time_since_epoch, told.get("purpose", PIPELINE), outcome)


def _artifact_record(row: Mapping[str, Any], folder: Path) -> ArtifactRecord:
    properties = t.properties(t.ArtifactProperty, "artifact_id", row["id"])
    digest = properties.pop("digest", "")
    return ArtifactRecord(row["id"], row["type_name"], folder / row["uri"], row["state"], digest, properties)


def _outcome(state: int, told: Mapping[str, int | float | str]) -> str:
    """A recorded state in a word; where no end was recorded, its process is looked at."""
    if state == t.RUNNING:
        return fate_of(Process.from_text(told["process"]) if "process" in told else None)
    return KILLED if KILLED in told else t.STATE_NAMES.get(state, f"state {state}")
