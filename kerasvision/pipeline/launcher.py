"""How a stage is launched, the same for every stage, numbered as in the text below.

1 resolve inputs, 2 fingerprint, 3 reuse, 4 register RUNNING, 5 run in a folder beside, 6 fsync, hash, rename,
7 publish in one transaction. At any instant a kill leaves either a published result or leavings that the next launch of
the same node clears away. One process at a time launches a node: the second waits, and then finds the result.
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

from kerasvision.errors import Interrupted, KerasvisionError, StageError, StoreError
from kerasvision.pipeline.artifacts import Artifact
from kerasvision.pipeline.changes import fingerprint_changes
from kerasvision.pipeline.digests import file_digests, tree_digest
from kerasvision.pipeline.fingerprint import Fingerprint, fingerprint, unseen_loads
from kerasvision.pipeline.graph import Channel, LatestBlessed, Node, Previous
from kerasvision.pipeline.lineage import lineage_of
from kerasvision.pipeline.locks import alone
from kerasvision.pipeline.records import ITS_PROCESS_ENDED, ArtifactRecord, RunRecord
from kerasvision.pipeline.store import Store
from kerasvision.pipeline.tables import CANCELED, FAILED
from kerasvision.pipeline.unfinished import LOGS, unfinished_work, work_folder
from kerasvision.whole_files import flush_tree, rename_into_place

Outputs = dict[str, dict[str, ArtifactRecord]]


@dataclass(frozen=True)
class Launch:
    """What every launch of a run shares.

    Attributes:
        store: where runs are kept.
        run: this one.
        waiting: is told of a node at which another run is.
        remark: gets a sentence about a node that a person should read.
        takes_part: stages that run on several machines at once, and here as on one other than the chief.
        remarked: sentences about code that were said, so that each is said once.
    """

    store: Store
    run: RunRecord
    waiting: Callable[[str], None] = lambda node: None
    remark: Callable[[str, str], None] = lambda node, sentence: None
    takes_part: frozenset[str] = frozenset()
    remarked: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Result:
    """What came of a launch.

    Attributes:
        node: the stage's name.
        outputs: what it wrote, by key; nothing where it took part.
        reused: whether it was there already.
        seconds: how long that took.
        took_part: whether it ran here as on a worker other than the chief: the chief publishes what it wrote.
    """

    node: str
    outputs: dict[str, ArtifactRecord]
    reused: bool
    seconds: float
    took_part: bool = False


def launch(node: Node, done: Outputs, context: Launch, *, may_execute: bool, force: bool) -> Result:
    """Runs a stage, or finds that it need not run.

    Args:
        node: the stage.
        done: outputs of the nodes before, by node and key.
        context: the store and the run.
        may_execute: False where only a reuse is allowed.
        force: run even where a result could be reused.

    Raises:
        KerasvisionError: what the stage itself raised of ours.
        StageError: it raised anything else, or may not execute and has nothing to reuse.
    """
    began = time.monotonic()
    store, run = context.store, context.run
    if node.name in context.takes_part:
        # The chief holds the lock while this stage runs on all.
        return _take_part(node, done, context, may_execute=may_execute, force=force)
    # Only one process at a time launches this node.
    name = f"{run.pipeline}.{node.name}"
    with alone(store.folder, name, waiting=lambda: context.waiting(node.name)):
        _clear_leavings(node, context)
        # 1. Resolve inputs: channels become artifacts that exist.
        inputs = resolve_inputs(node, done, store, run.pipeline)
        # 2. Fingerprint: all that the result depends on.
        print_ = fingerprint(node, {key: artifact.digest for key, artifact in inputs.items()}, store)
        _remark_unseen(node, context)
        # 3. Reuse a COMPLETE execution whose outputs are all there and hash right.
        outputs = None if force else reusable(node, print_.key, store)
        if outputs is not None:
            store.reuse(pipeline=run.pipeline, run=run.id, node=node.name, inputs=inputs, outputs=outputs)
            return Result(node.name, outputs, reused=True, seconds=time.monotonic() - began)
        if not may_execute:
            raise _left_out(node)
        if force:
            _remove([work_folder(node, print_.key, store, run.pipeline)])
        elif (left := unfinished_work(node, print_, store, run.pipeline)) is not None:
            context.remark(node.name, left.sentence(node.name))
        inputs |= resolve_history(node, print_.key, done, context)
        outputs = _run_recorded(node, inputs, print_, context, began)
    return Result(node.name, outputs, reused=False, seconds=time.monotonic() - began)


def resolve_inputs(node: Node, done: Outputs, store: Store, pipeline: str) -> dict[str, ArtifactRecord]:
    """The artifacts that a node reads. A baseline that does not exist yet is left out."""
    inputs = {}
    for key, source in node.inputs.items():
        if isinstance(source, Channel):
            inputs[key] = done[source.producer][source.key]
        elif isinstance(source, LatestBlessed):
            exported = done[source.other_than.producer][source.other_than.key]
            blessed = (model for model in store.blessed_models(pipeline) if model.digest != exported.digest)
            newest = next((model for model in blessed if intact(model, store)), None)
            if newest is not None:
                inputs[key] = newest
    return inputs


def resolve_history(node: Node, key: str, done: Outputs, context: Launch) -> dict[str, ArtifactRecord]:
    """The artifacts of before that a node about to execute reads; those that do not exist are left out.

    Args:
        node: the stage.
        key: of its fingerprint.
        done: outputs of the nodes before.
        context: the store and the run.
    """
    store, found = context.store, {}
    for name, source in node.inputs.items():
        if not isinstance(source, Previous):
            continue
        now = done[source.producer][source.key].digest if source.producer in done else None
        for earlier, outputs in store.earlier_outputs(context.run.pipeline, source.producer):
            artifact = outputs.get(source.key)
            same = artifact is None or (artifact.digest == now if now else earlier == key)
            if not same and intact(artifact, store):
                found[name] = artifact
                break
    return found


def reusable(node: Node, key: str, store: Store) -> dict[str, ArtifactRecord] | None:
    """The outputs of an execution with this key, if every file of theirs is as it was written."""
    found = store.finished(key)
    if found is None or found[1].keys() != node.signature.outputs.keys():
        return None
    if not all(intact(artifact, store) for artifact in found[1].values()):
        return None
    return found[1]


def intact(artifact: ArtifactRecord, store: Store) -> bool:
    """Whether an artifact is there and its content is what was published."""
    try:
        return _digest(artifact.open(), store) == artifact.digest
    except (OSError, ValueError, KeyError):
        return False


def why_not_reusable(node: Node, print_: Fingerprint, store: Store, pipeline: str) -> list[str]:
    """What changed since the node's newest finished execution, a line each; says so where there is none."""
    found = store.finished(print_.key)
    if found is not None:
        return [f"output {key} is missing or was altered" for key, a in found[1].items() if not intact(a, store)]
    earlier = store.fingerprints(pipeline, node.name, limit=1)
    return fingerprint_changes(earlier[0][1], print_) if earlier else ["it has not finished here before"]


