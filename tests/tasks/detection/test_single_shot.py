"""SSD and YOLO as networks of the task: they learn an image by heart, and answer with the box that they learned."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.tasks.base import make_task

# Learning takes longer than what it adds to the checks of losses and answers in every run.
pytestmark = pytest.mark.slow

NAMES = ("cat", "dog")
SMALL = {"backbone": "resnet9", "width": 0.0625, "channels": 8}
NETWORKS = {"ssd": {**SMALL, "levels": "p2-p3", "ratios": "2"}, "yolo": {**SMALL, "level": "c3", "depth": 1}}
# In the first image a dog in the upper left quarter, in the second nothing.
TARGETS = {
    "boxes": tf.constant([[[2.0, 3.0, 14.0, 13.0]], [[0.0, 0.0, 0.0, 0.0]]]),
    "classes": tf.constant([[1], [-1]]),
    "crowd": tf.zeros((2, 1), bool),
}


@pytest.fixture(scope="module", params=NETWORKS)
def learned(request):
    """The task, the network and the images, after sixty steps on the same two images; the first and the last loss."""
    keras.utils.set_random_seed(0)
    task = make_task(c.Detection(boxes=5, candidates=20), NAMES)
    network = task.build(c.Model(name=request.param, options=NETWORKS[request.param]), image_shape=(32, 32, 3))
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32") / 4
    images[0, 2:14, 3:13] += 2.0
    losses, optimizer = task.objective().losses, keras.optimizers.Adam(0.02)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(losses(TARGETS, network(images, training=True), training=True))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, network.trainable_weights), network.trainable_weights, strict=True)
        )
        return loss

    found = [float(step()) for _ in range(60)]
    # The statistics of the norms lag behind: they get as many steps again, without learning.
    for _ in range(60):
        network(images, training=True)
    return task, network, images, found


def test_two_images_are_learned(learned):
    *_, losses = learned
    assert losses[-1] < 0.2 * losses[0]


def test_the_best_answer_is_the_object_and_an_empty_image_has_none(learned):
    task, network, images, _ = learned
    answers = {name: value.numpy() for name, value in task.predictor(network)(tf.constant(images)).items()}
    assert answers["classes"][0, 0] == b"dog"
    box = answers["boxes"][0, 0] * 32
    assert np.abs(box - [2, 3, 14, 13]).max() < 2
    assert answers["scores"][0, 0] > 0.5
    assert answers["scores"][1].max(initial=0) < 0.5


def test_candidates_are_all_boxes_of_all_cells(learned):
    task, network, images, _ = learned
    found = task.extra_signatures(network)["candidates"].answer(tf.constant(images))
    # SSD: 8 x 8 and 4 x 4 cells with four boxes; YOLO: 4 x 4 cells with two.
    count = {"ssd": (64 + 16) * 4, "yolo": 32}[network.name]
    assert found["boxes"].shape == (2, count, 4) and found["scores"].shape == (2, count, 2)
