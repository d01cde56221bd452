"""RetinaNet: what it answers for each level of the pyramid, in the order of its anchors."""

import keras
import numpy as np
import pytest

from kerasvision.models import build
from kerasvision.models.anchors import anchor_sides, pyramid_anchors
from kerasvision.models.retinanet import retinanet_head

SMALL = {"backbone": "resnet9", "width": 0.125, "levels": "p3-p4", "channels": 8, "depth": 1}
IMAGE_SHAPE = (32, 64, 3)


@pytest.fixture(scope="module")
def answers():
    keras.utils.set_random_seed(0)
    model = build("retinanet", image_shape=IMAGE_SHAPE, num_classes=5, **SMALL)
    return model(np.random.default_rng(0).normal(size=(2, *IMAGE_SHAPE)).astype("float32"))


def test_each_level_has_logits_and_deltas_for_the_nine_anchors_of_each_cell(answers):
    assert {name: answer.shape.as_list() for name, answer in answers.items()} == {
        "p3_class_logits": [2, 4, 8, 45],
        "p3_deltas": [2, 4, 8, 36],
        "p4_class_logits": [2, 2, 4, 45],
        "p4_deltas": [2, 2, 4, 36],
    }
    shapes = {name[:2]: tuple(answer.shape[1:3]) for name, answer in answers.items()}
    assert len(pyramid_anchors(shapes)) == sum(np.prod(answers[f"{level}_deltas"].shape[1:]) // 4 for level in shapes)


def test_every_class_of_every_anchor_begins_at_a_probability_of_about_one_percent(answers):
    np.testing.assert_allclose(1 / (1 + np.exp(-answers["p4_class_logits"])), 0.01, atol=0.001)


def test_classes_and_boxes_have_towers_of_their_own():
    levels = {"p3": keras.Input((4, 4, 8), name="p3")}
    model = keras.Model(levels, retinanet_head(levels, num_classes=5, channels=8, depth=2, norm="none", synchronized=False))
    x = {"p3": np.random.default_rng(0).normal(size=(1, 4, 4, 8)).astype("float32")}
    before = model(x)
    model.get_layer("class_tower2_conv").kernel.assign_add(np.ones((3, 3, 8, 8)))
    after = model(x)
    assert {name for name in before if (before[name].numpy() != after[name].numpy()).any()} == {"p3_class_logits"}


def test_other_ratios_and_scales_are_in_the_names_and_have_an_answer_each():
    model = build("retinanet", image_shape=IMAGE_SHAPE, num_classes=5, **SMALL, ratios=(1, 2), scales="0.5-1-2")
    # By torchvision's rule: 16, 32 and 64 pixels; for the ratio 2, half of 16 * 2 ** 0.5 is 11.3, and of 16 / 2 ** 0.5 5.7.
    assert {name: x.shape[-1] for name, x in model.output.items() if name.startswith("p3")} == {
        "p3_class_logits": 30,
        "p3_deltas_16x16_32x32_64x64_22x12_46x22_90x46": 24,
    }


def test_the_ratios_and_scales_of_the_paper_give_the_names_without_an_ending():
    names = [*build("retinanet", image_shape=IMAGE_SHAPE, num_classes=5, **SMALL, ratios="0.5-1-2").output]
    assert names == ["p3_class_logits", "p3_deltas", "p4_class_logits", "p4_deltas"]


def test_no_anchor_is_smaller_than_two_pixels():
    assert anchor_sides("p0", ratios=(0.1, 10), scales=(0.1,)).min() == 2