def log_file(node: Node, context: Launch) -> Path:
    """Where the traceback of a failed stage is kept."""
    return context.store.folder / "logs" / context.run.pipeline / context.run.id / f"{node.name}.log"


def ending_state(error: BaseException) -> int:
    """What an execution or a run is that ends with an error: CANCELED where it was stopped, FAILED otherwise."""
    return CANCELED if isinstance(error, KeyboardInterrupt | Interrupted) else FAILED


def _base(node: Node, context: Launch) -> Path:
    """Where the outputs of a node lie: `<key>/<execution>` below it."""
    return context.store.folder / "artifacts" / context.run.pipeline / node.name


def _highest_number(base: Path) -> int:
    """The highest number among the folders of a node. A store that is new, or older than its folders, does not know it."""
    names = (path.name.removesuffix(".tmp") for path in base.glob("*/*"))
    # SQLite counts up to 2**63.
    return max((int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 19), default=0)


def _remark_unseen(node: Node, context: Launch) -> None:
    """Says once what the code of several stages loads unseen."""
    sentence = unseen_loads(node, context.store)
    if sentence and sentence not in context.remarked:
        context.remarked.add(sentence)
        context.remark(node.name, sentence)


def _run_recorded(
    node: Node, inputs: dict[str, ArtifactRecord], print_: Fingerprint, context: Launch, began: float
) -> dict[str, ArtifactRecord]:
    """The outputs of a new execution, whose beginning and end the store records."""
    store, run = context.store, context.run
    # 4. Register RUNNING, so that a kill from here on leaves a trace.
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
        # Where the disk is full, the failure cannot be written down either: the next launch does it.
        with suppress(StoreError, OSError):
            _record_failure(node, execution, error, context)
        if isinstance(error, KerasvisionError) or not isinstance(error, Exception):
            raise
        raise _failed(node, error, context) from error
    _, outputs = store.finished(print_.key)
    return outputs


