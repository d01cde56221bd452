"""Fast R-CNN on the proposals of a trained Faster R-CNN, which stays as it is."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.errors import ConfigError, ExportError
from kerasvision.models import build
from kerasvision.models.box_levels import level_lines
from kerasvision.models.proposer import PREFIX
from kerasvision.models.saved import load_network

IMAGE_SHAPE = (32, 48, 3)
SMALL = {"backbone": "resnet9", "width": 0.125, "proposals": 6, "hidden": 8, "pooled": 3, "dropout": 0.0}
IMAGES = np.random.default_rng(0).normal(size=(2, *IMAGE_SHAPE)).astype("float32")


@pytest.fixture(scope="module")
def proposer(tmp_path_factory):
    """A Faster R-CNN whose moving statistics are not those of any batch, and its file."""
    keras.utils.set_random_seed(1)
    options = {**SMALL, "anchor_sizes": (8, 16), "channels": 8, "candidates": 20}
    model = build("faster_rcnn", image_shape=IMAGE_SHAPE, num_classes=4, **options)
    random = np.random.default_rng(1)
    for weight in model.non_trainable_weights:
        if weight.path.endswith(("moving_mean", "moving_variance")):
            weight.assign_add(random.uniform(0, 0.5, weight.shape))
    file = tmp_path_factory.mktemp("proposer") / "first.keras"
    model.save(file)
    return model, str(file)


@pytest.fixture(scope="module")
def network(proposer):
    return build("fast_rcnn", image_shape=IMAGE_SHAPE, num_classes=4, **{**SMALL, "proposals": 5}, proposer=proposer[1])


def test_the_regions_are_the_first_proposals_of_the_trained_network(proposer, network):
    expected = proposer[0](IMAGES, training=False)["proposals"].numpy()
    assert np.ptp(expected, axis=(0, 1)).min() > 1
    np.testing.assert_allclose(network(IMAGES, training=False)["proposals"], expected[:, :5], atol=1e-4)
    # Also while the network learns: the moving statistics are used, not those of the batch.
    np.testing.assert_allclose(network(IMAGES, training=True)["proposals"], expected[:, :5], atol=1e-4)


def test_only_the_own_backbone_and_the_second_stage_learn(network):
    before = {weight.path: weight.numpy() for weight in network.weights if weight.path.startswith(PREFIX)}
    assert len(before) > 10
    with tf.GradientTape() as tape:
        answers = network(IMAGES, training=True)
        total = tf.reduce_sum(answers["class_logits"] ** 2) + tf.reduce_sum(answers["region_deltas"] ** 2)
    learning = network.trainable_variables
    assert not any(weight.path.startswith(PREFIX) for weight in learning)
    assert all(gradient is not None for gradient in tape.gradient(total, learning))
    for weight in network.weights:
        if weight.path in before:
            np.testing.assert_array_equal(weight, before[weight.path], err_msg=weight.path)


def test_a_saved_network_needs_the_file_no_longer(network, tmp_path):
    network.save(tmp_path / "second.keras")
    loaded = load_network(tmp_path / "second.keras")
    for name, expected in network(IMAGES, training=False).items():
        np.testing.assert_allclose(loaded(IMAGES, training=False)[name], expected, atol=1e-5, err_msg=name)


def test_its_table_of_levels_is_that_of_the_trained_network(proposer, network):
    trained = level_lines(proposer[0])
    assert [row[:3] for row in trained[0]] == [("level", "stride", "cells"), ("p3", "8", "4 x 6")]
    # The six proposals of the trained network become five regions.
    assert level_lines(network) == (trained[0], trained[1].replace("at most 6", "at most 5"))


def test_a_proposer_of_other_images_or_without_proposals_is_refused(proposer, tmp_path):
    with pytest.raises(ConfigError, match="proposes regions for images of 32 x 48 x 3; received '48 x 48 x 3'"):
        build("fast_rcnn", image_shape=(48, 48, 3), num_classes=4, **SMALL, proposer=proposer[1])
    build("resnet9", image_shape=IMAGE_SHAPE, num_classes=4, width=0.125).save(tmp_path / "classifier.keras")
    with pytest.raises(ConfigError, match="proposer must be a file of a network that proposes regions; .* contains resnet9"):
        build("fast_rcnn", image_shape=IMAGE_SHAPE, num_classes=4, **SMALL, proposer=str(tmp_path / "classifier.keras"))
    with pytest.raises(ExportError, match="does not exist"):
        build("fast_rcnn", image_shape=IMAGE_SHAPE, num_classes=4, **SMALL, proposer="nowhere.keras")
    with pytest.raises(ConfigError, match="proposer must be the path of a .keras file"):
        build("fast_rcnn", image_shape=IMAGE_SHAPE, num_classes=4, **SMALL, proposer="rpn.h5")
