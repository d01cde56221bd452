"""Launches a stage in eight steps, the same for every stage. Comments below have the numbers of the steps.

1 resolve inputs, 2 fingerprint, 3 reuse, 4 register RUNNING, 5 run in a temporary folder, 6 fsync, hash, rename,
7 publish in one transaction, 8 copy to the object store, if there is one. Steps 1 and 3 also find what is only there. After
a kill at any moment, there is either a published result, or remains that the next launch of the same node removes. One
process at a time launches a node: the second waits, and then finds the result.
"""

import shutil
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kerasvision.config.runners import LOCAL, Runner
from kerasvision.errors import Interrupted, KerasvisionError, StageError, StoreError
from kerasvision.pipeline.artifacts import Artifact
from kerasvision.pipeline.copying import Fetching, copy_outputs
from kerasvision.pipeline.digests import file_digests
from kerasvision.pipeline.fingerprint import Fingerprint, edited_modules, fingerprint, unseen_loads
from kerasvision.pipeline.graph import Node
from kerasvision.pipeline.lineage import lineage_of
from kerasvision.pipeline.locks import alone, alone_now
from kerasvision.pipeline.records import ITS_PROCESS_ENDED, ArtifactRecord, RunRecord
from kerasvision.pipeline.resolving import Outputs, content_digest, resolve_history, resolve_inputs, reusable
from kerasvision.pipeline.store import Store
from kerasvision.pipeline.tables import CANCELED, FAILED
from kerasvision.pipeline.unfinished import LOGS, unfinished_work, work_folder
from kerasvision.shortened import shortened
from kerasvision.whole_files import flush_tree, rename_into_place

# How many changed modules an error names.
MOST_MODULES = 3


@dataclass(frozen=True)
class Launch:
    """What every launch of a run shares.

    Attributes:
        store: where runs are kept.
        run: the current run.
        waiting: called with the name of a node that another run is executing.
        remark: called with a node and a sentence about it for a person.
        takes_part: stages that run on several machines at once, for which this one is not the chief.
        object_store: the address to which results are copied; None for no copies.
        runner: where the stages do the work on single images.
        remarked: sentences about code that were already passed on, so that each appears once.
    """

    store: Store
    run: RunRecord
    waiting: Callable[[str], None] = lambda node: None
    remark: Callable[[str, str], None] = lambda node, sentence: None
    takes_part: frozenset[str] = frozenset()
    object_store: str | None = None
    runner: Runner = LOCAL
    remarked: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Result:
    """The result of a launch.

    Attributes:
        node: the stage's name.
        outputs: its artifacts, by key; empty if it took part.
        reused: whether the result existed already.
        seconds: how long the launch took.
        took_part: whether the stage ran here on a worker other than the chief: only the chief publishes the result.
        inputs: the artifacts that it read, by key; those of earlier runs are included only if it was executed.
    """

    node: str
    outputs: dict[str, ArtifactRecord]
    reused: bool
    seconds: float
    took_part: bool = False
    inputs: dict[str, ArtifactRecord] = field(default_factory=dict)


def launch(
    node: Node, done: Outputs, context: Launch, *, may_execute: bool, force: bool, known: Fingerprint | None = None
) -> Result:
    """Runs a stage, or reuses its result.

    Args:
        node: the stage.
        done: outputs of the nodes before, by node and key.
        context: the store and the run.
        may_execute: False if only a reuse is allowed.
        force: run even if a result could be reused.
        known: the fingerprint that `reuse` returned, if another process has just called it.

    Raises:
        KerasvisionError: the stage raised it.
        StageError: the stage raised another error, or may not execute and has no result to reuse.
    """
    began = time.monotonic()
    store, run = context.store, context.run
    if node.name in context.takes_part:
        # The chief holds the lock while this stage runs on all machines.
        return _take_part(node, done, context, may_execute=may_execute, force=force)
    # Only one process at a time launches this node.
    with alone(store.folder, _lock(node, context), waiting=lambda: context.waiting(node.name)):
        found = _looked_up(node, done, context, may_execute=may_execute, force=force, known=known)
        if isinstance(found, Result):
            return found
        inputs, print_ = found
        if force:
            _remove([work_folder(node, print_.key, store, run.pipeline)])
        elif (left := unfinished_work(node, print_, store, run.pipeline)) is not None:
            context.remark(node.name, left.sentence(node.name))
        inputs |= resolve_history(node, print_.key, done, store, run.pipeline, usable=_fetching(node, context))
        outputs = _run_recorded(node, inputs, print_, context, began)
        _copy(node, outputs, context)
    return Result(node.name, outputs, reused=False, seconds=time.monotonic() - began, inputs=inputs)


