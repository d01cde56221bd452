"""The losses against formulas of the papers in NumPy, and their gradients where there is nothing to learn."""

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.tasks.detection.assigning import IGNORED, Truth, by_best_overlap, by_overlap, by_place_and_size
from kerasvision.tasks.detection.losses import detection_losses, parts_of_loss
from kerasvision.tasks.detection.mining import mined_class_losses
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


def test_anchors_of_other_shapes_are_read_from_the_names_of_the_maps():
    maps = {"p3_class_logits": tf.zeros((1, 2, 3, 2 * CLASSES)), "p3_deltas_4x8_10x6": tf.zeros((1, 2, 3, 8))}
    grid = read(maps, num_classes=CLASSES).grid
    assert (grid.kind, grid.levels.tolist(), grid.strides.tolist()) == ("anchors", [0] * 12, [8.0] * 12)
    # Around the upper left corner of the cell in row 1 and column 2.
    assert grid.anchors[-2:].tolist() == [[6, 12, 10, 20], [3, 13, 13, 19]]


def default_maps(random, *, images=2):
    """Of default boxes of two shapes on both levels."""
    sides = {3: "_8x8_10x20", 4: "_20x16_12x30"}
    return {
        f"p{level}_{name}": tf.constant(random.normal(size=(images, *shape, 2 * size)), tf.float32)
        for level, shape in SHAPES.items()
        for name, size in (("class_logits", CLASSES), ("background", 1), (f"offsets{sides[level]}", 4))
    }


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("negatives", [3, 1.5])
def test_losses_of_default_boxes_are_those_of_the_paper(negatives):
    readings = read(default_maps(np.random.default_rng(4)), num_classes=CLASSES)
    boxes, assigned = readings.grid.anchors.astype(float), by_best_overlap(readings.grid, TRUTH).numpy()
    found = parts_of_loss(readings, TRUTH, c.Detection(negatives=negatives))
    shares, offsets = softmax(readings.logits.numpy().astype(float)), readings.places.numpy().astype(float)
    centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    for image in range(2):
        learned = (assigned[image] >= 0).sum()
        assert 0 < learned < 6
        classes, box = 0.0, 0.0
        for row in np.flatnonzero(assigned[image] >= 0):
            number = assigned[image, row]
            classes -= np.log(shares[image, row, 1 + TRUTH.classes.numpy()[image, number]])
            corners = np.array(BOXES[image][number])
            moved = ((corners[:2] + corners[2:]) / 2 - centres[row]) / sizes[row] / 0.1
            grown = np.log((corners[2:] - corners[:2]) / sizes[row]) / 0.2
            apart = np.abs(offsets[image, row] - np.concatenate([moved, grown]))
            box += np.where(apart < 1, apart**2 / 2, apart - 0.5).sum()
        of_background = np.sort(-np.log(shares[image, assigned[image] < 0, 0]))[::-1]
        classes += of_background[: int(negatives * learned)].sum()
        assert found["classes"].numpy()[image] == pytest.approx(classes / learned, rel=1e-5)
        assert found["box"].numpy()[image] == pytest.approx(box / learned, rel=1e-4)


def test_default_boxes_are_offsets_with_the_variances_of_the_paper_and_the_background_is_no_class():
    readings = read(default_maps(np.random.default_rng(5)), num_classes=CLASSES)
    assert readings.scores().shape == (2, 2 * (4 * 5 + 2 * 3), CLASSES)
    np.testing.assert_allclose(readings.scores(), softmax(readings.logits.numpy())[..., 1:], rtol=1e-5)
    top, left, bottom, right = readings.grid.anchors[3].astype(float)
    down, across, taller, wider = readings.places.numpy()[1, 3].astype(float)
    height, width = bottom - top, right - left
    y, x = (top + bottom) / 2 + 0.1 * down * height, (left + right) / 2 + 0.1 * across * width
    height, width = height * np.exp(0.2 * taller), width * np.exp(0.2 * wider)
    expected = [y - height / 2, x - width / 2, y + height / 2, x + width / 2]
    np.testing.assert_allclose(readings.boxes()[1, 3], expected, rtol=1e-5)
    np.testing.assert_allclose(readings.encoded(readings.boxes()), readings.places, atol=1e-4)


