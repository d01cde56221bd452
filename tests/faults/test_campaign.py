"""Kills, edits and damages in a random order (campaign.py), and kills of every stage of the digits (campaign_digits.py)."""

import re
from pathlib import Path

import pytest

CAMPAIGN = Path(__file__).with_name("campaign.py")
OF_DIGITS = Path(__file__).with_name("campaign_digits.py")


ROUNDS = [(200, seed, ()) for seed in (1, 2, 3)] + [(60, 4, ("--object-store",))]


@pytest.mark.parametrize(
    ("kills", "seed", "options"), [(8, 0, ()), *[pytest.param(*one, marks=pytest.mark.slow) for one in ROUNDS]]
)
def test_after_any_kill_edit_and_damage_a_run_ends_like_an_undisturbed_one(warm, kills, seed, options):
    words = ("--kills", kills, "--seed", seed, *options)
    done = warm.run_script(CAMPAIGN, *words, timeout_seconds=550, with_kerasvision=True)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {what: int(count) for count, what in re.findall(r"^ +(\d+)  (.+)$", done.stdout, flags=re.MULTILINE)}
    assert counts["run killed"] + counts.get("one of two runs killed", 0) > kills / 4


@pytest.mark.slow
@pytest.mark.timeout(1900)
def test_after_kills_of_every_stage_of_the_digits_a_run_ends_like_an_undisturbed_one(warm):
    done = warm.run_script(OF_DIGITS, "--kills", 24, timeout_seconds=1800, with_kerasvision=True)
    assert done.returncode == 0, done.stdout + done.stderr
    hit = {stage for _, stage in re.findall(r"^ +\d+  (in|after) (\w+)$", done.stdout, flags=re.MULTILINE)}
    # The others take a few milliseconds.
    assert hit >= {"example_gen", "statistics_gen", "trainer", "exporter", "simple_models", "evaluator", "infra_validator"}
