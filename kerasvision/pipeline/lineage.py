"""What an artifact was made from, as plain data to store with it: runs, executions, artifacts, code, settings."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from kerasvision.config.base import canonical_json
from kerasvision.pipeline import tables as t
from kerasvision.pipeline.records import ArtifactRecord, ExecutionRecord, RunRecord
from kerasvision.pipeline.store import Store


def lineage_of(
    inputs: Mapping[str, ArtifactRecord], *, store: Store, run: RunRecord, node: str, execution: int
) -> dict[str, object]:
    """What the inputs of an execution were made from, back to the source.

    Args:
        inputs: the artifacts that the execution reads, by input name.
        store: where runs are kept.
        run: of the execution.
        node: its stage.
        execution: its id.

    Returns:
        `run`, `pipeline`, `node`, `execution`; `inputs`: name -> artifact id; `artifacts`: a list of `id`, `type`, `digest`
        (SHA-256 of its content) and `uri` (below `runs/`), by id; `executions`: those that made them, in order, each with
        `id`, `node`, `started` (UTC), `inputs` and `outputs` (name -> artifact id), `code` (a hash of all its source files),
        `settings` and `versions` (of packages).
    """
    artifacts = {artifact.id: artifact for artifact in inputs.values()}
    executions: dict[int, ExecutionRecord] = {}
    waiting = list(artifacts)
    while waiting:
        producer = store.producer(waiting.pop())
        if producer is None or producer.id in executions:
            continue
        executions[producer.id] = producer
        new = {read.id: read for read in producer.inputs.values() if read.id not in artifacts}
        artifacts |= new
        waiting += new
    return {
        "run": run.id,
        "pipeline": run.pipeline,
        "node": node,
        "execution": execution,
        "inputs": _ids(inputs),
        "artifacts": [_artifact(artifacts[number], store) for number in sorted(artifacts)],
        "executions": [_execution(executions[number], store, run.pipeline) for number in sorted(executions)],
    }


def maker(execution: ExecutionRecord, store: Store) -> ExecutionRecord:
    """The execution that made the outputs of an execution: itself, or an earlier one if they were reused."""
    if execution.state != t.CACHED:
        return execution
    makers = (store.producer(artifact.id) for artifact in execution.outputs.values())
    return next((maker for maker in makers if maker is not None), execution)


def _artifact(artifact: ArtifactRecord, store: Store) -> dict[str, object]:
    uri = artifact.uri.relative_to(store.folder).as_posix()
    return {"id": artifact.id, "type": artifact.type, "digest": artifact.digest, "uri": uri}


def _execution(execution: ExecutionRecord, store: Store, pipeline: str) -> dict[str, object]:
    parts = dict(store.fingerprints(pipeline, execution.node, limit=None)).get(execution.id, {})
    code = canonical_json(parts.get("code", {}))
    return {
        "id": execution.id,
        "node": execution.node,
        "started": datetime.fromtimestamp(execution.started_ms / 1000, UTC).isoformat(timespec="seconds"),
        "inputs": _ids(execution.inputs),
        "outputs": _ids(execution.outputs),
        "code": hashlib.sha256(code.encode()).hexdigest(),
        "settings": parts.get("settings", {}),
        "versions": parts.get("versions", {}),
    }


def _ids(artifacts: Mapping[str, ArtifactRecord]) -> dict[str, int]:
    return {key: artifact.id for key, artifact in artifacts.items()}
