"""Writes build.txt, run.txt and test.txt: the exact version and the hashes of every package of an installed clone.

    python requirements/lock.py                      after a change of pyproject.toml: keeps versions within the bounds
    python requirements/lock.py --upgrade            the newest versions within the bounds of pyproject.toml
    python requirements/lock.py --upgrade filelock   the newest version of that package, and the versions that it requires

It ends with an error if a locked package has no wheel for a platform that we support, or does not support one of our Python
versions. Exclude that version in [tool.uv] of pyproject.toml then. Run the tests before you commit the files. uv, which is
in the tests' environment, does the work. It takes some minutes.
"""

import argparse
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent / "pyproject.toml"
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin")
OLDEST_MACOS = "14.0"
# These are published only as source; they need no compiler.
FROM_SOURCE = ("promise",)


def compile_requirements(*arguments: object, asked: str = "") -> None:
    """Runs `uv pip compile`.

    Args:
        arguments: more options, and the files to read; "-" is `asked`.
        asked: requirements, one per line.

    Raises:
        subprocess.CalledProcessError: uv found no solution, and has printed why.
    """
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-annotate", *map(str, arguments)]
    environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": OLDEST_MACOS}
    # uv reads [tool.uv] in its working directory.
    subprocess.run(
        command, input=asked, stdout=subprocess.DEVNULL, env=environment, cwd=PROJECT.parent, text=True, check=True
    )


def write_lock(folder: Path, upgrade: Sequence[str] | None = None) -> None:
    """Writes the three files.

    Args:
        folder: where to write them; versions in existing files there are kept if they are within the bounds.
        upgrade: the packages to upgrade; an empty list: all; None: only those that are no longer within the bounds.
    """
    new = ["--upgrade"] if upgrade == [] else [word for name in upgrade or () for word in ("--upgrade-package", name)]
    exact = ["--universal", "--generate-hashes", "--custom-compile-command", "python requirements/lock.py"]
    test = folder / "test.txt"
    build = "\n".join(tomllib.loads(PROJECT.read_text("utf-8"))["build-system"]["requires"])
    compile_requirements(*exact, *new, PROJECT, "--extra", "test", "-o", test)
    # All three have the same version of a package, so that users get what the tests ran with.
    compile_requirements(*exact, "--upgrade", PROJECT, "-c", test, "-o", folder / "run.txt")
    compile_requirements(*exact, "--upgrade", "-", "-c", test, "-o", folder / "build.txt", asked=build)


def check_wheels(folder: Path) -> None:
    """Checks that every locked package has a wheel for every Python on every platform."""
    wheels = ["--only-binary", ":all:", *(word for name in FROM_SOURCE for word in ("--no-binary", name))]
    for python in PYTHONS:
        for platform in PLATFORMS:
            where = ["--python-version", python, "--python-platform", platform]
            compile_requirements(*wheels, *where, PROJECT, "--extra", "test", "-c", folder / "test.txt")


def pinned(lock: Path, python: str) -> list[str]:
    """name==version of every package in a lock file for that Python on this platform."""
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    lines = [line for line in lock.read_text("utf-8").splitlines() if "==" in line]
    packages = [Requirement(line.rstrip("\\ ")) for line in lines]
    return [f"{one.name}{one.specifier}" for one in packages if one.marker is None or one.marker.evaluate(environment)]


def check_pythons(folder: Path) -> None:
    """Checks that a new pip would install every locked package with every Python; nothing is installed."""
    pip = [sys.executable, "-m", "uv", "tool", "run", "--from", "pip>=25", "pip", "install", "--quiet"]
    look = ["--dry-run", "--ignore-installed", "--no-deps", "--only-binary", ":all:", "--target", "nowhere"]
    for python in PYTHONS:
        packages = [pin for pin in pinned(folder / "test.txt", python) if pin.partition("==")[0] not in FROM_SOURCE]
        subprocess.run([*pip, *look, "--python-version", python, *packages], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", nargs="*", metavar="PACKAGE", help="upgrade these packages, or all")
    try:
        write_lock(HERE, parser.parse_args().upgrade)
        check_wheels(HERE)
        check_pythons(HERE)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)


if __name__ == "__main__":
    main()
