"""The losses of boxes and scores, and their gradients, are those of torchvision; make_torchvision_losses.py stored them."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kerasvision.tasks.detection.losses import OVERLAPS, focal_losses

STORED = json.loads(Path(__file__).with_name("torchvision_losses.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["giou", "diou", "ciou"])
def test_losses_of_boxes_are_those_of_torchvision(name):
    found, true = tf.constant(STORED["boxes"]["found"], tf.float32), STORED["boxes"]["true"]
    with tf.GradientTape() as tape:
        tape.watch(found)
        losses = 1.0 - OVERLAPS[name](found, tf.constant(true, tf.float32))
    np.testing.assert_allclose(losses, STORED["boxes"][name]["losses"], atol=1e-5)
    # Where two coordinates are equal, either may have the gradient of their minimum.
    gradients, expected = tape.gradient(losses, found).numpy(), np.array(STORED["boxes"][name]["gradients"])
    both = np.concatenate([np.reshape(boxes, (-1, 2, 2)) for boxes in (found, true)], axis=1)
    unequal = (np.diff(np.sort(both, axis=1), axis=1) > 0).all(axis=(1, 2))
    assert unequal.sum() >= 12
    np.testing.assert_allclose(gradients[unequal], expected[unequal], atol=1e-5)


@pytest.mark.parametrize("case", STORED["focal"]["cases"], ids=lambda case: str(case["options"]))
def test_focal_losses_are_those_of_torchvision(case):
    logits = tf.constant(STORED["focal"]["logits"])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        losses = focal_losses(tf.constant(STORED["focal"]["goals"]), logits, **case["options"])
    np.testing.assert_allclose(losses, case["losses"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(tape.gradient(losses, logits), case["gradients"], rtol=1e-4, atol=1e-6)
