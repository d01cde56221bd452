"""The options of two-stage detectors are checked when a pipeline file is read."""

import pytest

from kerasvision import config as c
from kerasvision.errors import ConfigError


def read(name, **options):
    return c.Experiment(
        name="boxes",
        source=c.Shapes(),
        transform=c.Transform(image_size=(96, 96)),
        task=c.Detection(),
        model=c.Model(name=name, options={"backbone": "resnet9", **options}),
    )


@pytest.mark.parametrize("name", ["rcnn", "fast_rcnn", "faster_rcnn", "faster_rcnn_fpn", "rfcn"])
def test_detection_takes_every_two_stage_network(name):
    assert read(name, proposals=50).model.name == name


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("faster_rcnn", {"proposals": 0}, "proposals must be a positive integer; received 0"),
        (
            "faster_rcnn",
            {"proposals": 200, "candidates": 100},
            "proposals must be at most 100; received 200. Lower it, or raise",
        ),
        ("faster_rcnn", {"proposals": 1001}, "proposals must be at most 1000"),
        ("faster_rcnn", {"candidates": 6001}, "candidates must be at most 6000, because each pair of them is compared"),
        ("fast_rcnn", {"proposals": 501}, "proposals must be at most 500"),
        ("fast_rcnn", {"proposer": 3}, "proposer must be the path of a .keras file; received 3"),
        ("fast_rcnn", {"proposer": "a.keras", "window_sides": (8,)}, "window_sides has no meaning with proposer"),
        ("faster_rcnn", {"anchor_sizes": ()}, "anchor_sizes must be numbers of pixels, each at least 1"),
        ("rfcn", {"anchor_sizes": "14-28-"}, "such as '16-32' or .* received '14-28-'"),
        ("rfcn", {"anchor_sizes": "9" * 400}, "anchor_sizes must be numbers of pixels"),
        ("fast_rcnn", {"window_sides": (0,)}, "window_sides must be numbers of pixels, each at least 1"),
        ("rcnn", {"window_sides": "0.5-8"}, "window_sides must be numbers of pixels, each at least 1"),
        ("rfcn", {"bins": 2.5}, "bins must be a positive integer"),
        ("rcnn", {"crop": 0}, "crop must be a positive integer"),
        ("fast_rcnn", {"dropout": 1}, r"dropout must lie in \[0, 1\)"),
        ("faster_rcnn_fpn", {"anchor_strides": 0}, "anchor_strides must be a positive number; received 0"),
        ("faster_rcnn_fpn", {"levels": "p5-p2"}, "Did you mean 'p2-p5'"),
        ("faster_rcnn_fpn", {"anchor_sizes": (8,)}, "anchor_sizes"),
        ("rfcn", {"width": -1}, "width is a factor on the channels of the backbone"),
        ("rfcn", {"synchronized": "yes"}, "synchronized must be true or false"),
    ],
)
def test_an_option_out_of_its_range_is_refused_with_the_rule(name, options, message):
    with pytest.raises(ConfigError, match=message):
        read(name, **options)


def test_a_pyramid_has_candidates_on_each_level():
    assert read("faster_rcnn_fpn", proposals=300, candidates=100).model.options["candidates"] == 100


@pytest.mark.parametrize(
    ("name", "option"),
    [("faster_rcnn", "anchor_sizes"), ("rfcn", "anchor_sizes"), ("fast_rcnn", "window_sides"), ("rcnn", "window_sides")],
)
def test_a_search_varies_sides_as_texts_or_single_numbers(name, option):
    experiment = read(name, proposals=50)
    for choices in (("14-28-48", "20-40"), (16, 32)):
        search = c.Search(space={f"model.options.{option}": c.Choice(*choices)})
        assert c.Experiment(**{**dict(experiment), "search": search}).search == search
    with pytest.raises(ConfigError, match=f"{option} must be numbers of pixels.*received '14;28'"):
        c.Experiment(**{**dict(experiment), "search": c.Search(space={f"model.options.{option}": c.Choice("14", "14;28")})})
