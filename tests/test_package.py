"""What is installed: the names of `kerasvision` itself, the files of the wheel, and that the wheel works without a clone."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import kerasvision
from kerasvision.pipeline.capacity import default_workers
from kerasvision.pipeline.store import opened

ROOT = Path(__file__).parent.parent
# The artifacts that contain neither durations nor times.
ALWAYS_THE_SAME = {
    "Examples", "ExampleStatistics", "Schema", "ExampleAnomalies", "TransformGraph", "ModelBlessing",
}  # fmt: skip
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


def test_wheel_holds_all_code_the_pages_the_mark_of_types_and_the_licence(wheel):
    clone = wheel.parent / "clone"
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


@pytest.fixture(scope="module")
def one_worker():
    """How many workers a run has here: not as many as by default, so one, or on a small machine two."""
    return 1 if default_workers() > 1 else 2


@pytest.fixture(scope="module")
def wheel_run(installed, warm, one_worker, tmp_path_factory):
    """Makes an empty folder in which the installed wheel wrote the main example and ran it, without extras."""

    def run(*options, executed):
        folder = tmp_path_factory.mktemp("empty")

        def kerasvision(*words):
            done = warm.run(WITHOUT_EXTRAS, installed, *words, folder=folder, PYTHONPATH=str(installed))
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert "next: kerasvision run pipelines/digits.py" in kerasvision("new", "--example", "digits")
        assert (folder / "pipelines" / "digits.py").read_bytes() == (ROOT / "pipelines" / "digits.py").read_bytes()
        assert executed in kerasvision("run", "pipelines/digits.py", "--workers", one_worker, *options)
        return folder, kerasvision

    return run


@pytest.fixture(scope="module")
def wheel_root(wheel_run):
    folder, kerasvision = wheel_run(executed="11 of 11 stages executed")
    assert "digits" in kerasvision("saved", "list")
    return folder


@pytest.mark.slow
def test_installed_wheel_transforms_the_main_example_in_an_empty_folder_without_extras(wheel_run):
    folder, _ = wheel_run("--until", "transform", executed="5 of 5 stages executed")
    assert [page.name for page in folder.glob("runs/artifacts/digits/*/*/*/*.html")] == ["statistics.html"]
    assert len(list(folder.glob("runs/artifacts/digits/transform/*/*/transform.json"))) == 1


@pytest.mark.slow
def test_installed_wheel_runs_the_main_example_in_an_empty_folder_without_extras(wheel_root):
    assert (wheel_root / "saved_models" / "digits" / "1" / "saved_model.pb").is_file()
    pages = {page.name for page in wheel_root.glob("runs/artifacts/digits/*/*/*/*.html")}
    assert pages == {"statistics.html", "evaluation.html"}


# tests/pipeline/test_side_by_side.py compares two workers with one on small stages.
@pytest.mark.slow
def test_workers_side_by_side_write_the_same_bytes_as_one(digits_root, wheel_root):
    """Compares artifacts without times and object numbers; a `.keras` file has both in addition to its weights.

    The clone ran with the default number of workers.
    """
    digests, weights = {}, {}
    for root in (digits_root, wheel_root):
        with opened(root / "runs", read_only=True) as store:
            runs = store.runs()
            artifacts = [a for e in store.executions(runs[-1]) for a in e.outputs.values()]
        (model,) = (artifact.open() for artifact in artifacts if artifact.type == "Model")
        with zipfile.ZipFile(model.keras_file) as file:
            weights[root] = (file.read("model.weights.h5"), model.history.read_text())
        digests[root] = {artifact.type: artifact.digest for artifact in artifacts if artifact.type in ALWAYS_THE_SAME}
    assert digests[digits_root] == digests[wheel_root]
    assert digests[wheel_root].keys() == ALWAYS_THE_SAME
    assert weights[digits_root] == weights[wheel_root]
