"""Enlarged maps against TensorFlow's interpolation, and kernels by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.models.enlarging import bilinear_kernel, fitted, resized, upsampled


def a_map(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def enlarged(x, *, stride, upsampling):
    symbol = keras.Input(x.shape[1:])
    return keras.Model(symbol, upsampled(symbol, stride=stride, upsampling=upsampling, name="up"))


def test_kernel_of_stride_2_is_that_of_the_paper():
    # By hand: pixels lie a quarter and three quarters of a cell from the middle of theirs.
    expected = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16
    np.testing.assert_array_equal(bilinear_kernel(2), expected)


@pytest.mark.parametrize("stride", [2, 8, 16, 32])
def test_shares_of_all_cells_add_up_to_one_for_each_pixel(stride):
    cells = bilinear_kernel(stride).reshape(2, stride, 2, stride)
    np.testing.assert_allclose(cells.sum(axis=(0, 2)), 1, rtol=1e-6)


@pytest.mark.parametrize("stride", [2, 4, 8, 32])
def test_learned_upsampling_begins_as_interpolation_between_the_cells(stride):
    x = a_map(2, 5, 4, 3)
    larger = enlarged(x, stride=stride, upsampling="learned")(x)
    expected = tf.image.resize(x, (5 * stride, 4 * stride))
    # Beyond the middle of the first and the last cell it reads zeros, and interpolation repeats the edge.
    between = slice(stride // 2, -(stride // 2))
    np.testing.assert_allclose(larger[:, between, between], expected[:, between, between], rtol=0, atol=1e-5)
    np.testing.assert_allclose(larger[:, 0, 0] / expected[:, 0, 0], (1 / 2 + 1 / (2 * stride)) ** 2, rtol=1e-4)


@pytest.mark.parametrize("stride", [2, 8])
def test_fixed_upsampling_interpolates_everywhere_and_has_no_weights(stride):
    x = a_map(2, 5, 4, 3)
    model = enlarged(x, stride=stride, upsampling="fixed")
    np.testing.assert_allclose(model(x), tf.image.resize(x, (5 * stride, 4 * stride)), rtol=0, atol=1e-5)
    assert not model.weights


def test_learned_upsampling_has_one_kernel_for_each_pair_of_classes_and_no_bias():
    (kernel,) = enlarged(a_map(1, 2, 2, 3), stride=4, upsampling="learned").weights
    assert kernel.shape == (8, 8, 3, 3)
    for one in range(3):
        for other in range(3):
            np.testing.assert_array_equal(kernel[:, :, one, other], bilinear_kernel(4) * (one == other))


@pytest.mark.parametrize(("height", "width"), [(40, 24), (37, 21)])
def test_a_map_is_resized_to_the_image_as_by_tensorflow(height, width):
    x, image = a_map(2, 5, 3, 4), keras.Input((height, width, 3))
    symbol = keras.Input(x.shape[1:])
    model = keras.Model([symbol, image], resized(symbol, image=image, stride=8, name="resized"))
    larger = model([x, np.zeros((2, height, width, 3), "float32")])
    np.testing.assert_allclose(larger, tf.image.resize(x, (height, width)), rtol=0, atol=1e-5)


def test_a_map_for_images_of_unknown_size_is_resized_by_its_stride():
    x, image = keras.Input((None, None, 2)), keras.Input((None, None, 3))
    model = keras.Model([x, image], resized(x, image=image, stride=4, name="resized"))
    assert model([a_map(1, 3, 5, 2), a_map(1, 12, 20, 3)]).shape == (1, 12, 20, 2)


def test_a_surplus_is_cut_at_the_far_sides_and_what_lacks_repeats_the_last_row():
    x = np.arange(12, dtype="float32").reshape(1, 3, 4, 1)
    symbol, wanted = keras.Input((3, 4, 1)), keras.Input((5, 3, 2))
    model = keras.Model([symbol, wanted], fitted(symbol, like=wanted, name="fitted"))
    found = model([x, np.zeros((1, 5, 3, 2), "float32")])[0, :, :, 0]
    np.testing.assert_array_equal(found, [[0, 1, 2], [4, 5, 6], [8, 9, 10], [8, 9, 10], [8, 9, 10]])
