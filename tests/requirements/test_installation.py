"""What the pages type to install kerasvision works: in a new clone, and in a new environment with the wheel alone."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("pages", Path(__file__).parents[1] / "pages.py")
pages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pages)

# README.md and CONTRIBUTING.md come first, because they make the environment that the other pages use.
BLOCKS = [block for page in pages.pages() for block in pages.blocks(page)]
# CI types the same command with all tests.
TESTS = "tests/test_dotted.py"
# What commands leave in the folder of a clone.
LEFT_BEHIND = {"build", "data", "dist", "runs", "saved_models", "weights"}


@pytest.fixture
def terminal(tmp_path):
    """Types commands in a folder, with a Python that has no packages; pip may install the locked versions only."""
    lock = (pages.ROOT / "requirements" / "test.txt").read_text("utf-8")
    constraints = tmp_path / "constraints.txt"
    # Without hashes, because pip would require those of everything.
    constraints.write_text("\n".join(line.rstrip("\\ ") for line in lock.splitlines() if "==" in line))
    (tmp_path / "bin").mkdir()
    for name in ("python", "python3"):
        # Through a program, because the environment of a link would be that of the tests.
        (tmp_path / "bin" / name).write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (tmp_path / "bin" / name).chmod(0o755)
    here = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV", "VENV")}
    here |= {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)}
    here |= {"PIP_CONSTRAINT": str(constraints), "PYTEST_ADDOPTS": TESTS}

    def run(script, folder):
        command = ["bash", "-euo", "pipefail", "-c", script]
        done = subprocess.run(command, cwd=folder, env=here, capture_output=True, text=True, timeout=1500, check=False)
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def not_of_a_clone(folder, names):
    """The names that a new clone would not have, for `shutil.copytree`."""
    is_top = Path(folder) == pages.ROOT
    return [name for name in names if name == "__pycache__" or (is_top and (name[0] == "." or name in LEFT_BEHIND))]


def typed_with(kind):
    """The scripts of one kind in order, without those that another page has too."""
    return list(dict.fromkeys(block.script for block in BLOCKS if block.typed == kind))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_new_clone_can_be_installed_used_tested_and_checked(terminal, tmp_path):
    clone = shutil.copytree(pages.ROOT, tmp_path / "clone", ignore=not_of_a_clone)
    first, *others = typed_with("clone")
    assert "11 of 11 stages executed" in terminal(first, clone)
    for script in others:
        # The pages say that each terminal needs this once.
        terminal(f"source .venv/bin/activate\n{script}", clone)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_wheel_can_be_installed_without_a_clone(terminal, wheel, tmp_path):
    (script,) = typed_with("wheel")
    folder = tmp_path / "mine"
    folder.mkdir()
    shutil.copy(wheel, folder)
    terminal("python3 -m venv .venv", folder)
    printed = terminal(f"source .venv/bin/activate\n{script}", folder)
    assert "next: kerasvision run pipelines/digits.py" in printed
    assert terminal(".venv/bin/python -c 'import kerasvision; print(kerasvision.__file__)'", folder).startswith(str(folder))
