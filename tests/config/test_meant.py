"""A wrong word or path is answered with what was probably meant."""

import re
import shlex

import pytest
from typer.main import get_command

from kerasvision.cli import app
from kerasvision.config.examples import FOLDER
from kerasvision.config.meant import (
    EXAMPLES,
    WORDS,
    instead_of_class_folders,
    instead_of_command,
    instead_of_folder,
    instead_of_missing,
    instead_of_other_file,
    pipeline_files,
)
from kerasvision.errors import ConfigError, DataError

COMMANDS = get_command(app).commands


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pipeline(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('"""What it is."""\n\nEXPERIMENT = None\n')


@pytest.mark.parametrize("word", WORDS)
def test_every_answer_names_commands_and_options_that_exist(word):
    assert word not in COMMANDS
    answer = instead_of_command(word, [], COMMANDS)
    for typed in re.findall("`kerasvision ([^`]+)`", answer):
        if typed.startswith("--"):
            assert typed in ("--help", "--version")
            continue
        first, *rest = shlex.split(typed)
        command = COMMANDS[first]
        if hasattr(command, "commands"):
            command = command.commands[rest.pop(0)]
        options = {name for parameter in command.params for name in parameter.opts}
        assert {one for one in rest if one.startswith("--")} <= options


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["train", "a.py"], "`kerasvision run a.py --until trainer` trains; without --until"),
        (["Fit", "--epochs", "a b.py"], "`kerasvision run 'a b.py' --until trainer` trains;"),
        (["trian"], "`kerasvision run PIPELINE --until trainer` trains;"),
        (["evaluate"], "`kerasvision run PIPELINE --until evaluator` scores"),
        (["deploy", "a.py"], "`kerasvision push a.py` copies the blessed model"),
        (["ls"], "`kerasvision runs list` lists all runs"),
        (["delete"], "`kerasvision runs gc --keep 3` shows what earlier runs left"),
        (["a.py"], "`kerasvision run a.py` runs a pipeline file"),
        (["plam"], "did you mean 'plan'?"),
        (["zzz"], "choose from advise, compile, data, "),
    ],
)
def test_a_wrong_command_is_answered_with_what_was_typed(words, answer):
    assert instead_of_command(words[0], words[1:], COMMANDS).startswith(answer)


def test_the_only_pipeline_is_named_and_a_folder_too(here):
    pipeline(here / "pipelines" / "cats.py")
    (here / "my photos").mkdir()
    assert instead_of_command("train", [], COMMANDS).startswith("`kerasvision run pipelines/cats.py --until trainer`")
    assert "new NAME --images 'my photos'`" in instead_of_command("init", ["my photos"], COMMANDS)
    pipeline(here / "pipelines" / "dogs.py")
    assert instead_of_command("train", [], COMMANDS).startswith("`kerasvision run PIPELINE --until trainer`")


def test_a_folder_is_answered_by_what_is_in_it(here):
    images = here / "My Cats"
    (images / "tabby").mkdir(parents=True)
    assert instead_of_folder(images).startswith("it has neither pipeline files nor images. ")
    (images / "tabby" / "1.JPG").touch()
    assert instead_of_folder(images) == (
        f"it has images: `kerasvision new my-cats --images '{images}'` writes a pipeline file for them"
    )
    (here / "saved" / "2").mkdir(parents=True)
    (here / "saved" / "2" / "saved_model.pb").touch()
    assert instead_of_folder(here / "saved").startswith(f"it is a saved model: `kerasvision predict {here / 'saved'} IMAGE`")
    pipeline(here / "pipelines" / "cats.py")
    (here / "pipelines" / "my_network.py").write_text("# No EXPERIMENT here.\n")
    for folder in (here, here / "pipelines"):
        assert instead_of_folder(folder) == f"name a pipeline file in it: {here / 'pipelines' / 'cats.py'}"


# A file of each form by which it is recognised, and the source that reads it.
FORMS = {
    "annotations/instances_train2017.json": "Coco",
    "JPEGImages/1.jpg Annotations/1.xml": "Voc",
    "data.yaml images/1.jpg": "Yolo",
}


@pytest.fixture(params=FORMS)
def form(request, here):
    """A folder of this form, and the name of its source."""
    for name in request.param.split():
        (here / "things" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "things" / name).write_text("names: [cat]\ntrain: images\n")
    return here / "things", FORMS[request.param]


def test_a_folder_of_boxes_is_answered_with_the_source_that_reads_it(form):
    from kerasvision.pipeline.scan import scan

    folder, source = form
    answer = (
        f"the folder has {source.upper()}'s form: `kerasvision new things --images {folder}` writes a pipeline file that"
    )
    assert instead_of_class_folders(folder).startswith(answer)
    assert instead_of_folder(folder).startswith(answer)
    with pytest.raises(DataError, match="reads a folder only if it has class folders; .*" + re.escape(answer[1:])):
        scan(folder)


def test_class_folders_and_a_yaml_file_of_another_program_have_none_of_these_forms(here):
    (here / "cat").mkdir()
    (here / "docker-compose.yml").write_text("services: {}\n")
    assert instead_of_class_folders(here) == ""


def test_a_folder_that_cannot_be_listed_is_no_error(here, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("kerasvision.config.meant.list_folder", refuse)
    assert instead_of_folder(here).startswith("it has neither")


def test_a_missing_file_is_answered_by_a_similar_one_an_example_or_all_there_are(here):
    from pathlib import Path

    assert instead_of_missing(Path("digits")) == "`kerasvision new --example digits` writes it"
    assert instead_of_missing(Path("zzz.py")).startswith("`kerasvision new NAME --images FOLDER` writes")
    pipeline(here / "pipelines" / "cats.py")
    assert instead_of_missing(Path("cats")) == instead_of_missing(Path("cat.py")) == "did you mean pipelines/cats.py?"
    assert instead_of_missing(Path("zzz.py")) == "there are pipelines/cats.py"


def test_a_file_of_another_kind_is_answered_too(here):
    from pathlib import Path

    assert "predict saved_models/NAME 'a b.jpg'`" in instead_of_other_file(Path("a b.jpg"))
    assert instead_of_other_file(Path("a.yaml")) == "`kerasvision new --example digits` writes one"


def test_the_examples_are_those_of_the_package():
    assert EXAMPLES == FOLDER
    assert pipeline_files(EXAMPLES)


def test_a_wrong_command_raises_the_error_with_exit_code_2():
    from typer.testing import CliRunner

    with pytest.raises(ConfigError, match="must be a command of kerasvision; received 'train'. `kerasvision run ") as raised:
        CliRunner().invoke(app, ["train"], catch_exceptions=False)
    assert raised.value.exit_code == 2
