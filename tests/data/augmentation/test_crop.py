"""A random part of the undecoded image: its position is distributed as stated, and pixels, boxes and masks match it."""

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kerasvision import config as c
from kerasvision.config.augmentation import RandomResizedCrop
from kerasvision.data.augmentation.crop import random_part, random_resized_crop
from kerasvision.ops.images import decode_image
from kerasvision.ops.random import uniform_rows

DEFAULT = RandomResizedCrop()


def part(size, *numbers, crop=DEFAULT):
    return random_part(tf.constant(size), numbers=tf.constant(numbers, tf.float32), settings=crop).numpy().tolist()


def parts(size, count, crop=DEFAULT):
    @tf.function(autograph=False)
    def draw(rows):
        def one(numbers):
            return random_part(tf.constant(size), numbers=numbers, settings=crop)

        return tf.map_fn(one, rows, fn_output_signature=tf.int32)

    return draw(uniform_rows(0, 0, rows=count, columns=4)).numpy()


def cropped(data, numbers, *, crop=DEFAULT, image_size=(12, 10), color_mode="rgb", **example):
    return random_resized_crop(
        {"image": tf.constant(data), **example},
        numbers=tf.constant(numbers, tf.float32),
        settings=crop,
        transform=c.Transform(image_size=image_size, color_mode=color_mode),
    )


UNIT = st.floats(0, 1, exclude_max=True, width=32)


@settings(max_examples=150)
@given(st.tuples(st.integers(1, 3000), st.integers(1, 3000)), st.tuples(UNIT, UNIT, UNIT, UNIT))
def test_a_part_lies_in_the_image(size, numbers):
    y, x, height, width = part(size, *numbers)
    assert height >= 1 and width >= 1 and y >= 0 and x >= 0
    assert y + height <= size[0] and x + width <= size[1]


@settings(max_examples=100)
@given(st.tuples(st.integers(300, 900), st.integers(300, 900)), st.tuples(UNIT, UNIT, UNIT, UNIT))
def test_area_and_ratio_are_those_asked_for(size, numbers):
    _, _, height, width = part(size, *numbers)
    # A side of at least 70 pixels, rounded: 1 % each.
    assert 0.98 * 3 / 4 <= width / height <= 1.02 * 4 / 3
    assert 0.98 * 0.08 <= height * width / (size[0] * size[1]) <= 1.0


def test_area_is_even_and_ratio_even_in_its_logarithm():
    _, _, height, width = parts((4000, 4000), 3000).T.astype(float)
    area = height * width / 4000**2
    # In a square, every ratio from 3:4 to 4:3 fits if the area is at most 3/4: so both are uniform there.
    small = area < 0.75
    for values, low, high in (
        (area, 0.08, 1.0),
        (np.log(width / height)[small], np.log(3 / 4), np.log(4 / 3)),
    ):
        shares = np.histogram(values, bins=10, range=(low, high))[0] / len(values)
        # 2,000 or more draws: a tenth each, deviation sqrt(0.1 * 0.9 / 2000) = 0.0067.
        np.testing.assert_allclose(shares, 0.1, atol=4 * 0.0067)


def test_every_place_is_as_likely():
    crop = RandomResizedCrop(area=(0.25, 0.25), ratio=(1.0, 1.0))
    y, x, height, width = parts((4, 6), 1200, RandomResizedCrop(area=(1 / 6, 1 / 6), ratio=(1.0, 1.0))).T
    assert set(height) == set(width) == {2}
    counts = np.bincount(y * 5 + x, minlength=15)
    # 1,200 draws of 3 x 5 places: 80 each, deviation sqrt(1200 / 15 * 14 / 15) = 8.6.
    assert np.abs(counts - 80).max() < 4 * 8.6
    assert (parts((4, 4), 20, crop)[:, 2:] == 2).all()


