"""R-CNN, Fast R-CNN and R-FCN: the windows by contrast, and what each network reads of a region."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.fast_rcnn import rcnn
from kerasvision.models.windows import contrast, window_proposals
from kerasvision.ops.boxes import pairwise_iou

IMAGE_SHAPE = (32, 48, 3)
SMALL = {"backbone": "resnet9", "width": 0.125, "proposals": 6}
WINDOWS = {**SMALL, "window_sides": (8, 16)}
FAST = {**WINDOWS, "window_sides": "8-16", "hidden": 8, "pooled": 3, "dropout": 0.0}
OPTIONS = {
    "rcnn": {**WINDOWS, "crop": 16},
    "fast_rcnn": FAST,
    "rfcn": {**SMALL, "anchor_sizes": (8, 16), "channels": 8, "proposal_channels": 8, "bins": 3},
}
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(2, *IMAGE_SHAPE)).astype("float32")


def test_contrast_is_the_distance_of_the_mean_colours_of_window_and_frame():
    found = contrast(IMAGES, height=8, width=6, step=4, margin=2).numpy()
    assert found.shape == (2, 7, 11)
    mirrored = np.pad(IMAGES.astype(float), [(0, 0), (2, 2), (2, 2), (0, 0)], mode="reflect")
    for n, i, j in [(0, 0, 0), (1, 3, 5), (1, 6, 10)]:
        whole = mirrored[n, 4 * i : 4 * i + 12, 4 * j : 4 * j + 10]
        is_frame = np.ones((12, 10), bool)
        is_frame[2:10, 2:8] = False
        inside = IMAGES[n, 4 * i : 4 * i + 8, 4 * j : 4 * j + 6].astype(float).mean((0, 1))
        expected = ((inside - whole[is_frame].mean(0)) ** 2).sum()
        assert found[n, i, j] == pytest.approx(expected, rel=1e-3)


def test_windows_cover_coloured_objects_of_several_sizes_and_shapes():
    objects = np.array([[4, 4, 16, 16], [40, 10, 52, 34], [20, 50, 44, 60]], "float32")
    image = np.zeros((1, 64, 64, 3), "float32")
    for number, (top, left, bottom, right) in enumerate(objects.astype(int)):
        image[0, top:bottom, left:right, number] = 1.0
    windows = window_proposals(image, sides=(12, 17), count=10)
    assert (pairwise_iou(objects, windows[0]).numpy().max(axis=1) >= 0.5).all()
    assert windows.numpy().min() >= 0
    assert windows.numpy().max() <= 64


def test_windows_larger_than_the_image_are_the_image():
    found = window_proposals(IMAGES, sides=(1000,), count=3).numpy()
    assert found.tolist() == [[[0, 0, 32, 48]]] * 2


@pytest.fixture(scope="module", params=sorted(OPTIONS))
def network(request):
    keras.utils.set_random_seed(0)
    return build(request.param, image_shape=IMAGE_SHAPE, num_classes=4, **OPTIONS[request.param])


def test_every_region_has_logits_for_the_classes_and_background(network):
    shapes = {name: answer.shape.as_list() for name, answer in network(IMAGES).items()}
    deltas = 4 if network.name == "rfcn" else 20
    regions = {"proposals": [2, 6, 4], "class_logits": [2, 6, 5], "region_deltas": [2, 6, deltas]}
    assert {name: shapes[name] for name in regions} == regions
    assert ({*shapes} - {*regions} == {"anchors", "objectness", "anchor_deltas"}) == (network.name == "rfcn")


def cropped(image, box, side):
    """A region of (H, W, C) as side x side samples, bilinear between the middles of the pixels."""

    def between(low, high, length):
        places = low - 0.5 + (np.arange(side) + 0.5) * (high - low) / side
        places = np.clip(places, 0, length - 1)
        before = np.minimum(places.astype(int), length - 2)
        return before, (places - before)[:, None, None]

    top, left, bottom, right = box.astype(float)
    row, down = between(top, bottom, image.shape[0])
    column, across = between(left, right, image.shape[1])
    tall = (1 - down) * image[row] + down * image[row + 1]
    across = across.transpose(1, 0, 2)
    return (1 - across) * tall[:, column] + across * tall[:, column + 1]


def test_rcnn_answers_for_a_region_what_its_backbone_answers_for_the_crop():
    keras.utils.set_random_seed(0)
    network = build("rcnn", image_shape=IMAGE_SHAPE, num_classes=4, **OPTIONS["rcnn"])
    answers = network(IMAGES[:1])
    crops = [cropped(IMAGES[0], box, 16) for box in answers["proposals"][0].numpy()]
    backbone = build("resnet9", image_shape=(16, 16, 3), num_classes=None, width=0.125)
    for layer in backbone.layers:
        layer.set_weights(network.get_layer(layer.name).get_weights())
    maps = backbone(np.stack(crops).astype("float32"))
    features = np.mean(maps[max(maps)], axis=(1, 2))
    for name in ("class_logits", "region_deltas"):
        np.testing.assert_allclose(answers[name][0], network.get_layer(name)(features), atol=1e-5)


def test_in_rfcn_the_score_of_a_class_is_the_mean_over_the_bins_of_its_own_channels():
    """With weights of zero, every channel is its bias."""
    network = build("rfcn", image_shape=IMAGE_SHAPE, num_classes=4, **OPTIONS["rfcn"])
    layer = network.get_layer("class_logits")
    bias = RANDOM.normal(size=3 * 3 * 5).astype("float32")
    layer.set_weights([np.zeros(layer.kernel.shape, "float32"), bias])
    answers = network(IMAGES)
    is_region = answers["proposals"].numpy().any(-1)
    np.testing.assert_allclose(answers["class_logits"].numpy()[is_region].mean(0), bias.reshape(9, 5).mean(0), atol=1e-5)


def test_pretrained_weights_of_a_backbone_are_those_of_the_crops():
    maps = build("resnet9", image_shape=IMAGE_SHAPE, num_classes=None, width=0.125)
    network = rcnn(image_shape=IMAGE_SHAPE, num_classes=4, **{**OPTIONS["rcnn"], "backbone": maps})
    for layer in maps.layers:
        for ours, theirs in zip(network.get_layer(layer.name).get_weights(), layer.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_the_task_learns_from_regions_without_a_first_stage():
    from kerasvision import config as c
    from kerasvision.tasks.base import make_task

    task = make_task(c.Detection(), ("a", "b", "c", "d"))
    network = task.build(c.Model(name="fast_rcnn", options=FAST), image_shape=IMAGE_SHAPE)
    targets = {
        "boxes": tf.constant([[[4.0, 4, 16, 16]]] * 2),
        "classes": tf.constant([[1], [2]]),
        "crowd": tf.zeros((2, 1), bool),
        "numbers": tf.constant([[0.5, 0.25], [0.125, 0.75]]),
    }
    with tf.GradientTape() as tape:
        losses = task.objective().losses(targets, network(IMAGES, training=True), training=True)
    assert losses.shape == (2,)
    assert all(gradient is not None for gradient in tape.gradient(losses, network.trainable_weights))


def test_the_backbone_of_rcnn_must_read_the_crops_and_not_the_image():
    with pytest.raises(ConfigError, match=r"alexnet reads crops of at least \d+ x \d+ pixels; received 32"):
        build("rcnn", image_shape=(96, 96, 3), num_classes=5, crop=32)
    small = {"backbone": "resnet9", "width": 0.0625, "proposals": 4, "window_sides": (4,), "crop": 16}
    assert build("rcnn", image_shape=(8, 8, 3), num_classes=5, **small).output["proposals"].shape == (None, 4, 4)
    with pytest.raises(ConfigError, match="synchronized must be true or false; received 'yes'"):
        build("rcnn", image_shape=(32, 32, 3), num_classes=5, **small, synchronized="yes")


@pytest.mark.parametrize("name", ["fast_rcnn", "faster_rcnn", "rfcn"])
def test_images_of_any_size_are_refused_with_the_reason(name):
    with pytest.raises(ConfigError, match=f"{name} chooses regions of the image, so all its .*. Give height and width.$"):
        build(name, image_shape=(None, None, 3), num_classes=5, backbone="resnet9")
