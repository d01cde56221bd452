"""The map of the course names files, settings, commands and notebooks that exist."""

import re
import shlex
from contextlib import suppress
from pathlib import Path

import pytest

from kerasvision import config
from kerasvision.cli import app
from kerasvision.config.loading import load_experiment
from kerasvision.errors import ConfigError

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "course.md").read_text(encoding="utf-8")
ROWS = "\n".join(line for line in PAGE.splitlines() if line.startswith("|"))
NAMED = sorted(set(re.findall(r"`([^`]+)`", ROWS)))
COMMANDS = {command.name or command.callback.__name__ for command in app.registered_commands}
PIPELINES = sorted((ROOT / "pipelines").glob("*.py"))
GROUPS = {group.name for group in app.registered_groups}


def accepts(pipeline, assignment):
    with suppress(ConfigError):
        return bool(load_experiment(pipeline, overrides=[assignment]))
    return False


def is_there(name):
    first, *others = shlex.split(name)
    if first == "kerasvision":
        return others[0] in COMMANDS | GROUPS
    if first == "--set":
        return any(accepts(pipeline, others[0]) for pipeline in PIPELINES)
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


def test_the_tables_of_ideas_name_notebooks_by_numbers_that_exist():
    numbers = {file.name[:2] for file in (ROOT / "notebooks").glob("*.ipynb")}
    tables = PAGE.partition("\n## Data\n")[2]
    rows = [line.split(" | ") for line in tables.splitlines() if line.startswith("| ") and not line.startswith("| idea |")]
    cells = [row[1] for row in rows if len(row) == 4]  # a row of three has no notebook
    assert len(cells) > len(rows) / 2
    assert {number for cell in cells for number in cell.split(", ")} <= numbers


def test_each_chapter_has_a_function_and_a_pipeline_and_nearly_each_a_notebook():
    chapters = PAGE.partition("\n## By chapter\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in chapters.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 15
    assert all((cs231n or d2l) and function and pipeline for cs231n, d2l, _, function, pipeline in rows)
    assert [cs231n for cs231n, _, notebook, _, _ in rows if not notebook] == ["transfer learning"]


def test_the_readme_leads_to_the_map():
    assert "(docs/course.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["kerasvision dance", "models/other.py", "c.Other", "--set task.loss=l7"])
def test_what_does_not_exist_would_be_noticed(name):
    assert not is_there(name)
