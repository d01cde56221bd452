"""RandAugment and AugMix: their operations are Pillow's, drawn as the papers say."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, ImageEnhance, ImageOps

from kerasvision import config as a
from kerasvision.data.augmentation import make_augmentation, pillow_operations, policies

NAMES = [
    "identity", "autocontrast", "equalize", "posterize", "solarize", "color", "contrast", "brightness", "sharpness",
    "rotate", "shear_x", "shear_y", "translate_x", "translate_y",
]  # fmt: skip
PHOTO = np.clip(np.random.default_rng(0).normal(110, 40, (40, 50, 3)).cumsum(axis=1) % 230 + 10, 0, 255).astype(np.uint8)
IMAGES = st.sampled_from([1, 3]).flatmap(
    lambda channels: arrays.arrays(np.uint8, st.tuples(st.integers(3, 12), st.integers(3, 12), st.just(channels)))
)


def pillows(image, function):
    """The result of a function on Pillow's images for a uint8 array."""
    result = np.asarray(function(Image.fromarray(image if image.shape[-1] == 3 else image[..., 0])))
    return result.reshape(image.shape)


def rand_augmented(image, name, *, magnitude=9.0, sign=1, fill=128.0):
    """One operation of RandAugment, chosen by its number."""
    augmenter = make_augmentation((a.RandAugment(operations=1, magnitude=magnitude, fill=fill),))
    numbers = [[(NAMES.index(name) + 0.5) / len(NAMES), 0.75 if sign > 0 else 0.25]]
    return augmenter({"image": tf.constant(image[None], tf.float32)}, tf.constant(numbers))["image"].numpy()[0]


@settings(max_examples=30)
@given(image=IMAGES)
def test_equalize_equals_pillows(image):
    np.testing.assert_array_equal(pillow_operations.equalize(tf.constant(image)), pillows(image, ImageOps.equalize))


def test_equalize_equals_pillows_on_a_photo():
    assert len(np.unique(PHOTO)) > 200
    np.testing.assert_array_equal(pillow_operations.equalize(tf.constant(PHOTO)), pillows(PHOTO, ImageOps.equalize))


@settings(max_examples=30)
@given(image=IMAGES)
def test_autocontrast_equals_its_formula_in_whole_numbers_and_pillows_to_one(image):
    result = pillow_operations.autocontrast(tf.constant(image)).numpy()
    low, high = (extreme(image.astype(int), axis=(0, 1)) for extreme in (np.min, np.max))
    exact = np.where(low == high, image, (image - low) * 255 // np.maximum(high - low, 1))
    np.testing.assert_array_equal(result, exact)
    # Pillow's float64 is sometimes slightly below an integer, and is then rounded down by one.
    assert np.abs(result.astype(int) - pillows(image, ImageOps.autocontrast)).max() <= 1


@settings(max_examples=30)
@given(image=IMAGES, factor=st.floats(0.125, 1.875, width=32))
@pytest.mark.parametrize("name", ["color", "contrast", "brightness", "sharpness"])
def test_enhancers_equal_pillows(name, image, factor):
    enhancer = {
        "color": ImageEnhance.Color,
        "contrast": ImageEnhance.Contrast,
        "brightness": ImageEnhance.Brightness,
        "sharpness": ImageEnhance.Sharpness,
    }[name]
    result = getattr(pillow_operations, f"adjust_{name}")(tf.constant(image), factor=tf.constant(factor, tf.float32))
    np.testing.assert_array_equal(result, pillows(image, lambda picture: enhancer(picture).enhance(factor)))


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 7, 1), (9, 2, 3)])
def test_sharpness_leaves_an_image_that_is_all_border(shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    np.testing.assert_array_equal(pillow_operations.adjust_sharpness(tf.constant(image), factor=tf.constant(0.1)), image)


@pytest.mark.parametrize("bits", range(1, 9))
def test_posterize_equals_pillows(bits):
    result = pillow_operations.posterize(tf.constant(PHOTO), bits=tf.constant(bits))
    np.testing.assert_array_equal(result, pillows(PHOTO, lambda picture: ImageOps.posterize(picture, bits)))


@pytest.mark.parametrize("threshold", [0, 1, 100, 255, 256])
def test_solarize_equals_pillows(threshold):
    result = pillow_operations.solarize(tf.constant(PHOTO), threshold=tf.constant(threshold))
    np.testing.assert_array_equal(result, pillows(PHOTO, lambda picture: ImageOps.solarize(picture, threshold)))


def about_the_middle(a, b, c, d):
    """Pillow's six numbers for the affine map that keeps the picture's centre."""
    y, x = PHOTO.shape[0] / 2, PHOTO.shape[1] / 2
    return a, b, x - a * x - b * y, c, d, y - c * x - d * y


def affinely(coefficients):
    return lambda image: image.transform(image.size, Image.Transform.AFFINE, coefficients, fillcolor=(128,) * 3)


def turned(degrees):
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return affinely(about_the_middle(cosine, sine, -sine, cosine))


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Magnitude 9 of 10: bits 8 - round(3.6); threshold int(25.6); factors 1 +- 0.81; 27 degrees.
        ("identity", lambda image, sign: image),
        ("autocontrast", lambda image, sign: ImageOps.autocontrast(image)),
        ("equalize", lambda image, sign: ImageOps.equalize(image)),
        ("posterize", lambda image, sign: ImageOps.posterize(image, 4)),
        ("solarize", lambda image, sign: ImageOps.solarize(image, 25)),
        ("color", lambda image, sign: ImageEnhance.Color(image).enhance(1 + sign * 0.81)),
        ("contrast", lambda image, sign: ImageEnhance.Contrast(image).enhance(1 + sign * 0.81)),
        ("brightness", lambda image, sign: ImageEnhance.Brightness(image).enhance(1 + sign * 0.81)),
        ("sharpness", lambda image, sign: ImageEnhance.Sharpness(image).enhance(1 + sign * 0.81)),
        ("rotate", lambda image, sign: turned(27 * sign)(image)),
        ("shear_x", lambda image, sign: affinely(about_the_middle(1, 0.27 * sign, 0, 1))(image)),
        ("shear_y", lambda image, sign: affinely(about_the_middle(1, 0, 0.27 * sign, 1))(image)),
        ("translate_x", lambda image, sign: affinely((1, 0, -sign * 0.9 * 150 / 331 * 50, 0, 1, 0))(image)),
        ("translate_y", lambda image, sign: affinely((1, 0, 0, 0, 1, -sign * 0.9 * 150 / 331 * 40))(image)),
    ],
)
def test_each_operation_of_rand_augment_equals_pillows(name, expected, sign):
    result = rand_augmented(PHOTO, name, sign=sign)
    theirs = pillows(PHOTO, lambda image: expected(image, sign))
    if name in NAMES[9:]:
        # In the middle between two pixels, rounding decides which one is the nearest.
        assert np.mean(np.any(result != theirs, axis=-1)) < 0.01
    else:
        assert np.abs(result - theirs).max() <= 1  # float32 has no exact 0.19
    assert name == "identity" or np.mean(result != PHOTO) > 0.3