def reuse(node: Node, done: Outputs, context: Launch, *, may_execute: bool, force: bool) -> Result | Fingerprint | None:
    """Steps 1 to 3 of a launch, for a process that lets other processes execute stages.

    Returns:
        The reused result, or else the fingerprint of the coming execution. None while another process executes this node.

    Raises:
        StageError: there is no result to reuse, and the stage may not execute.
    """
    with alone_now(context.store.folder, _lock(node, context)) as is_alone:
        if not is_alone:
            return None
        found = _looked_up(node, done, context, may_execute=may_execute, force=force, known=None)
    return found if isinstance(found, Result) else found[1]


def record_end(node: Node, error: BaseException, context: Launch) -> None:
    """Records the error of executions of this node whose process ended before it could record it."""
    with alone(context.store.folder, _lock(node, context)):
        for execution in context.store.running(context.run.pipeline, node.name):
            _record_failure(node, execution, error, context)


def _looked_up(
    node: Node, done: Outputs, context: Launch, *, may_execute: bool, force: bool, known: Fingerprint | None
) -> Result | tuple[dict[str, ArtifactRecord], Fingerprint]:
    """The reused result, or the inputs and the fingerprint of the coming execution. This process holds the lock."""
    began = time.monotonic()
    store, run = context.store, context.run
    _clear_leavings(node, context)
    fetching = _fetching(node, context)
    # 1. Resolve inputs: channels become artifacts that exist.
    inputs = resolve_inputs(node, done, store, run.pipeline, usable=fetching)
    # 2. Fingerprint: everything that the result depends on.
    digests = {key: artifact.digest for key, artifact in inputs.items()}
    if known is None or known.inputs != digests:
        known = fingerprint(node, digests, store)
        _remark_unseen(node, context)
    elif edited := edited_modules(known, fingerprint(node, digests, store)):
        # The process that computed `known` had loaded other code than this one.
        names = shortened(edited, most=MOST_MODULES)
        raise StageError(f"the code of {node.name} changed while the run went on: {names}", hint="run again")
    # 3. Reuse a COMPLETE execution whose outputs all exist with the right hashes, here or in an object store.
    outputs = None if force else reusable(node, known.key, store, usable=fetching)
    if outputs is not None and store.reuse(
        pipeline=run.pipeline,
        run=run.id,
        node=node.name,
        inputs=inputs,
        outputs=outputs,
        fetched=fetching.addresses,
    ):
        _copy(node, outputs, context)
        return Result(node.name, outputs, reused=True, seconds=time.monotonic() - began, inputs=inputs)
    if not may_execute:
        raise _left_out(node)
    return inputs, known


def _fetching(node: Node, context: Launch) -> Fetching:
    return Fetching(lambda sentence: context.remark(node.name, sentence))


def _copy(node: Node, outputs: dict[str, ArtifactRecord], context: Launch) -> None:
    """Step 8 of a launch. After a kill before its end, the next run reuses the result and copies it."""
    if (address := context.object_store) is None:
        return
    copied = copy_outputs(outputs, context.store, address=address, pipeline=context.run.pipeline, node=node.name)
    if copied:
        context.remark(node.name, f"copied to {address}: {', '.join(copied)}")


