"""Whatever the system refuses to a push, no incomplete version can be seen, and the next run pushes once."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

REFUSALS = ("disk full", "quota", "input/output error", "read-only", "too many open files")


@pytest.mark.parametrize("every", [163, pytest.param(3, marks=pytest.mark.slow)])
def test_after_any_refusal_the_next_run_pushes_one_whole_version(every):
    script = Path(__file__).with_name("refused_push.py")
    command = [sys.executable, str(script), "--every", str(every)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # A disk that stays full ends each run, and one operation that fails ends most of them.
    for refusal in REFUSALS:
        for how in ("once", "from then on"):
            assert re.search(rf"^{refusal}, {how}: stopped [1-9]", done.stdout, re.MULTILINE)
        assert f"{refusal}, from then on: went on 0" in done.stdout