def test_only_the_classes_of_learned_boxes_and_the_hardest_others_have_a_gradient():
    outputs = default_maps(np.random.default_rng(6))
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        readings = read(outputs, num_classes=CLASSES)
        found = parts_of_loss(readings, TRUTH, c.Detection())["classes"]
    gradient = tape.gradient(found, readings.logits).numpy()
    assigned = by_best_overlap(readings.grid, TRUTH).numpy()
    for image in range(2):
        learned, moved = assigned[image] >= 0, np.abs(gradient[image]).max(axis=-1) > 0
        assert moved[learned].all()
        assert (moved & ~learned).sum() == 3 * learned.sum()


def test_an_image_without_objects_teaches_the_three_boxes_that_it_finds_the_hardest():
    logits = np.zeros((1, 6, 1 + CLASSES))
    logits[0, :, 0] = [3, 0, 1, -1, 2, 4]
    nothing = tf.fill((1, 6), -1)
    found = mined_class_losses(tf.constant(logits, tf.float32), nothing, nothing, negatives=3)
    expected = -np.log(softmax(logits)[0, [3, 1, 2], 0]).sum()
    assert found.numpy()[0] == pytest.approx(expected, rel=1e-5)


def test_default_boxes_are_not_aligned_by_their_scores():
    readings = read(default_maps(np.random.default_rng(7)), num_classes=CLASSES)
    with pytest.raises(ConfigError, match="'task_aligned' requires points or anchors; this network has default boxes"):
        parts_of_loss(readings, TRUTH, c.Detection(assignment="task_aligned"))


def cell_maps(random, *, images=2):
    """Four rows of five cells with two boxes each."""
    return {
        "p3_class_scores": tf.constant(random.uniform(size=(images, 4, 5, CLASSES)), tf.float32),
        "p3_cell_boxes": tf.constant(random.uniform(size=(images, 4, 5, 10)), tf.float32),
    }


def corners_of(box, row, column):
    """Of the five numbers of a box in a cell of 8 pixels, in an image of 32 x 40 pixels."""
    y, x, height, width = (row + box[0]) * 8, (column + box[1]) * 8, box[2] ** 2 * 32, box[3] ** 2 * 40
    return np.array([y - height / 2, x - width / 2, y + height / 2, x + width / 2])


def overlap(a, b):
    shared = np.prod(np.maximum(0, np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])))
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


