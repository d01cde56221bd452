"""Continues a run that failed, was stopped or was killed, with the settings that it had."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kerasvision.errors import ConfigError
from kerasvision.pipeline.changes import fingerprint_changes
from kerasvision.pipeline.fingerprint import fingerprint
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.lineage import maker
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.local import RUNS_FOLDER, RunResult, run
from kerasvision.pipeline.records import PIPELINE, RunRecord
from kerasvision.pipeline.request import Request, text_of
from kerasvision.pipeline.resolving import Outputs, resolve_inputs, reusable
from kerasvision.pipeline.standard import load_recorded
from kerasvision.pipeline.store import Parts, Store, opened

# Outcomes of a run that can be continued. Of an unfinished one, the process cannot be seen from here.
ENDED_EARLY = ("failed", "stopped", "killed")
SEE = "`kerasvision runs list` shows the runs with their ids"


@dataclass(frozen=True)
class Resumption:
    """A run that can be continued.

    Attributes:
        run: the run that ended early.
        request: what was asked of it.
        pipeline: the stages with the settings that the run had, and with the code of today.
        changes: what is different today, a sentence each.
        skipped: why the newer runs that ended early cannot be continued, a sentence each.
    """

    run: RunRecord
    request: Request
    pipeline: Pipeline
    changes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def find_resumption(run_id: str | None = None, *, root: Path | str = ".") -> Resumption:
    """The run to continue, and what is different today.

    Args:
        run_id: the beginning of a run's id. None: the newest run of a pipeline that ended early and can be continued,
            unless a later run with the same settings, of the same stages or of all, finished.
        root: the folder of `runs/`.

    Raises:
        ConfigError: no such run; it finished, still runs, was forced, or its settings were not recorded; or the command is
            given in another folder than that of the run.
    """
    with opened(Path(root) / RUNS_FOLDER, read_only=True) as store:
        skipped: list[ConfigError] = []
        record = _newest(store, skipped) if run_id is None else _named(store.run(run_id))
        request = _checked(record, store.request(record))
        pipeline = load_recorded(Path(request.file), request.experiment)
        changes = (*_file_changes(request), *_stage_changes(record, pipeline, store))
    return Resumption(record, request, pipeline, changes, tuple(map(str, skipped)))


def resume(found: Resumption, *, root: Path | str = ".", listener: Listener | None = None) -> RunResult:
    """Runs what is left of a run. Stages that finished are reused, and a stopped training goes on at its checkpoint.

    Args:
        found: from `find_resumption`.
        root: the folder of `runs/`.
        listener: receives the events.

    Raises:
        KerasvisionError: as `run`.
    """
    asked = found.request
    return run(
        found.pipeline,
        root=root,
        start=asked.start,
        until=asked.until,
        only=asked.only,
        listener=listener,
        workers=asked.workers,
    )


def _newest(store: Store, skipped: list[ConfigError]) -> RunRecord:
    """The newest run that ended early, can be continued, and whose results no later run has made.

    Args:
        store: where runs are kept.
        skipped: receives why newer runs cannot be continued.
    """
    finished: set[str] = set()
    for record in store.runs(purpose=PIPELINE):
        text = store.request(record)
        aims = _aims(Request.from_text(text)) if text else (record.id,)
        if record.outcome == "finished":
            finished.add(aims[0])
        elif record.outcome in ENDED_EARLY and finished.isdisjoint(aims):
            try:
                _checked(record, text)
            except ConfigError as error:
                skipped.append(error)
            else:
                return record
    raise skipped[0] if skipped else ConfigError("no run of a pipeline here waits to be resumed", hint=SEE)


def _aims(request: Request) -> tuple[str, ...]:
    """The aims of runs that make the results of this request: its own, and that of all stages with the same settings."""
    return request.aim, replace(request, start=None, until=None, only=None).aim


def _named(record: RunRecord) -> RunRecord:
    """The run, if its outcome and its purpose allow that it is continued."""
    if record.purpose != PIPELINE:
        raise ConfigError(
            f"run {record.id} was part of `kerasvision {record.purpose}`, and only a run of a pipeline can be resumed",
            hint="give that command again: finished stages are kept",
        )
    if record.outcome == "finished":
        raise ConfigError(f"run {record.id} has finished, so there is nothing to resume", hint=SEE)
    if record.outcome == "running":
        raise ConfigError(f"run {record.id} still runs, in process {record.pid}", hint="wait for its end, or stop it first")
    return record


def _checked(record: RunRecord, text: str) -> Request:
    """The request of a run, from its recorded text, if the run can be continued from the current folder."""
    if not text:
        raise ConfigError(
            f"run {record.id} has no record of its settings, so it cannot be resumed",
            hint="run its pipeline again: finished stages are kept",
        )
    request = Request.from_text(text)
    if request.force:
        raise ConfigError(
            f"run {record.id} was forced, so it cannot be resumed: its stages would reuse the results that it replaces",
            hint=f"start it again with `kerasvision run {request.file} --force`",
        )
    # A project may have been moved since.
    if Path(request.folder).is_dir() and not Path(request.folder).samefile(Path.cwd()):
        raise ConfigError(
            "a run is resumed in the folder in which it was started, because relative paths in its settings begin there",
            received=str(Path.cwd()),
            hint=f"change to {request.folder}, and name the folder of runs/ with --root",
        )
    return request


def _file_changes(request: Request) -> Iterator[str]:
    if text_of(Path(request.file)) != request.text:
        yield f"{request.file} has changed since; the settings that it has now are not used"


def _stage_changes(record: RunRecord, pipeline: Pipeline, store: Store) -> Iterator[str]:
    """What changed since the stages of the run were executed: code, files, versions. Each change names its stages.

    Of a stage after one that must run again, the inputs are not known yet; so it is not compared.
    """
    makers = {one.node: maker(one, store) for one in store.executions(record)}
    found: dict[str, list[str]] = {}
    for node, parts in _today(pipeline, {name: store.fingerprint(one.id) for name, one in makers.items()}, store):
        for change in parts:
            found.setdefault(change, []).append(node)
    yield from (f"{change} ({', '.join(nodes)})" for change, nodes in found.items())


def _today(pipeline: Pipeline, then: Mapping[str, Parts], store: Store) -> Iterator[tuple[str, list[str]]]:
    """(stage, changes of its fingerprint) of the stages that the run has begun and whose inputs exist."""
    done: Outputs = {}
    for name, node in pipeline.nodes.items():
        if any(parent not in done for parent in node.upstream):
            continue
        inputs = resolve_inputs(node, done, store, pipeline.name)
        now = fingerprint(node, {key: artifact.digest for key, artifact in inputs.items()}, store)
        if then.get(name):
            yield name, fingerprint_changes(then[name], now)
        outputs = reusable(node, now.key, store)
        if outputs is not None:
            done[name] = outputs
