"""newest.py finds and reports which newer package breaks which test, even if one package changes others."""

import sys

import pytest

LOCK = {"filelock": "4.2", "keras": "3.15.0", "numpy": "2.4", "pydantic": "2.13", "pydantic-core": "2.49", "rich": "15"}
NEWEST = {**LOCK, "filelock": "4.3", "numpy": "2.5", "pydantic": "2.14", "pydantic-core": "2.50", "rich": "16"}
LOCK_TEST, KILL_TEST, PAGE_TEST, START = "test_lock", "test_kill", "test_page", "test_start"


class Table:
    """Trials with outcomes from a table: for each test, the sets of packages that break it if all are newer."""

    def __init__(self, broken_by, *, locked=LOCK, newest=NEWEST, once=()):
        self.broken_by, self.locked, self.newest, self.once = broken_by, locked, newest, set(once)
        self.runs = []

    def newer(self, names):
        # As in reality, pydantic changes the version of its core, and the core cannot change alone.
        moved = (names - {"pydantic-core"}) | ({"pydantic-core"} if "pydantic" in names else set())
        added = {name: version for name, version in self.newest.items() if name not in self.locked and moved}
        return {name: (self.newest if name in moved else self.locked)[name] for name in self.locked} | added

    def failing(self, versions, only=None):
        moved = {name for name in versions if versions[name] != self.locked.get(name)}
        failing = {test for test, sets in self.broken_by.items() if any(one <= moved for one in sets)}
        failing |= self.once if only is None else set()
        self.runs.append((moved, only))
        return frozenset(failing if only is None else failing & only)


def test_a_change_is_another_version_a_new_package_or_one_that_is_gone(programs):
    assert programs.blame.changes({"a": "1", "b": "1", "d": "3"}, {"a": "2", "b": "1", "c": "1"}) == {
        "a": ("1", "2"),
        "c": ("none", "1"),
        "d": ("3", "none"),
    }


@pytest.fixture
def found(programs):
    def find(table):
        findings = programs.blame.find_breakages(table, table.newest)
        return {tuple(sorted(one.names)): set(one.tests) for one in findings.breakages}, findings

    return find


def test_nothing_is_run_where_nothing_is_newer(found, programs):
    table = Table({}, newest=LOCK)
    breakages, findings = found(table)
    assert (breakages, table.runs) == ({}, [])
    assert programs.newest.as_text(findings) == "0 packages differ from the lock: none."


def test_where_all_tests_pass_they_are_run_once(found, programs):
    table = Table({})
    breakages, findings = found(table)
    assert breakages == {}
    assert len(table.runs) == 1
    assert programs.newest.as_text(findings).endswith("All tests pass with the newest versions.")


def test_the_one_to_blame_is_found_by_the_failing_tests_alone(found):
    table = Table({LOCK_TEST: [{"filelock"}], KILL_TEST: [{"filelock"}]})
    breakages, _ = found(table)
    assert breakages == {("filelock",): {LOCK_TEST, KILL_TEST}}
    assert table.runs[0][1] is None
    assert all(only == {LOCK_TEST, KILL_TEST} for _, only in table.runs[1:])


def test_two_to_blame_are_each_named_with_their_tests(found):
    table = Table({LOCK_TEST: [{"filelock"}], PAGE_TEST: [{"rich"}, {"numpy"}]})
    assert found(table)[0] == {("filelock",): {LOCK_TEST}, ("numpy",): {PAGE_TEST}, ("rich",): {PAGE_TEST}}


def test_what_only_two_break_together_is_said_to_be_so(found, programs):
    table = Table({PAGE_TEST: [{"filelock", "rich"}], LOCK_TEST: [{"filelock"}], KILL_TEST: [{"filelock", "rich"}]})
    breakages, findings = found(table)
    assert breakages == {("filelock",): {LOCK_TEST}, ("filelock", "rich"): {PAGE_TEST, KILL_TEST}}
    assert (
        "Only together: filelock 4.3 (lock: 4.2), rich 16 (lock: 15) break:\n    test_kill\n    test_page"
        in programs.newest.as_text(findings)
    )