def of_cells(outputs, boxes, classes):
    """Equation 3 of the paper for one image, cell by cell."""
    found = {"classes": 0.0, "box": 0.0, "confidence": 0.0}
    centres = {tuple(((box[:2] + box[2:]) / 2 // 8).astype(int)): number for number, box in enumerate(boxes)}
    for row, column in np.ndindex(4, 5):
        answers, number = outputs["p3_cell_boxes"][row, column].reshape(2, 5), centres.get((row, column))
        if number is None:
            found["confidence"] += 0.5 * (answers[:, 4] ** 2).sum()
            continue
        ious = [overlap(corners_of(answer, row, column), boxes[number]) for answer in answers]
        responsible = int(np.argmax(ious))
        assert ious[responsible] > 0
        mine, other = answers[responsible], answers[1 - responsible]
        found["confidence"] += (ious[responsible] - mine[4]) ** 2 + 0.5 * other[4] ** 2
        (y, x), (height, width) = (boxes[number][:2] + boxes[number][2:]) / 2, boxes[number][2:] - boxes[number][:2]
        goal = [y / 8 - row, x / 8 - column, np.sqrt(height / 32), np.sqrt(width / 40)]
        found["box"] += 5 * ((mine[:4] - goal) ** 2).sum()
        found["classes"] += ((outputs["p3_class_scores"][row, column] - np.eye(CLASSES)[classes[number]]) ** 2).sum()
    return found


def test_losses_of_cells_are_those_of_the_paper():
    outputs = cell_maps(np.random.default_rng(8))
    found = parts_of_loss(read(outputs, num_classes=CLASSES), TRUTH, c.Detection())
    for image, count in ((0, 2), (1, 1)):
        one = {name: value.numpy()[image].astype(float) for name, value in outputs.items()}
        expected = of_cells(one, np.array(BOXES[image][:count]), TRUTH.classes.numpy()[image])
        for name, value in expected.items():
            assert found[name].numpy()[image] == pytest.approx(value, rel=1e-4), name


def test_scores_of_a_cell_are_the_probability_of_the_class_times_the_confidence_of_the_box():
    outputs = cell_maps(np.random.default_rng(9))
    scores = read(outputs, num_classes=CLASSES).scores().numpy().reshape(2, 4, 5, 2, CLASSES)
    shares, boxes = outputs["p3_class_scores"].numpy(), outputs["p3_cell_boxes"].numpy().reshape(2, 4, 5, 2, 5)
    np.testing.assert_allclose(scores[1, 2, 3, 1], shares[1, 2, 3] * boxes[1, 2, 3, 1, 4], rtol=1e-6)
    outside = {"p3_class_scores": tf.fill((1, 1, 1, CLASSES), 1.5), "p3_cell_boxes": tf.fill((1, 1, 1, 5), -0.5)}
    assert (read(outside, num_classes=CLASSES).scores().numpy() == 0).all()


def test_boxes_of_cells_come_back_from_their_places():
    readings = read(cell_maps(np.random.default_rng(10)), num_classes=CLASSES)
    # The second box of the cell in row 1 and column 2 is number (1 * 5 + 2) * 2 + 1.
    expected = corners_of(readings.places.numpy()[0, 15].astype(float), 1, 2)
    np.testing.assert_allclose(readings.boxes()[0, 15], expected, rtol=1e-5)
    np.testing.assert_allclose(readings.encoded(readings.boxes()), readings.places, atol=1e-5)


CASES = [
    *((kind, assignment) for kind in ("points", "anchors") for assignment in ("fixed", "task_aligned")),
    ("default_boxes", "fixed"),
    ("cells", "fixed"),
]


@pytest.mark.parametrize("loss", ["auto", "iou", "diou", "ciou", "l1", "smooth_l1"])
@pytest.mark.parametrize(("kind", "assignment"), CASES)
def test_images_with_nothing_to_learn_have_a_finite_loss_and_gradient(point_maps, kind, assignment, loss):
    random = np.random.default_rng(2)
    outputs = {
        "points": lambda: point_maps(random, shapes=SHAPES, images=2, classes=CLASSES),
        "anchors": lambda: anchor_maps(random),
        "default_boxes": lambda: default_maps(random),
        "cells": lambda: cell_maps(random),
    }[kind]()
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
    # The cells of YOLO learn the classes of objects alone, and that nothing is there by their confidence.
    taught = "cell_boxes" if kind == "cells" else "class_logits"
    assert all(np.abs(gradients[name].numpy()).max() > 0 for name in outputs if name.endswith(taught))


@pytest.mark.parametrize(
    ("kind", "assignment"), [("points", "fixed"), ("points", "task_aligned"), ("default_boxes", "fixed")]
)
def test_loss_of_an_image_does_not_depend_on_the_others(point_maps, kind, assignment):
    random = np.random.default_rng(3)
    made = {"default_boxes": default_maps, "cells": cell_maps}
    outputs = made[kind](random) if kind in made else point_maps(random, shapes=SHAPES, images=2, classes=CLASSES)
    losses = detection_losses(c.Detection(assignment=assignment), num_classes=CLASSES)
    together = losses(TRUTH._asdict(), outputs, training=True).numpy()
    for image in range(2):
        alone = {name: value[image : image + 1] for name, value in TRUTH._asdict().items()}
        of_one = losses(alone, {name: value[image : image + 1] for name, value in outputs.items()}, training=True)
        assert of_one.numpy()[0] == pytest.approx(together[image], rel=1e-5)
