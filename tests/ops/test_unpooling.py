"""Pooling with switches and back, against TensorFlow's pooling and by properties of any map."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasvision.ops.unpooling import pool_with_switches, unpool

DTYPES = ["float32", "bfloat16"]


def maps(elements):
    """Maps of at most 2 x 6 x 6 x 2 pixels, with even sides."""
    shapes = st.tuples(st.integers(1, 2), st.sampled_from([2, 4, 6]), st.sampled_from([2, 4, 6]), st.integers(1, 2))
    return shapes.flatmap(
        lambda shape: st.lists(elements, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))).map(
            lambda values: np.reshape(np.array(values, "float32"), shape)
        )
    )


def windows(x):
    """(N, H, W, C) as (N, h, w, C, 4): each window of 2 x 2 pixels by rows."""
    count, height, width, channels = x.shape
    return (
        x.reshape(count, height // 2, 2, width // 2, 2, channels)
        .transpose(0, 1, 3, 5, 2, 4)
        .reshape(count, height // 2, width // 2, channels, 4)
    )


def numbers(x):
    return tf.cast(x, "float32").numpy()


def assert_maxima_are_back(x, dtype):
    x = tf.cast(x, dtype)
    pooled, switches = pool_with_switches(x)
    back = unpool(pooled, switches)
    assert (pooled.dtype, switches.dtype, back.dtype) == (dtype, "int32", dtype)
    before, after = windows(numbers(x)), windows(numbers(back))
    # `argmax` takes the first of equal maxima.
    place = before.argmax(-1)
    np.testing.assert_array_equal(switches, place)
    np.testing.assert_array_equal(after, before * (np.arange(4) == place[..., None]))


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=30)
@given(x=maps(st.floats(-1e4, 1e4, width=32)))
def test_unpooling_puts_each_maximum_back_and_zeros_elsewhere(dtype, x):
    assert_maxima_are_back(x, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=30)
@given(x=maps(st.sampled_from([0.0, -1.0, 2.0])))
def test_of_equal_maxima_the_first_is_put_back(dtype, x):
    assert_maxima_are_back(x, dtype)


def test_windows_of_three_pixels_are_pooled_as_by_tensorflow():
    x = np.random.default_rng(0).normal(size=(2, 6, 9, 3)).astype("float32")
    pooled, switches = pool_with_switches(x, size=3)
    np.testing.assert_array_equal(pooled, tf.nn.max_pool2d(x, 3, 3, "VALID"))
    back = unpool(pooled, switches, size=3)
    assert back.shape == x.shape
    np.testing.assert_array_equal(np.where(back != 0, x, 0), back)
    assert np.count_nonzero(back) == tf.size(pooled)


def test_the_gradient_goes_to_the_first_maximum_alone():
    x = tf.constant([[1.0, 5.0], [5.0, 4.0]])[None, :, :, None]
    with tf.GradientTape() as tape:
        tape.watch(x)
        pooled, switches = pool_with_switches(x)
        loss = tf.reduce_sum(3 * unpool(pooled, switches))
    np.testing.assert_array_equal(tape.gradient(loss, x)[0, :, :, 0], [[0, 3], [0, 0]])


@pytest.mark.parametrize("sides", [(4, 4), (2, 10), (6, 4)])
@pytest.mark.parametrize("is_known", [True, False])
def test_in_a_model_they_compute_the_same_for_maps_of_any_size(sides, is_known):
    x = keras.Input((*(sides if is_known else (None, None)), 2))
    model = keras.Model(x, unpool(*pool_with_switches(x)))
    image = np.random.default_rng(0).normal(size=(3, *sides, 2)).astype("float32")
    before, after = windows(image), windows(model(image).numpy())
    np.testing.assert_array_equal(after, before * (np.arange(4) == before.argmax(-1)[..., None]))
