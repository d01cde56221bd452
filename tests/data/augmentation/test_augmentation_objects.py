"""Boxes and masks stay on the pixels of their objects after every augmentation that moves pixels."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasvision import config as a
from kerasvision.data.augmentation import make_augmentation

HEIGHT, WIDTH, PIXELS = 24, 32, np.array([24, 32, 24, 32])
UNIT = st.floats(0, 1, exclude_max=True, width=32)
MOVING = [
    a.PadCrop(pad=6),
    a.RandomFlip(direction="both"),
    a.Rotate(degrees=180, fill=0),
    a.Translate(height=0.6, width=0.6, fill=0),
    a.Zoom(factor=(0.4, 2.5), fill=0),
    a.ScaleJitter(factor=(0.4, 2.5), fill=0),
]


@st.composite
def rectangles(draw):
    """Top, left, bottom, right in whole pixels, one away from the border that PadCrop repeats, 4 or more on a side."""
    top, left = draw(st.integers(1, HEIGHT - 5)), draw(st.integers(1, WIDTH - 5))
    return top, left, draw(st.integers(top + 4, HEIGHT - 1)), draw(st.integers(left + 4, WIDTH - 1))


def painted(*rectangles, padding=1):
    """A batch of one black image with solid white rectangles, their boxes and masks, and some rows of padding."""
    image = np.zeros((1, HEIGHT, WIDTH, 1), np.float32)
    masks = np.zeros((1, len(rectangles) + padding, HEIGHT, WIDTH), np.uint8)
    boxes = np.zeros((1, len(rectangles) + padding, 4), np.float32)
    for number, (top, left, bottom, right) in enumerate(rectangles):
        image[0, top:bottom, left:right] = 255
        masks[0, number, top:bottom, left:right] = 1
        boxes[0, number] = np.array([top, left, bottom, right]) / PIXELS
    label = np.array([[*range(len(rectangles)), *[-1] * padding]])
    return {"image": tf.constant(image), "objects": {"bbox": boxes, "label": tf.constant(label), "mask": masks}}


@functools.cache
def in_a_graph(config):
    """The augmentation as a graph, which many examples need; tests/conformance compares it with the eager one."""
    return tf.function(make_augmentation((config,)), autograph=False)


def moved(batch, config, numbers, *, prepared=lambda config: make_augmentation((config,))):
    """The image, and the objects' boxes in pixels, labels and masks, after one augmentation."""
    result = prepared(config)(batch, tf.constant([numbers], tf.float32))
    objects = {name: value.numpy()[0] for name, value in result["objects"].items()}
    return result["image"].numpy()[0, ..., 0], objects["bbox"] * PIXELS, objects["label"], objects["mask"]


