"""Options of detectors and of the localizer are checked when a pipeline file is read, without Keras."""

import pytest

from kerasvision import config as c
from kerasvision import introspection, lookup
from kerasvision.config.detection import DETECTORS
from kerasvision.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("fcos", {"levels": "p5-p3"}, "levels must have the form 'p3-p7', .*; received 'p5-p3'. Did you mean 'p3-p5'?"),
        ("retinanet", {"levels": "p3"}, "levels must have the form .*; received 'p3'. The papers' levels are 'p3-p7'."),
        ("retinanet", {"levels": 3}, "levels must have the form .*; received 3"),
        ("fcos", {"norm": "layer"}, "fcos has no norm 'layer'; choose from batch, group, none"),
        ("fcos", {"distances": "softplus"}, "fcos has no distances 'softplus'; choose from exp, relu"),
        ("retinanet", {"depth": 0}, "depth must be a positive integer; received 0. The papers have 4."),
        ("fcos", {"channels": 1.5}, "channels must be a positive integer; received 1.5"),
        ("fcos", {"width": 64}, "width is a factor on the channels of the backbone, at most 16; received 64. Set channels"),
        ("fcos", {"width": "wide"}, "width is a factor .*; received 'wide'"),
        (
            "retinanet",
            {"synchronized": "yes"},
            "synchronized must be true or false; received 'yes'. Leave synchronized out.",
        ),
        ("localizer", {"pooling": "max"}, "localizer has no pooling 'max'; choose from flatten, mean"),
        ("localizer", {"activation": "relu"}, "localizer has no activation 'relu'; choose from linear, sigmoid"),
        ("localizer", {"dropout": 1.0}, r"dropout must lie in \[0, 1\); received 1.0"),
        ("localizer", {"class_logits": "no"}, "class_logits must be true or false; received 'no'"),
        ("retinanet", {"ratios": "0.5-x"}, "ratios must be different numbers from 0.1 to 10, such as '0.5-1-2'; received"),
        ("retinanet", {"scales": "0-1"}, "scales must be different numbers from 0.1 to 10"),
        ("retinanet", {"scales": (1, 1)}, "Leave scales out for those of the paper"),
        ("ssd", {"ratios": "1-2"}, "ratios must be different numbers above 1, .*; received '1-2'. Each of them gives"),
        ("ssd", {"ratios": "2-x"}, "ratios must be different numbers above 1"),
        ("ssd", {"ratios": (2, 2)}, "ratios must be different numbers above 1"),
        ("ssd", {"smallest": 0.9, "largest": 0.5}, "0 < smallest < largest <= 2; received smallest=0.9, largest=0.5"),
        ("ssd", {"largest": 2.5}, "smallest and largest must be shares of the image"),
        ("ssd", {"channels": 0}, "channels must be a positive integer; received 0"),
        ("ssd", {"levels": "p3"}, "levels must have the form"),
        ("yolo", {"level": "p4"}, "level must be a map of the backbone, such as 'c4', or None for its last one; received"),
        ("yolo", {"hidden": 2.5}, "hidden must be a positive integer, or None for no dense layer; received 2.5"),
        ("yolo", {"boxes_per_cell": 0}, "boxes_per_cell must be a positive integer; received 0. The papers have 2"),
        ("yolo", {"batch_norm": 1}, "batch_norm must be true or false"),
        ("yolo_v1", {"dropout": 1.0}, r"dropout must lie in \[0, 1\); received 1.0"),
        ("yolo_v1", {"width": 20}, "width is a factor on the channels, at most 16; received 20"),
        ("ssd300", {"backbone": "resnet18"}, "ssd300 is built on a VGG network; received 'resnet18'"),
        ("ssd300", {"width": 0}, "width is a factor on the channels of the backbone, .* The maps after the backbone become"),
        ("kerasvision.models.fcos:fcos", {"levels": "p5-p3"}, "levels must have the form"),
    ],
)
def test_a_value_that_no_network_can_have_is_refused(name, options, message):
    with pytest.raises(ConfigError, match=message):
        c.Model(name=name, options=options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fcos", {"levels": "p3-p5", "norm": "batch", "distances": "exp", "width": 0.25, "depth": 1, "channels": 32}),
        ("retinanet", {"levels": "p4-p4", "norm": "none", "synchronized": True}),
        ("retinanet", {"ratios": "0.5-1-2", "scales": (0.5, 0.7)}),
        ("ssd", {"levels": "p2-p4", "ratios": (1.5, 2), "smallest": 0.05, "largest": 1.0, "width": 0.25}),
        ("ssd300", {"backbone": "vgg11", "width": 0.125}),
        ("yolo", {"level": "c4", "hidden": 128, "boxes_per_cell": 3, "dropout": 0.5, "batch_norm": False, "depth": 1}),
        ("yolo_v1", {"boxes_per_cell": 1, "dropout": 0.0, "width": 0.5}),
        ("localizer", {"pooling": "flatten", "activation": "linear", "dropout": 0.5, "class_logits": False}),
    ],
)
def test_values_that_a_network_can_have_are_kept(name, options):
    assert c.Model(name=name, options=options).options == options


def test_every_network_that_answers_boxes_or_a_code_or_makes_images_has_such_a_check():
    special = {"levels", "class_logits", "bottleneck"}
    answering = {name for name in lookup.MODELS if special & introspection.keywords(lookup.MODELS.path(name))} | {*DETECTORS}
    assert answering == {"autoencoder", "localizer", *DETECTORS}
    assert answering | {*lookup.GENERATORS} <= {*lookup.OPTION_CHECKS}


def search_for(space):
    return c.Experiment(
        name="boxes",
        source=c.Shapes(),
        transform=c.Transform(image_size=(64, 64)),
        task=c.Detection(),
        model=c.Model(name="ssd", options={"backbone": "resnet9", "levels": "p2-p3"}),
        search=c.Search(space=space),
    )


def test_a_search_may_vary_the_boxes_of_a_detector():
    space = {
        "model.options.ratios": c.Choice("2", "2-3", "1.5-3"),
        "model.options.smallest": c.Float(0.1, 0.3),
        "model.options.largest": c.Float(0.6, 1.0),
    }
    assert search_for(space).search.space.keys() == space.keys()


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"model.options.ratios": c.Choice("2", "0.5-2")}, "ratios must be different numbers above 1"),
        ({"model.options.smallest": c.Float(0.1, 0.95)}, "0 < smallest < largest"),
    ],
)
def test_a_search_over_boxes_that_no_network_can_have_is_refused(space, message):
    with pytest.raises(ConfigError, match=message):
        search_for(space)
