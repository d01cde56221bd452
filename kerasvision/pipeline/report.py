"""The report of a run: what the store knows of it, handed to the page that shows it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from kerasvision.disk import refused
from kerasvision.errors import ConfigError
from kerasvision.evaluation.run_facts import ArtifactFacts, RunFacts, StageFacts
from kerasvision.pipeline import tables as t
from kerasvision.pipeline.launcher import Result
from kerasvision.pipeline.local import RUNS_FOLDER, RunResult
from kerasvision.pipeline.records import ArtifactRecord, ExecutionRecord
from kerasvision.pipeline.store import Parts, Store, opened

# A run that made one of these has something to report of its own accord.
WORTH_A_REPORT = frozenset({"ModelEvaluation", "ModelBlessing", "InfraBlessing", "PushedModel", "InferenceResult"})


def report_run(run_id: str = "latest", *, root: Path | str = ".", file: Path | None = None) -> Path:
    """Writes the report of a run, whatever it came to; returns where it is.

    Args:
        run_id: the beginning of a run's id, or `latest`.
        root: the folder that holds `runs/`.
        file: where the page goes; `runs/reports/<run id>.html` where not given.

    Raises:
        ConfigError: no such run, or there is something at its place that is not a file.
        StoreError: the page cannot be written there.
    """
    # A run that has nothing to report does without this import.
    from kerasvision.evaluation.report import write_report

    runs = Path(root) / RUNS_FOLDER
    with opened(runs, read_only=True) as store:
        facts = run_facts(run_id, store)
    file = file or runs / "reports" / f"{facts.id}.html"
    if file.is_dir():
        raise ConfigError(f"a report is one file, and {file} is a folder", hint=f"name a file: --out {file / 'report.html'}")
    if file.exists() and not file.is_file():
        raise ConfigError(f"a report replaces a file, and {file} is a device or the like", hint="name a file: --out FILE")
    elsewhere = f"write the report elsewhere: `kerasvision report {facts.id} --out FILE`"
    try:
        write_report(facts, file)
    except OSError as error:
        if (told := refused(error, file=file, hint=elsewhere)) is None:
            raise
        raise told from error
    return file


def is_worth_a_report(result: RunResult) -> bool:
    """Whether a stage ran, and was not reused, that judges, proves or publishes a model, or infers with it."""
    return any(_made_now(stage) & WORTH_A_REPORT for stage in result.stages)


def run_facts(run_id: str, store: Store) -> RunFacts:
    """What the store knows of a run.

    Raises:
        ConfigError: no such run.
    """
    run = store.run(run_id)
    settings: dict[str, dict[int, Parts]] = {}

    def stage(execution: ExecutionRecord) -> StageFacts:
        if execution.node not in settings:
            settings[execution.node] = dict(store.fingerprints(run.pipeline, execution.node, limit=None))
        made = _maker(execution, store)
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


def _maker(execution: ExecutionRecord, store: Store) -> ExecutionRecord:
    """The execution that made the outputs: another one where they were reused."""
    if execution.state != t.CACHED:
        return execution
    makers = (store.producer(artifact.id) for artifact in execution.outputs.values())
    return next((maker for maker in makers if maker is not None), execution)


def _artifacts(records: Mapping[str, ArtifactRecord]) -> Iterator[tuple[str, ArtifactFacts]]:
    for key, record in records.items():
        yield key, ArtifactFacts(record.id, record.type, record.uri, record.digest, record.properties)


def _made_now(stage: Result) -> set[str]:
    return set() if stage.reused else {record.type for record in stage.outputs.values()}


def _time(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000):%Y-%m-%d %H:%M:%S}"