def extent(mask):
    """The smallest box, in pixels, around the values that are not zero; None if all are zero."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1]) if len(rows) else None


@pytest.mark.parametrize("config", MOVING, ids=lambda config: config.kind.rpartition(":")[2])
@settings(max_examples=15)
@given(rectangle=rectangles(), numbers=st.tuples(UNIT, UNIT, UNIT))
def test_boxes_and_masks_lie_where_the_painted_pixels_are(config, rectangle, numbers):
    batch = painted(rectangle)
    image, boxes, labels, masks = moved(batch, config, numbers[: config.draws], prepared=in_a_graph)
    assert (labels[1], boxes[1].tolist(), masks[1].any()) == (-1, [0] * 4, False)
    seen = extent(image > 127.5)
    if labels[0] == -1:
        assert seen is None or min(seen[2:] - seen[:2]) < 1.5
        assert (boxes[0].any(), masks[0].any()) == (False, False)
        return
    # A pixel shows the object if its centre does, so a border is exact to half a pixel.
    if seen is not None:
        assert (boxes[0][:2] <= seen[:2] + 0.51).all()
        assert (boxes[0][2:] >= seen[2:] - 0.51).all()
    assert np.mean((image > 127.5) != (masks[0] > 0)) < 0.03
    away_from_border = (boxes[0] > 0.5).all() and (boxes[0] < PIXELS - 0.5).all()
    if away_from_border and not isinstance(config, a.Rotate):
        assert np.abs(boxes[0] - seen).max() < 0.51
    if away_from_border and isinstance(config, a.Rotate):  # the corners of a rotated box are narrower than a pixel
        assert np.abs(boxes[0] - seen).max() < 2.1


@pytest.mark.slow
@settings(max_examples=15)
@given(rectangle=rectangles(), numbers=st.lists(UNIT, min_size=4, max_size=4), magnitude=st.floats(0, 10))
def test_boxes_follow_every_step_of_rand_augment(rectangle, numbers, magnitude):
    config = a.RandAugment(operations=2, magnitude=magnitude, fill=0)
    _, boxes, labels, masks = moved(painted(rectangle), config, numbers)
    seen = extent(masks[0])
    if labels[0] == -1:
        assert seen is None
    elif seen is not None:
        assert (boxes[0][:2] <= seen[:2] + 1).all()
        assert (boxes[0][2:] >= seen[2:] - 1).all()


def test_the_masks_of_rand_augment_move_as_its_pixels():
    # The first number of each pair chooses: rotate, shear_x and translate_y are operations 9, 10 and 13 of 14.
    # The other number is the sign.
    config = a.RandAugment(operations=2, fill=0)
    for first, second in ((9, 10), (10, 13), (13, 9)):
        numbers = [(first + 0.5) / 14, 0.7, (second + 0.5) / 14, 0.2]
        image, _, _, masks = moved(painted((8, 9, 15, 22)), config, numbers)
        assert masks[0].any()
        np.testing.assert_array_equal(image > 127, masks[0] > 0)


def test_a_box_that_leaves_in_part_is_cut_at_the_border():
    # 60 % of 24 rows down, and of 32 columns to the right: 14.4 and 19.2.
    config = a.Translate(height=0.6, width=0.6, fill=0)
    batch = painted((2, 4, 12, 10), (12, 4, 20, 8))
    _, boxes, labels, masks = moved(batch, config, [0.99999994, 0.99999994])
    np.testing.assert_allclose(boxes, [[16.4, 23.2, 24, 29.2], [0] * 4, [0] * 4], atol=1e-3)
    assert labels.tolist() == [0, -1, -1]
    assert not masks[1].any()


def test_a_turned_box_becomes_the_smallest_one_around_its_corners():
    # A square of 8 about the middle, turned by 45 degrees: its diagonal, 11.31.
    _, boxes, _, _ = moved(painted((8, 12, 16, 20)), a.Rotate(degrees=90), [0.75])
    half = 8 * np.sqrt(2) / 2
    np.testing.assert_allclose(boxes[0], [12 - half, 16 - half, 12 + half, 16 + half], atol=1e-3)


@pytest.mark.parametrize(
    ("config", "numbers"),
    [(a.Cutout(size=12), [0.4, 0.3]), (a.RandomErasing(fill=0, area=(0.3, 0.3)), [0, 0, 0.25, 0.1, 0, 0])],
)
def test_an_object_covered_whole_is_taken_out_and_one_in_part_stays(config, numbers):
    batch = painted((5, 5, 9, 9), (6, 5, 23, 31))
    _, boxes, labels, masks = moved(batch, config, numbers)
    assert labels.tolist() == [-1, 1, -1]
    np.testing.assert_allclose(boxes, [[0] * 4, [6, 5, 23, 31], [0] * 4], atol=1e-4)
    assert (masks[0].any(), masks[1].sum()) == (False, 17 * 26)


def test_images_without_any_object_pass():
    batch = painted(padding=0)
    for config in [*MOVING, a.Cutout(), a.RandAugment()]:
        _, boxes, labels, masks = moved(batch, config, [0.3] * config.draws)
        assert (boxes.shape, labels.shape, masks.shape) == ((0, 4), (0,), (0, HEIGHT, WIDTH))
