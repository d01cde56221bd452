"""The programs of requirements/, which are not a package."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

NAMES = ("blame", "install", "lock", "newest")


@pytest.fixture(scope="session")
def programs():
    """blame, install, lock and newest, as modules."""
    folder = str(Path(__file__).parents[2] / "requirements")
    sys.path.insert(0, folder)
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in NAMES})
    finally:
        sys.path.remove(folder)
