"""What is found in the network's frame comes back to its place in the original image."""

import numpy as np
import pytest
import tensorflow as tf

from kerasvision.ops.places import Places
from kerasvision.ops.resize import fitted, place_boxes
from kerasvision.ops.views import views

FRAME = (24, 20)
SIZES = [(48, 30), (31, 77), (24, 20), (7, 9)]
# Inside what every fit keeps of every size.
BOXES = np.array([[[0.4, 0.45, 0.6, 0.5], [0.38, 0.4, 0.62, 0.6]]] * len(SIZES), np.float32)


def places_of(fit):
    placements = [fitted(tf.constant(size), image_size=FRAME, fit=fit) for size in SIZES]
    scale, translation = (tf.stack(parts) for parts in zip(*placements, strict=True))
    return Places(scale, translation, tf.constant(SIZES), frame=FRAME), placements


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_boxes_moved_with_their_picture_come_back(fit):
    places, placements = places_of(fit)
    moved = [place_boxes(*both[:2], both[2], image_size=FRAME) for both in zip(BOXES, SIZES, placements, strict=True)]
    np.testing.assert_allclose(places.boxes_back(tf.stack(moved)), BOXES, atol=1e-6)


def test_a_place_in_the_border_of_a_padded_image_becomes_the_images_edge():
    # 4 x 2 pixels in the middle of a frame of 4 x 4: a pixel of black on the left and on the right.
    places = Places(tf.ones((1, 2)), tf.constant([[0.0, 1.0]]), tf.constant([[4, 2]]), frame=(4, 4))
    assert places.boxes_back(tf.constant([[[0.0, 0.0, 1.0, 0.5]]])).numpy().tolist() == [[[0.0, 0.0, 1.0, 0.5]]]


def test_a_row_without_an_image_has_numbers_all_the_same():
    places = Places(tf.ones((1, 2)), tf.zeros((1, 2)), tf.zeros((1, 2), tf.int32), frame=FRAME)
    assert np.isfinite(places.boxes_back(tf.constant(BOXES[:1]))).all()


def test_a_box_of_a_scaled_view_comes_back():
    whole = Places(tf.ones((1, 2)), tf.zeros((1, 2)), tf.constant([FRAME]), frame=FRAME)
    # 24 x 20 pixels become 18 x 15, which begin at 3, 2; or 32 x 27, of which 4 and 4 are cut before.
    for view, seen in zip(views("scale"), ([3 + 6, 2 + 7.5, 3 + 9, 2 + 15], [32 / 3 - 4, 9.5, 12, 23]), strict=True):
        shares = tf.constant(seen, tf.float32) / [24.0, 20.0, 24.0, 20.0]
        back = whole.moved(view.placement(FRAME)).boxes_back(shares[tf.newaxis, tf.newaxis])[0, 0] * [24.0, 20.0, 24.0, 20.0]
        assert np.abs(back.numpy() - [8, 10, 12, 20]).max() < 0.01


@pytest.mark.parametrize("name", ["flip", "shift"])
def test_a_view_puts_pixels_where_it_says_and_they_come_back(name):
    frame = np.zeros((1, *FRAME, 1), np.float32)
    frame[0, 10:14, 6:9] = 1.0
    painted = np.array([10 / 24, 6 / 20, 14 / 24, 9 / 20], np.float32)
    whole = Places(tf.ones((1, 2)), tf.zeros((1, 2)), tf.constant([FRAME]), frame=FRAME)
    for view in views(name):
        rows, columns = np.nonzero(view(tf.constant(frame))[0, :, :, 0])
        seen = np.array([rows.min() / 24, columns.min() / 20, (rows.max() + 1) / 24, (columns.max() + 1) / 20], np.float32)
        assert np.abs(seen - painted).max() > 0.03
        back = whole.moved(view.placement(FRAME)).boxes_back(tf.constant(seen[np.newaxis, np.newaxis]))
        np.testing.assert_allclose(back[0, 0], painted, atol=1e-6)
