"""Views of images: which pixels are where."""

import numpy as np
import tensorflow as tf

from kerasvision.ops.views import views

IMAGES = tf.reshape(tf.range(2 * 32 * 32, dtype=tf.float32), (2, 32, 32, 1))


def test_a_mirror_image_is_turned_left_to_right():
    (mirror,) = views("flip")
    np.testing.assert_array_equal(mirror(IMAGES), IMAGES.numpy()[:, :, ::-1])


def test_scaled_views_are_smaller_with_a_mirrored_border_or_the_middle_enlarged():
    image = np.zeros((1, 32, 24, 1), np.float32)
    image[0, 12:20, 8:16] = 1.0
    smaller, larger = (view(tf.constant(image)).numpy()[0, :, :, 0] for view in views("scale"))
    # 24 x 18 pixels, which begin at 4, 3; and 43 x 32 pixels, of which six above, five below and four on both sides are cut.
    expected = tf.image.resize(image, (24, 18)).numpy()[0, :, :, 0]
    np.testing.assert_array_equal(smaller[4:28, 3:21], expected)
    np.testing.assert_array_equal(smaller[:4], smaller[7:3:-1])
    np.testing.assert_array_equal(larger, tf.image.resize(image, (43, 32)).numpy()[0, 6:38, 4:28, 0])


def test_moved_views_are_moved_by_a_sixteenth_each_way():
    down, up, right, left = (view(IMAGES).numpy() for view in views("shift"))
    whole = IMAGES.numpy()
    np.testing.assert_array_equal(down[:, 2:], whole[:, :-2])
    np.testing.assert_array_equal(up[:, :-2], whole[:, 2:])
    np.testing.assert_array_equal(right[:, :, 2:], whole[:, :, :-2])
    np.testing.assert_array_equal(left[:, :, :-2], whole[:, :, 2:])
    # The mirrored edge fills the gap.
    np.testing.assert_array_equal(down[:, :2], whole[:, 1::-1])