def test_two_pairs_are_two_findings(found):
    table = Table({PAGE_TEST: [{"filelock", "rich"}], KILL_TEST: [{"filelock", "numpy"}]})
    assert found(table)[0] == {("filelock", "rich"): {PAGE_TEST}, ("filelock", "numpy"): {KILL_TEST}}


def test_what_a_package_takes_along_is_named(found, programs):
    breakages, findings = found(Table({PAGE_TEST: [{"pydantic-core"}]}))
    assert breakages == {("pydantic",): {PAGE_TEST}}
    told = programs.newest.as_text(findings)
    assert "pydantic 2.14 (lock: 2.13), which also changes pydantic-core 2.50 (lock: 2.49), breaks:\n    test_page" in told


def test_a_package_is_not_blamed_for_what_it_takes_along(found):
    table = Table({PAGE_TEST: [{"filelock"}]})
    newer = table.newer
    table.newer = lambda names: newer(names | ({"filelock"} if "rich" in names else set()))
    assert found(table)[0] == {("filelock",): {PAGE_TEST}}


def test_what_fails_with_the_lock_too_is_no_matter_of_versions(found, programs):
    breakages, findings = found(Table({PAGE_TEST: [set()], LOCK_TEST: [{"filelock"}]}))
    assert breakages == {("filelock",): {LOCK_TEST}}
    assert findings.not_versions == {PAGE_TEST}
    assert "also fails with the lock:\n    test_page" in programs.newest.as_text(findings)


def test_what_fails_once_is_not_blamed_on_anybody(found, programs):
    breakages, findings = found(Table({}, once=[KILL_TEST]))
    assert breakages == {}
    assert "Failed once and passed when run again:\n    test_kill" in programs.newest.as_text(findings)


def test_what_only_a_new_package_breaks_is_left_unexplained(found, programs):
    table = Table({START: [{"added"}]}, newest={**LOCK, "added": "1"})
    table.newer = lambda names: LOCK
    breakages, findings = found(table)
    assert breakages == {}
    assert findings.unexplained == {START}
    assert "but not after upgrading locked packages only:\n    test_start" in programs.newest.as_text(findings)


def test_of_many_packages_few_sets_are_tried(found):
    locked = {f"package-{number:02d}": "1" for number in range(64)}
    table = Table({PAGE_TEST: [{"package-37"}]}, locked=locked, newest=dict.fromkeys(locked, "2"))
    assert found(table)[0] == {("package-37",): {PAGE_TEST}}
    assert len(table.runs) <= 3 + 1 + 2 * 6


# --- Runs of pytest


@pytest.fixture
def run(programs, tmp_path):
    """Runs pytest of this environment on files; (name and text of each file, arguments) -> what failed, without folders."""

    def begin(*arguments, **texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.py").write_text(text)
        environments = programs.newest.Environments.__new__(programs.newest.Environments)
        environments.folder, environments.python = tmp_path, sys.executable
        failed = environments._run_tests([*arguments, *(str(tmp_path / f"{name}.py") for name in texts)])
        return {test.rpartition("/")[2] for test in failed}

    return begin


@pytest.mark.slow
def test_failing_tests_and_files_that_cannot_be_loaded_are_named(run):
    text = "import pytest\n@pytest.mark.parametrize('n', ['a b', 'c'])\ndef test_one(n): assert n == 'c'\n"
    assert run(test_mixed=text, test_unloadable="import nothing_of_this_name\n") == {
        "test_mixed.py::test_one[a b]",
        "test_unloadable.py",
    }


@pytest.mark.slow
def test_passing_tests_leave_nothing(run):
    assert run(test_good="def test_one(): pass\n") == set()


@pytest.mark.slow
def test_a_pytest_that_cannot_start_is_a_failure_of_its_own(run):
    assert run("--no-such-option") == {"the start of pytest"}
