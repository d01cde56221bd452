"""AlexNet's crop: the shorter side gets its length, and a part of the network's size is cut out, at any place."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasvision import config as c
from kerasvision.data.augmentation.crop import random_crop, random_placement
from kerasvision.data.png import encode_png
from kerasvision.errors import ConfigError
from kerasvision.ops.random import uniform_rows
from kerasvision.ops.resize import resize_image

UNIT = st.floats(0, 1, exclude_max=True, width=32)
# Smooth, so that a shift of a pixel shows in every pixel.
ROWS, COLUMNS = np.mgrid[0:40, 0:70]
IMAGE = np.stack([ROWS * 6, COLUMNS * 3, (ROWS + COLUMNS) * 2], axis=-1).astype(np.uint8)


def cropped(numbers, *, crop, image_size, image=IMAGE, **example):
    return random_crop(
        {"image": tf.constant(encode_png(image)), **example},
        numbers=tf.constant(numbers, tf.float32),
        settings=crop,
        transform=c.Transform(image_size=image_size),
    )


def test_an_image_of_256_pixels_has_33_places_down_and_across_and_so_2178_views_with_mirror_images():
    crop, size = c.RandomCrop(), tf.constant([256, 256])

    @tf.function(autograph=False)
    def draw(rows):
        def one(numbers):
            return random_placement(size, numbers=numbers, settings=crop, image_size=(224, 224)).translation

        return tf.map_fn(one, rows)

    places, counts = np.unique(draw(uniform_rows(0, 0, rows=20_000, columns=3)), axis=0, return_counts=True)
    # The paper counts 32 x 32 x 2 = 2048; from 0 to 256 - 224 there are 33 places.
    assert 2 * len(places) == 2 * 33 * 33 == 2178
    assert sorted(set(places[:, 0])) == list(range(-32, 1))
    # 18.4 times each: a Poisson number beyond 45 would be one in ten million.
    assert counts.max() < 45


@pytest.mark.parametrize(("numbers", "start"), [((0, 0, 0), (0, 0)), ((0, 0.5, 0.999), (4, 26)), ((0, 0.999, 0.3), (8, 8))])
def test_a_crop_is_a_part_of_the_resized_image(numbers, start):
    # 40 x 70 becomes 24 x 42: 24 - 16 + 1 = 9 places down, 27 across.
    resized = resize_image(IMAGE, image_size=(24, 42), fit="stretch").numpy()
    found = cropped(numbers, crop=c.RandomCrop(shorter_side=24), image_size=(16, 16))["image"].numpy()
    np.testing.assert_allclose(found, resized[start[0] : start[0] + 16, start[1] : start[1] + 16], atol=1e-2)


def test_within_the_square_a_crop_stays_in_the_middle():
    resized = resize_image(IMAGE, image_size=(24, 42), fit="stretch").numpy()
    crop = c.RandomCrop(shorter_side=24, within="square")
    for number, left in ((0.0, 9), (0.999, 17)):  # the square begins at (42 - 24) / 2
        found = cropped((0, 0, number), crop=crop, image_size=(16, 16))["image"].numpy()
        np.testing.assert_allclose(found, resized[:16, left : left + 16], atol=1e-2)


@settings(max_examples=60)
@given(
    st.tuples(st.integers(1, 2000), st.integers(1, 2000)), st.tuples(UNIT, UNIT, UNIT), st.sampled_from(["image", "square"])
)
def test_a_part_lies_in_an_image_of_any_size(size, numbers, within):
    crop = c.RandomCrop(shorter_side=(64, 100), within=within)
    placement = random_placement(tf.constant(size), numbers=tf.constant(numbers), settings=crop, image_size=(48, 64))
    end = np.array(size) * placement.scale.numpy() + placement.translation.numpy()
    assert (placement.translation.numpy() <= 0).all()
    assert (end >= np.array([48, 64]) - 1e-2).all()
    shorter = min(np.array(size) * placement.scale.numpy())
    assert 64 - 1e-2 <= shorter <= 100 + 1e-2


def test_the_shorter_side_is_drawn_from_the_range():
    for number, side in ((0.0, 64), (0.999, 96)):
        placement = random_placement(
            tf.constant([32, 50]),
            numbers=tf.constant([number, 0, 0]),
            settings=c.RandomCrop(shorter_side=(64, 96)),
            image_size=(64, 64),
        )
        assert placement.scale[0].numpy() * 32 == pytest.approx(side)


def test_boxes_and_masks_go_where_their_pixels_go():
    image = np.zeros((40, 70, 3), np.uint8)
    image[10:30, 20:40] = 255
    objects = {
        "bbox": tf.constant([[10 / 40, 20 / 70, 30 / 40, 40 / 70]]),
        "label": tf.constant([1], tf.int64),
        "crowd": tf.constant([False]),
        "area": tf.constant([400.0]),
        "mask": tf.constant([encode_png(image[..., 0])]),
    }
    # Twice the size, from row 8 and column 20 on.
    crop = c.RandomCrop(shorter_side=80)
    out = cropped((0, 8.5 / 17, 20.5 / 77), crop=crop, image_size=(64, 64), image=image, objects=objects)
    inside = out["image"][..., 0].numpy() > 127
    np.testing.assert_array_equal(out["objects"]["mask"][0], inside)
    np.testing.assert_allclose(out["objects"]["bbox"][0] * 64, [12, 20, 52, 60], atol=1e-4)


def test_one_number_is_the_smallest_and_the_largest():
    assert c.RandomCrop(shorter_side=300) == c.RandomCrop(shorter_side=(300, 300))
    for wrong in ((300, 200), (0, 5)):
        with pytest.raises(ConfigError, match=r"shorter_side must be \(smallest, largest\)"):
            c.RandomCrop(shorter_side=wrong)


def test_a_crop_larger_than_the_resized_image_is_refused_when_the_file_is_read():
    with pytest.raises(
        ConfigError, match=r"cuts 299 x 299 pixels .* 256 or more; received \(256, 256\). Set shorter_side to"
    ):
        c.Experiment(
            name="any",
            source=c.Digits(),
            transform=c.Transform(image_size=(299, 299)),
            augment=(c.RandomCrop(),),
            task=c.Classification(),
            model=c.Model(name="resnet18"),
        )
