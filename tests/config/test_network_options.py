"""Options of detectors and of the localizer are checked when a pipeline file is read, without Keras."""

import pytest

from kerasvision import config as c
from kerasvision import introspection, lookup
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
        ("localizer", {"pooling": "flatten", "activation": "linear", "dropout": 0.5, "class_logits": False}),
    ],
)
def test_values_that_a_network_can_have_are_kept(name, options):
    assert c.Model(name=name, options=options).options == options


def test_every_network_that_answers_boxes_or_a_code_or_makes_images_has_such_a_check():
    special = {"levels", "class_logits", "bottleneck"}
    answering = {name for name in lookup.MODELS if special & introspection.keywords(lookup.MODELS.path(name))}
    assert answering == {"autoencoder", "fcos", "retinanet", "localizer"}
    assert answering | {*lookup.GENERATORS} <= {*lookup.OPTION_CHECKS}
