"""The standard graph of an experiment refuses what no stage after it could use."""

from pathlib import Path

import pytest

from kerasvision import config as c
from kerasvision.errors import ConfigError, GraphError
from kerasvision.pipeline.standard import load_pipeline, standard_pipeline


def pipeline(name, side, *, source=None, task=None, **options):
    return standard_pipeline(
        c.Experiment(
            name="small",
            source=source or c.Digits(),
            transform=c.Transform(image_size=(side, 96)),
            task=task or c.Classification(),
            model=c.Model(name=name, options=options),
        )
    )


@pytest.mark.parametrize(
    ("name", "side", "task", "message"),
    [
        ("lenet5", 11, {}, "lenet5 reads images of at least 12 x 12 pixels"),
        ("keras/xception", 70, {}, "keras/xception reads images of at least 71 x 71 pixels"),
        ("deconvnet", 50, {"source": c.Shapes(), "task": c.Segmentation()}, r"multiples of 32; .* images to \(64, 96\)"),
        (
            "show_and_tell",
            31,
            {"source": c.Shapes(), "task": c.Captioning(), "backbone": "vgg11"},
            "vgg11 reads images of at least 32 x 32",
        ),
    ],
)
def test_images_that_the_network_cannot_read_are_refused_before_any_stage_runs(name, side, task, message):
    with pytest.raises(ConfigError, match=message):
        pipeline(name, side, **task)


def test_the_least_side_itself_is_accepted():
    assert "trainer" in pipeline("lenet5", 12).nodes


def test_a_network_given_by_its_path_checks_its_images_itself():
    assert "trainer" in pipeline("my_networks:tiny", 1).nodes


# --- Several trainings


def alternating(**changes):
    """The pipeline file of the four-step training, with some settings changed."""
    path = Path(__file__).parents[2] / "pipelines" / "shapes_faster_rcnn_alternating.py"
    return load_pipeline(path, overrides=[f"{name}={value}" for name, value in changes.items()])


def test_each_training_begins_with_the_one_before_and_only_the_last_is_judged():
    nodes = alternating().nodes
    bases = {name: node.inputs.get("base_model") for name, node in nodes.items() if "trainer" in name}
    assert {name: base and base.producer for name, base in bases.items()} == {
        "trainer_step_1": None,
        "trainer_step_2": "trainer_step_1",
        "trainer_step_3": "trainer_step_2",
        "trainer": "trainer_step_3",
    }
    assert nodes["exporter"].inputs["model"].producer == nodes["evaluator"].inputs["model"].producer == "trainer"


def test_the_four_steps_are_those_of_the_paper():
    nodes = alternating(**{"training.epochs": 2, "model.weights": "first.keras"}).nodes
    steps = [nodes[name].settings for name in ("trainer_step_1", "trainer_step_2", "trainer_step_3", "trainer")]
    assert [step.task.learns for step in steps] == ["proposals", "both", "proposals", "regions"]
    assert [step.training.freeze for step in steps] == [None, None, "backbone", "backbone"]
    assert [step.model.name for step in steps] == ["faster_rcnn", "fast_rcnn", "faster_rcnn", "faster_rcnn"]
    assert [(step.model.weights, step.model.options.get("proposer")) for step in steps] == [
        ("first.keras", None),
        ("first.keras", "latest"),
        ("latest", None),
        ("latest", None),
    ]
    assert {step.training.epochs for step in steps} == {2}


def test_several_trainings_are_refused_where_other_networks_are_trained_too():
    for setting, value in (("splits.folds", 3), ("training.final", "all")):
        with pytest.raises(ConfigError, match=f"several trainings cannot be combined with {setting}"):
            alternating(**{setting: value})


def test_the_first_of_several_trainings_has_no_network_to_begin_with():
    with pytest.raises(GraphError, match="the first of several trainings has none before it .*'model.weights': 'latest'"):
        alternating(**{"model.weights": "latest"})
