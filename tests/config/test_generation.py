"""Mistakes in the settings of a generation are found when the pipeline file is read."""

import pytest

from kerasvision import config as c
from kerasvision.errors import ConfigError


def experiment(*, task=None, name="vae", options=None, side=28, **fields):
    transform = fields.pop("transform", c.Transform(image_size=(side, side), color_mode="grayscale"))
    return c.Experiment(
        name="made",
        source=fields.pop("source", c.Digits()),
        transform=transform,
        task=task or c.Generation(loss="elbo"),
        model=c.Model(name=name, options=options or {}),
        **fields,
    )


def grey(**fields):
    return c.Transform(image_size=(28, 28), color_mode="grayscale", **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"side": 30}, r"multiples of 4, and at least 16 pixels; received \(30, 30\)"),
        ({"side": 8}, "multiples of 4, and at least 16 pixels"),
        ({"name": "resnet9"}, "a network that makes images, which resnet9 does not"),
        ({"name": "dcgan"}, "dcgan learns from task.loss='adversarial'; received 'elbo'"),
        ({"options": {"channels": -1}}, "channels must be a positive integer"),
        ({"options": {"couplings": -1}}, "couplings must be a whole number from 0; received -1"),
        ({"options": {"couplings": True}}, "couplings must be a whole number from 0"),
        (
            {"task": c.Generation(loss="elbo", latent_size=1), "options": {"couplings": 2}},
            "couplings require a latent_size of at least 2; received 1. Set couplings=0, or a larger latent_size",
        ),
        ({"options": {"latent_size": 3}}, "latent_size is a setting of the task"),
        ({"transform": grey(scale="standardize")}, "requires transform.scale='zero_to_one'"),
        ({"augment": (c.MixUp(),)}, "does not support mixup in augment"),
        ({"export": c.Export(formats=("onnx",))}, "does not support export.formats"),
        ({"export": c.Export(temperature=True)}, "does not support export.temperature"),
        ({"export": c.Export(precision="auto")}, "not support export.precision, which requires a network with one input"),
        ({"evaluation": c.Evaluation(test_time=("flip",))}, "does not support evaluation.test_time"),
        ({"gate": c.Gate(c.AtLeast("accuracy", 0.9))}, "generation has no metric 'accuracy'"),
        ({"gate": c.Gate(c.AtLeast("agreement", 0.9))}, "generation has no metric 'agreement'"),
        ({"training": c.Training(keep="best", best_metric="accuracy")}, "no metric 'accuracy' is measured"),
    ],
)
def test_a_mistake_is_named_before_anything_runs(fields, message):
    with pytest.raises(ConfigError, match=message):
        experiment(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"loss": "hinge"}, "should be 'elbo' or 'adversarial'"),
        ({"loss": "adversarial", "kl_weight": 2.0}, "kl_weight requires loss='elbo'"),
        ({"loss": "adversarial", "pixel_deviation": 0.1}, "pixel_deviation requires loss='elbo'"),
        ({"loss": "adversarial", "sample_temperature": 0.7}, "sample_temperature requires loss='elbo'"),
        ({"loss": "elbo", "sample_temperature": 0.0}, "greater than 0"),
        ({"loss": "elbo", "classifier": "saved_models/digits/1"}, "classifier requires conditional=True"),
        ({"loss": "elbo", "latent_size": 0}, "greater than or equal to 1"),
    ],
)
def test_a_setting_that_would_do_nothing_is_rejected(fields, message):
    with pytest.raises(ConfigError, match=message):
        c.Generation(**fields)


def test_a_class_can_be_asked_for_only_of_images_with_labels():
    assert c.Generation(loss="elbo").requires == ()
    assert c.Generation(loss="elbo", conditional=True).requires == ("labels",)
    experiment(task=c.Generation(loss="elbo", conditional=True))


def test_the_classifier_is_a_saved_model_and_does_not_retrain(tmp_path):
    task = c.Generation(loss="elbo", conditional=True, classifier=tmp_path)
    with pytest.raises(ConfigError, match=r"must be a folder with a saved_model\.pb"):
        list(task.files())
    (tmp_path / "saved_model.pb").write_bytes(b"model")
    assert dict(task.files()) == {"classifier/saved_model.pb": tmp_path / "saved_model.pb"}
    assert "agreement" in task.metric_names()
    assert task.without_added_metrics() == c.Generation(loss="elbo", conditional=True)


def test_networks_of_ones_own_need_no_sides_of_these():
    experiment(name="mine:network", side=30)
