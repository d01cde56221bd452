"""Views of images: which pixels are where."""

import numpy as np
import tensorflow as tf

from kerasvision.ops.views import views

IMAGES = tf.reshape(tf.range(2 * 32 * 32, dtype=tf.float32), (2, 32, 32, 1))


def test_a_mirror_image_is_turned_left_to_right():
    (mirror,) = views("flip")
    np.testing.assert_array_equal(mirror(IMAGES), IMAGES.numpy()[:, :, ::-1])


def test_moved_views_are_moved_by_a_sixteenth_each_way():
    down, up, right, left = (view(IMAGES).numpy() for view in views("shift"))
    whole = IMAGES.numpy()
    np.testing.assert_array_equal(down[:, 2:], whole[:, :-2])
    np.testing.assert_array_equal(up[:, :-2], whole[:, 2:])
    np.testing.assert_array_equal(right[:, :, 2:], whole[:, :, :-2])
    np.testing.assert_array_equal(left[:, :, :-2], whole[:, :, 2:])
    # The mirrored edge fills the gap.
    np.testing.assert_array_equal(down[:, :2], whole[:, 1::-1])
