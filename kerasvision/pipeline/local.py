"""Runs a pipeline on this machine, or plans a run."""

import os
import secrets
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from kerasvision.config.hooks import Hooks
from kerasvision.errors import ConfigError, Interrupted, StoreError
from kerasvision.pipeline.artifacts import Artifact
from kerasvision.pipeline.capacity import default_workers, has_gpus
from kerasvision.pipeline.checks import check_pipeline, needed, selected
from kerasvision.pipeline.copy_notes import copy_notes
from kerasvision.pipeline.copying import newest
from kerasvision.pipeline.fingerprint import fingerprint, read_code
from kerasvision.pipeline.graph import Channel, Node, Pipeline
from kerasvision.pipeline.hooks import after_failure, after_push
from kerasvision.pipeline.launcher import (
    Launch,
    Result,
    ending_state,
    launch,
    shared_by,
)
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.listeners import followed
from kerasvision.pipeline.records import PIPELINE, ArtifactRecord, RunRecord
from kerasvision.pipeline.request import request_of
from kerasvision.pipeline.resolving import NEVER_FINISHED, Outputs, is_gone, resolve_inputs, reusable, why_not_reusable
from kerasvision.pipeline.store import Store, opened
from kerasvision.pipeline.tables import COMPLETE
from kerasvision.pipeline.unfinished import unfinished_work
from kerasvision.training.devices.cluster import read_cluster
from kerasvision.tuning.role import read_role

RUNS_FOLDER = "runs"


@dataclass(frozen=True)
class RunResult:
    """The result of a run.

    Attributes:
        id: the run's id.
        stages: the result of each stage, in order; on a worker other than the chief, up to the stage in which it took part.
    """

    id: str
    stages: tuple[Result, ...]

    def artifact(self, node: str, key: str) -> Artifact:
        """One output: `result.artifact("trainer", "model")`."""
        return next(stage.outputs[key].open() for stage in self.stages if stage.node == node)


@dataclass(frozen=True)
class PlannedStage:
    """What a run would do with a stage.

    Attributes:
        node: its name.
        action: "reuse", "run", or "depends": its inputs are not known until an earlier stage has run.
        why: the reasons, a line each; the first line says what happens to the work of a stopped execution, if there is any.
            For a reuse, which outputs are fetched from an object store.
        note: what to know of the data before a run; empty if there is nothing.
    """

    node: str
    action: str
    why: tuple[str, ...] = ()
    note: str = ""


