"""Runs a packed run again in a fresh root, and compares the two."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kerasvision.config.hooks import Hooks
from kerasvision.config.loading import module_name
from kerasvision.config.runners import LOCAL
from kerasvision.errors import ConfigError
from kerasvision.pipeline.artifacts import Examples
from kerasvision.pipeline.changes import fingerprint_changes
from kerasvision.pipeline.comparison import Rows, scores_of
from kerasvision.pipeline.data_differences import data_differences
from kerasvision.pipeline.fingerprint import Fingerprint
from kerasvision.pipeline.headline import made, verdict
from kerasvision.pipeline.lineage import maker
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.local import RUNS_FOLDER, RunResult, run
from kerasvision.pipeline.pack import CODE, MANIFEST, MODULES, Pack, PackedStage, installed_packages
from kerasvision.pipeline.records import ArtifactRecord, ExecutionRecord
from kerasvision.pipeline.standard import load_recorded
from kerasvision.pipeline.store import Store, opened
from kerasvision.pipeline.tables import LIVE

# Keys of what is compared: the packed run, and the one in the fresh root.
THEN, NOW = "packed", "now"


@dataclass(frozen=True)
class Replay:
    """A packed run that was run again.

    Attributes:
        pack: the packed run.
        result: the new run.
        changes: what the stages depend on and is different now, a sentence each: code, files, settings, versions.
        packages: installed package -> THEN or NOW -> version, where they differ.
        data: what differs between the images, see `data_differences`.
        scores: split -> metric -> THEN or NOW -> score, where they differ.
        equal_scores: how many scores are exactly equal.
        verdicts: of the gate, THEN and NOW.
        same, other: stage and key of outputs whose content is the same, and is not: `trainer.model`.
    """

    pack: Pack
    result: RunResult
    changes: tuple[str, ...]
    packages: Rows
    data: Mapping[str, Mapping[str, str | int]]
    scores: Mapping[str, Rows]
    equal_scores: int
    verdicts: tuple[str, str]
    same: tuple[str, ...]
    other: tuple[str, ...]


def replay(pack: Pack, root: Path, *, listener: Listener | None = None, workers: int | None = 1) -> Replay:
    """Runs a packed run again and compares the two. The code of the pack is executed.

    Args:
        pack: the packed run.
        root: a folder that does not exist or is empty, or in which this pack was replayed before: finished stages are then
            reused. It gets `code/`, `runs/` and `saved_models/`.
        listener: receives the events.
        workers: how many stages may execute at the same time.

    Raises:
        ConfigError: the root has something else in it, or the settings are not valid here.
        KerasvisionError: as `run`.
    """
    if root.exists() and not _belongs_to(pack, root):
        raise ConfigError("a run is replayed in a fresh folder", received=str(root), hint="name a new one with --root")
    file = _unpacked(pack, root / CODE)
    pack = _renamed(pack, file)
    with _on_path(root / CODE / MODULES):
        pipeline = load_recorded(file, pack.request.experiment)
        # These are for the runs of whoever packed it.
        pipeline.hooks, pipeline.listeners = Hooks(), ()
        pipeline.object_store, pipeline.runner = None, LOCAL
        until = pack.request.only or pack.request.until
        result = run(pipeline, root=root, until=until, listener=listener, workers=workers)
    with opened(root / RUNS_FOLDER, read_only=True) as store:
        return _compared(pack, result, store, root)


def _belongs_to(pack: Pack, root: Path) -> bool:
    """Whether this is an empty folder, or one with the code of this pack."""
    if not root.is_dir():
        return False
    folder = root / CODE
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return not any(root.iterdir()) or {path.relative_to(folder).as_posix(): path.read_bytes() for path in files} == pack.code


@contextmanager
def _on_path(folder: Path) -> Iterator[None]:
    """Modules are first looked for in this folder: one of the same name in the current folder is not taken."""
    place = str(folder.absolute())
    sys.path.insert(0, place)
    try:
        yield
    finally:
        sys.path.remove(place)


def _unpacked(pack: Pack, folder: Path) -> Path:
    """Writes the packed code, and the manifest next to it; returns the path of the pipeline file."""
    for path, content in pack.code.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    if pack.manifest is not None:
        (folder.parent / MANIFEST).write_bytes(pack.manifest)
    return folder / pack.file


def _renamed(pack: Pack, file: Path) -> Pack:
    """The pack with the name that the module of its pipeline file has here, because the name depends on the path."""
    before, after = module_name(Path(pack.request.file)), module_name(file)

    def renamed(data: Any) -> Any:
        return json.loads(json.dumps(data).replace(before, after))

    stages = tuple(replace(one, parts=renamed(one.parts)) for one in pack.stages)
    return replace(pack, stages=stages, request=replace(pack.request, experiment=renamed(pack.request.experiment)))


def _compared(pack: Pack, result: RunResult, store: Store, root: Path) -> Replay:
    executions = {one.node: one for one in store.executions(store.run(result.id))}
    digests = {f"{node}.{key}": one.digest for node, run in executions.items() for key, one in run.outputs.items()}
    then = {f"{stage.name}.{key}": digest for stage in pack.stages for key, (_, digest) in stage.outputs.items()}
    both = [name for name in then if name in digests]
    now = scores_of(list(executions.values()))
    scores, equal = _scores(pack.scores, now)
    return Replay(
        pack=pack,
        result=result,
        changes=tuple(_changes(pack, executions, store)),
        packages=_packages(pack),
        data=_data(pack, list(executions.values()), root),
        scores=scores,
        equal_scores=equal,
        verdicts=(pack.verdict, verdict(executions.values())),
        same=tuple(name for name in both if then[name] == digests[name]),
        other=tuple(name for name in both if then[name] != digests[name]),
    )


def _changes(pack: Pack, executions: Mapping[str, ExecutionRecord], store: Store) -> Iterator[str]:
    """What stages depend on and is different now, with the stages. Inputs with other content are compared as outputs."""
    found: dict[str, list[str]] = {}
    for stage in pack.stages:
        if stage.name in executions and stage.parts:
            done = maker(executions[stage.name], store)
            for change in _changes_of(stage, Fingerprint.from_data(store.fingerprint(done.id))):
                found.setdefault(change, []).append(stage.name)
    yield from (f"{change} ({', '.join(nodes)})" for change, nodes in found.items())


def _changes_of(stage: PackedStage, now: Fingerprint) -> list[str]:
    shared = {name: digest for name, digest in now.inputs.items() if name in stage.parts["inputs"]}
    return fingerprint_changes({**stage.parts, "inputs": {**stage.parts["inputs"], **shared}}, now)


def _packages(pack: Pack) -> Rows:
    here = installed_packages()
    rows: Rows = {"python": {THEN: pack.python, NOW: sys.version.split()[0]}}
    for name in sorted(pack.packages.keys() | here.keys()):
        rows[name] = {key: found[name] for key, found in ((THEN, pack.packages), (NOW, here)) if name in found}
    return {name: row for name, row in rows.items() if row.get(THEN) != row.get(NOW)}


def _data(pack: Pack, executions: list[ExecutionRecord], root: Path) -> Mapping[str, Mapping[str, str | int]]:
    examples = next(made(executions, Examples.TYPE_NAME), None)
    if examples is None or not pack.examples:
        return {}
    # The manifest lies where that of examples would.
    packed = ArtifactRecord(0, Examples.TYPE_NAME, root, LIVE, pack.examples, {})
    return data_differences({THEN: packed, NOW: examples})


def _scores(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[dict[str, Rows], int]:
    """Split -> metric -> THEN or NOW -> score, where they differ; and how many are equal."""
    rows: dict[str, Rows] = {}
    equal = 0
    for key, found in ((THEN, then), (NOW, now)):
        for split, measured in found.get("splits", {}).items():
            for metric, score in measured["scores"].items():
                rows.setdefault(split, {}).setdefault(metric, {})[key] = score["score"]
    differing: dict[str, Rows] = {}
    for split, metrics in rows.items():
        for metric, row in metrics.items():
            if len(row) == 2 and row[THEN] == row[NOW]:
                equal += 1
            else:
                differing.setdefault(split, {})[metric] = row
    return differing, equal
