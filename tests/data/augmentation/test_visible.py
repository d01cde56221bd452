"""Objects that are mostly hidden become crowds, or are removed; boxes end where their masks do."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasvision import config as c
from kerasvision.config.augmentation import check_order
from kerasvision.data.augmentation import make_augmentation
from kerasvision.data.tight_boxes import tight_boxes
from kerasvision.errors import ConfigError

SIDE = 20
UNIT = st.floats(0, 1, exclude_max=True, width=32)


def batch_of(*boxes, crowd=(), masks=False):
    """One grey image of 20 x 20 with boxes, in pixels, and one row of padding."""
    rows = len(boxes) + 1
    objects = {
        "bbox": np.zeros((1, rows, 4), np.float32),
        "label": np.array([[*range(len(boxes)), -1]]),
        "crowd": np.array([[number in crowd for number in range(rows)]]),
        "area": np.ones((1, rows), np.float32),
    }
    objects["bbox"][0, : len(boxes)] = np.array(boxes, np.float32).reshape(-1, 4) / SIDE
    if masks:
        objects["mask"] = np.zeros((1, rows, SIDE, SIDE), np.uint8)
        for number, (top, left, bottom, right) in enumerate(boxes):
            objects["mask"][0, number, top:bottom, left:right] = 1
    return tf.nest.map_structure(tf.constant, {"image": np.zeros((1, SIDE, SIDE, 1), np.float32), "objects": objects})


def changed(batch, *augment, numbers):
    result = make_augmentation(augment)(batch, tf.constant([numbers], tf.float32))["objects"]
    return {name: part.numpy()[0] for name, part in result.items()}


def all_down(share):
    """The number for which Translate(height=1.0) moves down by this share of the side."""
    return (share + 1) / 2


@pytest.mark.parametrize(("moved", "visible"), [(0.2, 1.0), (0.6, 0.8), (0.8, 0.3), (0.9, 0.05)])
@pytest.mark.parametrize("hidden", ["ignore", "remove"])
def test_a_box_is_hidden_if_less_than_the_least_share_is_left(moved, visible, hidden):
    # The box is 8 high, from row 6 to 14, and then 4 wide: 14 + 20 * moved is beyond row 20 by 0.0, 6, 10 and 12 pixels.
    batch, beyond = batch_of((6, 2, 14, 6)), max(14 + SIDE * moved - SIDE, 0) / 8
    share = max(1 - beyond, 0)
    for least in (0.02, 0.4, 0.9):
        result = changed(
            batch, c.VisibleObjects(least=least, hidden=hidden), c.Translate(height=1.0), numbers=[all_down(moved), 0.5]
        )
        assert set(result) == {"bbox", "label", "crowd", "area"}
        if share < 1e-6:
            assert (result["label"][0], result["crowd"][0]) == (-1, False)
        elif share >= least:
            assert (result["label"][0], result["crowd"][0]) == (0, False)
        elif hidden == "ignore":
            assert (result["label"][0], result["crowd"][0], result["area"][0]) == (0, True, 1)
        else:
            assert (result["label"][0], result["bbox"][0].any(), result["area"][0]) == (-1, False, 0)


def test_the_shares_of_one_move_after_the_other_are_multiplied():
    # Half of the box leaves at the bottom, then half of the rest at the right: a quarter is left.
    batch = batch_of((0, 0, 20, 20))
    moves = (c.Translate(height=1.0), c.Translate(width=1.0))
    numbers = [all_down(0.5), 0.5, 0.5, all_down(0.5)]
    for least, crowd in ((0.24, False), (0.26, True)):
        result = changed(batch, *moves, c.VisibleObjects(least=least), numbers=numbers)
        assert result["crowd"].tolist() == [crowd, False]
        np.testing.assert_allclose(result["bbox"][0], [0.5, 0.5, 1, 1], atol=1e-6)


def test_what_a_rectangle_covers_is_hidden():
    # The square covers rows 0 to 10 and columns 0 to 10: three quarters of the first box, and nothing of the second.
    batch = batch_of((0, 0, 10, 12), (12, 0, 20, 12))
    for least, crowd in ((0.16, False), (0.17, True)):
        result = changed(batch, c.Cutout(size=10), c.VisibleObjects(least=least), numbers=[0.251, 0.251])
        assert result["crowd"].tolist() == [crowd, False, False]


def test_what_becomes_larger_stays_visible():
    batch = batch_of((8, 8, 12, 12))
    result = changed(batch, c.ScaleJitter(factor=(2.0, 2.0)), c.VisibleObjects(least=1.0), numbers=[0.5, 0.5, 0.5])
    assert (result["label"].tolist(), result["crowd"].tolist()) == ([0, -1], [False, False])


def test_a_crowd_stays_one():
    batch = batch_of((2, 2, 6, 6), crowd={0})
    result = changed(batch, c.RandomFlip(), c.VisibleObjects(), numbers=[0.1, 0.9])
    assert result["crowd"].tolist() == [True, False]


def test_after_mixing_the_parts_are_judged_too():
    random = np.random.default_rng(0)
    batch = {
        "image": tf.zeros((4, SIDE, SIDE, 3)),
        "objects": {"bbox": tf.constant([[[0.0, 0.0, 1.0, 1.0]]] * 4), "label": tf.zeros((4, 1), tf.int64)},
    }
    # At scale 1 around the middle, each part shows a quarter of its image.
    for least, count in ((0.24, 16), (0.26, 0)):
        visible = c.VisibleObjects(least=least, hidden="remove")
        chain = make_augmentation((visible, c.Mosaic(scale=(1, 1), center=(0.5, 0.5))))
        numbers = tf.constant(random.random((4, chain.draws), np.float32))
        result = chain.mix(chain(batch, numbers), numbers, 0)["objects"]
        assert set(result) == {"bbox", "label"}
        assert int(tf.reduce_sum(tf.cast(result["label"] >= 0, tf.int32))) == count


def test_it_stands_anywhere_but_once():
    check_order((c.RandomResizedCrop(), c.VisibleObjects(), c.RandomFlip(), c.Mosaic()))
    check_order((c.VisibleObjects(), c.RandomResizedCrop(), c.Mosaic(), c.Mosaic()))
    with pytest.raises(ConfigError, match="augment may have one VisibleObjects"):
        check_order((c.VisibleObjects(), c.RandomFlip(), c.VisibleObjects()))


# --- Boxes that end at their masks


turned = tf.function(make_augmentation((c.Rotate(degrees=180, fill=0),)), autograph=False)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10), st.integers(0, 10), st.integers(4, 10), st.integers(4, 10), UNIT)
def test_a_turned_box_with_a_mask_lies_within_a_pixel_of_what_is_seen(top, left, height, width, angle):
    batch = batch_of((top, left, top + height, left + width), masks=True)
    batch["image"] = tf.cast(batch["objects"]["mask"][:, 0, ..., None] * 255, tf.float32)
    result = turned(batch, tf.constant([[angle]]))
    seen, label = result["image"].numpy()[0, ..., 0] > 127, result["objects"]["label"].numpy()[0, 0]
    if label == -1 or not seen.any():
        return
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    painted = np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])
    assert np.abs(result["objects"]["bbox"].numpy()[0, 0] * SIDE - painted).max() <= 1.01


def test_sides_move_only_if_they_are_more_than_a_pixel_away():
    mask = np.zeros((8, 8), np.uint8)
    mask[2:6, 1:5] = 1
    boxes = tf.constant([[0.9, 0, 6.9, 5.2], [1.1, 0.0, 7.1, 8.0], [3.0, 3.0, 4.0, 4.0]]) / 8
    expected = [[2, 0, 6.9, 5.2], [1.1, 0, 6, 5], [3, 3, 4, 4]]
    np.testing.assert_allclose(tight_boxes(boxes, np.stack([mask] * 3)) * 8, expected, atol=1e-6)


def test_a_box_with_an_empty_mask_stays():
    box = tf.constant([[0.1, 0.2, 0.9, 0.8]])
    np.testing.assert_array_equal(tight_boxes(box, np.zeros((1, 6, 6), np.uint8)), box)


def test_masks_are_read_only_for_tight_boxes():
    assert (c.VisibleObjects().reads, c.VisibleObjects(tight=True).reads) == (frozenset(), {"mask"})
    assert (c.Mosaic().reads, c.IouCrop().reads, c.MixUp().reads) == (frozenset(), {"objects"}, {"label"})
