"""Runs, edits, tampering, removals, kills, refusals of the system and resumes in any order; see sequences.py."""

import re
from pathlib import Path

import pytest

SEQUENCES = Path(__file__).with_name("sequences.py")
# What each of the many sequences must have done at least once for the test to mean something.
KINDS = (
    "run", "resume", "kill: killed", "gc", "gc killed", "process ids", "clock", "undo", "edit during a run",
    "tamper: flip", "tamper: cut", "tamper: delete", "tamper: add", "tamper: other", "tamper: folder",
    "store: older copy", "store: deleted", "store: cut", "store: bits", "refused: damaged store",
    "disk full: ended", "quota: ended", "input/output error: ended", "read-only: ended", "too many open files: ended",
)  # fmt: skip


def steps_of(warm, sequences, steps, timeout_seconds):
    """How often each step was made in sequences that showed no fault."""
    chosen = ("--sequences", sequences, "--steps", steps)
    done = warm.run_script(SEQUENCES, *chosen, timeout_seconds=timeout_seconds, with_kerasvision=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.findall(r"^ +([\d,]+)  (.+)$", done.stdout, flags=re.MULTILINE)
    return {what: int(count.replace(",", "")) for count, what in found}


def test_after_any_steps_a_run_is_right_or_says_the_way_out(warm):
    assert sum(steps_of(warm, 6, 10, 300).values()) >= 40


@pytest.mark.slow
@pytest.mark.timeout(3700)
def test_in_500_sequences_nothing_is_reused_wrongly(warm):
    made = steps_of(warm, 500, 15, 3600)
    assert [kind for kind in KINDS if not made.get(kind)] == []
