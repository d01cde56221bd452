"""`kerasvision settings`: what it prints of the whole experiment, a group, a choice, a component and a single setting."""

import pytest
from typer.testing import CliRunner

from kerasvision.cli import app


def printed(*words):
    done = CliRunner().invoke(app, ["settings", *words], catch_exceptions=False)
    assert done.exit_code == 0
    return [line.rstrip() for line in done.output.splitlines()]


def cells(line):
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_without_a_path_the_experiment_is_listed():
    title, _, heading, *rows = printed()
    assert title == "an experiment: All settings of a pipeline file."
    assert cells(heading) == ["setting", "type", "default", "what it is"]
    assert cells(rows[0])[:3] == ["name", "text", "required"]
    assert [cells(row)[0] for row in rows[-5:]] == ["hooks", "listeners", "cluster", "object_store", "runner"]


def test_group_is_listed_below_what_it_is_for():
    title, _, _, first, *rest = printed("training")
    assert title == "training: how the network is trained"
    assert cells(first) == ["epochs", "int >= 1", "10", "passes over the training images"]
    assert cells(rest[-1])[0] == "memory_budget_gb"


def test_choice_is_listed_with_the_settings_of_every_kind():
    lines = [cells(line) for line in printed("training.optimizer")]
    assert lines[1] == ["training.optimizer", "one of 7 kinds", "sgd", "how a step changes the weights"]
    kinds = [line[0] for line in lines[4:] if len(line) == 2]
    assert kinds == ["sgd", "adagrad", "rmsprop", "adam", "adamw", "lion", "muon"]
    assert ["momentum", "float in [0, 1)", "0.95", "share of the momentum that a step keeps"] in lines
    assert lines[-1][:2] == ["every kind", "depends_on"]


def test_component_is_listed_alone():
    title, *lines = printed("export.formats.onnx")
    assert title == "export.formats.onnx: ONNX, for runtimes other than TensorFlow's."
    assert [cells(line)[0] for line in lines[2:]] == ["max_difference", "opset", "depends_on"]


@pytest.mark.parametrize(
    ("path", "last"),
    [
        ("training.epochs", "set it with: --set training.epochs=10"),
        ("task.classification.top_k", "set it with: --set task=classification --set task.top_k=5"),
        ("augment.pad_crop.pad", """set it with: --set 'augment=["pad_crop"]' --set augment.0.pad=4"""),
        ("source.image_folder.path", "set it with: --set source.path=..."),
        ("search.space.int.step", "set it in the pipeline file"),
    ],
)
def test_single_setting_is_listed_with_the_way_to_set_it(path, last):
    _, row, _, *ways = printed(path)
    assert cells(row)[0] == path
    assert ways == [last]


def test_brackets_of_a_range_are_no_markup():
    assert "float in [0, 0.5]" in "\n".join(printed("augment.color_jitter"))
