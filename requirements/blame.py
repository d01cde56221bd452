"""Finds out which of several newer packages breaks which test."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

Versions = Mapping[str, str]
Tests = frozenset[str]


class Trials(Protocol):
    """Resolves versions and runs tests. newest.py really does so; the tests of this file use a table.

    Attributes:
        locked: package -> version, of the lock.
    """

    locked: Versions

    def newer(self, names: frozenset[str]) -> Versions:
        """The lock with the newest versions of these packages, and with the other versions that they require."""

    def failing(self, versions: Versions, only: Tests | None = None) -> Tests:
        """The tests among `only`, or among all tests, that fail with these versions."""


@dataclass(frozen=True)
class Breakage:
    """Newer versions that break tests.

    Attributes:
        names: the upgraded packages; if there are several, they break the tests only together.
        changes: package -> (version in the lock, version tried), of these and of other packages that changed with them.
            The first is "none" for a package that the lock does not have, the second for one that is no longer needed.
        tests: the tests that pass with the lock and fail with the change.
    """

    names: frozenset[str]
    changes: Mapping[str, tuple[str, str]]
    tests: Tests


@dataclass(frozen=True)
class Findings:
    """The result of trying the newest versions.

    Attributes:
        newest: package -> (version in the lock, newest version), if the two differ.
        breakages: which change breaks which tests.
        not_versions: tests that also fail with the lock.
        unsteady: tests that failed once with the newest versions and passed when they were run again.
        unexplained: tests that fail with the newest versions, but not if only locked packages are upgraded.
    """

    newest: Mapping[str, tuple[str, str]]
    breakages: tuple[Breakage, ...] = ()
    not_versions: Tests = frozenset()
    unsteady: Tests = frozenset()
    unexplained: Tests = frozenset()


def changes(locked: Versions, tried: Versions) -> dict[str, tuple[str, str]]:
    """Package -> (version in the lock, version tried), if the two differ."""
    names = sorted(locked.keys() | tried.keys())
    pairs = {name: (locked.get(name, "none"), tried.get(name, "none")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def find_breakages(trials: Trials, newest: Versions) -> Findings:
    """Runs all tests with the newest versions, then the failing ones with fewer and fewer upgraded packages."""
    differences = changes(trials.locked, newest)
    failed = trials.failing(newest) if differences else frozenset()
    if not failed:
        return Findings(differences)
    again = trials.failing(newest, failed)
    not_versions = trials.failing(trials.locked, again) if again else again
    suspects = frozenset(differences) & frozenset(trials.locked)
    found = list(_breakages(trials, suspects, again - not_versions))
    unexplained = (again - not_versions).difference(*(breakage.tests for breakage in found))
    return Findings(differences, tuple(_smallest(found)), not_versions, failed - again, unexplained)


def _breakages(trials: Trials, names: frozenset[str], tests: Tests) -> Iterator[Breakage]:
    """Halves the packages until one is left. Tests that neither half breaks need packages of both."""
    versions = trials.newer(names)
    broken = trials.failing(versions, tests) if tests else tests
    if broken and len(names) > 1:
        ordered = sorted(names)
        middle = len(ordered) // 2
        for half in (ordered[:middle], ordered[middle:]):
            for breakage in _breakages(trials, frozenset(half), broken):
                yield breakage
                tests -= breakage.tests
        yield from _together(trials, names, broken & tests)
    elif broken:
        yield Breakage(names, changes(trials.locked, versions), broken)


def _together(trials: Trials, names: frozenset[str], tests: Tests) -> Iterator[Breakage]:
    """For each of the tests, a minimal set of packages that breaks it."""
    while tests:
        first, needed = frozenset({min(tests)}), names
        for name in sorted(names):
            if trials.failing(trials.newer(needed - {name}), first):
                needed -= {name}
        versions = trials.newer(needed)
        broken = trials.failing(versions, tests)
        yield Breakage(needed, changes(trials.locked, versions), broken | first)
        tests -= broken | first


def _smallest(found: list[Breakage]) -> Iterator[Breakage]:
    """The breakages without tests that a part of the same change already breaks, which is then the cause."""
    for one in found:
        parts = [other for other in found if other.changes.items() < one.changes.items()]
        tests = one.tests.difference(*(part.tests for part in parts))
        if tests:
            yield Breakage(one.names, one.changes, tests)
