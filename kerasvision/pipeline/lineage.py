"""What an artifact was made from, as plain data to store with it: runs, executions, artifacts, code, settings."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
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
    artifacts, executions = _ancestors(inputs.values(), store)
    return {
        "run": run.id,
        "pipeline": run.pipeline,
        "node": node,
        "execution": execution,
        "inputs": _ids(inputs),
        "artifacts": [_artifact(artifacts[number], store) for number in sorted(artifacts)],
        "executions": [_execution(executions[number], store, run.pipeline) for number in sorted(executions)],
    }


def lineage_of_run(run: RunRecord, *, store: Store) -> dict[str, object]:
    """What the final artifacts of a run were made from, back to the source.

    Args:
        run: the run.
        store: where runs are kept.

    Returns:
        `run`, `pipeline`; `final`: the ids of the artifacts that no stage of the run reads; `artifacts` and `executions` as
        in `lineage_of`, with all outputs of these executions. An artifact also has `removed`, whether `runs gc` removed its
        folder, and an execution its `seconds`.
    """
    final = final_artifacts(store.executions(run))
    artifacts, executions = _ancestors(final, store)
    artifacts |= {made.id: made for one in executions.values() for made in one.outputs.values()}
    return {
        "run": run.id,
        "pipeline": run.pipeline,
        "final": [artifact.id for artifact in final],
        "artifacts": [
            {**_artifact(one, store), "removed": one.is_removed}
            for one in (artifacts[number] for number in sorted(artifacts))
        ],
        "executions": [
            {**_execution(one, store, run.pipeline), "seconds": one.seconds}
            for one in (executions[number] for number in sorted(executions))
        ],
    }


def final_artifacts(executions: Sequence[ExecutionRecord]) -> list[ArtifactRecord]:
    """What the stages of a run made and none of them read."""
    read = {artifact.id for execution in executions for artifact in execution.inputs.values()}
    return [artifact for execution in executions for artifact in execution.outputs.values() if artifact.id not in read]


def maker(execution: ExecutionRecord, store: Store) -> ExecutionRecord:
    """The execution that made the outputs of an execution: itself, or an earlier one if they were reused."""
    if execution.state != t.CACHED:
        return execution
    makers = (store.producer(artifact.id) for artifact in execution.outputs.values())
    return next((maker for maker in makers if maker is not None), execution)


def _ancestors(last: Iterable[ArtifactRecord], store: Store) -> tuple[dict[int, ArtifactRecord], dict[int, ExecutionRecord]]:
    """The artifacts and all that they were made from, and the executions that made them, by their ids."""
    artifacts = {artifact.id: artifact for artifact in last}
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
    return artifacts, executions


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
