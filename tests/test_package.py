"""What is installed: the names of `kerasvision` itself, and the files of the wheel."""

import ast
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import kerasvision

ROOT = Path(__file__).parent.parent


def test_editors_see_the_names_that_are_imported_on_first_use():
    body = ast.parse(Path(kerasvision.__file__).with_suffix(".pyi").read_text("utf-8")).body
    imports = [node for node in body if isinstance(node, ast.ImportFrom)]
    assert {name.asname: f"{node.module}:{name.name}" for node in imports for name in node.names} == kerasvision._LAZY
    assert [node.target.id for node in body if isinstance(node, ast.AnnAssign)] == ["__version__"]


def test_wheel_holds_all_code_the_pages_and_the_mark_of_types(tmp_path):
    copy = tmp_path / "clone"
    shutil.copytree(ROOT / "kerasvision", copy / "kerasvision", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(tmp_path)!r})"
    done = subprocess.run([sys.executable, "-c", build], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("kerasvision/")}
    assert "kerasvision/py.typed" in packed
    assert packed == {
        file.relative_to(copy).as_posix()
        for file in (copy / "kerasvision").rglob("*")
        if file.suffix in (".py", ".pyi", ".html", ".typed")
    }
