"""`kerasvision stage --in --out`: a stage whose artifacts come from folders and go to folders."""

import json
import re
from pathlib import Path

import pytest

FILE = Path(__file__).parents[1] / "pipeline" / "carried_stages.py"


@pytest.fixture(scope="module")
def staged(kerasvision, tmp_path_factory):
    """Runs a stage of a model that is not blessed: `staged(name, *arguments)`. All earlier stages have run."""
    folder = tmp_path_factory.mktemp("staged")

    def run(name, *arguments):
        common = (FILE, name, "--root", folder / "root", "--set", "splits.salt=X", "--run", "job-1")
        return kerasvision("stage", *common, *arguments, cwd=folder)

    for name, arguments in (
        ("read", ("--out", "examples=examples")),
        ("train", ("--in", "examples=examples", "--out", "model=model")),
        ("export", ("--in", "model=model", "--out", "saved_model=saved")),
        ("judge", ("--in", "saved_model=saved", "--out", "blessing=blessing")),
    ):
        done = run(name, *arguments)
        assert done.returncode == 0, done.stderr
    run.folder, run.judged = folder, done
    return run


def test_a_stage_that_judges_succeeds_and_says_its_verdict(staged):
    assert "note: judge says NOT_BLESSED: its case" in staged.judged.stderr
    assert (staged.folder / "blessing" / "content" / "NOT_BLESSED").exists()


def test_a_stage_that_pushes_nothing_exits_4_after_it_has_written_why(staged):
    task = {"outputs": {"artifacts": {"pushed_model": {"artifacts": [{"uri": "u"}]}}, "outputFile": "output.json"}}
    inputs = ("--in", "saved_model=saved", "--in", "model_blessing=blessing")
    done = staged("push", *inputs, "--out", "pushed_model=pushed", "--executor-input", json.dumps(task))
    assert done.returncode == 4
    assert "NotBlessedError: push pushed nothing: its case." in done.stderr
    assert json.loads((staged.folder / "pushed" / "artifact.json").read_text())["properties"]["pushed"] == 0
    (described,) = json.loads((staged.folder / "output.json").read_text())["artifacts"]["pushed_model"]["artifacts"]
    assert (described["metadata"]["pushed"], described["metadata"]["artifact_type"]) == (0, "PushedModel")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--in", "examples"), "--in must have the form KEY=FOLDER; received 'examples'"),
        (("--out", "=x"), "--out must have the form KEY=FOLDER; received '=x'"),
        (("--in", "examples=a", "--in", "examples=b"), "--in names each key once; received 'examples=b'"),
        (
            ("--out", "model=model"),
            "train requires a folder for each of its inputs. Add --in examples=FOLDER: from read.examples",
        ),
        ((), "--run and --executor-input require --in or --out"),
        (
            ("--in", "examples=examples", "--executor-input", "{}"),
            "--executor-input must be the JSON text that Kubeflow puts",
        ),
    ],
)
def test_a_mistake_is_named(staged, arguments, message):
    done = staged("train", *arguments)
    assert done.returncode == 2
    assert message in re.sub(r"\s+", " ", done.stderr)
