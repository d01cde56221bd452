"""Every command in the README of every folder of examples/ runs as it is written, and prints what the README shows."""

import ast
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MAIN = "from kerasvision.cli import main; main()"
# Stands for the command line: asks the process of the tests to run it, which has imported TensorFlow.
SHIM = f"""#!{sys.executable} -SE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect(os.environ["COMMANDS"])
    with line.makefile("rw") as file:
        print(json.dumps([os.getcwd(), sys.argv[1:]]), file=file, flush=True)
        code, printed, complained = json.loads(file.readline())
sys.stdout.write(printed)
sys.stderr.write(complained)
sys.exit(code)
"""


@pytest.fixture(scope="session")
def shell(warm):
    """`shell(command, folder)` gives a command to bash, for which `kerasvision` and `python` are those of the tests."""
    with tempfile.TemporaryDirectory() as programs, socket.socket(socket.AF_UNIX) as listening:
        programs = Path(programs)
        for name, text in {"kerasvision": SHIM, "python": f'#!/bin/sh\nexec {sys.executable} "$@"\n'}.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        listening.bind(str(programs / "commands"))
        listening.listen()
        threading.Thread(target=answer_commands, args=(listening, warm), daemon=True).start()
        environment = {**os.environ, "COMMANDS": str(programs / "commands"), "PATH": f"{programs}:/usr/bin:/bin"}

        def run(command, folder):
            arguments = ["bash", "-euo", "pipefail", "-c", command]
            return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)

        yield run


def answer_commands(listening, warm):
    """Runs one command line after the other, each as a fork of the warm process."""
    while True:
        try:
            line, _ = listening.accept()
        except OSError:  # it is closed when the tests end
            return
        with line, line.makefile("rw") as file:
            folder, arguments = json.loads(file.readline())
            # One process: others would import TensorFlow anew.
            one_process = ("--workers", 1) if arguments[0] == "run" else ()
            done = warm.run(MAIN, *arguments, *one_process, folder=folder)
            print(json.dumps([done.returncode, done.stdout, done.stderr]), file=file, flush=True)


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
def test_every_command_runs_and_prints_what_is_shown(name, shell, tmp_path):
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__", "runs", "saved_models"))
    for command, shown in sessions(name):
        done = shell(command, folder)
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
