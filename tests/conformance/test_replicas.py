"""Two replicas train every network as one device does."""

import functools
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("two_replicas.py")


def assert_trained_alike(run):
    assert run["moved"] > 1e-7  # the training reached every weight
    assert run["apart"] < 1e-5


@pytest.fixture(scope="module")
def replica_runs(computed_together, warm):
    @functools.cache
    def of(mode, names):
        done = warm.run_script(SCRIPT, mode, *names, timeout_seconds=1500, CUDA_VISIBLE_DEVICES="-1")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return lambda network, mode: of(mode, computed_together(network))[str(network)]


@pytest.mark.timeout(1800)
def test_two_replicas_equal_one_device(network, replica_runs):
    assert_trained_alike(replica_runs(network, "eager"))


# For two replicas of a residual network, tracing the graph takes several times as long as running it. For the slow rows,
# which have the same layers, it would take hours.
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_replicas_equal_one_device_in_a_graph(fast_network, replica_runs):
    assert_trained_alike(replica_runs(fast_network, "graph"))
