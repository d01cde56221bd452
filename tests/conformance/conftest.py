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


# These compute with each row on two replicas or on another backend.
COSTLY = {"replica_runs", "jax_answers"}


def pytest_generate_tests(metafunc):
    if "network" in metafunc.fixturenames:
        costly = not COSTLY.isdisjoint(metafunc.fixturenames)
        slow = [row.slow or (costly and not row.everywhere) for row in NETWORKS]
        marks = [[pytest.mark.slow] if is_slow else [] for is_slow in slow]
        rows = [pytest.param(row, marks=mark, id=str(row)) for row, mark in zip(NETWORKS, marks, strict=True)]
        metafunc.parametrize("network", rows, scope="module")
    if "fast_network" in metafunc.fixturenames:
        rows = [pytest.param(row, marks=pytest.mark.slow, id=str(row)) for row in NETWORKS if not row.slow]
        metafunc.parametrize("fast_network", rows, scope="module")


@pytest.fixture(scope="session")
def networks():
    return NETWORKS
