"""Runs one stage whose inputs come from folders and whose outputs go to folders: the step of a pipeline on a cluster.

A folder is local, or in an object store.

The stage is launched as on one machine: fingerprint, reuse, crash safety and look-ups in earlier runs are those of the root.
All stages of a cluster may share one root, or each may have one of its own.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from kerasvision.config.base import Config
from kerasvision.config.experiment import NAME_PATTERN
from kerasvision.config.object_stores import is_address
from kerasvision.errors import ConfigError, DataError, StoreError
from kerasvision.lookup import did_you_mean
from kerasvision.pipeline.artifact import Artifact
from kerasvision.pipeline.carried import Carried, Place, carry, check_free
from kerasvision.pipeline.checks import check_pipeline
from kerasvision.pipeline.graph import Channel, Node, Pipeline, Signature
from kerasvision.pipeline.hooks import after_push
from kerasvision.pipeline.launcher import Launch, Result, ending_state, launch
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.listeners import followed
from kerasvision.pipeline.local import RUNS_FOLDER, RunResult, failure_reported, new_run
from kerasvision.pipeline.object_store import ObjectStore
from kerasvision.pipeline.records import ArtifactRecord, RunRecord
from kerasvision.pipeline.resolving import Outputs, intact
from kerasvision.pipeline.store import Store, opened
from kerasvision.pipeline.tables import CANCELED, COMPLETE, FAILED, RUNNING


def run_stage(
    pipeline: Pipeline,
    name: str,
    *,
    inputs: Mapping[str, Place],
    outputs: Mapping[str, Place],
    root: Path | str = ".",
    force: bool = False,
    run_id: str | None = None,
    listener: Listener | None = None,
) -> RunResult:
    """Runs a stage, or reuses its result, and copies its artifacts to folders.

    Args:
        pipeline: the whole pipeline.
        name: of the stage.
        inputs: input -> folder that an earlier call has written. `Pipeline.sources` says which inputs are required.
        outputs: output -> folder that does not exist or is empty, or an object store without an artifact; outputs without a
            folder stay in the root only.
        root: the folder of `runs/` and `saved_models/`.
        force: execute the stage even if its result could be reused.
        run_id: the run to which the stage belongs: lower-case letters, digits, - and _. Stages with the same id are one run,
            and may run on several machines at once. None: a new run, on this machine alone.
        listener: receives the events.

    Raises:
        ConfigError: an input is missing, an input or output does not exist, or an output's folder is in use.
        DataError: an input's folder has no artifact, one of another type, or one with changed content.
        StoreError: an object store does not answer, or does not allow it.
        KerasvisionError: the stage failed.
    """
    listener = listener or Listener()
    if run_id is not None and not re.fullmatch(NAME_PATTERN, run_id):
        raise ConfigError(
            "the id of a run consists of lower-case letters, digits, - and _",
            received=run_id,
            hint="write nightly-7, for example",
        )
    node = pipeline.node(name)
    sources = pipeline.sources(name)
    _check_names(node, sources, inputs, outputs)
    for key, place in outputs.items():
        check_free(place, pipeline=pipeline.name, node=node.name, key=key)
    carried = {key: _read(inputs[key], source) for key, source in sources.items()}
    # Files and packages of other stages may be missing where this one runs.
    check_pipeline(replace(pipeline, nodes={node.name: node}))
    with opened(Path(root) / RUNS_FOLDER, between_machines=run_id is not None) as store:
        record = new_run(pipeline, run_id=run_id)
        with (
            followed(pipeline.listeners, run=record, pipeline=pipeline, first=listener) as listener,
            failure_reported(pipeline.hooks, record, Path(root), listener),
            _joined(context := _launch(pipeline, store, record, listener)),
        ):
            done: Outputs = {}
            for key, source in sources.items():
                artifact = _received(inputs[key], carried[key], source, context)
                done.setdefault(source.producer, {})[source.key] = artifact
            result = _launched(node, done, context, listener, force=force)
            for key, place in outputs.items():
                carry(result.outputs[key], place, pipeline=pipeline.name, node=node.name, key=key)
    after_push(pipeline.hooks, record, [result], Path(root), lambda sentence: listener.remark("after_push", sentence))
    return RunResult(record.id, (result,))


def _launch(pipeline: Pipeline, store: Store, record: RunRecord, listener: Listener) -> Launch:
    return Launch(
        store,
        record,
        waiting=listener.waiting,
        remark=listener.remark,
        object_store=pipeline.object_store,
        runner=pipeline.runner,
    )


def _check_names(
    node: Node, sources: Mapping[str, Channel], inputs: Mapping[str, Place], outputs: Mapping[str, Place]
) -> None:
    for given, known, rule in (
        (inputs, sources, "{} reads no {!r} from a folder"),
        (outputs, node.signature.outputs, "{} writes no {!r}"),
    ):
        for key in given:
            if key not in known:
                raise ConfigError(f"{rule.format(node.name, key)}; {did_you_mean(key, known)}")
    missing = [key for key in sources if key not in inputs]
    if missing:
        wanted = ", ".join(f"--in {key}=FOLDER" for key in missing)
        made = ", ".join(f"{sources[key].producer}.{sources[key].key}" for key in missing)
        raise ConfigError(f"{node.name} requires a folder for each of its inputs", hint=f"add {wanted}: from {made}")


def _read(place: Place, source: Channel) -> Carried:
    carried = Carried.read(place)
    if carried.type != source.type.TYPE_NAME:
        where = place.address if isinstance(place, ObjectStore) else place
        raise DataError(
            f"{source.producer}.{source.key} is {source.type.TYPE_NAME}; {where} contains {carried.type}",
            hint="name the folder of the other artifact",
        )
    return carried


@contextmanager
def _joined(context: Launch) -> Iterator[None]:
    """Registers the stage in its run. The state of the run is that of its stages so far."""
    store, run = context.store, context.run
    store.start_run(run)
    try:
        yield
    except BaseException as error:
        # On a full disk the end cannot be recorded either.
        with suppress(StoreError):
            store.end_run(run, ending_state(error))
        raise
    newest = {execution.node: execution.state for execution in store.executions(run)}
    store.end_run(run, next((state for state in (FAILED, CANCELED, RUNNING) if state in newest.values()), COMPLETE))


def _launched(node: Node, done: Outputs, context: Launch, listener: Listener, *, force: bool) -> Result:
    listener.started(node.name)
    try:
        result = launch(node, done, context, may_execute=True, force=force)
    except BaseException as error:
        listener.failed(node.name, error)
        raise
    listener.finished(result)
    return result


class ReceiveSettings(Config):
    """Which artifact is received, and from where."""

    locations: ClassVar[frozenset[str]] = frozenset({"place"})

    place: str = Field(description="the folder that contains it, or its address in an object store")
    digest: str = Field(description="SHA-256 of its content")


def _received(place: Place, carried: Carried, source: Channel, context: Launch) -> ArtifactRecord:
    """The artifact of the folder as one of this root: the one with the same content, or a copy."""
    store, pipeline = context.store, context.run.pipeline
    for _, outputs in store.earlier_outputs(pipeline, source.producer):
        known = outputs.get(source.key)
        if known is not None and known.digest == carried.digest and intact(known, store):
            return known
    # A copy is made as a stage is run: whole or not at all, and only once.
    signature = Signature({}, frozenset(), {source.key: source.type}, ReceiveSettings, frozenset())
    named = place.address if isinstance(place, ObjectStore) else str(place)
    settings = ReceiveSettings(place=named, digest=carried.digest)
    node = Node(f"{source.producer}-{source.key}-received", receive, signature, {}, settings)
    return launch(node, {}, context, may_execute=True, force=False).outputs[source.key]


def receive(*, settings: ReceiveSettings, **written: Artifact) -> None:
    """Copies an artifact out of its folder."""
    (artifact,) = written.values()
    place = ObjectStore(settings.place) if is_address(settings.place) else Path(settings.place)
    Carried.read(place).copy_content(place, artifact)
