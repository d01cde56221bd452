"""What is installed: the names of `kerasvision` itself, the files of the wheel, and that the wheel works without a clone."""

import ast
import importlib.metadata
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.version import Version

import kerasvision

ROOT = Path(__file__).parent.parent
# What a run with few epochs, few images for the proof and no comparison needs; the gate is lowered to what it reaches.
SHORT = (
    "training.epochs=5",
    "gate.rules.0.value=0.5",
    "simple_models=null",
    "evaluation.resamples=100",
    "evaluation.slices=[]",
    'evaluation.splits=["test"]',
    "serving.canary_examples=16",
    "serving.latency_queries=5",
)
# The command line of the installed wheel, where nothing of the clone and no package of an extra can be imported.
WITHOUT_EXTRAS = f"""
import importlib.abc, sys

sys.path[:] = [path for path in sys.path if path != {str(ROOT)!r}]
sys.path.insert(1, sys.argv.pop(1))
from kerasvision import cli, extras

class NotInstalled(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in names:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

names = {{package for packages in extras.EXTRAS.values() for package in packages}}
assert not names & set(sys.modules), names & set(sys.modules)
sys.meta_path.insert(0, NotInstalled())
try:
    cli.main()
finally:
    ours = {{module.__file__ for name, module in sys.modules.items() if name.partition(".")[0] == "kerasvision"}}
    assert all(file.startswith(sys.path[1]) for file in ours), ours
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A copy of the files that a wheel is made of."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "kerasvision", folder / "kerasvision", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(clone, tmp_path_factory):
    """The wheel, built by `python -m build`: with this environment's setuptools, if it is one of those in pyproject.toml."""
    folder = tmp_path_factory.mktemp("wheel")
    is_locked = Version("77") <= Version(importlib.metadata.version("setuptools")) < Version("90")
    how = ["--no-isolation"] if is_locked else []
    command = [sys.executable, "-m", "build", "--wheel", *how, "--outdir", folder, clone]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A folder in which the wheel is installed, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run([*pip, "--target", folder, wheel], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_editors_see_the_names_that_are_imported_on_first_use():
    body = ast.parse(Path(kerasvision.__file__).with_suffix(".pyi").read_text("utf-8")).body
    imports = [node for node in body if isinstance(node, ast.ImportFrom)]
    assert {name.asname: f"{node.module}:{name.name}" for node in imports for name in node.names} == kerasvision._LAZY
    assert [node.target.id for node in body if isinstance(node, ast.AnnAssign)] == ["__version__"]


def test_wheel_holds_all_code_the_pages_the_mark_of_types_and_the_licence(clone, wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("kerasvision/")}
        (licence,) = (archive.read(name) for name in archive.namelist() if name.endswith("dist-info/licenses/LICENSE"))
    assert licence == (ROOT / "LICENSE").read_bytes()
    assert "kerasvision/py.typed" in packed
    assert packed == {
        file.relative_to(clone).as_posix()
        for file in (clone / "kerasvision").rglob("*")
        if file.suffix in (".py", ".pyi", ".html", ".typed")
    }


def test_wheel_holds_every_pipeline_of_the_repository(wheel):
    with zipfile.ZipFile(wheel) as archive:
        prefix = "kerasvision/config/pipelines/"
        packed = {name.removeprefix(prefix): archive.read(name) for name in archive.namelist() if name.startswith(prefix)}
    assert packed == {file.name: file.read_bytes() for file in (ROOT / "pipelines").glob("*.py")}


def test_installed_wheel_runs_the_main_example_in_an_empty_folder_without_extras(installed, warm, tmp_path):
    def kerasvision(*words):
        done = warm.run(WITHOUT_EXTRAS, installed, *words, folder=tmp_path, PYTHONPATH=str(installed))
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "next: kerasvision run pipelines/digits.py" in kerasvision("new", "--example", "digits")
    assert (tmp_path / "pipelines" / "digits.py").read_bytes() == (ROOT / "pipelines" / "digits.py").read_bytes()
    changes = [word for change in SHORT for word in ("--set", change)]
    printed = kerasvision("run", "pipelines/digits.py", "--workers", 1, *changes)
    assert "10 of 10 stages executed" in printed
    assert (tmp_path / "saved_models" / "digits" / "1" / "saved_model.pb").is_file()
    pages = {page.name for page in tmp_path.glob("runs/artifacts/digits/*/*/*/*.html")}
    assert pages == {"statistics.html", "evaluation.html"}
    assert "digits" in kerasvision("saved", "list")
