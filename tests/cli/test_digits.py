"""The main job: `kerasvision run pipelines/digits.py`, from nothing to a model that a server can load."""

import json
import re
import shutil
import subprocess
import sys

import pytest

STAGES = [
    "example_gen", "statistics_gen", "schema_gen", "example_validator", "transform", "trainer", "exporter",
    "simple_models", "evaluator", "infra_validator", "pusher",
]  # fmt: skip
# What the evaluator measures in addition to the test split costs seconds, and the gate does not read it.
SHORT = ["--set", "evaluation.resamples=100", "--set", "evaluation.slices=[]", "--set", 'evaluation.splits=["test"]']


def what_happened(stdout):
    """stage -> ran or reused, from the table at the end."""
    return dict(re.findall(r"^\s*(\w+)\s+(ran|reused)\s+[\d.]+\s", stdout, flags=re.MULTILINE))


@pytest.fixture
def copied_root(digits_root, tmp_path):
    """A copy of the root that the test may change."""
    return shutil.copytree(digits_root, tmp_path / "root")


def test_first_run_executes_every_stage_and_says_where_to_look(digits_root):
    stdout = (digits_root / "first_run.txt").read_text()
    assert what_happened(stdout) == dict.fromkeys(STAGES, "ran")
    done, following = stdout.split("next: ")
    assert following == "kerasvision predict saved_models/digits IMAGE, or kerasvision serve saved_models/digits\n"
    places = re.findall(r"(runs/\S+|saved_models/\S+)\s*$", done, flags=re.MULTILINE)
    # The evaluator wrote two artifacts, and the run wrote its report.
    assert len(places) == len(STAGES) + 2
    assert places[-1].startswith("runs/reports/")
    assert all((digits_root / place).exists() for place in places)


