"""The folder of a search: KerasTuner's layout, and beside it what a killed search needs to go on.

search.json           whose folder this is
oracle.json           KerasTuner's, as tuner0.json; written anew by every run, never read
clock.json            how long the search has been at work, over all its runs
trial_0000/
    trial.json        KerasTuner's
    result.json       our record; it is there when the trial has ended
    checkpoints/      until nobody needs them any more
    logs/             history.csv and TensorBoard's, with the settings for its HPARAMS page
seed_0/               likewise, of the best settings with several seeds
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
        path: made where it does not exist.
        identity: JSON-able; what must be equal for the trials in it to be this search's.

    Raises:
        ConfigError: it holds another search.
    """

    def __init__(self, path: Path, *, identity: Mapping[str, object]) -> None:
        self.path = path
        own = json.loads(canonical_json(identity))
        path.mkdir(parents=True, exist_ok=True)
        file = path / IDENTITY
        if not file.exists():
            if any(path.glob("trial_*")):
                raise ConfigError(f"{path} holds trials, and does not say of which search", hint="choose another folder")
            write_json(file, own)
        found = _read(file)
        if found != own:
            raise ConfigError(
                f"the trials in {path} are of another search: " + "; ".join(changes(found or {}, own)),
                hint="set that back, or remove the folder and search anew",
            )

    def trial(self, id: str) -> Path:
        """The folder of a trial."""
        return self.path / f"trial_{id}"

    def result(self, folder: Path) -> TrialRecord | None:
        """What came of the trial of that folder; None where it has not ended."""
        data = _read(folder / RESULT)
        return None if data is None else TrialRecord.from_data(data)

    def save(self, folder: Path, record: TrialRecord) -> None:
        """Notes what came of a trial; from now on it is not tried again."""
        folder.mkdir(exist_ok=True)
        write_json(folder / RESULT, record.to_data())

    @property
    def seconds(self) -> float:
        """How long the search has been at work, over all its runs."""
        return float((_read(self.path / CLOCK) or {}).get("seconds", 0.0))

    @seconds.setter
    def seconds(self, seconds: float) -> None:
        write_json(self.path / CLOCK, {"seconds": seconds})


def copy_without_checkpoints(folder: Path, target: Path) -> None:
    """Copies a search's folder, but for what only a search that goes on needs."""
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns(CHECKPOINTS, CLOCK, "*.tmp"))


def begin_from(parent: Path, folder: Path) -> None:
    """Gives a new trial the checkpoints of another, whose training it goes on with. The files are shared.

    One that has its own already is left alone; where the other has none any more, so is the new one: it is then trained from
    its beginning, with the same result.
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
    """Writes a file that is whole or not there, also after a power cut."""
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
