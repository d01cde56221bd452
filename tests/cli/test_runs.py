"""`runs list` shows the state, duration and score of each run."""

import importlib.util
import json
import os
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kerasvision.cli import app
from kerasvision.cli.runs import duration
from kerasvision.errors import DataError
from kerasvision.pipeline.local import run

FILE = Path(__file__).parents[1] / "pipeline" / "judged.py"


@pytest.fixture(scope="module")
def judged():
    """The stages of judged.py, imported under a name that a fingerprint can find."""
    spec = importlib.util.spec_from_file_location("judged_stages", FILE)
    sys.modules["judged_stages"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def root(judged, tmp_path_factory):
    """A root with a finished run, one that is not blessed, a failed one, and one whose stages are read only."""
    folder = tmp_path_factory.mktemp("root")
    (folder / "images.txt").write_text("cat dog")
    run(judged.pipeline(folder / "images.txt", epochs=25), root=folder)
    run(judged.pipeline(folder / "images.txt", epochs=20, bound=0.9), root=folder)
    with pytest.raises(DataError):
        run(judged.pipeline(folder / "images.txt", fails=True), root=folder)
    run(judged.pipeline(folder / "images.txt"), root=folder, until="read", purpose="data show")
    return folder


def runs(*arguments):
    done = CliRunner().invoke(app, ["runs", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_list_shows_state_duration_score_and_verdict_newest_first(root):
    heading, *lines = runs("list", "--root", root).splitlines()
    assert heading.split() == ["run", "pipeline", "for", "started", "took", "state", "score", "verdict", "stages"]
    ends = [re.split(r"\d\d:\d\d:\d\d +\d+\.\d s +", " ".join(line.split()))[1] for line in lines]
    assert ends == [
        "finished 1 reused",
        "failed 1 reused, 1 failed",
        "finished accuracy 0.7000 on test not blessed 1 reused, 2 ran",
        "finished accuracy 0.7500 on test blessed 3 ran",
    ]
    assert "data show" in lines[0]


def test_list_as_json_is_an_object_per_run(root):
    look, failed, worse, better = map(json.loads, runs("list", "--json", "--root", root).splitlines())
    assert better["score"] == {"metric": "accuracy", "score": 0.75, "split": "test"}
    assert (better["state"], better["verdict"], better["for"], better["pid"]) == ("finished", "blessed", "run", None)
    assert better["stages"] == {"read": "ran", "train": "ran", "judge": "ran"}
    assert 0 < better["seconds"] < 100
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", better["started"])
    assert (worse["score"]["score"], worse["verdict"]) == (0.7, "not blessed")
    assert (failed["state"], failed["score"], failed["verdict"]) == ("failed", None, None)
    assert (look["for"], look["stages"]) == ("data show", {"read": "reused"})


def test_a_running_run_is_listed_with_its_process_and_how_long_it_has_run(tmp_path):
    from kerasvision.pipeline.records import RunRecord
    from kerasvision.pipeline.store import opened
    from kerasvision.pipeline.tables import now_ms

    with opened(tmp_path / "runs") as store:
        store.start_run(RunRecord("20261129-080000-abcd", "digits", now_ms()))
        assert f"running, process {os.getpid()}" in runs("list", "--root", tmp_path)
        (listed,) = runs("list", "--json", "--root", tmp_path).splitlines()
        assert json.loads(listed)["pid"] == os.getpid()
        assert 0 <= json.loads(listed)["seconds"] < 100


def test_an_empty_root_lists_nothing(tmp_path):
    assert runs("list", "--root", tmp_path) == f"nothing has run in {tmp_path}\n"
    assert runs("list", "--json", "--root", tmp_path) == ""


def test_show_says_how_long_the_run_took(root):
    assert re.search(r": failed after \d+\.\d s$", runs("show", "--root", root).splitlines()[0])


@pytest.mark.parametrize(("seconds", "text"), [(0, ""), (119.96, "120.0 s"), (120, "2.0 min"), (7200, "2.0 h")])
def test_a_duration_has_the_unit_that_keeps_it_short(seconds, text):
    assert duration(seconds) == text
