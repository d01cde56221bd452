"""Tries the newest versions within the bounds of pyproject.toml, and reports which of them breaks which test.

    python requirements/newest.py                                    all tests
    python requirements/newest.py tests/cli tests/test_floors.py     some tests; arguments are passed on to pytest
    python requirements/newest.py --report newest.md                 also writes the report to a file

It installs the newest versions in a separate environment and runs the tests. Failing tests are run again with the lock, and
then with fewer and fewer upgraded packages. The exit code is 0 if every test passes, and 1 if one fails. It requires a
network, and uv, which is in the tests' environment.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from blame import Findings, Tests, Versions, changes, find_breakages
from lock import HERE, PROJECT, compile_requirements

INSTALLATION, START = "the installation of the packages", "the start of pytest"
FAILED = 1
EMPTY: Versions = {}


class Environments:
    """Resolves with uv, installs in one virtual environment, and runs pytest there (see `blame.Trials`).

    Args:
        folder: for the environment and the files of the tests.
        tests: the arguments of pytest for a run of all tests.
    """

    def __init__(self, folder: Path, tests: list[str]) -> None:
        self.folder, self.tests, self._installed = folder, tests, None
        self.python = folder / "environment" / "bin" / "python"
        self.locked = self._resolved("-c", HERE / "test.txt")

    def newest(self) -> Versions:
        """The newest versions within the bounds."""
        return self._resolved("--upgrade")

    def newer(self, names: frozenset[str]) -> Versions:
        """The lock with the newest versions of these packages, and with the other versions that they require."""
        return self._resolved(*(word for name in sorted(names) for word in ("--upgrade-package", name)), kept=self.locked)

    def failing(self, versions: Versions, only: Tests | None = None) -> Tests:
        """The tests among `only`, or among all tests, that fail with these versions."""
        changed = ", ".join(f"{name} {new}" for name, (_, new) in changes(self.locked, versions).items())
        print(f"{'all tests' if only is None else f'{len(only)} failing'} with: {changed or 'the lock'}", flush=True)
        if not self._install(versions):
            return only or frozenset({INSTALLATION})
        if only == {INSTALLATION}:
            return frozenset()
        failed = self._run_tests(self.tests if only is None or START in only else sorted(only - {INSTALLATION}))
        return failed if only is None else failed & only

    def _resolved(self, *arguments: object, kept: Versions = EMPTY) -> Versions:
        file = self.folder / "resolved.txt"
        # uv keeps the versions that are already in its output file.
        file.write_text(_lines_of(kept))
        compile_requirements("--python", sys.executable, "--no-header", PROJECT, "--extra", "test", *arguments, "-o", file)
        return dict(line.split("==") for line in file.read_text().splitlines())

    def _install(self, versions: Versions) -> bool:
        if versions == self._installed:
            return True
        uv = [sys.executable, "-m", "uv"]
        wanted = self.folder / "wanted.txt"
        wanted.write_text(_lines_of(versions))
        at = ["--quiet", "--python", str(self.python)]
        commands = [
            [*uv, "pip", "sync", *at, str(wanted)],
            [*uv, "pip", "install", *at, "--no-deps", "--editable", str(HERE.parent)],
        ]
        if not self.python.exists():
            commands.insert(0, [*uv, "venv", "--quiet", "--python", sys.executable, str(self.folder / "environment")])
        done = all(subprocess.run(command, check=False).returncode == 0 for command in commands)
        self._installed = versions if done else None
        return done

    def _run_tests(self, tests: list[str]) -> Tests:
        """What pytest records as failed: names of tests, and of files that cannot be loaded."""
        cache = self.folder / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        # There may be too many names for a command line.
        names = self.folder / "tests.txt"
        names.write_text("\n".join(tests))
        options = ["-q", "--continue-on-collection-errors", "-o", f"cache_dir={cache}"]
        command = [str(self.python), "-m", "pytest", *options, f"@{names}"]
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        code = subprocess.run(command, cwd=HERE.parent, env=environment, check=False).returncode
        failed = cache / "v" / "cache" / "lastfailed"
        found = frozenset(json.loads(failed.read_text())) if failed.exists() else frozenset()
        return found or (frozenset({START}) if code else frozenset())


def _lines_of(versions: Versions) -> str:
    return "".join(f"{name}=={version}\n" for name, version in versions.items())


def as_text(findings: Findings) -> str:
    """The findings as a text for people."""
    return "\n".join(_lines(findings))


def _lines(findings: Findings) -> Iterator[str]:
    newer = findings.newest
    yield f"{len(newer)} packages differ from the lock: {_versions(newer) or 'none'}."
    for breakage in findings.breakages:
        asked = {name: pair for name, pair in breakage.changes.items() if name in breakage.names}
        taken = {name: pair for name, pair in breakage.changes.items() if name not in breakage.names}
        which = _versions(asked) + (f", which also changes {_versions(taken)}," if taken else "")
        yield from _listed(f"Only together: {which} break" if len(breakage.names) > 1 else f"{which} breaks", breakage.tests)
    yield from _listed("Not caused by newer versions: also fails with the lock", findings.not_versions)
    yield from _listed("Failed once and passed when run again", findings.unsteady)
    alone = "Fails with the newest versions, but not after upgrading locked packages only"
    yield from _listed(alone, findings.unexplained)
    if newer and not (findings.breakages or findings.not_versions or findings.unsteady or findings.unexplained):
        yield "All tests pass with the newest versions."


def _versions(pairs: Mapping[str, tuple[str, str]]) -> str:
    return ", ".join(f"{name} {new} (lock: {old})" for name, (old, new) in pairs.items())


def _listed(heading: str, tests: Tests) -> list[str]:
    return [f"{heading}:", *(f"    {test}" for test in sorted(tests))] if tests else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, metavar="FILE", help="also write the report to this file")
    options, tests = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            environments = Environments(Path(folder), tests or ["-n", "2", "--dist", "loadfile"])
            findings = find_breakages(environments, environments.newest())
        except subprocess.CalledProcessError as error:  # uv found no compatible versions, and has printed why
            sys.exit(error.returncode)
        print(as_text(findings), flush=True)
        if options.report:
            options.report.write_text(as_text(findings) + "\n", encoding="utf-8")
    sys.exit(FAILED if findings.breakages or findings.not_versions or findings.unexplained else 0)


if __name__ == "__main__":
    main()
