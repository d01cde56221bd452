"""Writes the report of a run: collects the facts from the store and passes them to the page."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from kerasvision.disk import refused
from kerasvision.errors import ConfigError
from kerasvision.evaluation.run_facts import ArtifactFacts, RunFacts, StageFacts
from kerasvision.pipeline.launcher import Result
from kerasvision.pipeline.lineage import maker
from kerasvision.pipeline.local import RUNS_FOLDER, RunResult
from kerasvision.pipeline.records import ArtifactRecord, ExecutionRecord
from kerasvision.pipeline.store import Parts, Store, opened

# A run that made one of these artifacts writes a report at its end.
WORTH_A_REPORT = frozenset({"ModelEvaluation", "ModelBlessing", "InfraBlessing", "PushedModel", "InferenceResult"})


def report_run(run_id: str = "latest", *, root: Path | str = ".", file: Path | None = None) -> Path:
    """Writes the report of a run, whether it finished or failed, and returns its path.

    Args:
        run_id: the beginning of a run's id, or `latest`.
        root: the folder of `runs/`.
        file: where to write the page; by default `runs/reports/<run id>.html`.

    Raises:
        ConfigError: no such run, or the path exists and is not a file.
        StoreError: the page cannot be written there.
    """
    # Imported here, because a run without a report does not need it.
    from kerasvision.evaluation.report import write_report

    runs = Path(root) / RUNS_FOLDER
    with opened(runs, read_only=True) as store:
        facts = run_facts(run_id, store)
    file = file or runs / "reports" / f"{facts.id}.html"
    if file.is_dir():
        raise ConfigError(f"a report is one file; {file} is a folder", hint=f"name a file: --out {file / 'report.html'}")
    if file.exists() and not file.is_file():
        raise ConfigError(f"a report can only replace a file; {file} is not a regular file", hint="name a file: --out FILE")
    elsewhere = f"write the report elsewhere: `kerasvision report {facts.id} --out FILE`"
    try:
        write_report(facts, file)
    except OSError as error:
        if (ours := refused(error, file=file, hint=elsewhere)) is None:
            raise
        raise ours from error
    return file


def is_worth_a_report(result: RunResult) -> bool:
    """Whether a stage that evaluates, validates or pushes a model, or predicts with it, ran and was not reused."""
    return any(_made_now(stage) & WORTH_A_REPORT for stage in result.stages)


def run_facts(run_id: str, store: Store) -> RunFacts:
    """What the store knows about a run.

    Raises:
        ConfigError: no such run.
    """
    run = store.run(run_id)
    settings: dict[str, dict[int, Parts]] = {}

    def stage(execution: ExecutionRecord) -> StageFacts:
        if execution.node not in settings:
            settings[execution.node] = dict(store.fingerprints(run.pipeline, execution.node, limit=None))
        made = maker(execution, store)
        return StageFacts(
            name=execution.node,
            execution=execution.id,
            made_by=made.id,
            state=execution.outcome,
            started=_time(execution.started_ms),
            seconds=made.seconds,
            error=execution.error,
            inputs=dict(_artifacts(execution.inputs)),
            outputs=dict(_artifacts(execution.outputs)),
            settings=settings[execution.node].get(made.id, {}).get("settings", {}),
        )

    stages = tuple(stage(execution) for execution in store.executions(run))
    return RunFacts(run.id, run.pipeline, _time(run.started_ms), store.folder.parent, stages, run.outcome)


def _artifacts(records: Mapping[str, ArtifactRecord]) -> Iterator[tuple[str, ArtifactFacts]]:
    for key, record in records.items():
        yield key, ArtifactFacts(record.id, record.type, record.uri, record.digest, record.properties)


def _made_now(stage: Result) -> set[str]:
    return set() if stage.reused else {record.type for record in stage.outputs.values()}


def _time(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000):%Y-%m-%d %H:%M:%S}"
