"""Settings of an evaluation are checked where they are written."""

import zipfile

import pytest

from kerasvision import config as c
from kerasvision.config.stages import stage_settings
from kerasvision.errors import ConfigError


def experiment(**fields):
    return c.Experiment(
        name="x",
        source=c.Digits(),
        transform=c.Transform(image_size=(8, 8)),
        task=c.Classification(),
        model=c.Model(name="lenet5"),
        **fields,
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"slices": ("brigthness",)}, "cannot be divided by 'brigthness'; did you mean 'brightness'"),
        ({"slices": ("sha256",)}, "cannot be divided by 'sha256', which differs for every image"),
        ({"slices": ("label", "label")}, "slices must name each entry once"),
        ({"splits": ("validation",)}, "splits must contain 'test', which the gate judges"),
        ({"splits": ("test", "train")}, "splits"),
        ({"human": {"accuracy": 0.8}}, "human requires human_source, which says where the figures come from"),
        ({"test_time": ("rotate",)}, "test_time"),
        ({"bands": 1}, "bands"),
        ({"resamples": 10}, "resamples"),
    ],
)
def test_what_cannot_be_is_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        c.Evaluation(**fields)


def test_a_human_figure_of_an_unknown_metric_is_refused():
    with pytest.raises(ConfigError, match="no metric 'acuracy'; did you mean 'accuracy'"):
        experiment(evaluation=c.Evaluation(human={"acuracy": 0.8}, human_source="here"))


def test_a_rule_on_a_slice_that_is_not_evaluated_is_refused():
    gate = c.Gate(c.AtLeast("accuracy", 0.5, slice="mode"))
    with pytest.raises(ConfigError, match="no slice is named 'mode'"):
        experiment(gate=gate)
    assert experiment(gate=gate, evaluation=c.Evaluation(slices=("mode",))).gate == gate


def test_the_content_of_an_ensemble_is_brought_in_and_not_its_place(tmp_path):
    for place in ("here", "there"):
        folder = tmp_path / place / "3"
        (folder / "variables").mkdir(parents=True)
        (folder / "saved_model.pb").write_text("graph")
        (folder / "variables" / "variables.index").write_text("weights")
    with zipfile.ZipFile(tmp_path / "last.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", "")
    here, there = (c.Evaluation(ensemble=(tmp_path / place / "3", tmp_path / "last.keras")) for place in ("here", "there"))
    assert here.identity() == there.identity()
    assert [name for name, _ in here.files()] == [
        "ensemble 0/saved_model.pb",
        "ensemble 0/variables/variables.index",
        "ensemble 1",
    ]
    settings = stage_settings(experiment(evaluation=here))
    assert dict(settings["evaluator"].files()) == dict(here.files())
    assert not [name for stage in ("trainer", "exporter", "simple_models") for name, _ in settings[stage].files()]


@pytest.mark.parametrize("name", ["nothing", "half", "other.txt"])
def test_a_member_that_is_no_model_is_refused(tmp_path, name):
    (tmp_path / "half" / "variables").mkdir(parents=True)
    (tmp_path / "other.txt").write_text("")
    with pytest.raises(ConfigError, match=f"{name} is neither"):
        list(c.Evaluation(ensemble=(tmp_path / name,)).files())


def test_simple_models_may_be_left_out():
    assert "simple_models" in stage_settings(experiment())
    assert "simple_models" not in stage_settings(experiment(simple_models=None))
