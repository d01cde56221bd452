"""A setting that another setting switches off is refused, and not ignored."""

from collections.abc import Mapping
from typing import ClassVar

import pytest

from kerasvision import config as c
from kerasvision.config.base import Config, Needs, _components
from kerasvision.config.overrides import with_overrides
from kerasvision.errors import ConfigError

# (class, what it requires, a setting with a value of its own, settings that switch it off, settings with which it counts).
ROWS = [
    (c.Classification, {}, {"gamma": 1.0}, {"loss": "hinge"}, {"loss": "binary_focal"}),
    (c.Classification, {}, {"delta": 2.0}, {"loss": "focal"}, {"loss": "squared_hinge"}),
    (c.Classification, {}, {"hierarchy": "tree.json"}, {"loss": "focal"}, {"loss": "hierarchical"}),
    (c.MultiLabel, {}, {"focal_gamma": 5.0}, {"loss": "asymmetric"}, {"loss": "focal"}),
    (c.MultiLabel, {}, {"gamma_positive": 1.0}, {"loss": "focal"}, {"loss": "asymmetric"}),
    (c.MultiLabel, {}, {"gamma_negative": 2.0}, {"loss": "focal"}, {"loss": "asymmetric"}),
    (c.MultiLabel, {}, {"margin": 0.2}, {}, {"loss": "asymmetric"}),
    (c.Regression, {}, {"huber_delta": 2.0}, {"loss": "l1"}, {"loss": "huber"}),
    (c.Segmentation, {}, {"focal_gamma": 1.0}, {"loss": "dice"}, {"loss": "focal"}),
    (c.Reconstruction, {}, {"noise_seed": 5}, {}, {"noise": "masking"}),
    (c.Reconstruction, {}, {"noise_amount": 0.5}, {}, {"noise": "gaussian"}),
    (c.Generation, {}, {"kl_weight": 2.0}, {"loss": "adversarial"}, {"loss": "elbo"}),
    (c.Generation, {}, {"pixel_deviation": 0.1}, {"loss": "adversarial"}, {"loss": "elbo"}),
    (c.Generation, {}, {"sample_temperature": 0.7}, {"loss": "adversarial"}, {"loss": "elbo"}),
    (c.Generation, {"loss": "elbo"}, {"classifier": "digits/1"}, {}, {"conditional": True}),
    (c.Captioning, {}, {"sampling_steps": 50}, {}, {"scheduled_sampling": 0.1}),
    (c.Sgd, {}, {"nesterov": True}, {}, {"momentum": 0.9}),
    (c.Training, {}, {"worker_timeout_seconds": 9.0}, {}, {"strategy": "multi_worker"}),
    (c.Training, {}, {"replicas": 2}, {}, {"strategy": "mirrored"}),
    (c.Training, {}, {"devices": ("GPU:0",)}, {"strategy": "multi_worker"}, {"strategy": "mirrored"}),
    (c.Training, {}, {"best_metric": "loss"}, {}, {"keep": "best"}),
    (c.Ingest, {}, {"max_bad_fraction": 0.5}, {"policy": "report"}, {"policy": "quarantine"}),
    (c.Transform, {"image_size": (8, 8)}, {"crop_fraction": 0.5}, {"fit": "pad"}, {"fit": "crop"}),
    (c.Transform, {"image_size": (8, 8)}, {"keep_copies": False}, {}, {"working_side": 16}),
    (c.NoWorse, {"metric": "loss"}, {"confidence": 0.9}, {}, {"test": "bootstrap"}),
    (c.Better, {"metric": "loss"}, {"confidence": 0.9}, {}, {"test": "bootstrap"}),
    (c.Resources, {}, {"gpu_type": "amd.com/gpu"}, {"cpu": 2}, {"gpus": 1}),
    (c.Evaluation, {}, {"human_source": "a paper"}, {}, {"human": {"accuracy": 0.9}}),
    (c.Coco, {"path": "a"}, {"captions": "b.json"}, {"annotations": ("instances",)}, {"annotations": ("captions",)}),
    (c.Coco, {"path": "a"}, {"instances": "b.json"}, {"annotations": ("captions",)}, {}),
    (c.Coco, {"path": "a"}, {"panoptic": "b.json"}, {}, {"annotations": ("panoptic",)}),
    (c.Coco, {"path": "a"}, {"label_maps": "semantic"}, {}, {"annotations": ("panoptic",)}),
    (c.Coco, {"path": "a"}, {"crowds": "keep"}, {"annotations": ("captions",)}, {"annotations": ("instances",)}),
    (c.Coco, {"path": "a"}, {"masks": "leave_out"}, {"annotations": ("panoptic",)}, {}),
    (c.Coco, {"path": "a"}, {"label": "largest"}, {"annotations": ("captions",)}, {}),
    (c.Coco, {"path": "a"}, {"tags": True}, {"annotations": ("captions",)}, {}),
    (c.TfRecord, {"path": "a"}, {"class_names": ("cat",)}, {"label_key": None}, {}),
    (c.TfRecord, {"path": "a"}, {"tag_names": ("sea",)}, {}, {"tag_key": "tags"}),
    (c.TfRecord, {"path": "a"}, {"object_class_names": ("cat",)}, {"box_key": None}, {}),
    (c.TfRecord, {"path": "a"}, {"object_label_key": "kinds"}, {"box_key": None}, {}),
    (c.TfRecord, {"path": "a"}, {"mask_key": "masks"}, {"box_key": None}, {}),
    (c.TfRecord, {"path": "a"}, {"crowd_key": "crowds"}, {"box_key": None}, {}),
    (c.TfRecord, {"path": "a"}, {"area_key": "areas"}, {"box_key": None}, {}),
    (c.Hooks, {}, {"timeout_seconds": 5.0}, {}, {"after_failure": ("mail",)}),
    (c.Evaluation, {}, {"bands": 5}, {"slices": ("label", "label*mode")}, {"slices": ("label*pixels",)}),
    (c.Table, {}, {"separator": ";"}, {"path": "a.parquet"}, {"path": "a.csv"}),
    (c.Predict, {}, {"column": "file"}, {"path": "photos"}, {"path": "photos.csv"}),
    (c.Predict, {}, {"images": "photos"}, {"path": "photos"}, {"path": "photos.parquet"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "fixed", "setting", "off", "on"), ROWS, ids=[f"{row[0].__name__}-{next(iter(row[2]))}" for row in ROWS]
)
def test_a_setting_that_another_one_switches_off_is_refused(kind, fixed, setting, off, on):
    (name,) = setting
    with pytest.raises(ConfigError, match=rf"^{kind.__name__}: {name} (requires|is for) .*; received "):
        kind(**fixed, **setting, **off)
    assert getattr(kind(**fixed, **setting, **on), name) is not None
    # Its usual value may be written out.
    usual = getattr(kind(**fixed, **off), name)
    assert getattr(kind(**fixed, **off, **{name: usual}), name) == usual


def test_every_setting_with_a_need_has_a_row():
    declared = {
        (kind, name)
        for kind in (*_components().values(), c.Training, c.Ingest, c.Transform, c.Resources, c.Evaluation)
        for name in kind.used_with
    }
    assert declared <= {(row[0], next(iter(row[2]))) for row in ROWS}


def test_a_detection_for_all_steps_of_an_alternating_training_sets_both_samples():
    assert c.Detection(sampled_anchors=32, sampled_regions=16, learns="regions").sampled_anchors == 32


def test_none_switches_a_setting_off_itself():
    assert c.TfRecord(path="a", box_key=None, mask_key=None, crowd_key=None, area_key=None).mask_key is None


def test_the_message_names_what_the_other_setting_must_be_or_contain():
    class Oven(Config):
        used_with: ClassVar[Mapping[str, Needs]] = {
            "degrees": Needs("is_on"),
            "fan": Needs("kinds", ("convection", "mixed")),
        }

        is_on: bool = False
        degrees: int = 180
        kinds: tuple[str, ...] = ()
        fan: int = 0

    way_out = r"Leave degrees out, or change is_on\."
    with pytest.raises(ConfigError, match=rf"^Oven: degrees requires is_on; received degrees=200, is_on=False\. {way_out}$"):
        Oven(degrees=200)
    with pytest.raises(ConfigError, match=r"^Oven: fan requires 'convection' or 'mixed' in kinds; received fan=2, kinds="):
        Oven(fan=2, kinds=("grill",))
    assert Oven(fan=2, kinds=("grill", "mixed")).fan == 2


def experiment(**fields):
    rest = {"name": "test", "source": c.Digits(), "transform": c.Transform(image_size=(32, 32))}
    return c.Experiment(**{**rest, "task": c.Classification(), "model": c.Model(name="lenet5"), **fields})


def test_both_settings_may_change_at_once():
    pipeline = experiment(task=c.Regression(loss="huber", huber_delta=2.0), source=c.Shapes(values=("count",)))
    with pytest.raises(ConfigError, match=r"huber_delta requires loss='huber'; received huber_delta=2.0, loss='l1'"):
        with_overrides(pipeline, ["task.loss=l1"])
    assert with_overrides(pipeline, ["task.loss=l1", "task.huber_delta=1.0"]).task.loss == "l1"


def test_settings_of_simple_models_require_a_task_that_has_some():
    shown = {"source": c.Shapes(), "task": c.Localization(), "model": c.Model(name="localizer")}
    with pytest.raises(ConfigError, match="simple_models has no effect, as there are none for Localization"):
        experiment(**shown, simple_models=c.SimpleModels(max_train=100))
    for simple_models in (None, c.SimpleModels()):
        assert experiment(**shown, simple_models=simple_models)


def test_the_weight_of_a_class_requires_a_network_that_answers_it():
    shown = {"source": c.Shapes(), "task": c.Localization(class_weight=0.5)}
    with pytest.raises(ConfigError, match="task.class_weight requires a network that answers the class"):
        experiment(**shown, model=c.Model(name="localizer", options={"class_logits": False}))
    assert experiment(**shown, model=c.Model(name="localizer"))


def test_the_order_of_masks_requires_objects():
    shown = {"task": c.Segmentation(order="as_listed"), "model": c.Model(name="unet")}
    with pytest.raises(
        ConfigError, match="task.order says how masks of objects are painted, and this source has no objects"
    ):
        experiment(**shown, source=c.Masks(path="a"))
    assert experiment(**shown, source=c.Shapes())


def test_a_least_score_requires_answers_with_parts():
    with pytest.raises(ConfigError, match=r"predict\.least_score requires a task that answers with places in the image"):
        experiment(predict=c.Predict(path="photos", least_score=0.5))
