"""Random changes that the seed alone decides, each equal to its definition in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.augmentation import make_augmentation

IMAGES = np.random.default_rng(0).uniform(0, 255, (64, 7, 9, 3)).astype(np.float32)


def augmented(*augment, images=IMAGES, seed=(1, 2)):
    return make_augmentation(augment)(tf.constant(images), tf.constant(seed)).numpy()


def crops(image, pad):
    """(dy, dx) -> what `np.pad` with the border's pixels, cropped there, gives."""
    height, width, _ = image.shape
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    places = [(dy, dx) for dy in range(2 * pad + 1) for dx in range(2 * pad + 1)]
    return {(dy, dx): padded[dy : dy + height, dx : dx + width] for dy, dx in places}


def places(images, moved, pad):
    """Every place at which a crop of the image gives the result, for each image."""
    return [
        [place for place, crop in crops(image, pad).items() if np.array_equal(crop, result)]
        for image, result in zip(images, moved, strict=True)
    ]


@pytest.mark.parametrize("pad", [1, 2, 4])
def test_pad_crop_equals_numpys_pad_and_a_crop(pad):
    found = places(IMAGES, augmented(c.PadCrop(pad=pad)), pad)
    assert {len(hits) for hits in found} == {1}
    assert len({hits[0] for hits in found}) > 5


def test_pad_crop_draws_each_place_as_often():
    images = np.tile(IMAGES[:1], (1800, 1, 1, 1))
    found = places(images, augmented(c.PadCrop(pad=1), images=images), 1)
    counts = np.array([found.count([(dy, dx)]) for dy in range(3) for dx in range(3)])
    # 1800 draws of 9 places: 200 each, deviation sqrt(1800 * 1/9 * 8/9) = 13.3.
    assert np.abs(counts - 200).max() < 4 * 13.3


def test_pad_crop_may_pad_by_more_than_the_image():
    images = IMAGES[:, :2, :2]
    assert all(places(images, augmented(c.PadCrop(pad=3), images=images), 3))


def test_random_flip_equals_numpys_flip_or_nothing():
    for image, result in zip(IMAGES, augmented(c.RandomFlip()), strict=True):
        assert np.array_equal(result, image) or np.array_equal(result, image[:, ::-1])


def test_random_flip_flips_about_half():
    images = np.tile(IMAGES[:1], (1600, 1, 1, 1))
    flipped = np.all(augmented(c.RandomFlip(), images=images) == IMAGES[0][:, ::-1], axis=(1, 2, 3)).sum()
    # 1600 coins: 800, deviation 20.
    assert abs(flipped - 800) < 80


AUGMENTATIONS = [(c.PadCrop(pad=2),), (c.RandomFlip(),), (c.RandomFlip(), c.PadCrop(pad=1))]


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_the_seed_alone_decides(augment):
    tf.random.set_seed(1)
    first = augmented(*augment, seed=(3, 4))
    tf.random.set_seed(2)
    np.testing.assert_array_equal(first, augmented(*augment, seed=(3, 4)))
    assert not np.array_equal(first, augmented(*augment, seed=(3, 5)))


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_it_is_the_same_in_tf_data_as_alone(augment):
    batches = tf.data.Dataset.from_tensor_slices(IMAGES).batch(24)  # the last of 16: the batch size is not fixed
    inside = batches.map(lambda images: make_augmentation(augment)(images, tf.constant([1, 2])))
    assert inside.element_spec.shape.as_list() == [None, 7, 9, 3]
    for images, result in zip(batches, inside, strict=True):
        np.testing.assert_array_equal(augmented(*augment, images=images.numpy()), result)


def test_two_augmentations_draw_independently():
    # With one seed for both, the second flip would always undo the first.
    images = np.tile(IMAGES[:1], (400, 1, 1, 1))
    same = np.all(augmented(c.RandomFlip(), c.RandomFlip(), images=images) == images, axis=(1, 2, 3)).sum()
    assert abs(same - 200) < 40


def test_augmentations_follow_in_their_order():
    flipped = augmented(c.RandomFlip())
    both = augmented(c.RandomFlip(), c.PadCrop(pad=2))
    assert {len(hits) for hits in places(flipped, both, 2)} == {1}


def test_no_augmentation_changes_nothing():
    np.testing.assert_array_equal(augmented(), IMAGES)
