"""What the tests share: the maker of bad, odd and learnable images."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def make_images():
    """The module tests/faults/make_images.py, found by its path because the tests are no package."""
    spec = importlib.util.spec_from_file_location("make_images", Path(__file__).parent / "faults" / "make_images.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