def test_the_first_number_is_the_area_the_second_the_ratio_and_the_others_the_place():
    assert part((100, 100), 0, 0.5, 0, 0) == [0, 0, 28, 28]  # the root of 8 % of 10,000, at the middle ratio, 1
    assert part((100, 100), 0.9, 0.5, 0, 0) == [0, 0, 95, 95]  # the root of 90.8 %
    assert part((100, 100), 0, 0.5, 0.9999, 0.9999) == [72, 72, 28, 28]
    assert part((100, 100), 0, 0.9999, 0, 0) == [0, 0, 24, 33]  # 4:3


def test_of_a_very_long_image_it_takes_the_largest_part_of_the_nearest_ratio():
    for _, _, height, width in parts((10, 1000), 20):
        assert height == 10 and width == 13  # 4:3


def jpeg(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95, **options)
    return file.getvalue()


COARSE = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
SMOOTH = np.asarray(Image.fromarray(COARSE).resize((80, 60), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("color_mode", ["rgb", "grayscale"])
@pytest.mark.parametrize("kind", ["png", "jpeg", "turned"])
@pytest.mark.parametrize("numbers", [(0.3, 0.2, 0.5, 0.7), (0.9, 0.6, 0.2, 0.1)])
def test_pixels_are_those_that_pillow_cuts_out_and_resizes(kind, numbers, color_mode):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = {"png": tf.io.encode_png(SMOOTH).numpy(), "jpeg": jpeg(SMOOTH), "turned": jpeg(SMOOTH, exif=exif)}[kind]
    whole = decode_image(data, color_mode=color_mode).numpy().astype(np.float32)
    y, x, height, width = part(whole.shape[:2], *numbers)
    box = (x, y, x + width, y + height)
    expected = np.stack(
        [
            np.asarray(Image.fromarray(channel, "F").crop(box).resize((10, 12), Image.Resampling.BILINEAR))
            for channel in np.moveaxis(whole, -1, 0)
        ],
        axis=-1,
    )
    ours = cropped(data, numbers, color_mode=color_mode)["image"].numpy()
    # A JPEG decoder that reads only the part rounds the colour of its outermost columns differently, by a few levels.
    np.testing.assert_allclose(ours, expected, atol=0.01 if kind != "jpeg" else 3)


def test_boxes_and_masks_follow():
    image = np.zeros((40, 40, 3), np.uint8)
    image[10:20, 20:32] = 255
    mask = tf.io.encode_png(image[..., :1])
    numbers, crop = (0.0, 0.5, 0.2, 0.9), RandomResizedCrop(area=(0.25, 0.25), ratio=(1.0, 1.0))
    assert part((40, 40), *numbers, crop=crop) == [4, 18, 20, 20]
    objects = {
        "bbox": tf.constant([[10 / 40, 20 / 40, 20 / 40, 32 / 40], [0, 0, 0.1, 0.1]]),
        "label": tf.constant([3, 1], tf.int64),
        "crowd": tf.constant([True, True]),
        "area": tf.constant([120.0, 16.0]),
        "mask": tf.stack([mask, mask]),
    }
    out = cropped(tf.io.encode_png(image).numpy(), numbers, crop=crop, image_size=(20, 20), objects=objects)
    np.testing.assert_allclose(out["objects"]["bbox"], [[6 / 20, 2 / 20, 16 / 20, 14 / 20], [0, 0, 0, 0]], atol=1e-6)
    assert out["objects"]["label"].numpy().tolist() == [3, -1]
    # The area stays that in the whole image.
    assert out["objects"]["crowd"].numpy().tolist() == [True, False]
    assert out["objects"]["area"].numpy().tolist() == [120, 0]
    first, second = out["objects"]["mask"].numpy()
    np.testing.assert_array_equal(first, out["image"][..., 0].numpy() > 127)
    assert first.sum() == 120 and second.sum() == 0


def test_an_image_without_objects_has_none_afterwards():
    objects = {"bbox": tf.zeros((0, 4)), "label": tf.zeros(0, tf.int64), "mask": tf.constant([], tf.string)}
    out = cropped(tf.io.encode_png(SMOOTH).numpy(), (0.5,) * 4, objects=objects)["objects"]
    assert out["bbox"].shape == (0, 4) and out["mask"].shape == (0, 12, 10)
