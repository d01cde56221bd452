"""Installs this clone of kerasvision in the current environment, with every package at its locked version.

    .venv/bin/python requirements/install.py run      everything that pipelines need
    .venv/bin/python requirements/install.py test     also all optional formats and servers, and everything for the tests

pip compares every downloaded file with the hashes in build.txt, run.txt and test.txt, which lock.py writes.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
KINDS = ("run", "test")
OLDEST, NEWEST = (3, 11), (3, 13)


def commands(kind):
    """The pip commands, in order.

    Args:
        kind: "run" or "test".
    """
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    # Source packages (kerasvision, and one without wheels) are built with the setuptools of build.txt. With build
    # isolation, pip would download the newest setuptools.
    built_here = [*install, "--no-build-isolation"]
    return [
        [*install, "--require-hashes", "-r", str(HERE / "build.txt")],
        [*built_here, "--require-hashes", "-r", str(HERE / f"{kind}.txt")],
        [*built_here, "--editable", str(HERE.parent)],
    ]


def complaint(arguments, version=sys.version_info[:2]):
    """Why the installation is not possible; empty if it is."""
    if len(arguments) != 1 or arguments[0] not in KINDS:
        return f"install.py requires one of {', '.join(KINDS)}; received {' '.join(arguments) or 'nothing'}."
    if not OLDEST <= tuple(version) <= NEWEST:
        return (
            f"kerasvision requires Python 3.{OLDEST[1]} to 3.{NEWEST[1]}; this is {version[0]}.{version[1]}. "
            f"Make the environment with another Python: python3.{NEWEST[1]} -m venv --clear .venv"
        )
    return ""


def main(arguments):
    """Installs everything; returns the exit code of the first command that fails, or 0."""
    if fault := complaint(arguments):
        print(fault, file=sys.stderr)
        return 2
    for command in commands(arguments[0]):
        if code := subprocess.run(command, check=False).returncode:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