def _lock(node: Node, context: Launch) -> str:
    return f"{context.run.pipeline}.{node.name}"


def log_file(node: Node, context: Launch) -> Path:
    """Where the traceback of a failed stage is kept."""
    return context.store.folder / "logs" / context.run.pipeline / context.run.id / f"{node.name}.log"


def ending_state(error: BaseException) -> int:
    """The state of an execution or a run that ends with an error: CANCELED if it was stopped, FAILED otherwise."""
    return CANCELED if isinstance(error, KeyboardInterrupt | Interrupted) else FAILED


def _base(node: Node, context: Launch) -> Path:
    """The folder of a node's outputs, which are in `<key>/<execution>` below it."""
    return context.store.folder / "artifacts" / context.run.pipeline / node.name


def _highest_number(base: Path) -> int:
    """The highest number among the folders of a node. A store that is newer or older than its folders does not know it."""
    names = (path.name.removesuffix(".tmp") for path in base.glob("*/*"))
    # SQLite counts up to 2**63.
    return max((int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 19), default=0)


def _remark_unseen(node: Node, context: Launch) -> None:
    """Remarks on what a stage's code loads without an import; only once if several stages share the code."""
    sentence = unseen_loads(node, context.store)
    if sentence and sentence not in context.remarked:
        context.remarked.add(sentence)
        context.remark(node.name, sentence)


def _run_recorded(
    node: Node, inputs: dict[str, ArtifactRecord], print_: Fingerprint, context: Launch, began: float
) -> dict[str, ArtifactRecord]:
    """Executes a stage, records its beginning and end in the store, and returns its outputs."""
    store, run = context.store, context.run
    # 4. Register RUNNING, so that a kill from now on leaves a trace.
    execution = store.start(
        pipeline=run.pipeline,
        run=run.id,
        node=node.name,
        fingerprint=print_.to_data(),
        key=print_.key,
        inputs=inputs,
        above=_highest_number(_base(node, context)),
    )
    try:
        _execute(node, execution, inputs, print_, context, began)
    except BaseException as error:
        # On a full disk the failure cannot be recorded either: the next launch does it.
        with suppress(StoreError, OSError):
            _record_failure(node, execution, error, context)
        if isinstance(error, KerasvisionError) or not isinstance(error, Exception):
            raise
        raise _failed(node, error, context) from error
    found = store.finished(print_.key)
    if found is None:
        raise StageError(f"the result of {node.name} disappeared right after it was published", hint="run again")
    return found[1]


def _execute(
    node: Node, execution: int, inputs: dict[str, ArtifactRecord], print_: Fingerprint, context: Launch, began: float
) -> None:
    store = context.store
    base = _base(node, context)
    final = {key: kind(base / key / str(execution)) for key, kind in node.signature.outputs.items()}
    # 5. Run in folders with temporary names: a folder with its final name is complete.
    written = {key: type(artifact)(f"{artifact.uri}.tmp") for key, artifact in final.items()}
    ids = store.promise(execution, final)
    for artifact in written.values():
        artifact.uri.mkdir(parents=True)
    work = work_folder(node, print_.key, store, context.run.pipeline)
    origin = partial(lineage_of, inputs, store=store, run=context.run, node=node.name, execution=execution)
    _call(node, inputs, written, root=store.folder.parent, work=work, runner=context.runner, lineage=origin)
    if node.settings is not None and file_digests(node.settings.files(), store) != print_.files:
        raise StageError(f"the files that {node.name} reads changed while it read them", hint="run again")
    # 6. Flush, hash, rename: after a power cut a folder with its final name is complete, or does not exist.
    published = {}
    for key, artifact in written.items():
        flush_tree(artifact.uri)
        rename_into_place(artifact.uri, final[key].uri)
        final[key].properties.update(artifact.properties)
        published[ids[key]] = (final[key], content_digest(final[key], store))
    # 7. COMPLETE and LIVE, in one transaction.
    store.publish(execution, published, seconds=time.monotonic() - began)
    _remove([path for path in work.glob("*") if path.name != LOGS])


