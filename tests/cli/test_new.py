"""`kerasvision new --example`: which examples there are, and what is written."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from kerasvision.cli import app
from kerasvision.config.examples import example_names
from kerasvision.errors import ConfigError

PIPELINES = Path(__file__).parents[2] / "pipelines"


@pytest.fixture
def new(tmp_path, monkeypatch):
    """Calls `kerasvision new` in an empty folder; what it prints."""
    monkeypatch.chdir(tmp_path)

    def call(*words):
        done = CliRunner().invoke(app, ["new", *words])
        if done.exception is not None:
            raise done.exception
        return done.output

    return call


@pytest.mark.parametrize("words", [("--example",), ("--example", "--folder", "mine"), ("--example", "")])
def test_example_without_a_name_lists_every_pipeline_of_the_repository(new, words, tmp_path):
    printed = new(*words)
    listed = [line.split()[0] for line in printed.splitlines()[1:-1]]
    assert listed == sorted(file.stem for file in PIPELINES.glob("*.py"))
    assert "data/flowers" in printed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", example_names())
def test_example_is_written_as_it_is_in_the_repository(new, name, tmp_path):
    assert f"kerasvision run mine/{name}.py" in new("--example", name, "--folder", "mine")
    assert (tmp_path / "mine" / f"{name}.py").read_bytes() == (PIPELINES / f"{name}.py").read_bytes()


def test_what_the_user_must_provide_is_named_until_it_is_there(new, tmp_path):
    assert "data/flowers, which you must provide" in new("--example", "flowers")
    (tmp_path / "data" / "flowers").mkdir(parents=True)
    assert "provide" not in new("--example", "flowers", "--folder", "again")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--example", "digit"], "did you mean 'digits'? The examples are coco_captions, digits, "),
        (["--example", "zzz"], "choose from coco_captions, digits, "),
        (["mine", "--example", "digits"], "does not accept NAME; received 'mine'"),
        (["--images", "x", "--example", "digits"], "does not accept --images; received 'x'"),
        ([], "new requires NAME and --images, or --example; NAME is missing"),
        (["mine"], "new requires NAME and --images, or --example; --images is missing"),
    ],
)
def test_wrong_call_says_the_rule_and_what_there_is(new, words, message, tmp_path):
    with pytest.raises(ConfigError) as refused:
        new(*words)
    assert message in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_file_of_the_user_is_kept(new, tmp_path):
    new("--example", "digits")
    (tmp_path / "pipelines" / "digits.py").write_text("edited")
    with pytest.raises(ConfigError, match="exists already, and is not overwritten"):
        new("--example", "digits")
    assert (tmp_path / "pipelines" / "digits.py").read_text() == "edited"
