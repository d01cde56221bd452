"""Pushing, forced pushing and rolling back from the command line."""

import json
from pathlib import Path

import pytest
import tensorflow as tf
from typer.testing import CliRunner

STAGES = """
import json
from kerasvision.pipeline.artifacts import InfraBlessing, Model, ModelBlessing, Out, SavedModel

def make(model: Out[Model], saved_model: Out[SavedModel]) -> None:
    folder = saved_model.saved_model
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text("graph")
    (folder / "variables" / "variables.index").write_text("index")
    model.settings.write_text("{}")

def judge(saved_model: SavedModel, model_blessing: Out[ModelBlessing], infra_blessing: Out[InfraBlessing]) -> None:
    reason = "accuracy >= 0.9 failed with 0.5"
    model_blessing.verdict.write_text(json.dumps({"verdict": "NOT_BLESSED", "reason": reason, "rules": []}))
    model_blessing.properties.update(blessed=0, verdict="NOT_BLESSED", reason=reason)
    infra_blessing.certificate.write_text(json.dumps({"blessed": True}))
    infra_blessing.properties.update(blessed=1, reason="")
"""
PIPELINE = """
import saved_toy_stages as stages
from kerasvision import config as c
from kerasvision.config.stages import PusherSettings
from kerasvision.pipeline.graph import Pipeline

EXPERIMENT = c.Experiment(name="toy", source=c.Digits(), transform=c.Transform(image_size=(8, 8)),
                          task=c.Classification(), model=c.Model(name="lenet5"))

def pipeline(experiment):
    made = Pipeline("toy")
    model = made.add(stages.make)
    judged = made.add(stages.judge, saved_model=model.saved_model)
    made.add("kerasvision.pipeline.stages.pusher:pusher", model=model.model, saved_model=model.saved_model,
             model_blessing=judged.model_blessing, infra_blessing=judged.infra_blessing, settings=PusherSettings(name="toy"))
    return made
"""


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Runs a command in a folder with a pipeline whose model is not blessed: (exit code, output)."""
    from kerasvision.cli import app
    from kerasvision.errors import KerasvisionError

    (tmp_path / "saved_toy_stages.py").write_text(STAGES)
    (tmp_path / "toy.py").write_text(PIPELINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def run(*arguments):
        done = CliRunner().invoke(app, list(map(str, arguments)))
        if isinstance(done.exception, KerasvisionError):
            return done.exception.exit_code, f"{done.output}{done.exception}"
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output

    return run


FORCE = ("push", "toy.py", "--force", "--reason", "for the fair")


def test_a_refusal_that_a_later_stage_passes_on_is_told_once():
    from kerasvision.cli.pipelines import refuse_unblessed
    from kerasvision.errors import NotBlessedError
    from kerasvision.pipeline.launcher import Result
    from kerasvision.pipeline.local import RunResult
    from kerasvision.pipeline.records import ArtifactRecord

    def said(node, kind, reason):
        record = ArtifactRecord(1, kind, Path(node), 0, "", {"blessed": 0, "reason": reason})
        return Result(node, {"blessing": record}, reused=False, seconds=0.0)

    stages = (
        said("evaluator", "ModelBlessing", "accuracy is too low"),
        said("infra_validator", "InfraBlessing", "answers differ"),
        said("final_infra_validator", "InfraBlessing", "answers differ"),
    )
    with pytest.raises(NotBlessedError) as refused:
        refuse_unblessed(RunResult("20260101-120000-ab12", stages), Path("toy.py"))
    once = "evaluator says NOT_BLESSED: accuracy is too low; infra_validator says NOT_BLESSED: answers differ. `kerasvision"
    assert str(refused.value).startswith(once)


@pytest.mark.slow
def test_a_model_that_is_not_blessed_is_not_pushed_and_the_way_out_is_told(command, tmp_path):
    for arguments in (["run", "toy.py"], ["push", "toy.py"]):
        code, text = command(*arguments)
        assert code == 4
        assert "judge says NOT_BLESSED: accuracy >= 0.9 failed with 0.5." in text
        assert "`kerasvision push toy.py --force --reason TEXT` pushes it anyway." in text
    assert not (tmp_path / "saved_models").exists()


def test_a_forced_push_is_recorded_with_who_when_and_why_wherever_one_looks(command, tmp_path):
    command("run", "toy.py")
    code, text = command(*FORCE)
    assert code == 0
    assert "pushed to saved_models/toy/1 although judge says NOT_BLESSED: accuracy >= 0.9 failed with 0.5" in text
    version = tmp_path / "saved_models" / "toy" / "1"
    forced = json.loads((version / "version.json").read_text())["forced"]
    assert (forced["reason"], forced["although"]) == ("for the fair", "accuracy >= 0.9 failed with 0.5")
    assert forced["by"]
    assert forced["at"].endswith("+00:00")
    records = [json.loads(path.read_text()) for path in (tmp_path / "runs").rglob("pushed.json")]
    assert [record.get("forced") for record in records if record["pushed"]] == [forced]
    card = (version / "model_card.md").read_text()
    assert f"**Pushed although it was not blessed**, by {forced['by']}: for the fair" in card
    assert f"forced by {forced['by']}: for the fair" in command("runs", "lineage")[1]
    assert "forced: for the fair" in command("saved", "list")[1]


def test_a_forced_push_is_made_once_and_is_no_blessing(command, tmp_path):
    from kerasvision.pipeline.store import opened

    command("run", "toy.py")
    assert command(*FORCE)[0] == command(*FORCE)[0] == 0
    assert command("run", "toy.py")[0] == 4
    assert [path.name for path in (tmp_path / "saved_models" / "toy").glob("[0-9]*")] == ["1"]
    with opened(tmp_path / "runs", read_only=True) as store:
        assert list(store.blessed_models("toy")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--force"], "--force and --reason require each other: to overrule the gate, give a reason"),
        (["--reason", "because"], "--force and --reason require each other"),
        (["--force", "--reason", " "], "a push that overrules the gate requires a reason; received ' '"),
    ],
)
def test_who_overrules_the_gate_says_why(command, arguments, message):
    code, text = command("push", "toy.py", *arguments)
    assert code == 2
    assert message in text


def test_a_model_that_was_not_made_yet_cannot_be_pushed(command):
    code, text = command(*FORCE)
    assert code == 5
    assert "make has no result for these settings" in text


def test_versions_are_listed_shown_checked_and_gone_back_to(command, tmp_path):
    command("run", "toy.py")
    command(*FORCE)
    command("push", "toy.py", "--force", "--reason", "another fair")
    code, text = command("saved", "rollback", "toy", "--reason", "rain")
    assert (code, text.split()) == (0, ["saved_models/toy/3", "is", "a", "copy", "of", "version", "1"])
    listed = [line.split() for line in command("saved", "list")[1].splitlines()]
    assert [line[:2] for line in listed[1:]] == [["toy", "3"], ["toy", "2"], ["toy", "1"]]
    assert " ".join(listed[1]).endswith("newest, copy of version 1, forced: for the fair")
    code, text = command("saved", "show", "toy", "2")
    assert code == 0
    assert "# toy" in text
    assert "saved_models/toy/2: all 3 files are as they were pushed" in text
    (tmp_path / "saved_models" / "toy" / "3" / "saved_model.pb").write_text("GRAPH")
    code, text = command("saved", "show", "toy")
    assert code == 5
    assert "toy/3 is not intact: saved_model.pb is not what was pushed. Return to an earlier version with `kera" in text
    (tmp_path / "saved_models" / "toy" / "3" / "saved_model.pb").unlink()
    assert "not intact: it contains no saved_model.pb" in command("saved", "list")[1]


def test_a_version_that_something_else_made_is_loaded_and_a_broken_one_exits_1(command, tmp_path):
    module = tf.Module()
    module.weight = tf.Variable(1.0)
    module.scale = tf.function(lambda x: {"y": module.weight * x}, input_signature=[tf.TensorSpec([None], name="x")])
    version = tmp_path / "saved_models" / "foreign" / "1"
    tf.saved_model.save(module, str(version), {"scale": module.scale})
    code, text = command("saved", "show", "foreign")
    assert (code, text) == (0, "saved_models/foreign/1: not pushed by kerasvision; it can be loaded\n")
    data = version / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:2])
    code, text = command("saved", "show", "foreign")
    assert (code, "foreign/1 cannot be loaded because it is damaged" in text) == (1, True)
    data.unlink()
    assert command("saved", "show", "foreign")[0] == 1
    (version / "version.json").write_text("{}")
    assert command("saved", "show", "foreign")[0] == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "toi"], "no model has been pushed to saved_models/toi"),
        (["rollback", "toi"], "no model has been pushed to saved_models/toi"),
        (["show", "../elsewhere"], "no model has been pushed to ../elsewhere"),
    ],
)
def test_a_model_that_is_not_there_is_told(command, arguments, message):
    code, text = command("saved", *arguments)
    assert code == 2
    assert message in text
