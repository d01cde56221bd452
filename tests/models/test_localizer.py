"""A localizer: one box and one class for each image."""

import numpy as np
import pytest

from kerasvision.errors import ConfigError
from kerasvision.models import build

# LeNet-5 has no norms, and it is built in a fraction of the time.
SMALL = {"image_shape": (16, 16, 3), "num_classes": 5, "backbone": "lenet5"}
IMAGES = np.random.default_rng(0).normal(0, 100, (4, 16, 16, 3)).astype("float32")


def localizer(**options):
    return build("localizer", **{**SMALL, **options})


def test_an_image_becomes_a_box_and_the_logits_of_its_class():
    answers = localizer()(IMAGES)
    assert {name: answer.shape.as_list() for name, answer in answers.items()} == {"box": [4, 4], "class_logits": [4, 5]}


def test_without_class_logits_it_answers_the_box_alone():
    assert list(localizer(class_logits=False).output) == ["box"]


@pytest.mark.parametrize(("activation", "stays_inside"), [("sigmoid", True), ("linear", False)])
def test_a_sigmoid_keeps_the_box_inside_the_image(activation, stays_inside):
    model = localizer(activation=activation)
    model.get_layer("box").bias.assign([-5.0, 0.5, 0.5, 5.0])
    box = model(IMAGES)["box"].numpy()
    assert ((box >= 0) & (box <= 1)).all() == stays_inside


@pytest.mark.parametrize("activation", ["sigmoid", "linear"])
def test_a_box_begins_as_the_middle_half_of_the_image(activation):
    box = localizer(activation=activation)(0 * IMAGES)["box"]
    np.testing.assert_allclose(box, [[0.25, 0.25, 0.75, 0.75]] * 4, atol=0.1)


def test_flattened_maps_keep_where_something_is_and_their_mean_does_not():
    # LeNet-5 makes 2 x 2 cells of 16 x 16 pixels, with 16 channels.
    sizes = {pooling: localizer(pooling=pooling).get_layer("box").kernel.shape[0] for pooling in ("mean", "flatten")}
    assert sizes == {"mean": 16, "flatten": 2 * 2 * 16}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pooling": "max"}, "localizer has no pooling 'max'; choose from flatten, mean"),
        ({"activation": "relu"}, "localizer has no activation 'relu'; choose from linear, sigmoid"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\); received 1.0"),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_rule(options, message):
    with pytest.raises(ConfigError, match=message):
        localizer(**options)
