"""A training that is killed again and again ends bit for bit like an undisturbed one."""

import csv
import io
import json
import random
from pathlib import Path

import numpy as np
import pytest

from kerasvision.training.checkpointing.checkpoint_files import read_contents, read_manifest

SCRIPT = Path(__file__).with_name("train_and_die.py")
EXIT_CODES = {"start": -9, "step": -9, "save": -9, "damage": -9, "terminate": 143, "None": 0}


def trained(warm, data, folder, moments, *, seed):
    """The output of the script: moment, exit code, newest step."""
    done = warm.run_script(SCRIPT, data, folder, seed, *moments, timeout_seconds=550)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def result(folder, name):
    with np.load(folder / f"{name}.npz") as file:
        return {key: file[key] for key in file}


def last_checkpoint(folder, name):
    newest = max((folder / name / "checkpoints").glob("step-*"))
    arrays, state = read_contents(newest, read_manifest(newest))
    for callback in state["callbacks"]["callbacks"]:
        # Only times may differ.
        for row in callback["attributes"].get("rows", []):
            row["dict"] = [pair for pair in row["dict"] if pair[0] != "time"]
    return {name: array.tobytes() for name, array in arrays.items()}, state


def assert_resumed_equals_whole(folder):
    whole, resumed = result(folder, "whole"), result(folder, "resumed")
    assert whole.keys() == resumed.keys()
    assert [key for key in whole if whole[key].tobytes() != resumed[key].tobytes()] == []
    # All weights, averages, momenta, generators; the best score, its epoch and its weights; the history.
    assert last_checkpoint(folder, "whole") == last_checkpoint(folder, "resumed")
    # The logs have each epoch once, and the history's own values.
    rows = list(csv.DictReader(io.StringIO(str(resumed["csv"]))))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert [float(row["loss"]) for row in rows] == resumed["history loss"].tolist()


# Each moment is one more training. test_checkpoint_kill.py kills a process at each operation of a save.
@pytest.mark.parametrize("moments", [["damage"], pytest.param(["save", "damage", "terminate"], marks=pytest.mark.slow)])
def test_kills_a_sigterm_and_a_damaged_checkpoint_change_nothing(stripes, tmp_path, warm, moments):
    told = trained(warm, stripes.examples.parent, tmp_path, moments, seed=1)
    # A process may finish before its moment comes.
    assert all(code in (EXIT_CODES[str(moment)], 0) for moment, code, _ in told), told
    assert told[-1] == [None, 0, 48]
    assert sum(code != 0 for _, code, _ in told) >= min(2, len(moments)), told
    assert_resumed_equals_whole(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_twenty_kills_at_random_moments_change_nothing(stripes, tmp_path, seed, warm):
    moments = random.Random(seed).choices(["start", "step", "save", "damage", "terminate"], [2, 8, 6, 2, 2], k=20)
    told = trained(warm, stripes.examples.parent, tmp_path, moments, seed=seed)
    assert all(code in (EXIT_CODES[str(moment)], 0) for moment, code, _ in told), told
    assert told[-1] == [None, 0, 48]
    # The number of kills that hit a training before its end; the others do not count.
    assert sum(code != 0 and step < 48 for _, code, step in told) >= 15, told
    assert_resumed_equals_whole(tmp_path)
