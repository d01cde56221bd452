"""`runs list` shows the state, duration and score of each run; `runs compare` shows what differs."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kerasvision.cli import app
from kerasvision.cli.run_cells import duration
from kerasvision.errors import ConfigError, DataError
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
    assert better["final_images"] is None
    assert (better["state"], better["verdict"], better["for"], better["pid"]) == ("finished", "blessed", "run", None)
    assert better["stages"] == {"read": "ran", "train": "ran", "judge": "ran"}
    assert 0 < better["seconds"] < 100
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", better["started"])
    assert (worse["score"]["score"], worse["verdict"]) == (0.7, "not blessed")
    assert (failed["state"], failed["score"], failed["verdict"]) == ("failed", None, None)
    assert (look["for"], look["stages"]) == ("data show", {"read": "reused"})


def test_a_run_whose_final_network_is_served_says_that_the_verdict_is_that_of_another(judged, tmp_path):
    from kerasvision.pipeline.artifacts import Model, Out, PushedModel

    def final_trainer(model: Out[Model]) -> None:
        model.properties["final_images"] = 1400

    def pusher(model: Model, pushed_model: Out[PushedModel]) -> None:
        pushed_model.record.write_text('{"pushed": false}')
        pushed_model.properties["pushed"] = 1

    (tmp_path / "images.txt").write_text("cat dog")
    pipeline = judged.pipeline(tmp_path / "images.txt", epochs=25)
    final = pipeline.add(final_trainer)
    # A run that ended before its pusher serves nothing.
    run(pipeline, root=tmp_path)
    words = " ".join(runs("list", "--root", tmp_path).split())
    assert "accuracy 0.7500 on test blessed; another was trained on all 1,400 images, but not pushed 4 ran" in words
    listed = json.loads(runs("list", "--json", "--root", tmp_path))
    assert (listed["final_images"], listed["pushed"]) == (1400, None)
    pipeline.add(pusher, model=final.model)
    run(pipeline, root=tmp_path)
    words = " ".join(runs("list", "--newest", 1, "--root", tmp_path).split())
    assert "accuracy 0.7500 on test blessed; served: another, trained on all 1,400 images 4 reused, 1 ran" in words
    assert json.loads(runs("list", "--json", "--newest", 1, "--root", tmp_path))["pushed"] is True


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


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A root with 45 runs, r-01 to r-45, the newest of them for `data show`."""
    from kerasvision.pipeline.records import RunRecord
    from kerasvision.pipeline.store import opened
    from kerasvision.pipeline.tables import COMPLETE

    folder = tmp_path_factory.mktemp("many")
    with opened(folder / "runs") as store:
        for number in range(1, 46):
            record = RunRecord(f"r-{number:02d}", "digits", 0, "data show" if number == 45 else "run")
            store.start_run(record)
            store.end_run(record, COMPLETE)
    return folder


def test_list_shows_the_newest_forty_runs_and_says_how_many_there_are(many):
    _, *lines, last = runs("list", "--root", many).splitlines()
    assert [line.split()[0] for line in lines] == [f"r-{number:02d}" for number in range(45, 5, -1)]
    assert last == "the newest 40 of 45 runs; --newest N or --all lists more"


def test_list_shows_as_many_runs_as_asked(many):
    assert runs("list", "--newest", 2, "--root", many).splitlines()[-1].startswith("the newest 2 of 45 runs")
    assert len(runs("list", "--all", "--root", many).splitlines()) == 1 + 45


def test_the_number_of_other_runs_is_not_among_the_lines_of_json(many):
    done = CliRunner().invoke(app, ["runs", "list", "--json", "--root", str(many)])
    assert [json.loads(line)["run"] for line in done.stdout.splitlines()][:2] == ["r-45", "r-44"]
    assert done.stderr == "the newest 40 of 45 runs; --newest N or --all lists more\n"


def test_the_newest_run_is_found_without_reading_the_others(many):
    from kerasvision.pipeline.store import opened

    asked = []
    with opened(many / "runs", read_only=True) as store:
        store.database.connection().set_trace_callback(asked.append)
        assert store.run("latest").id == "r-44"
        assert len([text for text in asked if "ContextProperty" in text]) == 2  # which run, and what is known about it
        assert [run.id for run in store.runs(newest=2)] == ["r-45", "r-44"]


def test_show_says_how_long_the_run_took(root):
    assert re.search(r": failed after \d+\.\d s$", runs("show", "--root", root).splitlines()[0])


@pytest.mark.parametrize(("seconds", "text"), [(0, ""), (119.96, "120.0 s"), (120, "2.0 min"), (7200, "2.0 h")])
def test_a_duration_has_the_unit_that_keeps_it_short(seconds, text):
    assert duration(seconds) == text


# --- Comparisons


def compare(root, *arguments):
    return runs("compare", *arguments, "--root", root)


def ids(root, *numbers):
    """The ids of runs, numbered from the oldest, 0."""
    known = [json.loads(line)["run"] for line in reversed(runs("list", "--json", "--root", root).splitlines())]
    return [known[number] for number in numbers]


