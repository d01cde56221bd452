"""A program is called after a push or a failure, without a shell; it never changes the result of a run."""

import json
import sys
import time
from pathlib import Path

import pytest

from kerasvision.config import Hooks
from kerasvision.errors import ConfigError, DataError
from kerasvision.pipeline.artifacts import Out, PushedModel
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.local import run

# Appends its variables and its arguments to a file, a line for each call.
PROGRAM = """
import json, os, sys
told = {name: value for name, value in os.environ.items() if name.startswith("KERASVISION_")}
with open(sys.argv[1], "a") as file:
    file.write(json.dumps([told, sys.argv[2:]]) + "\\n")
"""


def push(pushed_model: Out[PushedModel], *, root: Path) -> None:
    (root / "saved_models" / "toy" / "3").mkdir(parents=True)
    pushed_model.record.write_text(json.dumps({"pushed": True, "destination": str(root / "saved_models" / "toy" / "3")}))
    pushed_model.properties.update(pushed=1, pushed_version=3, pushed_destination="saved_models/toy/3")


def fail(pushed_model: Out[PushedModel]) -> None:
    raise DataError("no image")


def fail_on_odd_text(pushed_model: Out[PushedModel]) -> None:
    raise DataError("no image 'caf\u00e9 \ud800'")


def stop(pushed_model: Out[PushedModel]) -> None:
    raise KeyboardInterrupt


def fail_later(pushed_model: PushedModel, other: Out[PushedModel]) -> None:
    raise DataError("no image")


def stop_later(pushed_model: PushedModel, other: Out[PushedModel]) -> None:
    raise KeyboardInterrupt


class Remarks(Listener):
    def __init__(self):
        self.said = []

    def remark(self, node, sentence):
        self.said.append(f"{node}: {sentence}")


@pytest.fixture
def hooked(tmp_path):
    """Runs one stage with hooks that write to a file; returns the run's result and a function that reads the calls."""

    def pipeline(stage, *words, seconds=60.0):
        command = (sys.executable, "-c", PROGRAM, str(tmp_path / "calls.txt"), *words)
        made = Pipeline("toy", hooks=Hooks(after_push=command, after_failure=command, timeout_seconds=seconds))
        made.add(stage)
        return made

    return pipeline


def calls(folder):
    file = folder / "calls.txt"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_a_push_is_told_once_with_the_version(hooked, tmp_path):
    result = run(hooked(push), root=tmp_path)
    run(hooked(push), root=tmp_path)  # the same version, reused
    assert calls(tmp_path) == [[{
        "KERASVISION_EVENT": "pushed",
        "KERASVISION_PIPELINE": "toy",
        "KERASVISION_RUN": result.id,
        "KERASVISION_ROOT": str(tmp_path),
        "KERASVISION_MODEL": str(tmp_path / "saved_models" / "toy" / "3"),
        "KERASVISION_VERSION": "3",
    }, []]]  # fmt: skip


def test_a_failure_is_told_with_the_error(hooked, tmp_path):
    with pytest.raises(DataError):
        run(hooked(fail), root=tmp_path)
    ((told, _),) = calls(tmp_path)
    assert (told["KERASVISION_EVENT"], told["KERASVISION_ERROR"]) == ("failed", "DataError: no image.")


def test_an_error_with_half_a_character_is_told_with_its_code(hooked, tmp_path):
    with pytest.raises(DataError, match="no image"):
        run(hooked(fail_on_odd_text), root=tmp_path)
    assert calls(tmp_path)[0][0]["KERASVISION_ERROR"] == "DataError: no image 'caf\u00e9 \\ud800'."


@pytest.mark.parametrize(
    ("later", "error", "events"),
    [(fail_later, DataError, ["pushed", "failed"]), (stop_later, KeyboardInterrupt, ["pushed"])],
)
def test_a_push_is_told_although_the_run_ends_early_after_it(later, error, events, hooked, tmp_path):
    for _ in range(2):  # the second time the push is reused
        made = hooked(push)
        made.add(later, pushed_model=made.node("push").pushed_model)
        with pytest.raises(error):
            run(made, root=tmp_path)
    assert [told["KERASVISION_EVENT"] for told, _ in calls(tmp_path)] == [*events, *events[1:]]


@pytest.mark.parametrize(("stage", "error", "purpose"), [(stop, KeyboardInterrupt, "run"), (fail, DataError, "data scan")])
def test_a_stop_and_another_command_are_not_failures_of_a_run(stage, error, purpose, hooked, tmp_path):
    with pytest.raises(error):
        run(hooked(stage), root=tmp_path, purpose=purpose)
    assert calls(tmp_path) == []


def test_words_are_not_read_by_a_shell(hooked, tmp_path):
    words = ("a b", "$HOME", "; touch broken", "*")
    run(hooked(push, *words), root=tmp_path)
    assert calls(tmp_path)[0][1] == list(words)


EXIT_3 = "raise SystemExit(3)"


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("no-such-program",), "no-such-program could not be called: No such file or directory"),
        ((sys.executable, "-c", EXIT_3), f"{sys.executable} -c '{EXIT_3}' ended with exit code 3"),
    ],
)
def test_a_hook_that_fails_is_said_and_the_run_finishes(command, sentence, tmp_path):
    made, remarks = Pipeline("toy", hooks=Hooks(after_push=command)), Remarks()
    made.add(push)
    assert len(run(made, root=tmp_path, listener=remarks).stages) == 1
    assert remarks.said == [f"after_push: the hook {sentence}"]


def test_a_hook_that_hangs_is_ended(tmp_path):
    command = (sys.executable, "-c", "import time; time.sleep(600)")
    made, remarks = Pipeline("toy", hooks=Hooks(after_push=command, timeout_seconds=0.5)), Remarks()
    made.add(push)
    began = time.monotonic()
    run(made, root=tmp_path, listener=remarks)
    assert time.monotonic() - began < 60
    assert remarks.said[0].endswith("was ended after 0.5 seconds")


@pytest.mark.parametrize("words", [("",), ("python", "a\0b")])
def test_a_hook_without_a_program_is_refused(words):
    with pytest.raises(ConfigError, match="a hook begins with the name of a program"):
        Hooks(after_push=words)


def test_a_text_instead_of_a_list_is_refused_with_the_list_that_was_meant():
    with pytest.raises(
        ConfigError, match=r"a hook is a list: .*; received 'echo hi'. Did you mean \[\"echo\", \"hi\"\]\? No"
    ):
        Hooks(after_push="echo hi")
