"""Earlier runs: what their stages did, what an artifact was made from, and why a stage ran again."""

from dataclasses import dataclass
from pathlib import Path

from kerasvision.errors import ConfigError
from kerasvision.pipeline.changes import fingerprint_changes
from kerasvision.pipeline.fingerprint import Fingerprint
from kerasvision.pipeline.lineage import final_artifacts, lineage_of_run
from kerasvision.pipeline.local import RUNS_FOLDER
from kerasvision.pipeline.records import PIPELINE, ArtifactRecord, ExecutionRecord, RunRecord
from kerasvision.pipeline.store import opened


@dataclass(frozen=True)
class Ancestry:
    """An artifact, the execution that made it, and the ancestry of that execution's inputs.

    Attributes:
        artifact: the artifact.
        producer: the execution, or None if the store does not know it.
        inputs: input name -> ancestry.
    """

    artifact: ArtifactRecord
    producer: ExecutionRecord | None
    inputs: dict[str, "Ancestry"]


def list_runs(root: Path | str = ".", *, newest: int | None = None) -> list[tuple[RunRecord, list[ExecutionRecord]]]:
    """Runs, newest first, with what their stages did.

    Args:
        root: the folder of `runs/`.
        newest: how many at most; None for all.
    """
    with opened(Path(root) / RUNS_FOLDER, read_only=True) as store:
        runs = store.runs(newest=newest)
        return list(zip(runs, store.executions_of(runs), strict=True))


def count_runs(root: Path | str = ".") -> int:
    """How many runs there are."""
    with opened(Path(root) / RUNS_FOLDER, read_only=True) as store:
        return store.count_runs()


def show_run(run_id: str, *, root: Path | str = ".") -> tuple[RunRecord, list[ExecutionRecord]]:
    """One run, by the beginning of its id or `latest`.

    Raises:
        ConfigError: no such run.
    """
    with opened(Path(root) / RUNS_FOLDER, read_only=True) as store:
        run = store.run(run_id)
        return run, store.executions(run)


def lineage(run_id: str, *, root: Path | str = ".") -> list[Ancestry]:
    """What the final artifacts of a run were made from, back to the source.

    Raises:
        ConfigError: no such run.
    """
    with opened(Path(root) / RUNS_FOLDER, read_only=True) as store:
        last = final_artifacts(store.executions(store.run(run_id)))

        def ancestry(artifact: ArtifactRecord) -> Ancestry:
            producer = store.producer(artifact.id)
            inputs = {key: ancestry(read) for key, read in producer.inputs.items()} if producer else {}
            return Ancestry(artifact, producer, inputs)

        return [ancestry(artifact) for artifact in last]


def lineage_data(run_id: str, *, root: Path | str = ".") -> dict[str, object]:
    """What the final artifacts of a run were made from, as plain data; see `lineage_of_run`.

    Raises:
        ConfigError: no such run.
    """
    with opened(Path(root) / RUNS_FOLDER, read_only=True) as store:
        return lineage_of_run(store.run(run_id), store=store)


def why(node: str, *, pipeline: str | None = None, root: Path | str = ".") -> tuple[str, list[str]]:
    """Why a stage last ran: (which executions are compared, one line for each change since the execution before).

    Args:
        node: the stage's name.
        pipeline: its pipeline; by default that of the newest run.
        root: the folder of `runs/`.

    Raises:
        ConfigError: it never ran here.
    """
    with opened(Path(root) / RUNS_FOLDER, read_only=True) as store:
        pipeline = pipeline or next((run.pipeline for run in store.runs(newest=1, purpose=PIPELINE)), "")
        prints = store.fingerprints(pipeline, node.replace("-", "_"))
        fetched = [f"its newest reuse fetched {one}" for one in store.fetched(pipeline, node.replace("-", "_"))]
    if not prints:
        raise ConfigError(f"stage {node!r} of pipeline {pipeline!r} never finished here", hint="see `kerasvision runs list`")
    if len(prints) == 1:
        return f"execution {prints[0][0]} of {node} in {pipeline}", ["it had not run before", *fetched]
    (newer, after), (older, before) = prints
    changed = fingerprint_changes(before, Fingerprint.from_data(after))
    title = f"execution {newer} of {node} in {pipeline}, compared with execution {older}"
    changed = changed or ["nothing that it depends on changed: it was forced, or its output was missing or altered"]
    return title, [*changed, *fetched]
