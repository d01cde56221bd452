"""The map of the course names files, settings, commands and notebooks that exist."""

import re
import shlex
from pathlib import Path

import pytest

from kerasvision import config
from kerasvision.cli import app
from kerasvision.config.reference import find

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "course.md").read_text(encoding="utf-8")
ROWS = "\n".join(line for line in PAGE.splitlines() if line.startswith("|"))
NAMED = sorted(set(re.findall(r"`([^`]+)`", ROWS)))
COMMANDS = {command.name or command.callback.__name__ for command in app.registered_commands}
GROUPS = {group.name for group in app.registered_groups}


def is_there(name):
    first, *others = shlex.split(name)
    if first == "kerasvision":
        return others[0] in COMMANDS | GROUPS
    if first == "--set":
        return bool(find(others[0].partition("=")[0]))
    if first.startswith("c."):
        return hasattr(config, first.removeprefix("c."))
    return any((folder / first).exists() for folder in (ROOT / "kerasvision", ROOT))


@pytest.mark.parametrize("name", NAMED)
def test_what_the_map_names_is_there(name):
    assert is_there(name)


def test_the_map_has_every_notebook_and_most_pipelines():
    notebooks = {f"notebooks/{file.name}" for file in (ROOT / "notebooks").glob("*.ipynb")}
    assert notebooks <= set(NAMED)
    pipelines = {f"pipelines/{file.name}" for file in (ROOT / "pipelines").glob("*.py")}
    assert len(pipelines - set(NAMED)) < len(pipelines) / 3


@pytest.mark.parametrize("name", ["kerasvision dance", "models/other.py", "c.Other"])
def test_what_does_not_exist_would_be_noticed(name):
    assert not is_there(name)
