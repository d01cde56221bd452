"""Writes build.txt, run.txt and test.txt: the exact version and the hashes of every package that a clone is installed with.

    python requirements/lock.py                      after a change of pyproject.toml: versions that still fit stay
    python requirements/lock.py --upgrade            the newest versions within the bounds of pyproject.toml
    python requirements/lock.py --upgrade filelock   the newest of that package, and what it takes with it

It ends with an error where a locked package has no wheel for a platform that we support, or is not for a Python that we
support; [tool.uv] in pyproject.toml then excludes that version. Run the tests before you commit the files. The work is done
by uv, which the tests' environment has, and takes some minutes.
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
# These are published as source alone; they need no compiler.
FROM_SOURCE = ("promise",)


def compile_requirements(*arguments: object, asked: str = "") -> None:
    """Runs `uv pip compile`.

    Args:
        arguments: further ones, and the files to read; "-" stands for `asked`.
        asked: requirements, a line each.

    Raises:
        subprocess.CalledProcessError: uv found no solution, and has said why.
    """
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-annotate", *map(str, arguments)]
    environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": OLDEST_MACOS}
    # uv reads [tool.uv] where it runs.
    subprocess.run(
        command, input=asked, stdout=subprocess.DEVNULL, env=environment, cwd=PROJECT.parent, text=True, check=True
    )


def write_lock(folder: Path, upgrade: Sequence[str] | None = None) -> None:
    """Writes the three files.

    Args:
        folder: where they go; versions in files that lie there are kept, as far as they fit.
        upgrade: the packages that may leave their versions; an empty list means all, None means those that no longer fit.
    """
    new = ["--upgrade"] if upgrade == [] else [word for name in upgrade or () for word in ("--upgrade-package", name)]
    exact = ["--universal", "--generate-hashes", "--custom-compile-command", "python requirements/lock.py"]
    test = folder / "test.txt"
    build = "\n".join(tomllib.loads(PROJECT.read_text("utf-8"))["build-system"]["requires"])
    compile_requirements(*exact, *new, PROJECT, "--extra", "test", "-o", test)
    # One version of a package in all three: what the tests ran with is what users get.
    compile_requirements(*exact, "--upgrade", PROJECT, "-c", test, "-o", folder / "run.txt")
    compile_requirements(*exact, "--upgrade", "-", "-c", test, "-o", folder / "build.txt", asked=build)


def check_wheels(folder: Path) -> None:
    """Every locked package has a wheel for every Python on every platform."""
    wheels = ["--only-binary", ":all:", *(word for name in FROM_SOURCE for word in ("--no-binary", name))]
    for python in PYTHONS:
        for platform in PLATFORMS:
            where = ["--python-version", python, "--python-platform", platform]
            compile_requirements(*wheels, *where, PROJECT, "--extra", "test", "-c", folder / "test.txt")


def pinned(lock: Path, python: str) -> list[str]:
    """name==version of every package of a lock file that is for that Python on this platform."""
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    lines = [line for line in lock.read_text("utf-8").splitlines() if "==" in line]
    packages = [Requirement(line.rstrip("\\ ")) for line in lines]
    return [f"{one.name}{one.specifier}" for one in packages if one.marker is None or one.marker.evaluate(environment)]


def check_pythons(folder: Path) -> None:
    """pip would install every locked package with every Python: a new pip, which looks and fetches no packages."""
    pip = [sys.executable, "-m", "uv", "tool", "run", "--from", "pip>=25", "pip", "install", "--quiet"]
    look = ["--dry-run", "--ignore-installed", "--no-deps", "--only-binary", ":all:", "--target", "nowhere"]
    for python in PYTHONS:
        packages = [pin for pin in pinned(folder / "test.txt", python) if pin.partition("==")[0] not in FROM_SOURCE]
        subprocess.run([*pip, *look, "--python-version", python, *packages], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", nargs="*", metavar="PACKAGE", help="take the newest of these, or of all")
    try:
        write_lock(HERE, parser.parse_args().upgrade)
        check_wheels(HERE)
        check_pythons(HERE)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)


if __name__ == "__main__":
    main()