def run(
    pipeline: Pipeline,
    *,
    root: Path | str = ".",
    start: str | None = None,
    until: str | None = None,
    only: str | None = None,
    force: bool = False,
    purpose: str = PIPELINE,
    listener: Listener | None = None,
    workers: int | None = 1,
) -> RunResult:
    """Runs a pipeline: every stage that has no up-to-date result.

    With one worker, stages execute one after the other, in this process. With several, independent stages execute at the
    same time, each in its own process; what they write is the same.

    If a stage trains or searches on several machines, each machine runs the same command, on its own root or on a shared
    one. All run that stage at once; the chief publishes its result and continues, and the others stop after it.

    Args:
        pipeline: from `load_pipeline` or `standard_pipeline`.
        root: the folder of `runs/`, which is created if necessary. Models are pushed to `saved_models/` next to it.
        start: execute this stage and those that depend on it; the stages before must have results to reuse.
        until: stop after this stage.
        only: execute this stage alone.
        force: execute the chosen stages even if their results could be reused.
        purpose: the command that needs this run, if it is not `run` itself.
        listener: receives the events.
        workers: how many stages may execute at the same time; None: as many as cores and memory allow.

    Raises:
        ConfigError: a stage runs on several machines, and the environment variables that name them are wrong; or there are
            several workers, and a stage is defined where another process cannot import it, such as in a notebook.
        KerasvisionError: the first failure. Finished stages are kept, and the next run continues from there.
    """
    listener = listener or Listener()
    if workers is not None and workers < 1:
        raise ConfigError("workers must be at least 1", received=workers)
    check_pipeline(pipeline)
    chosen = selected(pipeline, start=start, until=until, only=only)
    asked = request_of(pipeline, start=start, until=until, only=only, force=force, workers=workers)
    workers_stages = frozenset(name for name in chosen if _is_worker(shared_by(pipeline.nodes[name])))
    # If nothing has run yet, at least one stage will execute.
    will_execute = force or not (Path(root) / RUNS_FOLDER).exists()
    between_machines = any(_has_others(shared_by(pipeline.nodes[name])) for name in chosen)
    with opened(Path(root) / RUNS_FOLDER, between_machines=between_machines) as store:
        record = new_run(pipeline, purpose=purpose)
        results: dict[str, Result] = {}
        hooks = pipeline.hooks if purpose == PIPELINE else Hooks()
        # Of several machines, only the chief tells others about the run.
        settings = pipeline.listeners if purpose == PIPELINE and not workers_stages else ()
        with (
            followed(settings, run=record, pipeline=pipeline, first=listener) as listener,
            failure_reported(hooks, record, Path(root), listener),
            _pushes_told(hooks, record, results, Path(root), listener),
            _registered(record, store, asked.to_text() if asked else ""),
        ):
            read_code((pipeline.nodes[name] for name in needed(pipeline, chosen)), store)
            context = Launch(
                store,
                record,
                waiting=listener.waiting,
                remark=listener.remark,
                takes_part=workers_stages,
                object_store=pipeline.object_store,
                runner=pipeline.runner,
            )
            if (count := _useful_workers(pipeline, chosen, workers)) > 1:
                _launch_side_by_side(
                    pipeline, chosen, context, listener, results, force=force, count=count, will_execute=will_execute
                )
            else:
                _launch_in_order(pipeline, chosen, context, listener, results, force=force)
    return RunResult(record.id, tuple(results[name] for name in needed(pipeline, chosen) if name in results))


