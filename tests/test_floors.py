"""The layers of the package: which module may import which, and that planning needs no TensorFlow."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_import_contracts_are_kept():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_stray_folder_and_circle_break_their_contracts(tmp_path):
    """The checks can fail: they find a module without a layer, and two modules of a folder that import each other."""
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "kerasvision", copy / "kerasvision")
    shutil.copy(ROOT / "pyproject.toml", copy)
    (copy / "kerasvision" / "utils.py").write_text("")
    circle = "\nif 0:\n    import kerasvision.config.{}\n"
    for name, other in (("published", "literals"), ("literals", "published")):
        with (copy / "kerasvision" / "config" / f"{name}.py").open("a") as file:
            file.write(circle.format(other))
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"],
        cwd=copy,
        env={"PYTHONPATH": str(copy), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "kerasvision.utils" in done.stdout
    assert "No cycles are allowed in kerasvision.config." in done.stdout
    assert {line for line in done.stdout.splitlines() if line.startswith("- .")} <= {
        "- .published -> .literals (1 import)",
        "- .literals -> .published (1 import)",
    }


EVERY_HELP = """
import importlib, pkgutil
from kerasvision import cli
from typer.main import get_command
from typer.testing import CliRunner

for module in pkgutil.iter_modules(cli.__path__, "kerasvision.cli."):
    importlib.import_module(module.name)

def commands(command, *words):
    yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, *words, name)

asked = list(commands(get_command(cli.app)))
assert {("run",), ("runs", "why"), ("data", "bench"), ("serve",)} < set(asked)
for words in asked:
    result = CliRunner().invoke(cli.app, [*words, "--help"])
    assert result.exit_code == 0 and "Usage" in result.output, (words, result.output)
"""


@pytest.mark.parametrize(
    "statement",
    [
        EVERY_HELP,
        "from kerasvision.pipeline.local import plan; from kerasvision.pipeline.standard import load_pipeline\n"
        "for path in __import__('pathlib').Path('pipelines').glob('*.py'): load_pipeline(path)",
        "from kerasvision.pipeline.local import plan; from kerasvision.pipeline.standard import load_pipeline\n"
        "plan(load_pipeline('pipelines/digits.py'), root='/nowhere')",
        "from kerasvision.pipeline.history import list_runs; list_runs('/nowhere')",
        "from kerasvision.config.reference import every_setting; assert len(list(every_setting())) > 200",
    ],
)
def test_planning_imports_neither_tensorflow_nor_pandas(statement):
    heavy = "{'tensorflow', 'keras', 'keras_tuner', 'tensorflow_datasets', 'pandas', 'sklearn', 'numpy'}"
    code = f"{statement}\nimport sys; found = {heavy} & set(sys.modules); assert not found, found"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("folder", ["served", "training", "evaluation", "export", "serving", "tuning", "cli"])
def test_nothing_above_the_tasks_speaks_of_one(folder):
    # Keras passes `mask` to every layer that it calls.
    spoken = re.compile(
        r"captions|captioning|captioner|boxes|detection|reconstruction|segmentation|mask(?!: Any = None)", re.IGNORECASE
    )
    files = [file for file in (ROOT / "kerasvision" / folder).rglob("*") if file.suffix in (".py", ".html")]
    assert files
    assert [file.name for file in files if spoken.search(file.read_text())] == []


def test_what_starts_processes_and_draws_bars_is_imported_only_where_it_is_needed():
    """A second run executes nothing, and must end at once."""
    code = (
        "import kerasvision.cli, kerasvision.pipeline.local, sys; "
        "found = {'rich.progress', 'concurrent.futures.process', 'multiprocessing.connection'} & set(sys.modules); "
        "assert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_code_of_the_standard_graph_is_on_disk():
    """A wrong path in a table would otherwise only be found when it is used."""
    from kerasvision import introspection, lookup

    for table in (lookup.MODELS, lookup.COMPONENTS, lookup.PRESENTATIONS, lookup.STAGES):
        for name in table:
            assert introspection.module_file(table.path(name)) is not None, name


def test_no_test_sets_the_clock_of_the_whole_process():
    """A server of another test that sleeps in this process would never wake up."""
    sets_clock = re.compile(r"""setattr\(\s*((\w+\.)*time,|["'](\w+\.)*time\.)""")
    assert sets_clock.search('monkeypatch.setattr(progress.time, "monotonic", lambda: 0.0)')
    assert sets_clock.search('monkeypatch.setattr("kerasvision.tuning.search.time.monotonic", lambda: 0.0)')
    others = [file for file in (ROOT / "tests").rglob("test_*.py") if file != Path(__file__)]
    assert [file.name for file in others if sets_clock.search(file.read_text())] == []
