import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def kerasvision():
    """Runs the command line as a person does: a process, its exit code, what it prints."""

    def run(*arguments, cwd=REPOSITORY, **environment):
        command = [sys.executable, "-W", "error::UserWarning", "-c", "from kerasvision.cli import main; main()"]
        command += map(str, arguments)
        return subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **environment}
        )

    return run


@pytest.fixture(scope="session")
def digits_root(tmp_path_factory, kerasvision):
    """A root in which pipelines/digits.py ran from nothing."""
    root = tmp_path_factory.mktemp("digits")
    done = kerasvision("run", "pipelines/digits.py", "--root", root)
    assert done.returncode == 0, done.stderr
    (root / "first_run.txt").write_text(done.stdout)
    return root
