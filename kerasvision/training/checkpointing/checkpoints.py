"""The checkpoints of a training on disk. They are complete or absent, and the newest two are kept.

    <folder>/step-00001200/    (see checkpoint_files)
             step-00001234/

A checkpoint is written under another name, flushed to the disk and renamed; only then the oldest is removed. So a kill or a
full disk at any moment leaves a readable checkpoint.
"""

import errno
import json
import re
import shutil
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from filelock import FileLock, Timeout

from kerasvision.config.base import canonical_json
from kerasvision.dotted import changes
from kerasvision.errors import ConfigError, StageError
from kerasvision.training.checkpointing.checkpoint_files import (
    FORMAT,
    Damaged,
    read_contents,
    read_manifest,
    write_checkpoint,
)
from kerasvision.whole_files import flush, rename_into_place

# The step; ".old" while it is being replaced; ".tmp" while it is being written or removed.
NAME = r"step-(\d+)(\.old)?(\.tmp)?"
# If the newest is damaged, there is another one.
KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after `step` steps.

    Attributes:
        step: steps done, over all epochs.
        arrays: name -> array, of any shape and dtype.
        state: the other saved data.
        notes: a sentence for each newer checkpoint that was skipped because it is damaged.
    """

    step: int
    arrays: dict[str, np.ndarray]
    state: dict[str, Any]
    notes: tuple[str, ...] = ()


class Checkpoints:
    """The checkpoints of one training.

    Only one process at a time can save: it holds a lock from its first `save` until `release`, the end of a `with`, or the
    end of the process. A failure that does not have to stop the training becomes a warning and a note.

    Args:
        folder: of the checkpoints.
        identity: JSON-able; a checkpoint belongs to this training if its identity is equal.

    Attributes:
        notes: a sentence for each failure so far.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Checkpoints(Path(folder), identity={"seed": 0}) as checkpoints:
    ...     checkpoints.save({"weight": np.ones(2)}, {"epoch": 1}, step=10).name
    ...     found = checkpoints.latest()
    'step-00000010'
    >>> found.step, found.state, found.arrays
    (10, {'epoch': 1}, {'weight': array([1., 1.])})
    """

    def __init__(self, folder: Path, *, identity: Mapping[str, Any]) -> None:
        self.folder, self.identity = folder, json.loads(canonical_json(identity))
        self.notes: list[str] = []
        self._failed = 0
        self._lock = FileLock(folder / ".lock", thread_local=False)

    def __enter__(self) -> Self:
        self.claim()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        if self._failed:
            self._note(f"{self._failed} checkpoints of this training could not be saved in {self.folder}.")

    def claim(self) -> None:
        """Creates the folder and locks it, so that no other process saves there.

        Raises:
            StageError: another process has the lock, or the folder cannot be written.
        """
        if self._lock.is_locked:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            flush(self.folder.parent)
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise StageError(
                f"another training is running in {self.folder}", hint="wait for it, or end its process"
            ) from error
        except OSError as error:
            raise StageError(f"{self.folder} cannot be written: {error.strerror}", hint=_way_out(error)) from error

    def release(self) -> None:
        """Unlocks the folder for other processes."""
        self._lock.release()

    def save(self, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any], *, step: int) -> Path:
        """Writes the checkpoint of a step, and then removes those that are no longer kept.

        It also removes checkpoints of later steps: this training has not reached them.

        Args:
            arrays: numbers, booleans and strings, of any shape and dtype.
            state: JSON-able.
            step: steps done.

        Returns:
            The checkpoint's folder.

        Raises:
            StageError: it could not be written, and the earlier checkpoints are unchanged; or another process saves here.
        """
        self.claim()
        final = self.folder / f"step-{step:08d}"
        try:
            self._write(final, arrays, state, step=step)
        except OSError as error:
            with suppress(OSError):
                _remove(_beside(final, ".tmp"))
            raise StageError(
                f"the checkpoint of step {step} could not be saved in {self.folder}: {error.strerror}",
                hint=f"{_way_out(error)}; the earlier checkpoints are unchanged",
            ) from error
        self._remove_others(step)
        return final

    def try_save(self, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any], *, step: int) -> Path | None:
        """`save`, but with a warning if the disk cannot be written: that must not end a training of days.

        At the end of a `with`, a warning gives the number of these failures.

        Args:
            arrays: numbers, booleans and strings, of any shape and dtype.
            state, step: as in `save`.

        Returns:
            The checkpoint's folder; None if it could not be written.

        Raises:
            StageError: another process saves here, or a value cannot be stored in a checkpoint.
        """
        self.claim()
        try:
            return self.save(arrays, state, step=step)
        except StageError as error:
            if not isinstance(error.__cause__, OSError):
                raise
            self._failed += 1
            self._note(str(error))
            return None

    def latest(self) -> Checkpoint | None:
        """The newest intact checkpoint, or None. Damaged ones are skipped, with a warning.

        Raises:
            ConfigError: the checkpoint belongs to another training, or to another version of kerasvision.
            StageError: the checkpoint cannot be read at the moment.
        """
        passed_over: list[str] = []
        found = None
        for folder in self._folders():
            try:
                found = self._read(folder, tuple(passed_over))
                break
            except Damaged as damage:
                passed_over.append(f"The checkpoint {folder} is damaged ({damage}) and was skipped.")
                self._note(passed_over[-1])
            except OSError as error:
                raise StageError(f"{folder} cannot be read: {error.strerror}", hint=_way_out(error)) from error
        return found

    def _note(self, note: str) -> None:
        self.notes.append(note)
        warnings.warn(note, stacklevel=3)

    def _write(self, final: Path, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any], *, step: int) -> None:
        written, old = _beside(final, ".tmp"), _beside(final, ".old")
        _remove(written)
        write_checkpoint(written, arrays, state, step=step, identity=self.identity)
        if final.exists():
            # A folder cannot replace another one in a single step. The old one has this name until the new one is in place.
            _remove(old)
            final.rename(old)
        rename_into_place(written, final)

    def _read(self, folder: Path, notes: tuple[str, ...]) -> Checkpoint:
        manifest = read_manifest(folder)
        if manifest["format"] != FORMAT:
            raise ConfigError(
                f"this version of kerasvision reads checkpoints of format {FORMAT}, and {folder} has another format",
                received=manifest["format"],
                hint="resume with the version that wrote it, or remove the folder and train again",
            )
        if manifest["identity"] != self.identity:
            raise ConfigError(
                f"the checkpoints in {self.folder} belong to another training: "
                + "; ".join(changes(manifest["identity"], self.identity)),
                hint="change this back, or remove the folder and train again",
            )
        arrays, state = read_contents(folder, manifest)
        return Checkpoint(manifest["step"], arrays, state, notes)

    def _folders(self) -> list[Path]:
        """Newest first; for the same step, the new one before the old one."""
        if not self.folder.is_dir():
            return []
        found = {path: re.fullmatch(NAME, path.name) for path in self.folder.iterdir()}
        places = {path: (int(match[1]), not match[2]) for path, match in found.items() if match and not match[3]}
        return sorted(places, key=lambda path: places[path], reverse=True)

    def _remove_others(self, step: int) -> None:
        """Removes all but the newest up to this step, and the remains of failed or killed saves."""
        newest = [path for path in self._folders() if path.suffix != ".old" and int(path.name[5:]) <= step][:KEPT]
        for path in self.folder.iterdir():
            if re.fullmatch(NAME, path.name) and path not in newest:
                try:
                    _discard(path)
                except OSError as error:
                    self._note(f"{path} is no longer needed, but could not be removed: {error.strerror}.")


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _discard(path: Path) -> None:
    """Renames a checkpoint and removes it, so that one that is half removed does not have a checkpoint's name."""
    if path.suffix != ".tmp":
        _remove(_beside(path, ".tmp"))
        path = path.rename(_beside(path, ".tmp"))
    _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)


def _way_out(error: OSError) -> str:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "free some space on that disk"
        case errno.EMFILE | errno.ENFILE:
            return "raise the limit of open files (`ulimit -n`)"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "make the folder writable, or choose another place with --root"
        case _:
            return "check that disk for errors"
