"""Fixtures of the training tests: small networks, and results of several replicas, which require several devices."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from kerasvision import config as c

# All cases of the tests that are not slow: one process computes them.
FOR_ALL = [
    "1 everything",
    "2 everything",
    "2 overflow",
    "2 dropout",
    *[f"{replicas} {case}" for case in ("momentum", "Adam", "Lion") for replicas in (1, 2)],
    "2 values",
    "2 drift",
]


@pytest.fixture(scope="module")
def small_networks():
    """Makes the builders `small_networks:dense` and `small_networks:normalised` importable.

    Both train faster than LeNet-5, so that a test does not wait for layers that its claim does not need.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        yield


@pytest.fixture(scope="module")
def dense_settings(small_networks, stripes_settings):
    """`stripes_settings`, for a network of one dense layer."""

    def settings(**fields):
        return stripes_settings(**fields).model_copy(update={"model": c.Model(name="small_networks:dense")})

    return settings


def run_cases(wanted, out, warm, data):
    """Computes the results of cases; see replica_cases.py."""
    done = warm.run_script(Path(__file__).with_name("replica_cases.py"), out, data, *wanted, timeout_seconds=550)
    assert done.returncode == 0, done.stderr[-3000:]


def shared_results(wanted, name, tmp_path_factory, warm, data):
    """The results of cases: {case: {name: array}}. They take half a minute, so the processes of pytest-xdist share them."""
    own = tmp_path_factory.getbasetemp()
    out = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / f"{name}.npz"
    with FileLock(out.with_suffix(".lock")):
        if not out.exists():
            run_cases(wanted, out.with_suffix(".tmp.npz"), warm, data)
            out.with_suffix(".tmp.npz").rename(out)
    found = {what: {} for what in wanted}
    with np.load(out) as arrays:
        for name in arrays:
            what, key = name.split("/", 1)
            found[what][key] = arrays[name]
    return found


@pytest.fixture(scope="session")
def on_replicas(tmp_path_factory, warm, stripes):
    """The results of the cases that the tests share, by "number of replicas, case"."""
    return shared_results(FOR_ALL, "replica-cases", tmp_path_factory, warm, stripes.examples.parent)


@pytest.fixture(scope="session")
def on_replicas_in_each_case(tmp_path_factory, warm, stripes):
    """The results of all other cases, for slow tests."""
    steps = ["clipping", "accumulation", "weights", "partial batch", "normalisation", "everything"]
    optimizers = ["Sgd", "RmsProp with momentum", "RmsProp", "Adagrad", "Muon"]
    wanted = [f"{replicas} {case}" for case in steps for replicas in (1, 2, 4)]
    tasks = ("frozen", "maps", "tree", "detector", "two-stage detector", "generator", "regression", "segmenter")
    wanted += [f"{replicas} {case}" for case in tasks for replicas in (1, 2)]
    wanted += [f"{replicas} {case}" for case in optimizers for replicas in (1, 2)] + ["4 overflow", "4 dropout"]
    return shared_results(wanted, "replica-cases-each", tmp_path_factory, warm, stripes.examples.parent)


@pytest.fixture(scope="module")
def small_detector():
    """The module of a tiny detector, whatever folder the tests run in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent)
        import small_detector

        yield small_detector
        sys.modules.pop("small_detector")
