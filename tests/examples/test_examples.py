"""Every command in the README of every folder of examples/ runs as it is written, and prints what the README shows."""

import ast
import importlib.util
import re
import shutil
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("shell", Path(__file__).parents[1] / "shell.py")
_shell = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shell)

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(name):
    return (EXAMPLES / name / "README.md").read_text(encoding="utf-8")


def sessions(name):
    """(command, what is shown below it) of an example, in order."""
    shown = "".join(text for language, text in FENCE.findall(text_of(name)) if language == "console")
    for part in re.split(r"^\$ ", shown, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def comparable(text):
    """Without numbers, names of runs and widths of columns, which differ from run to run."""
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN", text)
    text = re.sub(r"\d[\d.,]*(e-?\d+)?", "N", text)
    return "".join(" ".join(line.split()) + "\n" for line in text.splitlines())


def is_shown(printed, shown):
    """Whether it is what was printed; three dots stand for any lines."""
    expected = re.escape(comparable(shown)).replace(re.escape("...\n"), r"(?:.*\n)*")
    return re.fullmatch(expected, comparable(printed)) is not None


@pytest.mark.parametrize("name", NAMES)
def test_every_command_runs_and_prints_what_is_shown(name, warm, tmp_path):
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__", "runs", "saved_models"))
    with _shell.Shell(warm, folder) as shell:
        for command, shown in sessions(name):
            done = shell.run(command)
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            assert is_shown(done.stdout, shown), f"{command}\n{done.stdout}{done.stderr}"


def test_every_folder_has_commands_and_is_listed():
    assert sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()) == NAMES
    listed = re.findall(r"\]\((\w+)/README\.md\)", (EXAMPLES / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == NAMES == sorted(name for name in NAMES if list(sessions(name)))


@pytest.mark.parametrize("name", NAMES)
def test_a_readme_names_its_files_and_every_block_is_run(name):
    text = text_of(name)
    files = {path.name for path in (EXAMPLES / name).iterdir() if path.is_file()} - {"README.md"}
    assert files == {found for found in re.findall(r"(\w+\.py)", text) if (EXAMPLES / name / found).exists()}
    assert {language for language, _ in FENCE.findall(text)} == {"console"}


@pytest.mark.parametrize("name", ["source", "network", "augmentation", "metric", "stage"])
def test_a_readme_shows_which_stages_an_edit_runs_again(name):
    edited = [shown for command, shown in sessions(name) if command.startswith("kerasvision plan")]
    assert re.search(rf" source file my_{name}: content changed\n", edited[-1])


def test_a_task_takes_about_35_lines():
    tree = ast.parse((EXAMPLES / "task" / "my_task.py").read_text(encoding="utf-8"))
    lines = ast.unparse(tree).splitlines()
    assert len([line for line in lines if line.strip()]) <= 35
