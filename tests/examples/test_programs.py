"""The programs of examples/ that need no pipeline."""

import re
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_cut_weights_and_added_gradients_are_those_of_one_device(warm):
    done = warm.run_script(EXAMPLES / "split_weights.py", CUDA_VISIBLE_DEVICES="-1")
    assert done.returncode == 0, done.stderr
    outputs, gradients = map(float, re.findall(r"differ by (\S+) at most", done.stdout))
    # Outputs have a deviation of about 1, and the largest gradients of the mean loss are about 0.05.
    assert outputs < 1e-5
    assert gradients < 1e-6


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_training_with_a_parameter_server_outlives_a_worker(warm):
    options = ("--seconds", "12", "--kill", "6", "--every", "1")
    done = warm.run_script(EXAMPLES / "parameter_server.py", *options, timeout_seconds=240, CUDA_VISIBLE_DEVICES="-1")
    assert done.returncode == 0, done.stderr
    _, asynchronous = done.stdout.split("asynchronous: ")
    before, after = asynchronous.split("a worker is killed")
    steps = [[int(number.replace(",", "")) for number in re.findall(r"([\d,]+) steps", part)] for part in (before, after)]
    assert before
    assert 0 < steps[0][0] < steps[0][-1] < steps[1][0] < steps[1][-1]
    assert float(re.findall(r"accuracy (\S+)", after)[-1]) > 0.9
    shares = dict(re.findall(r"(\d+): (\d+)%", after.split("staleness of the steps:")[1]))
    # Some steps were computed with weights that the other worker had changed meanwhile.
    assert int(shares["1"]) > 0
    assert sum(map(int, shares.values())) == pytest.approx(100, abs=2)