def test_second_run_executes_nothing_and_imports_no_tensorflow(copied_root):
    code = (
        "import sys; sys.argv = ['kerasvision', 'run', 'pipelines/digits.py', '--root', sys.argv[1]]\n"
        "from kerasvision.cli import main\n"
        "try: main()\n"
        "except SystemExit as exit: assert not exit.code, exit.code\n"
        "assert not {'tensorflow', 'keras', 'pandas', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(copied_root)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert what_happened(done.stdout) == dict.fromkeys(STAGES, "reused")
    assert "0 of 11 stages executed" in done.stdout


def test_plan_says_that_all_is_there(digits_root, kerasvision):
    planned = kerasvision("plan", "pipelines/digits.py", "--root", digits_root).stdout
    assert re.findall(r"^\s*(\w+)\s+reuse\b", planned, flags=re.MULTILINE) == STAGES


# The next test changes the gate too, to one that is not reached.
@pytest.mark.slow
def test_changed_gate_reruns_evaluator_and_pusher_alone(copied_root, kerasvision):
    done = kerasvision("run", "pipelines/digits.py", "--set", "gate.rules.0.value=0.9", *SHORT, "--root", copied_root)
    assert done.returncode == 0, done.stderr
    happened = what_happened(done.stdout)
    assert [stage for stage in STAGES if happened[stage] == "ran"] == ["evaluator", "pusher"]
    assert (copied_root / "saved_models" / "digits" / "2" / "saved_model.pb").is_file()


def test_gate_that_is_not_reached_exits_4_and_pushes_nothing(copied_root, kerasvision):
    for expected in (["evaluator", "pusher"], []):
        overrides = ["--set", "gate.rules.0.value=1.1", *SHORT]
        done = kerasvision("run", "pipelines/digits.py", *overrides, "--root", copied_root)
        assert done.returncode == 4
        assert "NotBlessedError: evaluator says NOT_BLESSED: accuracy >= 1.1 failed with 0.9" in done.stderr
        happened = what_happened(done.stdout)
        assert [stage for stage in STAGES if happened[stage] == "ran"] == expected
    assert [path.name for path in (copied_root / "saved_models" / "digits").glob("[0-9]*")] == ["1"]


# tests/evaluation/test_gate.py has the verdict of a gate without rules; the test above this one ends a run by a verdict.
@pytest.mark.slow
def test_gate_without_rules_is_undecided_and_says_so(copied_root, kerasvision):
    done = kerasvision("run", "pipelines/digits.py", "--set", "gate.rules=[]", *SHORT, "--root", copied_root)
    assert done.returncode == 4
    assert "evaluator says UNDECIDED: the gate has no rules; add one such as" in done.stderr


def test_deleted_served_model_is_pushed_again(copied_root, kerasvision):
    shutil.rmtree(copied_root / "saved_models")
    done = kerasvision("run", "pipelines/digits.py", "--root", copied_root)
    happened = what_happened(done.stdout)
    assert [stage for stage in STAGES if happened[stage] == "ran"] == ["pusher"]
    assert (copied_root / "saved_models" / "digits" / "1" / "saved_model.pb").is_file()


# tests/pipeline/test_previous.py has which model is the baseline, and tests/evaluation/test_score.py scores it.
@pytest.mark.slow
def test_a_model_that_is_worse_than_the_last_blessed_one_is_not_blessed(copied_root, kerasvision):
    rules = json.dumps([{"kind": "no_worse", "metric": "accuracy", "tolerance": 0.0}])
    # Without infra_validator and pusher, because the gate decides before they run.
    overrides = ["--set", f"gate.rules={rules}", "--set", "training.epochs=1", *SHORT, "--until", "evaluator"]
    overrides += ["--root", copied_root]
    done = kerasvision("run", "pipelines/digits.py", *overrides)
    assert done.returncode == 4
    assert "no worse than the last blessed model's by more than 0 failed with 0." in done.stderr
    assert "0 of 9 stages executed" in kerasvision("run", "pipelines/digits.py", *overrides).stdout


def test_stage_runs_alone_where_its_inputs_exist(copied_root, kerasvision):
    done = kerasvision("stage", "pipelines/digits.py", "schema_gen", "--force", "--root", copied_root)
    assert done.returncode == 0, done.stderr
    assert what_happened(done.stdout) == {"example_gen": "reused", "statistics_gen": "reused", "schema_gen": "ran"}


def test_stage_without_its_inputs_exits_5(tmp_path, kerasvision):
    done = kerasvision("stage", "pipelines/digits.py", "trainer", "--root", tmp_path)
    assert done.returncode == 5
    assert "example_gen has no result for these settings, and was left out of this run." in done.stderr


def test_served_model_answers_with_tensorflow_alone(digits_root, warm):
    code = """
import json, sys
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
png = tf.io.encode_png(tf.zeros([9, 7, 1], tf.uint8)).numpy()
answer = model.signatures["serving_default"](image_bytes=tf.constant([png, png, png]))
pixels = model.signatures["serve_tensor"](image=tf.zeros([2, 32, 32, 1]))
print(json.dumps({
    "ours": any(name.partition(".")[0] == "kerasvision" for name in sys.modules),
    "shapes": {name: value.shape.as_list() for name, value in answer.items()},
    "types": {name: value.dtype.name for name, value in answer.items()},
    "same": bool(tf.reduce_all(tf.abs(answer["scores"][:2] - pixels["scores"]) < 1e-6)),
}))
"""
    model = digits_root / "saved_models" / "digits" / "1"
    done = warm.run(code, model)
    assert json.loads(done.stdout) == {
        "ours": False,
        "shapes": {"scores": [3, 10], "classes": [3], "top_classes": [3, 5], "top_scores": [3, 5], "valid": [3]},
        "types": {
            "scores": "float32",
            "classes": "string",
            "top_classes": "string",
            "top_scores": "float32",
            "valid": "bool",
        },
        "same": True,
    }


def test_predict_names_the_label_of_each_file_and_the_file_that_is_none(digits_root, tmp_path, kerasvision):
    from kerasvision import config as c
    from kerasvision.data.sources.digits import read_digits

    records = list(read_digits(c.Digits()))[:3]
    for record in records:
        (tmp_path / record.name).write_bytes(record.load())
    (tmp_path / "no image.jpg").write_text("hello")
    files = sorted(tmp_path.glob("*.*g"))
    done = kerasvision("predict", digits_root / "saved_models" / "digits", "--json", *files)
    assert done.returncode == 3
    assert "1 of 4 files cannot be used" in done.stderr
    assert "Use JPEG, PNG, GIF, BMP or WebP files." in done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer.get("classes") for answer in answers] == [*(record.label for record in records), None]
    assert answers[-1]["fault"]


def test_every_history_command_answers(digits_root, kerasvision):
    assert "11 ran" in kerasvision("runs", "list", "--root", digits_root).stdout
    assert "infra_validator" in kerasvision("runs", "show", "latest", "--root", digits_root).stdout
    lineage = kerasvision("runs", "lineage", "--root", digits_root).stdout
    assert "PushedModel" in lineage
    assert "Examples" in lineage
    assert "it had not run before" in kerasvision("runs", "why", "trainer", "--root", digits_root).stdout


def test_changed_export_trains_nothing_anew(digits_root, kerasvision):
    done = kerasvision("plan", "pipelines/digits.py", "--set", "export.temperature=true", "--root", digits_root)
    planned = dict(re.findall(r"^\s*(\w+)\s+(reuse|run)\b", done.stdout, flags=re.MULTILINE))
    assert (planned["trainer"], planned["exporter"]) == ("reuse", "run")