def _execute(
    node: Node, execution: int, inputs: dict[str, ArtifactRecord], print_: Fingerprint, context: Launch, began: float
) -> None:
    store = context.store
    base = _base(node, context)
    final = {key: kind(base / key / str(execution)) for key, kind in node.signature.outputs.items()}
    # 5. Run in folders of other names: what has the final name is whole.
    written = {key: type(artifact)(f"{artifact.uri}.tmp") for key, artifact in final.items()}
    ids = store.promise(execution, final)
    for artifact in written.values():
        artifact.uri.mkdir(parents=True)
    work = work_folder(node, print_.key, store, context.run.pipeline)
    origin = partial(lineage_of, inputs, store=store, run=context.run, node=node.name, execution=execution)
    _call(node, inputs, written, root=store.folder.parent, work=work, lineage=origin)
    if node.settings is not None and file_digests(node.settings.files(), store) != print_.files:
        raise StageError(f"the files that {node.name} reads changed while it read them", hint="run again")
    # 6. Flush, hash, rename: after a power cut the name stands for the whole content or does not exist.
    published = {}
    for key, artifact in written.items():
        flush_tree(artifact.uri)
        rename_into_place(artifact.uri, final[key].uri)
        final[key].properties.update(artifact.properties)
        published[ids[key]] = (final[key], _digest(final[key], store))
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
    lineage: Callable[[], dict[str, object]] = dict,
) -> None:
    """Runs the stage's function."""
    arguments = {key: record.open() for key, record in inputs.items()} | written
    if node.settings is not None:
        arguments["settings"] = node.settings
    places = {"root": lambda: root, "work": lambda: work, "lineage": lineage}
    node.function(**arguments, **{name: places[name]() for name in node.signature.places})


def shared_by(node: Node) -> str | None:
    """How the processes that run the stage together know of each other; None where one runs it alone."""
    return getattr(node.settings, "shared_by", None)


def _take_part(node: Node, done: Outputs, context: Launch, *, may_execute: bool, force: bool) -> Result:
    """Runs a stage beside the chief. What it writes here is thrown away: the chief publishes."""
    began = time.monotonic()
    store, run = context.store, context.run
    inputs = resolve_inputs(node, done, store, run.pipeline)
    print_ = fingerprint(node, {key: artifact.digest for key, artifact in inputs.items()}, store)
    outputs = None if force else reusable(node, print_.key, store)
    if outputs is not None:  # the chief finds it too, and does not wait for this worker
        store.reuse(pipeline=run.pipeline, run=run.id, node=node.name, inputs=inputs, outputs=outputs)
        return Result(node.name, outputs, reused=True, seconds=time.monotonic() - began)
    if not may_execute:
        raise _left_out(node)
    inputs |= resolve_history(node, print_.key, done, context)
    with tempfile.TemporaryDirectory(prefix="kerasvision-worker-") as folder:
        written = {key: kind(Path(folder) / key) for key, kind in node.signature.outputs.items()}
        for artifact in written.values():
            artifact.uri.mkdir()
        try:
            _call(node, inputs, written, root=store.folder.parent, work=Path(folder) / "work")
        except Exception as error:
            if isinstance(error, KerasvisionError):
                raise
            with suppress(OSError):
                _write_log(node, error, context)
            raise _failed(node, error, context) from error
    return Result(node.name, {}, reused=False, seconds=time.monotonic() - began, took_part=True)


def _clear_leavings(node: Node, context: Launch) -> None:
    """What killed executions of this node left: we hold its lock, so nobody is at work on it."""
    for execution in context.store.running(context.run.pipeline, node.name):
        folders = context.store.fail(execution, ITS_PROCESS_ENDED, killed=True)
        _remove(folders)


def _record_failure(node: Node, execution: int, error: BaseException, context: Launch) -> None:
    by_hand = isinstance(error, KeyboardInterrupt)
    text = "stopped by Ctrl-C" if by_hand else f"{type(error).__name__}: {_first_line(error)}"
    _remove(context.store.fail(execution, text, state=ending_state(error)))
    _write_log(node, error, context)


def _left_out(node: Node) -> StageError:
    return StageError(
        f"{node.name} has no result that fits these settings, and was left out of this run",
        hint="run it too: `kerasvision run` without --from and --only",
    )


def _failed(node: Node, error: BaseException, context: Launch) -> StageError:
    return StageError(
        f"{node.name} failed: {type(error).__name__}: {_first_line(error)}", hint=_story(log_file(node, context))
    )


def _write_log(node: Node, error: BaseException, context: Launch) -> None:
    log = log_file(node, context)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")


def _story(log: Path) -> str:
    return f"the whole story is in {log}" if log.exists() else "run with --traceback to see where"


def _remove(paths: list[Path]) -> None:
    for folder in paths:
        for path in (folder, folder.with_name(folder.name + ".tmp")):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _digest(artifact: Artifact, store: Store) -> str:
    return tree_digest([artifact.uri, *artifact.external_paths()], store)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "")