@contextmanager
def failure_reported(hooks: Hooks, run: RunRecord, root: Path, listener: Listener) -> Iterator[None]:
    """Calls the program for failures if the run fails; not if it is stopped."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, Interrupted):
            after_failure(hooks, run, error, root, lambda sentence: listener.remark("after_failure", sentence))
        raise


@contextmanager
def _pushes_told(
    hooks: Hooks, run: RunRecord, results: Mapping[str, Result], root: Path, listener: Listener
) -> Iterator[None]:
    """Calls the program for pushes, however the run ends: the next run reuses the push, and does not call the program."""
    try:
        yield
    finally:
        after_push(hooks, run, results.values(), root, lambda sentence: listener.remark("after_push", sentence))


def _useful_workers(pipeline: Pipeline, chosen: Collection[str], asked: int | None) -> int:
    """How many stages may execute at the same time.

    One if only one stage may execute, or if a stage runs on several machines at once: each machine runs the same command,
    and all must reach that stage in the same order.
    """
    if len(chosen) == 1 or any(shared_by(pipeline.nodes[name]) for name in chosen):
        return 1
    if asked is None:
        from kerasvision.pipeline.stage_processes import can_be_sent

        return default_workers() if can_be_sent(pipeline) else 1
    return asked


def _launch_side_by_side(
    pipeline: Pipeline,
    chosen: Collection[str],
    context: Launch,
    listener: Listener,
    results: dict[str, Result],
    *,
    force: bool,
    count: int,
    will_execute: bool,
) -> None:
    """Adds the result of each stage to the results when it finishes; up to `count` stages execute at the same time."""
    # Imported here, so that `plan` is faster.
    from kerasvision.pipeline.side_by_side import SideBySide
    from kerasvision.pipeline.stage_processes import StageProcesses

    with StageProcesses(pipeline, context.store.folder, context.run, count, has_gpus(os.environ)) as processes:
        if will_execute:
            processes.begin_imports()
        SideBySide(pipeline, chosen, context, listener, processes, force, results).run()


def _launch_in_order(
    pipeline: Pipeline,
    chosen: Collection[str],
    context: Launch,
    listener: Listener,
    results: dict[str, Result],
    *,
    force: bool,
) -> None:
    """Launches one stage after the other, and adds the result of each to the results."""
    done: Outputs = {}
    for name in needed(pipeline, chosen):
        listener.started(name)
        is_chosen = name in chosen
        try:
            result = launch(pipeline.nodes[name], done, context, may_execute=is_chosen, force=force and is_chosen)
        except BaseException as error:
            listener.failed(name, error)
            raise
        done[name] = result.outputs
        results[name] = result
        listener.finished(result)
        if result.took_part:
            break


@contextmanager
def _registered(run: RunRecord, store: Store, request: str) -> Iterator[None]:
    """Within this context the run is listed as running; afterwards, with its outcome."""
    store.start_run(run, request)
    try:
        yield
    except BaseException as error:
        # On a full disk the end cannot be recorded either; the run is then listed as killed.
        with suppress(StoreError):
            store.end_run(run, ending_state(error))
        raise
    store.end_run(run, COMPLETE)


def plan(pipeline: Pipeline, *, root: Path | str = ".") -> list[PlannedStage]:
    """What `run` would do now, and why. Writes nothing.

    Raises:
        KerasvisionError: what would stop the run before its first stage.
    """
    check_pipeline(pipeline)
    with opened(Path(root) / RUNS_FOLDER, read_only=True) as store:
        done: Outputs = {}
        planned = [_planned(pipeline, name, done, store) for name in pipeline.nodes]
    notes = copy_notes(pipeline, done)
    return [replace(stage, note=notes.get(stage.node, "")) for stage in planned]


def _planned(pipeline: Pipeline, name: str, done: Outputs, store: Store) -> PlannedStage:
    node = pipeline.nodes[name]
    if any(parent not in done for parent in node.upstream):
        first = [parent for parent in node.upstream if parent not in done]
        return PlannedStage(name, "depends", (f"on what {', '.join(first)} will write",))
    if not store.file.exists() and not (store.folder / "work").exists():
        # Nothing has run here yet, so there is no need to read the code and the files of the stage.
        return PlannedStage(name, "run", (NEVER_FINISHED,))
    inputs = resolve_inputs(node, done, store, pipeline.name)
    print_ = fingerprint(node, {key: artifact.digest for key, artifact in inputs.items()}, store)
    outputs = reusable(node, print_.key, store)
    if outputs is None:
        left = unfinished_work(node, print_, store, pipeline.name)
        reasons = why_not_reusable(node, print_, store, pipeline.name)
        return PlannedStage(name, "run", (*([left.sentence(name)] if left else []), *reasons, *_looked_up(node, inputs)))
    done[name] = outputs
    fetched = (f"{key} is fetched from {next(newest(one))}" for key, one in outputs.items() if one.copies and is_gone(one))
    return PlannedStage(name, "reuse", tuple(fetched))


def _looked_up(node: Node, inputs: Mapping[str, ArtifactRecord]) -> Iterator[str]:
    """Names the artifacts of earlier runs that a stage would read: the pipeline file does not say which ones these are."""
    for key, source in node.inputs.items():
        if key in inputs and not isinstance(source, Channel):
            yield f"{key} is {inputs[key].type} {inputs[key].id}, in {inputs[key].uri}"


def _is_worker(shared: str | None) -> bool:
    """Whether this process is a worker, not the chief, of the processes that run a stage together."""
    if shared == "tf_config":
        return not read_cluster(os.environ).is_chief
    role = read_role(os.environ) if shared == "keras_tuner" else None
    return role is not None and not role.is_chief


def _has_others(shared: str | None) -> bool:
    """Whether other processes, perhaps on other machines, run a stage together with this one."""
    if shared == "tf_config":
        return len(read_cluster(os.environ).addresses) > 1
    return shared == "keras_tuner" and read_role(os.environ) is not None


def new_run(pipeline: Pipeline, *, purpose: str = PIPELINE, run_id: str | None = None) -> RunRecord:
    """A run that begins now.

    Args:
        pipeline: what is run.
        purpose: the command that needs the run.
        run_id: its id; None: a new one.
    """
    # The random part distinguishes runs that start in the same second, or after the clock was set back.
    run_id = run_id or f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    return RunRecord(run_id, pipeline.name, time.time_ns() // 1_000_000, purpose)