@pytest.mark.parametrize("name", NAMES)
def test_magnitude_zero_leaves_the_image_but_where_there_is_no_strength(name):
    result = rand_augmented(PHOTO, name, magnitude=0)
    assert np.array_equal(result, PHOTO) == (name not in ("autocontrast", "equalize"))


def test_rand_augment_draws_each_operation_as_often():
    operations = policies.integers(tf.constant(np.random.default_rng(0).random(14000, np.float32)), len(NAMES))
    assert list(policies.RAND_AUGMENT.pointwise + policies.MOVES) == NAMES
    # 1000 each, deviation 30.5.
    assert np.abs(np.bincount(operations, minlength=14) - 1000).max() < 4 * 30.5


def test_two_scales_of_magnitude_agree():
    image = tf.constant(PHOTO[None], tf.float32)
    numbers = tf.constant(np.random.default_rng(1).random((1, 4), np.float32))
    small, large = (
        make_augmentation((a.RandAugment(magnitude=magnitude, strongest=strongest),))({"image": image}, numbers)["image"]
        for magnitude, strongest in ((3, 10), (9, 30))
    )
    np.testing.assert_array_equal(small, large)


def aug_mixed(numbers, image=PHOTO, **fields):
    augmenter = make_augmentation((a.AugMix(**fields),))
    return augmenter({"image": tf.constant(image[None], tf.float32)}, tf.constant([numbers], tf.float32))["image"].numpy()[0]


def test_aug_mix_is_the_sum_of_its_chains_and_the_image_by_their_shares():
    # Operations in order: autocontrast, equalize, posterize, solarize, then the moves, 9 in all. The share of the chains is
    # 0.75; theirs are as -ln(1 - number): 1 and 3. The first chain is one solarize, the second a posterize and an equalize.
    shares = [1 - math.exp(-1), 1 - math.exp(-3)]
    place = [(operation + 0.5) / 9 for operation in range(9)]
    first = [shares[0], 0.1, place[3], 1.0 - 2**-24, 0, place[8], 0, 0]
    second = [shares[1], 0.9, place[2], 1.0 - 2**-24, 0, place[1], 0.5, 0]
    result = aug_mixed([0.75, *first, *second], severity=3, width=2, depth=2)
    # Strength 3 of 10: threshold 256 - 76.8; bits 4 - 1.
    solarized = pillows(PHOTO, lambda image: ImageOps.solarize(image, 179)).astype(float)
    other = pillows(PHOTO, lambda image: ImageOps.equalize(ImageOps.posterize(image, 3))).astype(float)
    np.testing.assert_allclose(result, 0.25 * PHOTO + 0.75 * (0.25 * solarized + 0.75 * other), atol=0.01)


def test_aug_mix_with_no_share_for_its_chains_is_the_image():
    numbers = np.random.default_rng(0).random(a.AugMix().draws)
    np.testing.assert_array_equal(aug_mixed([0.0, *numbers[1:]]), PHOTO)
