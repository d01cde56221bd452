"""The folder of a search: KerasTuner's layout, and the files that a killed search needs to resume.

search.json           identity of the search
oracle.json           KerasTuner's, like tuner0.json; every run overwrites it and none reads it
clock.json            running time of the search, over all its runs
trial_0000/
    trial.json        KerasTuner's
    result.json       our record; written when the trial has ended
    checkpoints/      removed when they are no longer needed
    logs/             history.csv and TensorBoard's files, with the settings for its HPARAMS page
seed_0/               the same, for the best settings with several seeds
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasvision.config.base import canonical_json
from kerasvision.dotted import changes
from kerasvision.errors import ConfigError
from kerasvision.tuning.records import TrialRecord
from kerasvision.whole_files import write_whole

IDENTITY, RESULT, CLOCK, CHECKPOINTS = "search.json", "result.json", "clock.json", "checkpoints"


class SearchFolder:
    """A search's folder.

    Args:
        path: created if it does not exist.
        identity: JSON-able; the folder belongs to this search if its identity is equal.

    Raises:
        ConfigError: the folder belongs to another search.
    """

    def __init__(self, path: Path, *, identity: Mapping[str, object]) -> None:
        self.path = path
        own = json.loads(canonical_json(identity))
        path.mkdir(parents=True, exist_ok=True)
        file = path / IDENTITY
        if not file.exists():
            if any(path.glob("trial_*")):
                raise ConfigError(f"{path} has trials, but no {IDENTITY} of their search", hint="choose another folder")
            write_json(file, own)
        found = _read(file)
        if found != own:
            raise ConfigError(
                f"the trials in {path} belong to another search: " + "; ".join(changes(found or {}, own)),
                hint="change this back, or remove the folder and search again",
            )

    def trial(self, id: str) -> Path:
        """The folder of a trial."""
        return self.path / f"trial_{id}"

    def result(self, folder: Path) -> TrialRecord | None:
        """The record of the trial in this folder; None if it has not ended."""
        data = _read(folder / RESULT)
        return None if data is None else TrialRecord.from_data(data)

    def save(self, folder: Path, record: TrialRecord) -> None:
        """Saves the record of a trial; from now on it is not tried again."""
        folder.mkdir(exist_ok=True)
        write_json(folder / RESULT, record.to_data())

    @property
    def seconds(self) -> float:
        """Running time of the search, over all its runs."""
        return float((_read(self.path / CLOCK) or {}).get("seconds", 0.0))

    @seconds.setter
    def seconds(self, seconds: float) -> None:
        write_json(self.path / CLOCK, {"seconds": seconds})


def copy_without_checkpoints(folder: Path, target: Path) -> None:
    """Copies a search's folder without the files that only a resumed search needs."""
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns(CHECKPOINTS, CLOCK, "*.tmp"))


def begin_from(parent: Path, folder: Path) -> None:
    """Gives a new trial the checkpoints of its parent, whose training it continues. Both share the files.

    It does nothing if the trial already has checkpoints, or if the parent no longer has any. In the second case the trial
    is trained from the beginning, with the same result.
    """
    source, target = parent / CHECKPOINTS, folder / CHECKPOINTS
    if target.exists() or not source.is_dir():
        return
    written = target.with_name(CHECKPOINTS + ".tmp")
    forget_checkpoints(folder)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, written, copy_function=_link, ignore=shutil.ignore_patterns(".lock", "*.tmp"))
    written.rename(target)


def forget_checkpoints(folder: Path) -> None:
    """Removes the checkpoints of a trial."""
    for name in (CHECKPOINTS, CHECKPOINTS + ".tmp"):
        shutil.rmtree(folder / name, ignore_errors=True)


def write_json(file: Path, data: object) -> None:
    """Writes a file that is complete or absent, also after a power cut."""
    text = json.dumps(data, indent=2) + "\n"
    write_whole(file, lambda beside: beside.write_text(text, encoding="utf-8"))


def _read(file: Path) -> dict[str, Any] | None:
    if not file.exists():
        return None
    data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return data


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)
