import importlib.util
import sys
from pathlib import Path

import pytest

# Scripts for an environment with kfp, started by a test.
collect_ignore = ["run_in_kfp.py", "written_by_kfp.py"]


@pytest.fixture(scope="session")
def toy():
    """The toy stages, imported under one name by all tests."""
    spec = importlib.util.spec_from_file_location("toy_stages", Path(__file__).with_name("toy.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy_stages"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def number(tmp_path):
    """A file with a number, which the toy pipeline reads."""
    path = tmp_path / "number.txt"
    path.write_text("7")
    return path
