"""A run that must stop while it trains saves its state, and the next run ends like an undisturbed one."""

import os
import re
import shutil
import signal
import time

import keras
import numpy as np
import pytest

FEW = ["--set", "training.epochs=3", "--until", "trainer"]


def trained(root):
    """History and weights of the newest model."""
    folder = max((root / "runs/artifacts/digits/trainer/model").iterdir(), key=lambda path: int(path.name))
    return (folder / "history.csv").read_text(), keras.models.load_model(folder / "Format-Keras/model.keras").get_weights()


# With one worker the stage runs in the process of the command, and by default in a process of its own. In the default suite,
# tests/faults/test_resume.py stops a training by SIGTERM, and tests/pipeline/test_side_by_side.py a run.
@pytest.mark.slow
@pytest.mark.parametrize("workers", [["--workers", 1], []], ids=["here", "worker"])
def test_sigterm_in_training_exits_143_and_the_next_run_goes_on_exactly(digits_root, kerasvision, warm, tmp_path, workers):
    undisturbed, disturbed = (shutil.copytree(digits_root, tmp_path / name) for name in ("one", "two"))
    command = ["run", "pipelines/digits.py", *FEW, *workers, "--root", disturbed]
    with warm.start("from kerasvision.cli import main; main()", *command, with_kerasvision=True) as program:
        # The first checkpoint follows the first epoch.
        while program.is_running() and not list(disturbed.glob("runs/work/digits/trainer/*/checkpoints/step-*")):
            time.sleep(0.01)
        os.kill(program.process, signal.SIGTERM)
        stopped = program.wait()
    assert stopped.returncode == 143, stopped.stderr
    assert "trainer was stopped" in stopped.stderr
    assert "Run the same command again to resume it." in stopped.stderr
    listed = kerasvision("runs", "list", "--root", disturbed).stdout.splitlines()
    assert re.search(r" stopped +\d+ reused, 1 stopped *$", listed[1])
    planned = kerasvision("plan", "pipelines/digits.py", *FEW[:2], "--root", disturbed).stdout
    assert re.search(r"trainer +run +trainer continues from a checkpoint after step \d+, in ", planned)
    for root in (disturbed, undisturbed):
        done = kerasvision("run", "pipelines/digits.py", *FEW, "--root", root)
        assert done.returncode == 0, done.stderr
        # 16 batches of 64 of the 1,078 training images.
        assert bool(re.search(r"goes on at epoch [1-3], step \d+ of 16\n", done.stderr)) == (root == disturbed)
    (history, weights), (expected_history, expected_weights) = trained(disturbed), trained(undisturbed)
    assert history == expected_history
    assert all(map(np.array_equal, weights, expected_weights))
    assert {path.name for path in disturbed.glob("runs/work/digits/trainer/*/*")} == {"logs"}
