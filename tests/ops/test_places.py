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
