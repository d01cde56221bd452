"""What segmentation refuses, and the way out that it names."""

from pathlib import Path

import pytest

from kerasvision import config as c
from kerasvision.config.segmentation import NETWORKS, PixelClasses
from kerasvision.errors import ConfigError


def experiment(**changes):
    settings = {
        "name": "pixels",
        "source": c.Shapes(),
        "transform": c.Transform(image_size=(64, 64)),
        "task": c.Segmentation(),
        "model": c.Model(name="unet"),
    }
    return c.Experiment(**settings | changes)


def test_names_are_those_of_the_pixels():
    assert experiment(task=c.Segmentation(background="sky")).task.names_to_fit() == PixelClasses(background="sky")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augment": (c.MixUp(),)}, "does not support mixup in augment, as a pixel of blended images has two classes"),
        ({"augment": (c.AugMix(),)}, "does not support augmix in augment, as a pixel of blended images has two classes"),
        ({"export": c.Export(temperature=True)}, "Remove export.temperature"),
        ({"export": c.Export(test_time=("flip",))}, "Remove export.test_time"),
        ({"evaluation": c.Evaluation(test_time=("flip",))}, "Remove evaluation.test_time"),
        ({"evaluation": c.Evaluation(ensemble=(Path("saved_models/a/1"),))}, "Remove evaluation.ensemble"),
        ({"model": c.Model(name="resnet18")}, "a map of classes, which resnet18 does not. Set model.name to one of fcn,"),
        ({"model": c.Model(name="fcos")}, "a map of classes, which fcos does not"),
        ({"model": c.Model(name="unet", options={"padding": "valid"})}, "borders. Set model.options.mirrored=True"),
        ({"source": c.Digits()}, "Segmentation requires label maps, but this Digits source gives none"),
        ({"gate": c.Gate(c.AtLeast("mean_iuo", 0.5))}, "did you mean 'mean_iou'"),
        ({"gate": c.Gate(c.AtLeast("accuracy", 0.5))}, "segmentation has no metric 'accuracy'"),
    ],
)
def test_what_does_not_go_with_pixels_is_refused_with_the_way_out(changes, message):
    with pytest.raises(ConfigError) as refused:
        experiment(**changes)
    assert message in " ".join(str(refused.value).split())


def test_crop_of_the_longer_side_is_warned_of():
    with pytest.warns(UserWarning, match="fit='pad' keeps it"):
        experiment(transform=c.Transform(image_size=(64, 64), fit="crop"))


@pytest.mark.parametrize("metric", [*c.Segmentation().built_in_metrics(), "iou[star]"])
def test_rules_of_a_gate_may_use_every_metric(metric):
    experiment(gate=c.Gate(c.AtLeast(metric, 0.5)))


def test_augmentations_that_move_maps_are_allowed():
    for augment in ((c.RandomResizedCrop(), c.Rotate(), c.Mosaic()), (c.RandomFlip(), c.ScaleJitter(), c.CutMix())):
        assert experiment(augment=augment).augment == augment


def test_the_network_of_a_user_is_allowed():
    assert experiment(model=c.Model(name="my_networks:pixels")).model.name == "my_networks:pixels"


def test_valid_padding_with_mirrored_borders_is_allowed():
    options = {"padding": "valid", "mirrored": True}
    assert experiment(model=c.Model(name="unet", options=options)).model.options == options


def test_every_network_of_the_list_is_in_the_table():
    from kerasvision import lookup

    assert set(NETWORKS) <= set(lookup.MODELS)
