"""Runs the command line as a person does."""

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent
MAIN = "from kerasvision.cli import main; main()"
# The interpreter's option -W would take effect before any import.
STRICT = "import sys, warnings; sys.warnoptions.append('error::UserWarning'); warnings.simplefilter('error', UserWarning); "


@pytest.fixture(scope="session")
def kerasvision(warm, run_new):
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
