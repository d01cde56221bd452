"""The slowest test files come first."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parent.parent
LONGEST = runpy.run_path(str(ROOT / "conftest.py"))["LONGEST"]


def test_every_file_that_comes_first_is_there():
    assert [file for file in LONGEST if not (ROOT / file).is_file()] == []


def test_they_are_collected_before_the_others(request):
    files = list(dict.fromkeys(item.path for item in request.session.items))
    first = [ROOT / file for file in LONGEST if ROOT / file in files]
    assert files[: len(first)] == first
