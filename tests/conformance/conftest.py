"""Runs each test that asks for a `network` once for every row of the catalogue, and one for a `fast_network`, slowly.

A test that asks for a fixture of `COSTLY` is also slow for a row that is not `everywhere`.
"""

import runpy
from pathlib import Path

import pytest

# Loaded by its path: under pytest's importlib mode the files of a test folder cannot import each other.
NETWORKS = runpy.run_path(str(Path(__file__).with_name("catalogue.py")))["NETWORKS"]

# Scripts for processes of their own, started by the tests.
collect_ignore = ["reload.py", "other_backend.py", "two_replicas.py"]


# These compute with each row on two replicas, on another backend or without kerasvision.
COSTLY = {"replica_runs", "jax_answers", "jax_shapes", "reloaded_networks"}


def pytest_generate_tests(metafunc):
    if "network" in metafunc.fixturenames:
        costly = not COSTLY.isdisjoint(metafunc.fixturenames)
        slow = [row.slow or row.repeats or (costly and not row.everywhere) for row in NETWORKS]
        marks = [[pytest.mark.slow] if is_slow else [] for is_slow in slow]
        rows = [pytest.param(row, marks=mark, id=str(row)) for row, mark in zip(NETWORKS, marks, strict=True)]
        metafunc.parametrize("network", rows, scope="module")
    if "fast_network" in metafunc.fixturenames:
        rows = [pytest.param(row, marks=pytest.mark.slow, id=str(row)) for row in NETWORKS if not row.slow]
        metafunc.parametrize("fast_network", rows, scope="module")


@pytest.fixture(scope="session")
def networks():
    return NETWORKS


@pytest.fixture(scope="module")
def together(networks):
    """The names of the rows that one run of a script handles: all fast ones, or one slow one."""
    fast = tuple(str(network) for network in networks if not network.slow)
    return lambda network: (str(network),) if network.slow else fast


@pytest.fixture(scope="module")
def computed_together(networks, together):
    """As `together`, but without the fast rows whose costly checks are slow."""
    everywhere = tuple(str(network) for network in networks if network.everywhere)
    others = tuple(str(network) for network in networks if not network.slow and not network.everywhere)
    return lambda network: together(network) if network.slow else everywhere if network.everywhere else others
