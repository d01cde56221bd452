"""`kerasvision runs resume` continues a run with the settings that it had, and says what has changed since."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kerasvision.cli import app
from kerasvision.errors import ConfigError, DataError
from kerasvision.pipeline.records import RunRecord
from kerasvision.pipeline.store import opened

# Its training writes how many epochs it was asked for, and fails while there is a file named broken.
PIPELINE = """
from pathlib import Path

from kerasvision import config as c
from kerasvision.config.base import Config
from kerasvision.errors import DataError
from kerasvision.pipeline.artifacts import Examples, Model, Out
from kerasvision.pipeline.graph import Pipeline

EXPERIMENT = c.Experiment(
    name="small",
    source=c.Digits(),
    transform=c.Transform(image_size=(32, 32)),
    task=c.Classification(),
    model=c.Model(name="lenet5"),
    training=c.Training(epochs=1),
)


class TrainSettings(Config):
    epochs: int


def read(examples: Out[Examples]) -> None:
    (examples.uri / "images.txt").write_text("cat")


def train(examples: Examples, model: Out[Model], *, settings: TrainSettings) -> None:
    if Path("broken").exists():
        raise DataError("it is broken")
    (model.uri / "epochs.txt").write_text(str(settings.epochs))


def last(model: Model, other: Out[Model]) -> None:
    (other.uri / "done.txt").write_text("done")


def pipeline(experiment):
    made = Pipeline(experiment.name)
    examples = made.add(read).examples
    model = made.add(train, examples=examples, settings=TrainSettings(epochs=experiment.training.epochs)).model
    made.add(last, model=model)
    return made
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a pipeline file whose training fails."""
    monkeypatch.chdir(tmp_path)
    Path("small.py").write_text(PIPELINE)
    Path("broken").touch()
    return tmp_path


def kerasvision(*words):
    done = CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def listed():
    return [json.loads(line) for line in kerasvision("runs", "list", "--json").stdout.splitlines()]


def failed_run(*words):
    with pytest.raises(DataError, match="it is broken"):
        kerasvision("run", "small.py", "--workers", 1, *words)
    return listed()[0]["run"]


def epochs():
    return [file.read_text() for file in sorted(Path("runs/artifacts/small/train/model").glob("*/epochs.txt"))]


def test_a_run_goes_on_with_the_settings_that_it_had(folder):
    failed = failed_run("--set", "training.epochs=3", "--until", "train")
    Path("broken").unlink()
    Path("small.py").write_text(PIPELINE.replace("epochs=1)", "epochs=50)").replace('"cat"', '"dog"'))
    said = kerasvision("runs", "resume").stdout
    assert epochs() == ["3"]
    first, *changes = said.partition("\n stage")[0].splitlines()
    assert re.fullmatch(rf"run {failed} of small, [\d: -]+: failed; going on", first)
    assert changes[0] == f"  {folder / 'small.py'} has changed since; the settings that it has now are not used"
    assert re.fullmatch(r"  source file kerasvision_pipeline_\w+: content changed \(read\)", changes[1])
    assert listed()[0]["stages"] == {"read": "ran", "train": "ran"}


def test_stages_that_finished_are_reused_if_nothing_changed(folder):
    failed_run()
    Path("broken").unlink()
    said = kerasvision("runs", "resume").stdout
    assert said.count("\n  ") == 0
    assert listed()[0]["stages"] == {"read": "reused", "train": "ran", "last": "ran"}


def test_the_run_to_resume_is_the_newest_that_no_later_run_has_made_good(folder):
    older = failed_run("--set", "training.epochs=2")
    failed_run("--set", "training.epochs=3")
    Path("broken").unlink()
    kerasvision("run", "small.py", "--set", "training.epochs=3", "--workers", 1)
    assert f"run {older} of small" in kerasvision("runs", "resume").stdout
    assert epochs() == ["3", "2"]
    with pytest.raises(ConfigError, match=r"no run of a pipeline here waits to be resumed\. `kerasvision runs list`"):
        kerasvision("runs", "resume")


def test_a_later_run_of_all_stages_makes_the_results_of_one_with_until(folder):
    failed_run("--until", "train")
    Path("broken").unlink()
    kerasvision("run", "small.py", "--workers", 1)
    with pytest.raises(ConfigError, match="no run of a pipeline here waits to be resumed"):
        kerasvision("runs", "resume")


def test_a_later_run_of_fewer_stages_does_not_make_the_results_of_one_of_all(folder):
    failed = failed_run()
    Path("broken").unlink()
    kerasvision("run", "small.py", "--workers", 1, "--until", "train")
    assert f"run {failed} of small" in kerasvision("runs", "resume").stdout


def test_a_run_that_cannot_be_resumed_does_not_hide_an_older_one(folder):
    older = failed_run("--set", "training.epochs=2")
    forced = failed_run("--force")
    Path("broken").unlink()
    first, second, *_ = kerasvision("runs", "resume").stdout.splitlines()
    assert first.startswith(f"run {older} of small")
    assert second.startswith(f"  a newer run is skipped: run {forced} was forced, so it cannot be resumed")
    with pytest.raises(ConfigError, match=f"run {forced} was forced"):
        kerasvision("runs", "resume")


def test_a_resumed_run_that_fails_again_can_be_resumed(folder):
    failed_run("--set", "training.epochs=2")
    with pytest.raises(DataError, match="it is broken"):
        kerasvision("runs", "resume")
    Path("broken").unlink()
    kerasvision("runs", "resume")
    assert epochs() == ["2"]


def test_a_run_that_finished_is_refused(folder):
    Path("broken").unlink()
    kerasvision("run", "small.py", "--workers", 1)
    with pytest.raises(ConfigError, match=r"has finished, so there is nothing to resume"):
        kerasvision("runs", "resume", "latest")


def test_a_run_that_was_forced_is_refused(folder):
    forced = failed_run("--force")
    with pytest.raises(ConfigError, match=rf"run {forced} was forced, .* Start it again with `kerasvision run .*--force`"):
        kerasvision("runs", "resume", forced)


def test_a_run_of_another_folder_is_refused(folder, monkeypatch):
    failed_run()
    (folder / "other").mkdir()
    monkeypatch.chdir(folder / "other")
    with pytest.raises(ConfigError, match=rf"in the folder in which it was started.*received .*other'\. Change to {folder}"):
        kerasvision("runs", "resume", "--root", folder)


@pytest.mark.parametrize(
    ("purpose", "ends", "error"),
    [
        ("run", True, "has no record of its settings, so it cannot be resumed"),
        ("run", False, "still runs, in process"),
        ("tune", True, "was part of `kerasvision tune`, and only a run of a pipeline can be resumed"),
    ],
)
def test_a_run_that_cannot_be_asked_for_again_is_refused(purpose, ends, error, folder):
    with opened(folder / "runs") as store:
        record = RunRecord("20261129-080000-abcd", "small", 0, purpose)
        store.start_run(record)
        if ends:
            store.end_run(record, 4)
        with pytest.raises(ConfigError, match=error):
            kerasvision("runs", "resume", "20261129")


def test_settings_that_this_version_rejects_are_named(folder):
    failed_run()
    with opened(folder / "runs") as store:
        store.database.execute_sql(
            "UPDATE ContextProperty SET string_value = replace(string_value, '\"epochs\":1,', '\"epocs\":1,') "
            "WHERE name = 'request'"
        )
    with pytest.raises(ConfigError, match="Training has no field 'epocs'; did you mean 'epochs'"):
        kerasvision("runs", "resume")
