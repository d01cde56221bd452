"""Finds what a stopped execution of a stage left, and whether the next one can continue from it.

An execution keeps its work under the key of its fingerprint. So the next one finds it only if nothing changed that the
result depends on. This module finds out whether that is so, and if not, what changed.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from kerasvision.pipeline.changes import fingerprint_changes
from kerasvision.pipeline.fingerprint import Fingerprint
from kerasvision.pipeline.graph import Node
from kerasvision.pipeline.store import Store
from kerasvision.shortened import shortened

# The part of the work folder whose files are kept when the stage is done.
LOGS = "logs"
CHECKPOINT = re.compile(r"step-(\d+)")
MOST_CHANGES = 3


@dataclass(frozen=True)
class Unfinished:
    """The work of an execution that did not finish.

    Attributes:
        folder: of the work.
        what: what it is, such as "a checkpoint after step 40".
        changed: how the coming execution differs, a line each; empty if it continues from here.
    """

    folder: Path
    what: str
    changed: tuple[str, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether the next execution continues from it."""
        return not self.changed

    def sentence(self, node: str) -> str:
        """What happens to it, for a person.

        >>> Unfinished(Path("w"), "a checkpoint after step 40", ("version of keras: 3.14.0 -> 3.15.0",)).sentence("trainer")
        'trainer starts from the beginning: a checkpoint after step 40, in w, cannot be used: version of keras: 3.14.0 ->
         3.15.0'
        >>> Unfinished(Path("w"), "a checkpoint after step 40").sentence("trainer")
        'trainer continues from a checkpoint after step 40, in w'
        """
        if self.is_usable:
            return f"{node} continues from {self.what}, in {self.folder}"
        shown = shortened(self.changed, most=MOST_CHANGES, separator="; ")
        return f"{node} starts from the beginning: {self.what}, in {self.folder}, cannot be used: {shown}"


def unfinished_work(node: Node, print_: Fingerprint, store: Store, pipeline: str) -> Unfinished | None:
    """What a stopped execution of the node left: work under the same key, or else of its newest execution.

    Args:
        node: the stage.
        print_: of the coming execution.
        store: where runs are kept; it is only read.
        pipeline: the pipeline's name.
    """
    own = work_folder(node, print_.key, store, pipeline)
    if what := _work_in(own):
        return Unfinished(own, what)
    parts = store.unfinished_fingerprint(pipeline, node.name)
    if parts is None:
        return None
    before = work_folder(node, Fingerprint.from_data(parts).key, store, pipeline)
    what = _work_in(before)
    return Unfinished(before, what, tuple(fingerprint_changes(parts, print_))) if what else None


def work_folder(node: Node, key: str, store: Store, pipeline: str) -> Path:
    """The work folder, which executions with the same fingerprint share. After publishing, only logs stay there."""
    return store.folder / "work" / pipeline / node.name / key[:16]


def _work_in(folder: Path) -> str:
    """What is in a work folder, in a few words; "" if there is nothing that an execution could continue from."""
    checkpoints = folder / "checkpoints"
    steps = [CHECKPOINT.fullmatch(path.name) for path in checkpoints.iterdir()] if checkpoints.is_dir() else []
    if done := [int(step[1]) for step in steps if step]:
        return f"a checkpoint after step {max(done)}"
    trials = [path.parent for path in folder.glob("search/*/result.json")]
    trials += [path.parents[1] for path in folder.glob("search/*/checkpoints/step-*")]
    if trials:
        return f"{len(set(trials))} trials of a search"
    # A user's own stage may keep any file. Locks and logs do not count as work.
    others = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".tmp" and path.name != ".lock"]
    known = {LOGS, "checkpoints", "search"}
    return "unfinished work" if any(path.relative_to(folder).parts[0] not in known for path in others) else ""
