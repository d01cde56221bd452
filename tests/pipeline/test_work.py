"""The work folder of a stage: what a failed or killed execution leaves to the next one."""

from pathlib import Path

import pytest

from kerasvision.config.base import Config
from kerasvision.errors import StageError
from kerasvision.pipeline import fingerprint
from kerasvision.pipeline.artifacts import Examples, Out
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.local import run


class CountSettings(Config):
    until: int


def count(examples: Out[Examples], *, settings: CountSettings, work: Path) -> None:
    """Fails until it was tried a number of times."""
    tally = work / "steps" / "tally"
    tally.parent.mkdir(parents=True, exist_ok=True)
    with tally.open("a") as file:
        file.write("x")
    (work / "logs").mkdir(exist_ok=True)
    (work / "logs" / "log").write_text(tally.read_text())
    (work / "loose").touch()
    if len(tally.read_text()) < settings.until:
        raise RuntimeError("not yet")
    (examples.uri / "tries").write_text(tally.read_text())


def pipeline(until):
    made = Pipeline("counting")
    made.add(count, settings=CountSettings(until=until))
    return made


def tries(until, root, **options):
    return (run(pipeline(until), root=root, **options).artifact("count", "examples").uri / "tries").read_text()


def test_next_execution_with_the_same_fingerprint_finds_what_the_last_one_left(tmp_path):
    for _ in range(2):
        with pytest.raises(StageError, match="not yet"):
            run(pipeline(3), root=tmp_path)
    assert tries(3, tmp_path) == "xxx"


def test_other_settings_do_not_see_it(tmp_path):
    with pytest.raises(StageError):
        run(pipeline(3), root=tmp_path)
    assert tries(1, tmp_path) == "x"


def test_forced_execution_begins_anew(tmp_path):
    with pytest.raises(StageError):
        run(pipeline(2), root=tmp_path)
    with pytest.raises(StageError):
        run(pipeline(2), root=tmp_path, force=True)
    assert tries(2, tmp_path) == "xx"


def test_only_logs_stay_when_the_stage_is_done(tmp_path):
    tries(1, tmp_path)
    left = [path.relative_to(tmp_path / "runs" / "work") for path in (tmp_path / "runs" / "work").rglob("*")]
    assert [path.parts[-2:] for path in left if len(path.parts) > 3] == [(left[-1].parts[2], "logs"), ("logs", "log")]


# --- The work of a stopped execution is named before the next one starts


class Remarks(Listener):
    """Keeps the remarks for a person."""

    def __init__(self):
        self.heard = []

    def remark(self, node, sentence):
        self.heard.append(sentence)


def remarks(made, root):
    """What a run says about a stage that fails again."""
    listener = Remarks()
    with pytest.raises(StageError):
        run(made, root=root, listener=listener)
    return listener.heard


def test_run_says_that_it_goes_on_from_unfinished_work(tmp_path):
    assert remarks(pipeline(9), tmp_path) == []
    (folder,) = (tmp_path / "runs" / "work" / "counting" / "count").iterdir()
    assert remarks(pipeline(9), tmp_path) == [f"count continues from unfinished work, in {folder}"]
    for step in ("step-00000007", "step-00000040", "step-00000099.tmp"):
        (folder / "checkpoints" / step).mkdir(parents=True)
    assert remarks(pipeline(9), tmp_path) == [f"count continues from a checkpoint after step 40, in {folder}"]


def test_run_says_why_it_begins_anew_although_a_checkpoint_lies_there(tmp_path, monkeypatch):
    remarks(pipeline(9), tmp_path)
    (folder,) = (tmp_path / "runs" / "work" / "counting" / "count").iterdir()
    (folder / "checkpoints" / "step-00000040").mkdir(parents=True)
    newer = {**fingerprint.library_versions(), "keras": "99.0"}
    was = fingerprint.library_versions()["keras"]
    monkeypatch.setattr(fingerprint, "library_versions", lambda: newer)
    begins = f"count starts from the beginning: a checkpoint after step 40, in {folder}, cannot be used"
    assert remarks(pipeline(9), tmp_path) == [f"{begins}: version of keras: {was} -> 99.0"]


def test_work_that_a_later_execution_made_needless_is_not_named(tmp_path):
    remarks(pipeline(9), tmp_path)
    tries(1, tmp_path)
    assert remarks(pipeline(8), tmp_path) == []


def test_locks_and_logs_are_no_work_to_go_on_from(tmp_path):
    remarks(pipeline(9), tmp_path)
    (folder,) = (tmp_path / "runs" / "work" / "counting" / "count").iterdir()
    (folder / "steps" / "tally").unlink()
    (folder / "loose").unlink()
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / ".lock").touch()
    assert remarks(pipeline(9), tmp_path) == []
