"""Installs this clone of kerasvision in the environment that runs it, with every package at its locked version.

    .venv/bin/python requirements/install.py run      what pipelines need
    .venv/bin/python requirements/install.py test     the same, all optional formats and servers, and what the tests need

pip compares every file that it fetches with the hashes in build.txt, run.txt and test.txt, which lock.py writes.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
KINDS = ("run", "test")
OLDEST, NEWEST = (3, 11), (3, 13)


def commands(kind):
    """The calls of pip, in their order.

    Args:
        kind: "run" or "test".
    """
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    # What is built from source (kerasvision, and a package without wheels) is built with the setuptools of build.txt:
    # in an environment of its own, pip would fetch the newest.
    built_here = [*install, "--no-build-isolation"]
    return [
        [*install, "--require-hashes", "-r", str(HERE / "build.txt")],
        [*built_here, "--require-hashes", "-r", str(HERE / f"{kind}.txt")],
        [*built_here, "--editable", str(HERE.parent)],
    ]


def complaint(arguments, version=sys.version_info[:2]):
    """Why that cannot be installed; empty where it can."""
    if len(arguments) != 1 or arguments[0] not in KINDS:
        return f"install.py takes one of {', '.join(KINDS)}; received {' '.join(arguments) or 'nothing'}."
    if not OLDEST <= tuple(version) <= NEWEST:
        return (
            f"kerasvision needs Python 3.{OLDEST[1]} to 3.{NEWEST[1]}; this is {version[0]}.{version[1]}. "
            f"Make the environment with another: python3.{NEWEST[1]} -m venv --clear .venv"
        )
    return ""


def main(arguments):
    """Installs; the exit code of the first call that fails, or 0."""
    if told := complaint(arguments):
        print(told, file=sys.stderr)
        return 2
    for command in commands(arguments[0]):
        if code := subprocess.run(command, check=False).returncode:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
