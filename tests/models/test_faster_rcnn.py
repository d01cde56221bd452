"""Faster R-CNN: what it answers, on one map and on a pyramid. The tables of the networks hold its weights."""

import keras
import numpy as np
import pytest

from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.region_heads import finest_last_map

SMALL = {"backbone": "resnet9", "width": 0.125, "proposals": 8, "channels": 8, "hidden": 8, "pooled": 3}
IMAGE_SHAPE = (32, 48, 3)
SIZES = {"anchor_sizes": "12-24", "dropout": 0.0}
PYRAMID = {"levels": "p2-p3", "anchor_strides": 3.0}


def images(count=2):
    return np.random.default_rng(0).normal(size=(count, *IMAGE_SHAPE)).astype("float32")


@pytest.fixture(scope="module")
def one_map():
    keras.utils.set_random_seed(0)
    return build("faster_rcnn", image_shape=IMAGE_SHAPE, num_classes=5, **SMALL, **SIZES)


@pytest.fixture(scope="module")
def answers(one_map):
    return one_map(images())


def test_each_anchor_and_each_region_has_its_answers(answers):
    """The map has 4 x 6 cells of six anchors."""
    assert {name: answer.shape.as_list() for name, answer in answers.items()} == {
        "anchors": [2, 144, 4],
        "objectness": [2, 144],
        "anchor_deltas": [2, 144, 4],
        "proposals": [2, 8, 4],
        "class_logits": [2, 8, 6],
        "region_deltas": [2, 8, 24],
    }


def test_on_a_pyramid_each_level_has_anchors_of_its_own_size_and_there_is_one_level_more():
    model = build("faster_rcnn_fpn", image_shape=IMAGE_SHAPE, num_classes=5, **SMALL, **PYRAMID)
    anchors = model(images())["anchors"][0].numpy()
    cells = [8 * 12, 4 * 6, 2 * 3]
    assert len(anchors) == 3 * sum(cells)
    sides = np.sqrt((anchors[:, 2] - anchors[:, 0]) * (anchors[:, 3] - anchors[:, 1]))
    # Their sides are whole pixels.
    np.testing.assert_allclose(sides, np.repeat([12.0, 24.0, 48.0], [3 * count for count in cells]), rtol=0.1)


def test_proposals_lie_in_the_image_and_the_best_anchor_comes_first(answers):
    proposals = answers["proposals"].numpy()
    assert proposals.min() >= 0
    assert (proposals.max((0, 1)) <= [32, 48, 32, 48]).all()
    best = answers["objectness"].numpy().argmax(1)
    # At the start the deltas are small noise, so a proposal lies near its anchor.
    for row, place in enumerate(best):
        anchor = answers["anchors"][row, place].numpy()
        np.testing.assert_allclose(proposals[row, 0], np.clip(anchor, 0, [32, 48, 32, 48]), atol=2)


def test_the_second_stage_does_not_move_the_first(one_map):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        answers = one_map(images())
        total = tf.reduce_sum(answers["class_logits"]) + tf.reduce_sum(answers["region_deltas"])
    weights = [
        weight for weight in one_map.trainable_weights if weight.path.startswith(("proposal", "objectness", "anchor"))
    ]
    assert len(weights) == 6
    assert tape.gradient(total, weights) == [None] * 6


def test_of_vgg_the_last_convolutions_are_read_and_not_their_pooling():
    network = build("vgg16", image_shape=(64, 64, 3), num_classes=None, width=1 / 16)
    x, stride = finest_last_map(network)
    assert (x.shape[1:], stride) == ((4, 4, 32), 16)
    x, stride = finest_last_map(build("resnet18", image_shape=(64, 64, 3), num_classes=None, width=1 / 16))
    assert (x.shape[1:], stride) == ((2, 2, 32), 32)


@pytest.mark.parametrize("name", ["faster_rcnn", "faster_rcnn_fpn"])
def test_images_of_any_size_are_refused(name):
    with pytest.raises(ConfigError, match="one size"):
        build(name, image_shape=(None, None, 3), num_classes=5, backbone="resnet9")
