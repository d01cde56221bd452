"""The losses against formulas of the papers in NumPy, and their gradients where there is nothing to learn."""

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.tasks.detection.assigning import IGNORED, Truth, by_overlap, by_place_and_size
from kerasvision.tasks.detection.losses import detection_losses, parts_of_loss
from kerasvision.tasks.detection.readings import read

SHAPES, CLASSES = {3: (4, 5), 4: (2, 3)}, 3
BOXES = [[[2.0, 3.0, 25.0, 38.0], [1.0, 1.0, 12.0, 11.0]], [[0.0, 0.0, 32.0, 40.0], [0.0, 0.0, 0.0, 0.0]]]
TRUTH = Truth(tf.constant(BOXES), tf.constant([[0, 2], [1, -1]]), tf.zeros((2, 2), bool))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def entropy(goal, logit):
    return -(goal * np.log(sigmoid(logit)) + (1 - goal) * np.log(1 - sigmoid(logit)))


def generalized(a, b):
    """1 - GIoU of two boxes, by the definition of Rezatofighi et al., 2019."""
    shared = np.prod(np.maximum(0, np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])))
    sizes = [np.prod(one[2:] - one[:2]) for one in (a, b)]
    around = np.prod(np.maximum(a[2:], b[2:]) - np.minimum(a[:2], b[:2]))
    union = sum(sizes) - shared
    return 1 - shared / union + (around - union) / around


def of_points(outputs, boxes, classes, assigned):
    """FCOS' three losses of one image, point by point."""
    found, row, learned = {"classes": 0.0, "box": 0.0, "centerness": 0.0}, 0, max(1, (assigned >= 0).sum())
    for level, (height, width) in SHAPES.items():
        for y, x in np.ndindex(height, width):
            stride, number = 2**level, assigned[row]
            point = (np.array([y, x]) + 0.5) * stride
            for k, logit in enumerate(outputs[f"p{level}_class_logits"][y, x]):
                goal = float(number >= 0 and classes[number] == k)
                p = sigmoid(logit) if goal else 1 - sigmoid(logit)
                found["classes"] += (0.25 if goal else 0.75) * (1 - p) ** 2 * -np.log(p)
            if number >= 0:
                sides = outputs[f"p{level}_distances"][y, x] * stride
                found["box"] += generalized(np.concatenate([point - sides[:2], point + sides[2:]]), boxes[number])
                (up, left), (down, right) = point - boxes[number][:2], boxes[number][2:] - point
                goal = np.sqrt(min(up, down) / max(up, down) * min(left, right) / max(left, right))
                found["centerness"] += entropy(goal, outputs[f"p{level}_centerness"][y, x, 0])
            row += 1
    return {name: value / learned for name, value in found.items()}


def test_losses_of_points_are_those_of_the_paper(point_maps):
    outputs = point_maps(np.random.default_rng(0), shapes=SHAPES, images=2, classes=CLASSES)
    readings = read(outputs, num_classes=CLASSES)
    assigned = by_place_and_size(readings.grid, TRUTH).numpy()
    assert (assigned >= 0).sum(1).min() > 0
    found = parts_of_loss(readings, TRUTH, c.Detection())
    for image in range(2):
        one = {name: value.numpy()[image].astype(float) for name, value in outputs.items()}
        expected = of_points(one, np.array(BOXES[image]), TRUTH.classes.numpy()[image], assigned[image])
        for name, value in expected.items():
            assert found[name].numpy()[image] == pytest.approx(value, rel=1e-5), name


def anchor_maps(random, *, per_cell=9):
    return {
        f"p{level}_{name}": tf.constant(random.normal(size=(2, *shape, per_cell * size)), tf.float32)
        for level, shape in SHAPES.items()
        for name, size in (("class_logits", CLASSES), ("deltas", 4))
    }


def test_losses_of_anchors_are_those_of_the_paper():
    readings = read(anchor_maps(np.random.default_rng(1)), num_classes=CLASSES)
    anchors, assigned = readings.grid.anchors.astype(float), by_overlap(readings.grid, TRUTH).numpy()
    found = parts_of_loss(readings, TRUTH, c.Detection())
    logits, deltas = readings.logits.numpy().astype(float), readings.places.numpy().astype(float)
    centres, sizes = (anchors[:, :2] + anchors[:, 2:]) / 2, anchors[:, 2:] - anchors[:, :2]
    for image in range(2):
        classes, box, learned = 0.0, 0.0, max(1, (assigned[image] >= 0).sum())
        for row, number in enumerate(assigned[image]):
            goals = np.zeros(CLASSES)
            if number >= 0:
                goals[TRUTH.classes.numpy()[image, number]] = 1
                corners = np.array(BOXES[image][number])
                moved = ((corners[:2] + corners[2:]) / 2 - centres[row]) / sizes[row]
                grown = np.log((corners[2:] - corners[:2]) / sizes[row])
                box += np.abs(deltas[image, row] - np.concatenate([moved, grown])).sum()
            if number != IGNORED:
                p = np.where(goals == 1, sigmoid(logits[image, row]), 1 - sigmoid(logits[image, row]))
                classes += (np.where(goals == 1, 0.25, 0.75) * (1 - p) ** 2 * -np.log(p)).sum()
        assert found["classes"].numpy()[image] == pytest.approx(classes / learned, rel=1e-5)
        assert found["box"].numpy()[image] == pytest.approx(box / learned, rel=1e-4)


@pytest.mark.parametrize("loss", ["auto", "iou", "diou", "ciou", "l1", "smooth_l1"])
@pytest.mark.parametrize("assignment", ["fixed", "task_aligned"])
@pytest.mark.parametrize("kind", ["points", "anchors"])
def test_images_with_nothing_to_learn_have_a_finite_loss_and_gradient(point_maps, kind, assignment, loss):
    random = np.random.default_rng(2)
    outputs = anchor_maps(random) if kind == "anchors" else point_maps(random, shapes=SHAPES, images=2, classes=CLASSES)
    # No object; and boxes of no area, of which one is a point of the grid.
    targets = {
        "boxes": tf.constant([[[0.0, 0, 0, 0], [0, 0, 0, 0]], [[12.0, 12, 12, 12], [4, 8, 20, 8]]]),
        "classes": tf.constant([[-1, -1], [0, 1]]),
        "crowd": tf.zeros((2, 2), bool),
    }
    losses = detection_losses(c.Detection(assignment=assignment, box_loss=loss), num_classes=CLASSES)
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        found = losses(targets, outputs, training=True)
    gradients = tape.gradient(found, outputs)
    assert np.isfinite(found.numpy()).all()
    assert all(np.isfinite(one.numpy()).all() for one in gradients.values() if one is not None)
    assert all(np.abs(gradients[name].numpy()).max() > 0 for name in outputs if name.endswith("class_logits"))


@pytest.mark.parametrize("assignment", ["fixed", "task_aligned"])
def test_loss_of_an_image_does_not_depend_on_the_others(point_maps, assignment):
    outputs = point_maps(np.random.default_rng(3), shapes=SHAPES, images=2, classes=CLASSES)
    losses = detection_losses(c.Detection(assignment=assignment), num_classes=CLASSES)
    together = losses(TRUTH._asdict(), outputs, training=True).numpy()
    for image in range(2):
        alone = {name: value[image : image + 1] for name, value in TRUTH._asdict().items()}
        of_one = losses(alone, {name: value[image : image + 1] for name, value in outputs.items()}, training=True)
        assert of_one.numpy()[0] == pytest.approx(together[image], rel=1e-5)
