"""Runs the command line as a person does, and provides a folder in which pipelines/digits.py ran."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
MAIN = "from kerasvision.cli import main; main()"
# The interpreter's option -W would take effect before any import.
STRICT = "import sys, warnings; sys.warnoptions.append('error::UserWarning'); warnings.simplefilter('error', UserWarning); "


@pytest.fixture(scope="session")
def kerasvision(warm):
    """Runs the command line in a process: its exit code and output. With other variables it starts a new interpreter.

    A pipeline runs with one worker unless the test sets the number: this process has TensorFlow, others would import it.
    """

    def run(*arguments, cwd=REPOSITORY, **environment):
        if environment:
            return run_new(*arguments, cwd=cwd, **environment)
        if arguments[0] == "run" and "--workers" not in arguments:
            arguments = (*arguments, "--workers", 1)
        return warm.run(STRICT + MAIN, *arguments, folder=cwd, with_kerasvision=True)

    return run


def run_new(*arguments, cwd=REPOSITORY, **environment):
    """Runs the command line in a new interpreter."""
    command = [sys.executable, "-W", "error::UserWarning", "-c", MAIN, *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **environment}
    )


@pytest.fixture(scope="session")
def digits_root(once_for_all):
    """A root in which pipelines/digits.py ran."""

    def first_run(root):
        done = run_new("run", "pipelines/digits.py", "--root", root)
        assert done.returncode == 0, done.stderr
        (root / "first_run.txt").write_text(done.stdout.replace(f"{os.path.relpath(root, REPOSITORY)}/", ""))

    return once_for_all("digits", first_run)