def test_compare_shows_settings_that_differ_scores_with_intervals_and_stages(root):
    better, worse = ids(root, 0, 1)
    shown = re.sub(r"\d+\.\d s", "N s", re.sub(r" +\n", "\n", compare(root, better, worse)))
    settings, scores, stages = shown.split("\n\n")[1:]
    row = "  ".join
    assert [row(line.split()) for line in settings.splitlines()] == [
        "settings  that  differ:",
        row(["setting", better, worse]),
        "bound  0.0  0.9",
        # Both stages have it.
        "epochs  25  20",
    ]
    assert [row(line.split()) for line in scores.splitlines()] == [
        "scores  on  test,  with  95  %  intervals:",
        row(["metric", better, worse]),
        "accuracy  0.7500  [0.7300,  0.7700]  0.7000  [0.6800,  0.7200]",
        "log_loss  0.2500  0.2500",
    ]
    assert [row(line.split()) for line in stages.splitlines()[1:]] == [
        row(["stage", better, worse]),
        "read  N  s  N  s,  reused",
        "train  N  s  N  s",
        "judge  N  s  N  s",
    ]


def test_diff_is_another_name_of_compare(root):
    two = ids(root, 0, 1)
    assert runs("diff", "--json", *two, "--root", root) == compare(root, "--json", *two)


def test_compare_as_json_has_the_values_of_each_run(root):
    better, worse, failed = ids(root, 0, 1, 2)
    data = json.loads(compare(root, "--json", better, worse, failed))
    assert [one["run"] for one in data["runs"]] == [better, worse, failed]
    # The failed run never reached the stage with the bound, and gave the training other settings.
    assert data["settings"] == {
        "bound": {better: 0.0, worse: 0.9},
        "epochs": {better: 25, worse: 20, failed: 1},
        "fails": {better: False, worse: False, failed: True},
    }
    assert data["scores"]["test"]["recall[cat]"][better] == {"score": 1.0, "low": 0.75, "high": 1.0}
    assert failed not in data["scores"]["test"]["accuracy"]
    assert data["stages"]["train"][failed]["state"] == "failed"
    assert data["stages"]["read"][worse]["state"] == "reused"
    assert data["stages"]["read"][worse]["seconds"] == data["stages"]["read"][better]["seconds"] > 0
    assert (data["remarks"], data["versions"], data["confidence"]) == ([], {}, 0.95)


def test_other_images_another_pipeline_and_tuned_values_are_said(judged, tmp_path):
    images = tmp_path / "images.txt"
    images.write_text("cat")
    plain = run(judged.pipeline(images, epochs=3), root=tmp_path).id
    images.write_text("dog")
    tuned = run(judged.pipeline(images, epochs=3, tuned=True, name="other"), root=tmp_path).id
    data = json.loads(compare(tmp_path, "--json", plain, "latest"))
    assert data["remarks"] == [
        "the runs are of different pipelines: judged, other",
        "the runs have different examples, so their scores are not those of the same images",
        "the files that the stages read differ: images.txt",
    ]
    assert list(data["data"]) == ["content"]  # the images are lines of a text here
    # The tuner chose 7 epochs for one stage; the other has those of the file.
    assert data["settings"] == {"train: epochs": {plain: 3, tuned: 7}}
    assert "the runs are of different pipelines: judged, other\n" in compare(tmp_path, plain, tuned)


def test_source_files_that_differ_are_listed_with_their_hashes(tmp_path, monkeypatch):
    def pipeline(product):
        """The toy pipeline in a module of its own, whose training computes something else."""
        name = "edited_stages"
        file.write_text(FILE.with_name("toy.py").read_text().replace("* settings.factor", product))
        spec = importlib.util.spec_from_file_location(name, file)
        monkeypatch.setitem(sys.modules, name, importlib.util.module_from_spec(spec))
        spec.loader.exec_module(sys.modules[name])
        return sys.modules[name].pipeline(tmp_path / "number.txt")

    file = tmp_path / "edited_stages.py"
    (tmp_path / "number.txt").write_text("7")
    one, two = (run(pipeline(product), root=tmp_path).id for product in ("* settings.factor", "+ settings.factor"))
    (row,) = json.loads(compare(tmp_path, "--json", one, two))["code"].items()
    assert (row[0], list(row[1])) == ("edited_stages", [one, two])
    before, after = (digest.rpartition(":")[2][:8] for digest in row[1].values())
    assert before != after
    assert re.search(rf"^ edited_stages +{before} +{after}\b", compare(tmp_path, one, two), flags=re.MULTILINE)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda file: file.write_text("{")], ids=["gone", "damaged"])
def test_scores_that_cannot_be_read_are_left_out_and_that_is_said(spoil, judged, tmp_path):
    images = tmp_path / "images.txt"
    images.write_text("cat")
    one, other = (run(judged.pipeline(images, epochs=epochs), root=tmp_path) for epochs in (1, 2))
    spoil(one.artifact("judge", "evaluation").scores)
    data = json.loads(compare(tmp_path, "--json", one.id, other.id))
    assert data["remarks"] == [f"the scores of {one.id} cannot be shown: scores.json is gone or damaged"]
    assert list(data["scores"]["test"]["accuracy"]) == [other.id]


@pytest.mark.parametrize("names", [("latest",), ("latest", "latest")])
def test_a_comparison_requires_two_runs(root, names):
    with pytest.raises(ConfigError, match="requires at least two different runs; received 'latest"):
        CliRunner().invoke(app, ["runs", "compare", *names, "--root", str(root)], catch_exceptions=False)


def test_lists_and_comparisons_import_no_tensorflow(root):
    better, worse = ids(root, 0, 1)
    code = (
        "import sys; from kerasvision.cli import app\n"
        f"for words in (['list'], ['compare', {better!r}, {worse!r}]):\n"
        f"    app(['runs', *words, '--root', {str(root)!r}], standalone_mode=False)\n"
        "assert not {'tensorflow', 'keras', 'pandas', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
