"""A map of what the network saw is painted where that lies in the original image."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasvision.ops.resize import fitted
from kerasvision.tasks.heat import painted, painted_where_seen

FRAME = (8, 8)


def seen(size, heat, fit, crop_fraction=1.0):
    """A black image of (height, width) with a map over it, as it lies in a frame of 8 x 8 pixels."""
    placement = fitted(tf.constant(size), image_size=FRAME, fit=fit, crop_fraction=crop_fraction)
    places = {"placement": placement, "size": size, "frame": FRAME}
    return np.asarray(painted_where_seen(Image.new("RGB", size[::-1]), np.array(heat, float), **places, least_side=1))


def test_what_speaks_against_a_class_is_blue():
    shown = painted(Image.new("RGB", (2, 1)), np.array([[1.0, -1.0]]), middles=(np.array([0.5]), np.array([0.25, 0.75])))
    assert [shown.getpixel((x, 0)) for x in (0, 1)] == [(178, 0, 0), (0, 49, 178)]


@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_a_map_of_the_whole_image_reaches_its_edges(fit):
    shown = seen((16, 32), np.ones((4, 4)), fit)
    assert (shown == (178, 0, 0)).all()


def test_what_a_crop_leaves_out_is_grey_and_the_rest_has_the_map():
    shown = seen((16, 32), [[1.0, 0.0]], "crop")  # the middle 16 of 32 columns
    assert (shown[:, :8] == 76).all() and (shown[:, 24:] == 76).all()
    assert shown[8, 8].tolist() == [178, 0, 0] and shown[8, 23].tolist() == [0, 0, 0]


def test_with_a_border_the_map_moves_with_the_image():
    """A frame of 8 x 8 has an image of 16 x 32 in its rows 2 to 6: the four rows of a map are 4 pixels of it each."""
    shown = seen((16, 32), np.repeat(np.arange(8)[:, None] == 3, 8, axis=1), "pad")
    assert shown[:, 16, 0].argmax() in (5, 6)  # row 3 of the frame, whose middle is row 6 of the image
    assert shown[0, 0, 0] == 0 and shown[15, 0, 0] == 0


def test_the_strongest_place_has_the_full_colour_whatever_its_unit_and_nothing_is_nothing():
    assert (seen((8, 8), np.full((2, 2), 1e-6), "stretch") == (178, 0, 0)).all()
    assert (seen((8, 8), np.zeros((2, 2)), "stretch") == 0).all()


def test_a_small_image_is_enlarged_by_a_whole_factor():
    placement = fitted(tf.constant((8, 5)), image_size=FRAME, fit="stretch")
    places = {"placement": placement, "size": (8, 5), "frame": FRAME}
    shown = painted_where_seen(Image.new("RGB", (5, 8)), np.ones((1, 1)), **places)
    assert shown.size == (5 * 30, 8 * 30)


def test_a_smaller_picture_of_an_image_has_the_map_in_the_same_places():
    placement = fitted(tf.constant((16, 32)), image_size=FRAME, fit="crop")
    places = {"placement": placement, "size": (16, 32), "frame": FRAME, "least_side": 1}
    small = np.asarray(painted_where_seen(Image.new("RGB", (16, 8)), np.ones((2, 2)), **places))
    assert (small[:, :4] == 76).all() and (small[:, 4:12] == (178, 0, 0)).all() and (small[:, 12:] == 76).all()
