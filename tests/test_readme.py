"""What the README says is so."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WHAT, TIME = "(test accuracy|of its sentences true|BLEU-1)", r"[\d.]+ (s|minutes) on 2 CPU cores"
MEASURED = rf"\d\.\d+ (\+- \d\.\d+ {WHAT} \(\d+ seeds|{WHAT} \(1 seed), {TIME}\)"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_pipeline_file_in_the_readme_is_the_file():
    assert (ROOT / "pipelines" / "digits.py").read_text().strip() in README


def test_ci_runs_the_test_command_of_the_readme():
    (pattern,) = re.findall(r"grep -m 1 -E '([^']+)'", (ROOT / ".ci" / "run").read_text())
    commands = [line for line in README.splitlines() if re.search(pattern, line)]
    assert len(commands) == 1
    assert commands[0].endswith("-m pytest -n 2 --dist loadfile")


@pytest.mark.parametrize("kind", ["run", "test"])
def test_both_commands_install_the_locked_versions(kind):
    (command,) = [line for line in README.splitlines() if f"requirements/install.py {kind} " in line]
    environment, install, _ = command.split(" && ")
    assert environment == 'python3 -m venv "${VENV:=.venv}"'
    assert install == f'"$VENV/bin/python" requirements/install.py {kind}'


def test_every_folder_and_file_of_the_tree_is_there():
    (tree,) = re.findall(r"```\n(kerasvision/\n.*?)```", README, flags=re.DOTALL)
    for line in tree.splitlines()[1:]:
        place = line.split()[0]
        assert (ROOT / ("kerasvision" if line.startswith(" ") else "") / place).is_dir(), place
    named = re.search(r"^notebooks/ +(\S+):", tree, flags=re.MULTILINE)[1]
    assert (ROOT / "notebooks" / named).is_file()


@pytest.mark.parametrize("folder", sorted(file.parent.name for file in (ROOT / "kerasvision").glob("*/__init__.py")))
def test_every_folder_is_on_the_map(folder):
    assert re.search(rf"^  {folder}/ ", README, flags=re.MULTILINE)


def test_every_pipeline_states_what_was_measured():
    for path in (ROOT / "pipelines").glob("*.py"):
        first = path.read_text().split("\n\n")[0]
        assert re.search(MEASURED, first), path
        assert path.name in README
