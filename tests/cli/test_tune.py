"""`tune PIPELINE` and `tune --show`: what they run, print and reject. A fast fake replaces the search itself."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kerasvision.cli import app

DIGITS = Path(__file__).parents[2] / "pipelines" / "digits.py"
STAGES = """
from kerasvision.config.stages import TunerSettings
from kerasvision.pipeline.artifacts import HyperParameters, Out, Schema


def tuner(best_hyperparameters: Out[HyperParameters], *, settings: TunerSettings) -> None:
    from kerasvision.tuning.records import SearchResult, TrialRecord
    from kerasvision.tuning.table import trials_table

    rate, kind = "training.optimizer.learning_rate", "training.optimizer"
    trials = tuple(
        TrialRecord(f"{number:04d}", "COMPLETED", number / 100, 7.0, 2, 1, {rate: 10.0**-number, kind: "[bold]sgd"})
        for number in range(settings.search.trials)
    )
    table = trials_table(SearchResult(dict(trials[-1].values), trials, "val_accuracy", "max"))
    table.to_csv(best_hyperparameters.trials, index=False)


def trainer(hyperparameters: HyperParameters, schema: Out[Schema]) -> None:
    schema.file.write_text("trained")
"""
PIPELINE = """
from kerasvision import config as c
from kerasvision.config.stages import stage_settings
from kerasvision.pipeline.graph import Pipeline

EXPERIMENT = c.Experiment(
    name="searched", source=c.Digits(), transform=c.Transform(image_size=(32, 32)), task=c.Classification(),
    model=c.Model(name="lenet5"),
    search=c.Search(space={"training.optimizer.learning_rate": c.LogUniform(1e-4, 1.0)}, trials=12),
)


def pipeline(experiment):
    made = Pipeline(experiment.name)
    best = made.add("stand_in_for_a_search:tuner", settings=stage_settings(experiment)["tuner"]).best_hyperparameters
    made.add("stand_in_for_a_search:trainer", hyperparameters=best)
    return made
"""


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def searched(tmp_path, monkeypatch):
    """The current folder, with the pipeline file searched.py."""
    (tmp_path / "stand_in_for_a_search.py").write_text(STAGES)
    (tmp_path / "searched.py").write_text(PIPELINE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    # A wide screen: tables keep their width, but lines on standard error do not.
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def rows(output):
    return re.findall(r"^ ?(\d{4}) +([\d.]+) ", output, flags=re.MULTILINE)


def test_tune_runs_up_to_the_search_and_prints_the_best_ten(searched):
    done = invoke("tune", "searched.py")
    assert done.exit_code == 0, done.output
    assert rows(done.output) == [(f"{number:04d}", f"0.{number:02d}00") for number in range(11, 1, -1)]
    assert "[bold]sgd" in done.output
    assert re.search(r"the best 10 of 12 trials; see runs/artifacts/searched/tuner/\S+", done.output)
    assert "trainer" not in done.output.replace("to train", "")
    assert not (searched / "runs" / "artifacts" / "searched" / "trainer").exists()


def test_the_command_that_tune_proposes_trains_without_searching_again(searched):
    first = invoke("tune", "searched.py", "--trials", 3, "--set", "name=other", "--root", "a place")
    assert first.exit_code == 0, first.output
    assert len(rows(first.output)) == 3
    proposed = re.search(r"to train with the best of them: kerasvision (.*)", first.output)[1]
    assert shlex.split(proposed)[-2:] == ["--root", "a place"]
    trained = invoke(*shlex.split(proposed))
    assert trained.exit_code == 0, trained.output
    assert re.search(r"tuner +reused", trained.output)
    assert re.search(r"trainer +ran", trained.output)


def test_plan_says_that_a_search_is_reused(searched):
    assert re.search(r"tuner +run", invoke("plan", "searched.py").output)
    invoke("tune", "searched.py")
    assert re.search(r"tuner +reuse", invoke("plan", "searched.py").output)
    changed = invoke("plan", "searched.py", "--set", "search.trials=5").output
    assert re.search(r"tuner +run +.*search\.trials", changed)


def test_show_prints_the_last_search_and_runs_nothing(searched):
    invoke("tune", "searched.py", "--trials", 4)
    invoke("tune", "searched.py", "--trials", 2)
    before = sorted(searched.rglob("*"))
    for command in (("tune", "--show"), ("tune", "--show", "searched.py")):
        shown = invoke(*command)
        assert shown.exit_code == 0, shown.output
        assert re.search(r"search of searched in run \d{8}-\d{6}-\w{4}\n", shown.output)
        assert len(rows(shown.output)) == 2
        assert re.search(r"^2 trials; see ", shown.output, flags=re.MULTILINE)
    # The last run with a search is shown, even if it reused the search.
    invoke("tune", "searched.py", "--trials", 4)
    assert len(rows(invoke("tune", "--show").output)) == 4
    assert [path for path in before if not path.exists()] == []


def test_show_looks_for_the_search_of_the_named_pipeline(searched):
    (searched / "another.py").write_text(PIPELINE.replace('"searched"', '"another"').replace("trials=12", "trials=3"))
    invoke("tune", "searched.py")
    invoke("tune", "another.py")
    assert "search of another" in invoke("tune", "--show").output
    assert "search of searched" in invoke("tune", "--show", "searched.py").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--show"], "no search has finished here; run one with `kerasvision tune PIPELINE`"),
        (["--show", "searched.py"], "no search of searched has finished here; run one with `kerasvision tune searched.py`"),
        ([DIGITS], "digits.py has no search; add one to its experiment, such as search=c.Search(space={"),
        (["nowhere.py"], "there is no pipeline file nowhere.py"),
        ([], "tune requires a pipeline file, except with --show"),
        (["searched.py", "--steps", 50], "--steps requires --find-learning-rate"),
        (["searched.py", "--folder", "x"], "--folder requires --find-learning-rate"),
        (["searched.py", "--show", "--trials", 3], "--trials is for a search, and --show does not run one"),
        (["searched.py", "--find-learning-rate", "--minutes", 3], "--minutes is for a search, and --find-learning-rate"),
        (["searched.py", "--show", "--set", "name=x"], "--set cannot change it"),
        (["searched.py", "--show", "--find-learning-rate"], "exclude each other"),
        (["searched.py", "--minutes", 0], "Search.minutes: input should be greater than 0; received 0.0"),
        (
            ["searched.py", "--trials", 5, "--set", "search.algorithm=hyperband", "--set", "search.epochs=9"],
            "Hyperband chooses its own number of trials, so --trials cannot be used",
        ),
    ],
)
def test_a_mistake_is_told_with_the_way_out(searched, arguments, message):
    done = invoke("tune", *arguments)
    assert done.exception.exit_code == 2
    said = re.sub(r"\s+", " ", str(done.exception)).replace(". ", "; ").lower()
    assert message.lower() in said


def test_minutes_go_to_the_search(searched):
    proposed = invoke("tune", "searched.py", "--minutes", "1.5").output
    assert "--set search.minutes=1.5" in proposed
    settings = invoke("compile", "searched.py", "--set", "search.minutes=1.5").output
    assert '"minutes":1.5' in re.sub(r"\s", "", settings)
