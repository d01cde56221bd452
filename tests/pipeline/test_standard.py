"""The standard graph of an experiment refuses what no stage after it could use."""

import pytest

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.pipeline.standard import standard_pipeline


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