def _call(
    node: Node,
    inputs: dict[str, ArtifactRecord],
    written: dict[str, Artifact],
    *,
    root: Path,
    work: Path,
    runner: Runner,
    lineage: Callable[[], dict[str, object]] = dict,
) -> None:
    """Runs the stage's function."""
    arguments: dict[str, object] = {**{key: record.open() for key, record in inputs.items()}, **written}
    if node.settings is not None:
        arguments["settings"] = node.settings
    places = {"root": lambda: root, "work": lambda: work, "runner": lambda: runner, "lineage": lineage}
    node.function(**arguments, **{name: places[name]() for name in node.signature.places})


def shared_by(node: Node) -> str | None:
    """How the processes that run the stage together find each other; None if one process runs it alone."""
    return getattr(node.settings, "shared_by", None)


def _take_part(node: Node, done: Outputs, context: Launch, *, may_execute: bool, force: bool) -> Result:
    """Runs a stage together with the chief. Its outputs here are discarded, because the chief publishes them."""
    began = time.monotonic()
    store, run, fetching = context.store, context.run, _fetching(node, context)
    inputs = resolve_inputs(node, done, store, run.pipeline, usable=fetching)
    print_ = fingerprint(node, {key: artifact.digest for key, artifact in inputs.items()}, store)
    outputs = None if force else reusable(node, print_.key, store, usable=fetching)
    if outputs is not None:  # the chief finds it too, and does not wait for this worker
        store.reuse(pipeline=run.pipeline, run=run.id, node=node.name, inputs=inputs, outputs=outputs)
        return Result(node.name, outputs, reused=True, seconds=time.monotonic() - began)
    if not may_execute:
        raise _left_out(node)
    inputs |= resolve_history(node, print_.key, done, store, run.pipeline, usable=fetching)
    with tempfile.TemporaryDirectory(prefix="kerasvision-worker-") as folder:
        written = {key: kind(Path(folder) / key) for key, kind in node.signature.outputs.items()}
        for artifact in written.values():
            artifact.uri.mkdir()
        try:
            _call(node, inputs, written, root=store.folder.parent, work=Path(folder) / "work", runner=context.runner)
        except Exception as error:
            if isinstance(error, KerasvisionError):
                raise
            with suppress(OSError):
                _write_log(node, error, context)
            raise _failed(node, error, context) from error
    return Result(node.name, {}, reused=False, seconds=time.monotonic() - began, took_part=True)


def _clear_leavings(node: Node, context: Launch) -> None:
    """Removes what killed executions of this node left. We hold its lock, so no other process is executing it."""
    for execution in context.store.running(context.run.pipeline, node.name):
        folders = context.store.fail(execution, ITS_PROCESS_ENDED, killed=True)
        _remove(folders)


def _record_failure(node: Node, execution: int, error: BaseException, context: Launch) -> None:
    by_hand = isinstance(error, KeyboardInterrupt)
    text = (str(error) or "stopped by Ctrl-C") if by_hand else f"{type(error).__name__}: {_first_line(error)}"
    _remove(context.store.fail(execution, text, state=ending_state(error)))
    _write_log(node, error, context)


def _left_out(node: Node) -> StageError:
    return StageError(
        f"{node.name} has no result for these settings, and was left out of this run",
        hint="run it too: `kerasvision run` without --from and --only",
    )


def _failed(node: Node, error: BaseException, context: Launch) -> StageError:
    return StageError(
        f"{node.name} failed: {type(error).__name__}: {_first_line(error)}", hint=_where_to_look(log_file(node, context))
    )


def _write_log(node: Node, error: BaseException, context: Launch) -> None:
    log = log_file(node, context)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")


def _where_to_look(log: Path) -> str:
    return f"the traceback is in {log}" if log.exists() else "run with --traceback to see where"


def _remove(paths: list[Path]) -> None:
    for folder in paths:
        for path in (folder, folder.with_name(folder.name + ".tmp")):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "")
