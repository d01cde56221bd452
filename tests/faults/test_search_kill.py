"""A search that is killed at any moment continues to the same trials and the same winner as an undisturbed one."""

import json
from pathlib import Path

import pytest

SIGKILL, INTERRUPTED = -9, 143


def run(warm, *arguments):
    script = Path(__file__).with_name("search_and_die.py")
    done = warm.run_script(script, *arguments, timeout_seconds=1500)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("algorithm", [pytest.param("random", marks=pytest.mark.slow), "halving"])
def test_kills_between_any_two_operations_on_files_change_nothing(tmp_path, algorithm, warm):
    codes, whole, resumed = run(warm, "files", tmp_path, algorithm)
    assert codes[-1] == 0
    assert set(codes[:-1]) == {SIGKILL}
    assert len(codes) > 5
    assert len(whole["trials"]) >= 4
    assert resumed == whole


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("algorithm", "seed"), [("random", 0), ("hyperband", 1)])
def test_ten_ends_of_real_trainings_at_random_moments_change_nothing(stripes, tmp_path, algorithm, seed, warm):
    codes, whole, results = run(warm, "trainings", tmp_path, algorithm, seed, 10, stripes.examples.parent)
    expected = {"search": (SIGKILL, 0), "worker": (0, SIGKILL), "terminate": (INTERRUPTED, 0), "": (0,)}
    assert all(code in expected[end] for end, code in codes), codes
    assert sum(code == SIGKILL for _, code in codes) >= 2, codes
    # Every value of every epoch of every trial, bit for bit.
    assert all(result == whole for result in results)
    assert len(whole["seeds"]) == 1
