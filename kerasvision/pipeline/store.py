"""The metadata store: records what ran, with which inputs and which result, in one SQLite file in the root.

Every change of the store is one transaction. `tables.py` explains the tables.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peewee as pw

from kerasvision.errors import StoreError
from kerasvision.pipeline import memo
from kerasvision.pipeline import tables as t
from kerasvision.pipeline.artifacts import Artifact
from kerasvision.pipeline.digests import FileState, Finding
from kerasvision.pipeline.fingerprint import Fingerprint
from kerasvision.pipeline.processes import KILLED, this_process
from kerasvision.pipeline.provenance import Provenance, read_provenance
from kerasvision.pipeline.records import ArtifactRecord, ExecutionRecord, Properties, RunRecord
from kerasvision.pipeline.rows import (
    artifacts,
    belong_together,
    execution_records,
    executions_in,
    executions_of,
    fingerprint_parts,
    removed,
    seconds_since,
)
from kerasvision.pipeline.run_search import count_runs, find_run, find_runs, run_request
from kerasvision.pipeline.store_file import StoreFile, in_store

# A fingerprint as plain data.
Parts = Mapping[str, Any]


class Store(StoreFile):
    """The metadata store of one root.

    Args:
        folder: the folder of `metadata.sqlite`; paths of artifacts are relative to it.
        read_only: never write. If there is no file yet, an empty store in memory is used instead.
        between_machines: whether processes on other machines may use it at the same time.

    Raises:
        StoreError: the folder or file cannot be read or written, is damaged, or comes from a newer version.
    """

    # The launcher's changes, in the order in which it makes them.

    @in_store
    def start(
        self,
        *,
        pipeline: str,
        run: str,
        node: str,
        fingerprint: dict[str, object],
        key: str,
        inputs: dict[str, ArtifactRecord],
        above: int = 0,
    ) -> int:
        """Registers a RUNNING execution of this process; returns its id, higher than all others and than `above`.

        Raises:
            StoreError: an input was removed since it was found.
        """
        if gone := removed(inputs):
            raise StoreError(f"the input {gone[0]} of {node} was removed while {node} began", hint="run again")
        properties = {"fingerprint": json.dumps(fingerprint), "process": this_process().to_text()}
        return self._new_execution(pipeline, run, node, t.RUNNING, key, inputs, properties, above=above)

    @in_store
    def promise(self, execution: int, outputs: dict[str, Artifact]) -> dict[str, int]:
        """Registers PENDING artifacts, before their folders exist under these names; returns their ids."""
        return {key: self._new_artifact(execution, key, artifact) for key, artifact in outputs.items()}

    @in_store
    def publish(self, execution: int, outputs: dict[int, tuple[Artifact, str]], *, seconds: float) -> None:
        """Marks the execution as COMPLETE and its artifacts as LIVE: from now on they can be reused."""
        for artifact_id, (artifact, digest) in outputs.items():
            t.update(t.ArtifactRow, artifact_id, state=t.LIVE)
            for name, value in {**artifact.properties, "digest": digest}.items():
                t.set_property(t.ArtifactProperty, "artifact_id", artifact_id, name, value)
        t.set_property(t.ExecutionProperty, "execution_id", execution, "seconds", seconds)
        t.update(t.ExecutionRow, execution, last_known_state=t.COMPLETE)

    @in_store
    def fail(self, execution: int, error: str, *, state: int = t.FAILED, killed: bool = False) -> list[Path]:
        """Marks the execution as FAILED or CANCELED; returns the folders that its artifacts would have had.

        Args:
            execution: its id.
            error: the reason, in one sentence.
            state: CANCELED if a person or a scheduler stopped it.
            killed: whether its process ended before it could record the end.
        """
        t.set_property(t.ExecutionProperty, "execution_id", execution, "error", error)
        if killed:
            t.set_property(t.ExecutionProperty, "execution_id", execution, KILLED, 1)
        t.update(t.ExecutionRow, execution, last_known_state=state)
        promised = list(artifacts(execution, t.OUTPUT, self.folder).values())
        for artifact in promised:
            t.update(t.ArtifactRow, artifact.id, state=t.ABANDONED)
        return [artifact.uri for artifact in promised]

    @in_store
    def reuse(
        self,
        *,
        pipeline: str,
        run: str,
        node: str,
        inputs: dict[str, ArtifactRecord],
        outputs: dict[str, ArtifactRecord],
        fetched: Collection[str] = (),
    ) -> bool:
        """Registers a CACHED execution: this run has these artifacts, which another execution made.

        `fetched` are the addresses of the copies from which some of them were brought back.

        Returns:
            False, with nothing registered, if one of them was removed since it was found.
        """
        if removed(outputs):
            return False
        properties = {t.FETCHED: json.dumps(list(fetched))} if fetched else {}
        execution = self._new_execution(pipeline, run, node, t.CACHED, "", inputs, properties)
        t.new_events(execution, t.OUTPUT, {key: artifact.id for key, artifact in outputs.items()})
        return True

    @in_store
    def record_copy(self, artifact: ArtifactRecord, address: str, size: int, *, is_whole: bool) -> None:
        """Records that a copy of this many bytes is whole in an object store, or only begun or damaged.

        A copy that is not whole is not read, but is removed with its artifact.
        """
        known = json.loads(str(t.properties(t.ArtifactProperty, "artifact_id", artifact.id).get(t.COPIES, "{}")))
        text = json.dumps({**known, address: [size, is_whole]})
        t.set_property(t.ArtifactProperty, "artifact_id", artifact.id, t.COPIES, text)

    @in_store
    def start_run(self, run: RunRecord, request: str = "") -> None:
        """Registers a run, so that it is listed even if its first stage fails; `request` is what was asked of it."""
        self._contexts({"pipeline": run.pipeline})
        properties: Properties = {"purpose": run.purpose, "process": this_process().to_text(), "state": t.RUNNING}
        properties |= {"request": request} if request else {}
        self._set_run_properties(run, properties)

    @in_store
    def end_run(self, run: RunRecord, state: int) -> None:
        """Marks the run as COMPLETE, FAILED or CANCELED, and records how long it took."""
        self._set_run_properties(run, {"state": state, "seconds": seconds_since(run.started_ms)})

    # Removal (see `garbage.py`).

    @in_store
    def mark_for_deletion(self, unneeded: Callable[[Provenance], Collection[int]]) -> None:
        """Decides which artifacts are not needed, and marks them, in one transaction: none of them is reused from now on."""
        for numbers in t.chunks(sorted(unneeded(read_provenance()))):
            changed = {"state": t.MARKED_FOR_DELETION, "last_update_time_since_epoch": t.now_ms()}
            t.ArtifactRow.update(**changed).where(t.ArtifactRow.id.in_(numbers)).execute()

    @in_store
    def mark_deleted(self, numbers: Iterable[int]) -> None:
        """Records that the folders of marked artifacts are gone."""
        for some in t.chunks(sorted(numbers)):
            changed = {"state": t.DELETED, "last_update_time_since_epoch": t.now_ms()}
            t.ArtifactRow.update(**changed).where(t.ArtifactRow.id.in_(some)).execute()

    # Queries.

    @in_store
    def with_digest(self, digest: str) -> list[int]:
        """The ids of the LIVE artifacts with this digest."""
        p, row = t.ArtifactProperty, t.ArtifactRow
        owners = p.select(p.artifact_id).where(p.name == "digest", p.string_value == digest)
        return [found.id for found in row.select(row.id).where(row.id.in_(owners), row.state == t.LIVE)]

    @in_store
    def provenance(self) -> Provenance:
        """The history of all runs."""
        return read_provenance()

    @in_store
    def finished(self, key: str) -> tuple[int, dict[str, ArtifactRecord]] | None:
        """(execution id, outputs) of the newest COMPLETE execution with this key, all of whose outputs are LIVE."""
        for row in executions_in("execution_cache", key, t.COMPLETE):
            outputs = artifacts(row.id, t.OUTPUT, self.folder)
            if all(artifact.state == t.LIVE for artifact in outputs.values()) and belong_together(row.id, key, outputs):
                return row.id, outputs
        return None

    @in_store
    def running(self, pipeline: str, node: str) -> list[int]:
        """Executions of a node without a recorded end. If you hold the node's lock, their processes have ended."""
        return [row.id for row in executions_in("node", f"{pipeline}.{node}", t.RUNNING)]

    @in_store
    def fingerprints(self, pipeline: str, node: str, *, limit: int | None = 2) -> list[tuple[int, Parts]]:
        """(execution id, fingerprint as plain data) of a node's COMPLETE executions, newest first."""
        rows = executions_in("node", f"{pipeline}.{node}", t.COMPLETE)
        return [(row.id, fingerprint_parts(row.id)) for row in rows[:limit]]

    @in_store
    def fingerprint(self, execution: int) -> Parts:
        """The fingerprint of an execution as plain data, whether it finished or not; empty for a reuse."""
        return fingerprint_parts(execution)

    @in_store
    def fetched(self, pipeline: str, node: str) -> list[str]:
        """The copies that the node's newest execution brought back; empty unless that was a reuse of a copy."""
        newest = executions_in("node", f"{pipeline}.{node}")[:1]
        recorded = [t.properties(t.ExecutionProperty, "execution_id", row.id).get(t.FETCHED) for row in newest]
        return [str(address) for text in recorded if text for address in json.loads(str(text))]

    @in_store
    def unfinished_fingerprint(self, pipeline: str, node: str) -> Parts | None:
        """The fingerprint of the node's newest execution that was not a reuse, if it failed or was stopped; else None."""
        rows = executions_in("node", f"{pipeline}.{node}")
        newest = next((row for row in rows if row.last_known_state != t.CACHED), None)
        if newest is None or newest.last_known_state == t.COMPLETE:
            return None
        return fingerprint_parts(newest.id)

    @in_store
    def earlier_outputs(self, pipeline: str, node: str) -> list[tuple[str, dict[str, ArtifactRecord]]]:
        """(key of the fingerprint, LIVE outputs) of a node's COMPLETE executions, newest first."""
        found = []
        for execution, parts in self.fingerprints(pipeline, node, limit=None):
            outputs = {key: a for key, a in artifacts(execution, t.OUTPUT, self.folder).items() if a.state == t.LIVE}
            found.append((Fingerprint.from_data(parts).key, outputs))
        return found

    @in_store
    def blessed_models(self, pipeline: str) -> Iterator[ArtifactRecord]:
        """SavedModels of a pipeline that were blessed and are still LIVE, newest first."""
        models: dict[int, ArtifactRecord] = {}
        for row in executions_in("pipeline", pipeline, t.COMPLETE):
            outputs = artifacts(row.id, t.OUTPUT, self.folder)
            if any(a.type == "ModelBlessing" and a.properties.get("blessed") == 1 for a in outputs.values()):
                for artifact in artifacts(row.id, t.INPUT, self.folder).values():
                    if artifact.type == "SavedModel" and artifact.state == t.LIVE:
                        models.setdefault(artifact.id, artifact)
                        break
        return iter(models.values())

    @in_store
    def runs(self, *, newest: int | None = None, purpose: str | None = None) -> list[RunRecord]:
        """Runs, newest first; `newest` limits their number, and `purpose` selects those for one purpose."""
        return find_runs(tells=self._tells_of_runs, newest=newest, purpose=purpose)

    @in_store
    def count_runs(self) -> int:
        """How many runs the store has."""
        return count_runs()

    @in_store
    def run(self, run_id: str) -> RunRecord:
        """The run whose id begins with this text; `latest` is the newest run of a whole pipeline.

        Raises:
            ConfigError: no run matches, or several do.
        """
        return find_run(run_id, tells=self._tells_of_runs)

    @in_store
    def request(self, run: RunRecord) -> str:
        """What was asked of a run, as `start_run` received it; "" if that was not recorded."""
        return run_request(run) if self._tells_of_runs else ""

    @in_store
    def executions(self, run: RunRecord) -> list[ExecutionRecord]:
        """The executions of a run, in order."""
        return executions_of([run], self.folder)[0]

    @in_store
    def executions_of(self, runs: Sequence[RunRecord]) -> list[list[ExecutionRecord]]:
        """The executions of each of several runs, in order, read in few statements."""
        return executions_of(runs, self.folder)

    @in_store
    def producer(self, artifact: int) -> ExecutionRecord | None:
        """The execution that made an artifact."""
        row = (
            t.ExecutionRow.select()
            .join(t.Event, on=(t.Event.execution_id == t.ExecutionRow.id))
            .where(t.Event.artifact_id == artifact, t.Event.type == t.OUTPUT, t.ExecutionRow.last_known_state == t.COMPLETE)
            .first()
        )
        return (
            execution_records([(row.id, row.last_known_state, row.create_time_since_epoch)], self.folder)[0] if row else None
        )

    # Findings about files (see digests.Memo).

    @in_store
    def recall(self, finding: Finding, keys: list[str]) -> dict[str, tuple[FileState, str, int]]:
        """key -> (state, what was found, time of reading) of the known keys."""
        return memo.recall(finding, keys) if self._remembers(finding) else {}

    @in_store
    def remember(self, finding: Finding, rows: list[tuple[str, FileState, str, int]]) -> None:
        """Keeps what was found in files, unless the store is read-only."""
        if not self.read_only:
            memo.remember(finding, rows)

    def _remembers(self, finding: Finding) -> bool:
        return finding == "digest" or self._knows_sources

    # Rows.

    def _new_execution(
        self,
        pipeline: str,
        run: str,
        node: str,
        state: int,
        key: str,
        inputs: dict[str, ArtifactRecord],
        properties: dict[str, str],
        *,
        above: int = 0,
    ) -> int:
        type_id = self._type_id(node, t.EXECUTION_TYPE)
        newest = t.ExecutionRow.select(pw.fn.MAX(t.ExecutionRow.id)).scalar() or 0
        number = max(newest, above) + 1
        row = t.ExecutionRow.create(force_insert=True, id=number, type_id=type_id, last_known_state=state)
        contexts = {
            "pipeline": pipeline,
            "pipeline_run": f"{pipeline}/{run}",
            "node": f"{pipeline}.{node}",
            **({"execution_cache": key} if key else {}),
        }
        of_contexts = [{"context_id": context, "execution_id": row.id} for context in self._contexts(contexts)]
        t.Association.insert_many(of_contexts).execute()
        for name, value in {**properties, "node": node}.items():
            t.set_property(t.ExecutionProperty, "execution_id", row.id, name, value)
        t.new_events(row.id, t.INPUT, {name: artifact.id for name, artifact in inputs.items()})
        return row.id

    def _new_artifact(self, execution: int, key: str, artifact: Artifact) -> int:
        uri = artifact.uri.relative_to(self.folder).as_posix()
        type_id = self._type_id(artifact.TYPE_NAME, t.ARTIFACT_TYPE)
        row = t.ArtifactRow.create(type_id=type_id, uri=uri, state=t.PENDING)
        t.new_events(execution, t.OUTPUT, {key: row.id})
        for association in t.Association.select().where(t.Association.execution_id == execution):
            t.Attribution.create(context_id=association.context_id, artifact_id=row.id)
        return row.id

    def _contexts(self, contexts: Mapping[str, str]) -> list[int]:
        """The ids of contexts, kind -> name."""
        return t.context_ids([(self._type_id(kind, t.CONTEXT_TYPE), name) for kind, name in contexts.items()])

    def _type_id(self, name: str, kind: int) -> int:
        """The id of a type, which is created if it is new."""
        if (name, kind) not in self._types:
            self._types = t.type_ids()
        if (name, kind) not in self._types:
            self._types[name, kind] = t.Type.create(name=name, type_kind=kind).id
        return self._types[name, kind]

    def _set_run_properties(self, run: RunRecord, properties: Properties) -> None:
        (context,) = self._contexts({"pipeline_run": f"{run.pipeline}/{run.id}"})
        for name, value in properties.items():
            t.set_property(t.ContextProperty, "context_id", context, name, value)


@contextmanager
def opened(folder: Path, *, read_only: bool = False, between_machines: bool = False) -> Iterator[Store]:
    """A store that is closed at the end."""
    store = Store(folder, read_only=read_only, between_machines=between_machines)
    try:
        yield store
    finally:
        store.close()
