"""kill -9 at every operation of a push: a version is never incomplete, and the next run pushes no model twice."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def kills(tmp_path_factory):
    script = Path(__file__).with_name("push_and_die.py")
    command = [sys.executable, str(script), str(tmp_path_factory.mktemp("kills"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_step_of_a_push_was_a_moment_to_die(kills):
    moments = [operation for operation, *_ in kills]
    copied = [moment for moment in moments if moment.startswith("copy half of")]
    # `saved_model.pb` comes last. After the rename the version exists, but the store does not know it until it publishes.
    assert copied[-1] == "copy half of saved_model.pb"
    steps = ["rename push_token.tmp", copied[0], copied[-1], "rename .copying", "publish", "after publishing"]
    assert sorted(steps, key=moments.index) == steps


def test_what_a_server_can_see_is_whole_at_any_moment(kills):
    assert {json.dumps(after_kill) for _, after_kill, *_ in kills} == {"{}", '{"1": ""}'}


def test_the_next_run_recognises_what_the_killed_one_pushed(kills):
    for operation, _, after_resume, version, *_ in kills:
        assert (operation, after_resume, version) == (operation, {"1": ""}, 1)


def test_the_run_after_that_reuses_it_and_nothing_is_left_lying_about(kills):
    for operation, *_, is_reused, leavings in kills:
        assert (operation, is_reused, leavings) == (operation, True, [])
