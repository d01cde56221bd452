"""Finds what earlier runs left and nothing needs any more, and removes it.

Kept is what the newest runs read and wrote; what a pushed model that is still in `saved_models/` came from; the newest
blessed model of each pipeline, which a gate compares with; and everything of runs that may still be going on. Each of these
is kept with all that it was made from.

Removal has three steps, so that a kill at any moment, or a run that begins meanwhile, does no harm:

1. One transaction decides and marks. A run registers what it reuses in a transaction too, which accepts only artifacts
   without a mark. So one of the two comes first, and the other sees it.
2. The marked folders are removed. A later removal continues with those that a killed one left.
3. The artifacts are recorded as deleted. Their rows stay, so `lineage`, `why` and `compare` still know them.

Copies in object stores follow the same rules: a copy is removed after its folder, unless another artifact that stays has the
same content. Only the artifacts of this root count, so roots that remove garbage must not share a folder of an object store.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from kerasvision.disk import refused
from kerasvision.pipeline import tables as t
from kerasvision.pipeline.copies import digest_in, remove_copy
from kerasvision.pipeline.locks import FETCHING, alone_now
from kerasvision.pipeline.provenance import KnownRun, Provenance
from kerasvision.pipeline.store import Store
from kerasvision.pipeline.tables import now_ms

KEY_LETTERS = 16


@dataclass(frozen=True)
class Keep:
    """What a person wants to keep. A run that both rules keep is kept once; a rule that is None keeps nothing.

    Attributes:
        runs: of each pipeline, and of each command that ran it, the newest finished runs and all that are newer.
        younger_than: runs that began within this time.
    """

    runs: int | None = None
    younger_than: timedelta | None = None

    def kept(self, runs: tuple[KnownRun, ...]) -> list[KnownRun]:
        """The kept ones of all runs, newest first."""
        finished: Counter[tuple[str, str]] = Counter()
        since = now_ms() - self.younger_than / timedelta(milliseconds=1) if self.younger_than is not None else None
        found = []
        for run in runs:
            kind = (run.pipeline, run.purpose)
            is_new = self.runs is not None and finished[kind] < self.runs
            finished[kind] += run.state == t.COMPLETE
            if run.may_go_on or is_new or (since is not None and run.started_ms >= since):
                found.append(run)
        return found


@dataclass(frozen=True)
class Needs:
    """What is needed, and why.

    Attributes:
        artifacts: number of an artifact -> the first reason, such as "pushed".
        runs: "<pipeline>/<run id>" of the kept runs.
        keys: the beginnings of the keys whose work folders are needed.
    """

    artifacts: Mapping[int, str]
    runs: frozenset[str]
    keys: frozenset[str]


@dataclass
class Garbage:
    """What can be removed, with sizes in bytes; all paths but addresses are below `runs/`.

    Attributes:
        artifacts: folder -> size of artifacts of earlier runs.
        remains: folder -> size of what killed stages or killed removals left.
        work: folder -> size of unfinished work and logs of stages that nothing continues from.
        records: file or folder -> size of tracebacks and reports of earlier runs.
        copies: address -> size of the copies of such artifacts in object stores.
    """

    artifacts: dict[str, int] = field(default_factory=dict)
    remains: dict[str, int] = field(default_factory=dict)
    work: dict[str, int] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    copies: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """All of it on this disk, in bytes."""
        return sum(sum(part.values()) for part in (self.artifacts, self.remains, self.work, self.records))

    def paths(self) -> list[str]:
        """All of it, sorted."""
        return sorted([*self.artifacts, *self.remains, *self.work, *self.records, *self.copies])


def needs(known: Provenance, keep: Keep, *, root: Path) -> Needs:
    """What is needed.

    Args:
        known: the history.
        keep: what a person wants to keep.
        root: the folder of `runs/` and `saved_models/`.
    """
    kept = keep.kept(known.runs)
    reasons: dict[int, str] = {}

    def need(why: str, artifacts: Iterator[int]) -> None:
        for artifact in known.with_ancestors(artifacts):
            reasons.setdefault(artifact, why)

    need("pushed", _pushed(known, root))
    need("blessed", _newest_blessed(known))
    need(
        "runs", (artifact for run in kept for one in run.executions for artifact in (*known.reads[one], *known.writes[one]))
    )
    need("running", (artifact for one in known.alive for artifact in (*known.reads[one], *known.writes[one])))
    executions = {one for run in kept for one in run.executions} | {known.makers[a] for a in reasons if a in known.makers}
    keys = {known.keys[one][:KEY_LETTERS] for one in executions | _unfinished(known) if one in known.keys}
    return Needs(reasons, frozenset(f"{run.pipeline}/{run.id}" for run in kept), frozenset(keys))


def find_garbage(store: Store, keep: Keep) -> Garbage:
    """What `remove_garbage` would remove now; nothing is changed."""
    known = store.provenance()
    return _garbage(known, needs(known, keep, root=store.folder.parent), store.folder)


def remove_garbage(store: Store, keep: Keep) -> Garbage:
    """Removes what is not needed.

    What a stage is using at this moment stays: its lock says so.

    Returns:
        What was removed.

    Raises:
        StoreError: the store or a folder cannot be written, or an object store does not answer. A later removal continues.
    """
    root = store.folder.parent

    def unneeded(known: Provenance) -> set[int]:
        needed = needs(known, keep, root=root).artifacts
        return {number for number, one in known.artifacts.items() if one.state == t.LIVE and number not in needed}

    store.mark_for_deletion(unneeded)
    known = store.provenance()
    found = _garbage(known, needs(known, keep, root=root), store.folder)
    removed = Garbage()
    with ExitStack() as locks:
        is_fetching = not locks.enter_context(alone_now(store.folder, FETCHING))
        makers = {
            address: _stage_of(one.uri) for n, one in known.artifacts.items() for address in known.copies(n, half=True)
        }
        stages = [*map(_stage_of, found.paths()), *(makers[address] for address in found.copies)]
        busy = _busy_stages(stages, store.folder, locks)
        for name in ("artifacts", "remains", "work", "records"):
            for path, size in getattr(found, name).items():
                # A finished artifact that is being fetched has a temporary folder too.
                if _stage_of(path) not in busy and not (is_fetching and path.endswith(".tmp")):
                    _remove(store.folder / path)
                    getattr(removed, name)[path] = size
        for address, size in found.copies.items():
            # A run may have made the same content meanwhile.
            new = [n for n in store.with_digest(digest_in(address)) if not known.is_live(n)]
            if makers[address] not in busy and not new:
                remove_copy(address)
                removed.copies[address] = size
    left = found.copies.keys() - removed.copies.keys()
    store.mark_deleted(
        number
        for number, one in known.artifacts.items()
        if one.state == t.MARKED_FOR_DELETION
        and not (store.folder / one.uri).exists()
        and left.isdisjoint(known.copies(number, half=True))
    )
    return removed


def folder_size(path: Path) -> int:
    """The bytes of a file, or of all files below a folder; links are not followed."""
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_size if path.is_symlink() or path.exists() else 0
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            # A running stage may remove it meanwhile.
            with suppress(OSError):
                total += (Path(folder) / name).lstat().st_size
    return total


def _garbage(known: Provenance, needed: Needs, runs: Path) -> Garbage:
    found = Garbage()
    by_uri = {one.uri: one for one in known.artifacts.values()}
    in_use = {
        known.artifacts[number].uri for one in known.alive for number in known.writes[one] if number in known.artifacts
    }
    for path in _folders(runs / "artifacts", depth=4):
        uri = path.relative_to(runs).as_posix()
        of_artifact = by_uri.get(uri.removesuffix(".tmp"))
        if of_artifact is not None and of_artifact.uri in in_use:
            continue
        if of_artifact is not None and of_artifact.uri == uri and of_artifact.state == t.LIVE:
            if of_artifact.id not in needed.artifacts:
                found.artifacts[uri] = folder_size(path)
        elif of_artifact is not None and of_artifact.uri == uri and of_artifact.state == t.MARKED_FOR_DELETION:
            found.artifacts[uri] = folder_size(path)
        elif path.name.removesuffix(".tmp").isdigit():
            found.remains[uri] = folder_size(path)
    for path in _folders(runs / "work", depth=3):
        if path.name not in needed.keys:
            found.work[path.relative_to(runs).as_posix()] = folder_size(path)
    known_runs = {f"{run.pipeline}/{run.id}" for run in known.runs}
    for path in _folders(runs / "logs", depth=2):
        if (name := path.relative_to(runs / "logs").as_posix()) in known_runs - needed.runs:
            found.records[f"logs/{name}"] = folder_size(path)
    reports = {run.rpartition("/")[2]: run for run in known_runs}
    for path in sorted((runs / "reports").glob("*.html")):
        if path.stem in reports and reports[path.stem] not in needed.runs:
            found.records[f"reports/{path.name}"] = folder_size(path)
    found.copies = _copies(known, needed)
    return found


def _copies(known: Provenance, needed: Needs) -> dict[str, int]:
    """Address -> size of the copies that nothing needs. One copy may belong to several artifacts."""
    unneeded: dict[str, int] = {}
    kept: set[str] = set()
    # Artifacts with copies are among those with properties: most have none.
    for number in known.properties.keys() & known.artifacts.keys():
        copies, state = known.copies(number, half=True), known.artifacts[number].state
        if state == t.LIVE and number in needed.artifacts:
            kept |= copies.keys()
        elif state in (t.LIVE, t.MARKED_FOR_DELETION):
            unneeded |= copies
    return {address: size for address, size in unneeded.items() if address not in kept}


def _pushed(known: Provenance, root: Path) -> Iterator[int]:
    """Records of pushes whose version is still there."""
    for number, recorded in known.properties.items():
        destination = recorded.get("pushed_destination")
        if known.is_live(number) and recorded.get("pushed") == 1 and (root / str(destination)).exists():
            yield number


def _newest_blessed(known: Provenance) -> Iterator[int]:
    """The blessing of the newest blessed model of each pipeline, as long as its SavedModel is there."""
    blessed = (number for number, recorded in known.properties.items() if recorded.get("blessed") == 1)
    made = ((known.makers[number], number) for number in blessed if number in known.makers and known.is_live(number))
    newest: dict[str, int] = {}
    for execution, number in sorted(made, reverse=True):
        is_known = known.artifacts[number].type == "ModelBlessing" and execution in known.nodes
        if is_known and newest.setdefault(known.nodes[execution][0], execution) == execution:
            yield number


def _unfinished(known: Provenance) -> set[int]:
    """The newest execution of each stage, if it did not finish: the next one may continue from its work."""
    newest: dict[tuple[str, str], int] = {}
    for execution, node in known.nodes.items():
        if execution > newest.get(node, 0) and known.states.get(execution) != t.CACHED:
            newest[node] = execution
    return {execution for execution in newest.values() if known.states.get(execution) != t.COMPLETE}


def _folders(base: Path, *, depth: int) -> Iterator[Path]:
    """The folders at this depth, sorted. Files, and folders that are links, are nobody's output."""
    yield from (path for path in sorted(base.glob("/".join("*" * depth))) if path.is_dir() and not path.is_symlink())


def _stage_of(path: str) -> str:
    """The name of the lock of the stage that writes below this path; empty for records of a run."""
    kind, pipeline, stage, *_ = [*path.split("/"), "", ""]
    return f"{pipeline}.{stage}" if kind in ("artifacts", "work") else ""


def _busy_stages(stages: Iterable[str], runs: Path, locks: ExitStack) -> set[str]:
    """The stages that another process is launching; the locks of the others are held until `locks` ends."""
    return {stage for stage in sorted({*stages} - {""}) if not locks.enter_context(alone_now(runs, stage))}


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise (refused(error, file=path) or error) from error
