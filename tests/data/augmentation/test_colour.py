"""Brightness, contrast, saturation and hue equal their definitions in NumPy, and are clipped to [0, 255] once."""

import colorsys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance

from kerasvision.config.augmentation_pixels import ColorJitter
from kerasvision.data.augmentation.colour import color_jitter

IMAGES = np.random.default_rng(0).uniform(40, 200, (6, 5, 8, 3)).astype(np.float32)
LUMA = np.array([0.299, 0.587, 0.114])
MIDDLE, LEAST, MOST = 0.5, 0.0, np.float32(0.99999994)


def jittered(numbers, images=IMAGES, **settings):
    plain = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
    numbers = np.broadcast_to(np.asarray(numbers, np.float32), (len(images), 4))
    jitter = ColorJitter(**plain | settings)
    return color_jitter({"image": tf.constant(images)}, numbers=tf.constant(numbers), settings=jitter)["image"].numpy()


def test_the_middle_of_every_range_changes_nothing():
    unchanged = jittered([MIDDLE] * 4, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
    np.testing.assert_allclose(unchanged, IMAGES, rtol=1e-5)


def test_brightness_multiplies():
    np.testing.assert_allclose(jittered([LEAST] + [MIDDLE] * 3, brightness=0.25), IMAGES * 0.75, rtol=1e-5)
    np.testing.assert_allclose(jittered([MOST] + [MIDDLE] * 3, brightness=0.25), IMAGES * 1.25, rtol=1e-5)


def test_contrast_spreads_about_the_mean_grey_of_the_whole_image():
    grey = (IMAGES @ LUMA).mean(axis=(1, 2))[:, None, None, None]
    np.testing.assert_allclose(jittered([MIDDLE, LEAST, MIDDLE, MIDDLE], contrast=0.5), 0.5 * IMAGES + 0.5 * grey, rtol=1e-5)


def test_saturation_mixes_every_pixel_with_its_own_grey():
    grey = (IMAGES @ LUMA)[..., None]
    np.testing.assert_allclose(jittered([MIDDLE, MIDDLE, LEAST, MIDDLE], saturation=1.0), grey + 0 * IMAGES, rtol=1e-5)
    expected = 0.7 * IMAGES + 0.3 * grey
    np.testing.assert_allclose(jittered([MIDDLE, MIDDLE, LEAST, MIDDLE], saturation=0.3), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("number", "setting", "enhance"),
    [
        (0, "brightness", ImageEnhance.Brightness),
        (1, "contrast", ImageEnhance.Contrast),
        (2, "saturation", ImageEnhance.Color),
    ],
)
@pytest.mark.parametrize("factor", [0.6, 1.3])
def test_each_is_what_pillow_does(number, setting, enhance, factor):
    # Pillow works on whole grey levels, and rounds the mean grey too.
    pixels = IMAGES[0].round().astype(np.uint8)
    numbers = [MIDDLE] * 4
    numbers[number] = LEAST if factor < 1 else MOST
    ours = jittered(numbers, pixels[None].astype(np.float32), **{setting: abs(factor - 1)})[0]
    theirs = np.asarray(enhance(Image.fromarray(pixels)).enhance(factor))
    np.testing.assert_allclose(ours, theirs.astype(np.float32), atol=1.6)


def test_hue_is_a_turn_in_the_plane_of_i_and_q():
    pale = 100 + 0.2 * IMAGES  # so that nothing is cut
    turned = jittered([MIDDLE, MIDDLE, MIDDLE, LEAST], pale, hue=0.25)  # a quarter back: (I, Q) -> (Q, -I)
    for before, after in zip(pale.reshape(-1, 3)[:40], turned.reshape(-1, 3), strict=False):
        y, i, q = colorsys.rgb_to_yiq(*before)
        # colorsys' two matrices are rounded, so neither is exactly the inverse of the other.
        np.testing.assert_allclose(colorsys.rgb_to_yiq(*after), (y, q, -i), atol=0.2)


def test_all_four_follow_in_the_stated_order_and_are_cut_once():
    bright = np.float32(1.4) * IMAGES  # leaves [0, 255] on the way
    contrasted = 0.6 * bright + 0.4 * (bright @ LUMA).mean(axis=(1, 2))[:, None, None, None]
    expected = (1.4 * contrasted - 0.4 * (contrasted @ LUMA)[..., None]).clip(0, 255)
    assert bright.max() > 255
    ours = jittered([MOST, LEAST, MOST, MIDDLE], brightness=0.4, contrast=0.4, saturation=0.4)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-3)


def test_results_stay_in_range():
    wild = jittered(np.random.default_rng(1).random((6, 4)), brightness=1, contrast=1, saturation=1, hue=0.5)
    assert wild.min() >= 0 and wild.max() <= 255 and np.isfinite(wild).all()


def test_greys_stay_grey():
    grey = np.repeat(IMAGES[..., :1], 3, axis=-1)
    out = jittered([0.9, 0.2, 0.1, 0.8], grey, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.3)
    np.testing.assert_allclose(out, np.repeat(out[..., :1], 3, axis=-1), rtol=1e-5)


def test_one_channel_gets_brightness_and_contrast():
    grey = IMAGES[..., :1]
    rgb = jittered([0.9, 0.2, 0.5, 0.5], np.repeat(grey, 3, axis=-1), brightness=0.4, contrast=0.4)
    out = jittered([0.9, 0.2, 0.1, 0.3], grey, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
    np.testing.assert_allclose(out[..., 0], rgb[..., 0], rtol=1e-4)


@pytest.mark.parametrize("width", [7, 8])
def test_every_image_is_alone_what_it_is_in_a_batch(width):
    numbers = np.random.default_rng(2).random((6, 4)).astype(np.float32)
    images = IMAGES[:, :, :width]
    together = jittered(numbers, images, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
    for number, image in enumerate(images):
        alone = jittered(numbers[number], image[None], brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
        np.testing.assert_array_equal(alone[0], together[number])
