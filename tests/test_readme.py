"""What the README and the documentation say is so; CI builds the documentation, and a warning fails the build."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kerasvision.config.loading import load_experiment
from kerasvision.pipeline.standard import standard_pipeline

ROOT = Path(__file__).parent.parent
WHAT = (
    "(test accuracy|of its sentences true|BLEU-1|average precision|mean IoU|mean (squared|absolute) error"
    "|agreement with the class asked for)"
)
TIME = r"[\d.]+ (s|minutes) (on 2 CPU cores|of processor time)"
MEASURED = rf"\d\.\d+ (\+- \d\.\d+ {WHAT} \(\d+ seeds|{WHAT} \(1 seed), {TIME}\)"
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]


def drawing(name):
    """The module docs/<name>.py."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_is_short_and_has_pictures():
    assert len(README.splitlines()) < 150
    assert len(re.findall(r"^!\[.+\]\(docs/pictures/\w+\.(?:svg|png)\)$", README, flags=re.MULTILINE)) >= 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).is_file(), target


@pytest.mark.parametrize("example", sorted(path.parent.name for path in (ROOT / "examples").glob("*/README.md")))
def test_the_documentation_shows_every_example_with_its_code(example):
    page = (ROOT / "docs" / "how-to" / "add" / f"{example}.md").read_text(encoding="utf-8")
    shown = [Path(path).name for path in re.findall(r"include\} (.+)$", page, flags=re.MULTILINE)]
    assert shown[:2] == ["README.md", f"my_{example.removeprefix('export_')}.py"]
    assert all((ROOT / "examples" / example / name).is_file() for name in shown)
    assert f"](add/{example}.md)" in (ROOT / "docs" / "how-to" / "extend.md").read_text(encoding="utf-8")


def test_the_picture_of_the_graph_is_that_of_the_standard_graph():
    graph = drawing("graph")
    drawn = graph.draw(graph.fullest(), graph.standard_pipeline(graph.experiment()))
    assert graph.PICTURE.read_text(encoding="utf-8") == drawn, "python docs/graph.py draws it anew"


def test_the_graph_has_an_arrow_only_where_no_other_stage_lies_between():
    arrows = drawing("graph").arrows(standard_pipeline(load_experiment(ROOT / "pipelines" / "digits.py")))
    assert ("trainer", "exporter") in arrows
    assert ("trainer", "evaluator") not in arrows
    assert [before for before, after in arrows if after == "evaluator"] == ["exporter", "simple_models"]


def test_the_floors_are_drawn_from_their_contract():
    floors = drawing("floors")
    layers = floors.floors("Imports only look down the floors, and every folder has a floor")
    assert (layers[0], layers[-1]) == (["cli"], ["errors"])
    assert re.findall("<code>(.*?)</code>", floors.draw(layers)) == [room for layer in layers for room in layer]
    for name in re.findall(r"^```\{floors\} (.+)$", ARCHITECTURE, flags=re.MULTILINE):
        assert floors.floors(name)


def test_pipeline_file_in_the_readme_is_the_file():
    assert (ROOT / "pipelines" / "digits.py").read_text().strip() in README


def test_ci_runs_the_test_command_of_the_readme():
    (pattern,) = re.findall(r"grep -m 1 -E '([^']+)'", (ROOT / ".ci" / "run").read_text())
    commands = [line for line in README.splitlines() if re.search(pattern, line)]
    assert len(commands) == 1
    assert commands[0].endswith("-m pytest -n 3 --dist loadfile")


@pytest.mark.parametrize(("fails", "asked"), [("", 4), ("ruff format", 2), ("mypy", 3), ("sphinx-build", 4)])
def test_ci_checks_style_types_and_documentation_before_the_tests(tmp_path, fails, asked):
    """With tools that only write down how they were called, and a README whose command makes no environment."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    tool = tmp_path / "tool"
    tool.write_text(
        f'#!/bin/sh\necho "asked: $(basename $0) $*"\ncase "$(basename $0) $*" in "{fails or "none"}"*) exit 1;; esac\n'
    )
    tool.chmod(0o755)
    install = 'mkdir -p "$VENV/bin" && for name in ruff mypy sphinx-build; do cp tool "$VENV/bin/$name"; done'
    (tmp_path / "README.md").write_text(f"python3 -m venv --help > help.txt && {install} && echo asked: pytest\n")
    done = subprocess.run([tmp_path / ".ci" / "run"], capture_output=True, text=True, check=False)
    lines = [re.sub(r"/\S+/venv/", "", line) for line in done.stdout.splitlines() if line.startswith("asked: ")]
    build = "asked: sphinx-build -W --keep-going -q -D nb_execution_mode=off docs docs"
    called = ["asked: ruff check", "asked: ruff format --check", "asked: mypy ", build]
    assert lines == (called[:asked] if fails else [*called, "asked: pytest"])
    assert done.returncode == (1 if fails else 0), done.stderr


def test_checks_before_a_commit_are_those_of_ci():
    hooks = re.findall(r"^ +entry: (.+)$", (ROOT / ".pre-commit-config.yaml").read_text(), flags=re.MULTILINE)
    script = (ROOT / ".ci" / "run").read_text()
    checks = re.findall(r"""^ +'"\$VENV/bin/([\w-]+)"(.*)' \\$""", script, flags=re.MULTILINE)
    # The documentation is built in CI alone: it takes too long for each commit.
    documentation = 'sphinx-build -W --keep-going -q -D nb_execution_mode=off docs "$VENV/docs"'
    assert [*hooks, documentation] == [tool + arguments for tool, arguments in checks]
    assert all(f"`{command}`" in README for command in hooks)


@pytest.mark.parametrize("kind", ["run", "test"])
def test_both_commands_install_the_locked_versions(kind):
    (command,) = [line for line in README.splitlines() if f"requirements/install.py {kind} " in line]
    environment, install, _ = command.split(" && ")
    assert environment == 'python3 -m venv "${VENV:=.venv}"'
    assert install == f'"$VENV/bin/python" requirements/install.py {kind}'


def test_every_folder_and_file_of_the_tree_is_there():
    (tree,) = re.findall(r"```\n(kerasvision/\n.*?)```", ARCHITECTURE, flags=re.DOTALL)
    for line in tree.splitlines()[1:]:
        place = line.split()[0]
        assert (ROOT / ("kerasvision" if line.startswith(" ") else "") / place).is_dir(), place


def test_every_notebook_is_listed():
    page = (ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(.+\.ipynb)` \|", page, flags=re.MULTILINE)
    assert listed == sorted(file.name for file in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("folder", sorted(file.parent.name for file in (ROOT / "kerasvision").glob("*/__init__.py")))
def test_every_folder_is_on_the_map(folder):
    assert re.search(rf"^  {folder}/ ", ARCHITECTURE, flags=re.MULTILINE)


def test_every_stage_is_described():
    graph = drawing("graph")
    assert set(graph.fullest().nodes) <= set(re.findall(r"^\| `(\w+)` \|", ARCHITECTURE, flags=re.MULTILINE))


def test_every_pipeline_states_what_was_measured():
    benchmarks = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    for path in (ROOT / "pipelines").glob("*.py"):
        first = path.read_text().split("\n\n")[0]
        assert re.search(MEASURED, first), path
        assert f"| `{path.name}` |" in benchmarks
