"""Noise: how much of it there is, and that an image has the same noise wherever it is."""

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet
from kerasvision.data.feeding.batches import evaluation_batches, training_batches
from kerasvision.data.transform import ImageTransform
from kerasvision.tasks.base import make_task
from kerasvision.tasks.reconstruction.noise import noisy, numbers_of_places, numbers_of_seeds

GREY = tf.fill((8, 32, 32, 3), 0.5)
COUNT = 32 * 32 * 3


def with_noise(kind, amount):
    numbers = numbers_of_seeds(tf.range(8, dtype=tf.int64), seed=3, count=COUNT)
    return noisy(GREY, numbers, kind=kind, amount=amount).numpy()


def test_gaussian_noise_has_its_deviation_and_no_mean():
    noise = with_noise("gaussian", 0.2) - 0.5
    # Of 24,576 numbers, the mean has a deviation of 0.2 / 157, and the deviation one of 0.2 / 222.
    assert abs(noise.mean()) < 5 * 0.2 / 157
    assert noise.std() == pytest.approx(0.2, abs=5 * 0.2 / 222)
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.06


def test_masked_pixels_are_black_in_all_channels_and_the_others_unchanged():
    found = with_noise("masking", 0.25)
    black = (found == 0).all(axis=-1)
    assert (black | (found == 0.5).all(axis=-1)).all()
    # 8,192 pixels: the share has a deviation of sqrt(0.25 * 0.75 / 8192) = 0.0048.
    assert black.mean() == pytest.approx(0.25, abs=5 * 0.0048)


def test_as_much_salt_as_pepper_is_added():
    found = with_noise("salt_and_pepper", 0.5)
    shares = [(found == value).all(axis=-1).mean() for value in (0.0, 1.0, 0.5)]
    assert sum(shares) == 1.0
    np.testing.assert_allclose(shares, [0.25, 0.25, 0.5], atol=5 * 0.0055)


def test_all_pixels_can_be_noise():
    assert (with_noise("masking", 1.0) == 0).all()


def test_noise_of_an_image_does_not_depend_on_its_batch():
    whole = numbers_of_places(tf.range(10, 16, dtype=tf.int64), seed=1, count=7)
    part = numbers_of_places(tf.range(13, 15, dtype=tf.int64), seed=1, count=7)
    np.testing.assert_array_equal(whole[3:5], part)
    assert (numbers_of_places(tf.range(10, 16, dtype=tf.int64), seed=2, count=7).numpy() != whole.numpy()).all()


# In batches of a data set.


@pytest.fixture(scope="module")
def made(stripes):
    """Batches of a training, or of the validation split, with masking noise."""
    transform = ImageTransform.load(stripes.transform)
    task = make_task(c.Reconstruction(noise="masking"), ()).seeing(transform)
    examples = ExampleSet(stripes.examples)

    def batches(*, augment=(), **options):
        arguments = {"transform": transform, "encode": task.encode, "augment": augment, "batch_size": 16, "epochs": 2}
        found, _ = training_batches(examples, **arguments, seed=0, memory_budget_gb=1.0, **options)
        return [(inputs.numpy(), targets.numpy()) for inputs, targets in found]

    def validation():
        found = evaluation_batches(examples, split="validation", transform=transform, encode=task.encode, batch_size=16)
        return [(inputs.numpy(), targets.numpy()) for inputs, targets, _ in found]

    return transform, batches, validation


@pytest.mark.slow
def test_a_resumed_training_sees_the_same_noise(made):
    _, batches, _ = made
    for one, other in zip(batches()[7:], batches(start_step=7), strict=True):
        np.testing.assert_array_equal(one, other)


def test_two_workers_see_the_noise_of_one(made):
    _, batches, _ = made
    parts = [batches(shard=(number, 2)) for number in (0, 1)]
    for whole, one, two in zip(batches(), *parts, strict=True):
        np.testing.assert_array_equal(whole[0], np.concatenate([one[0], two[0]]))


def test_every_epoch_has_other_noise_and_only_the_input_has_it(made):
    transform, batches, _ = made
    black = transform.scaled(tf.zeros((1, 16, 16, 1))).numpy()[0, 0, 0, 0]
    for inputs, targets in batches():
        changed = inputs != targets
        np.testing.assert_allclose(inputs[changed], black, rtol=1e-6)
        assert changed.mean() == pytest.approx(0.25, abs=0.04)
    first, second = batches()[:6], batches()[6:]
    masks = [
        {targets.tobytes(): (inputs == targets).tobytes() for inputs, targets in zip(*_rows(part), strict=True)}
        for part in (first, second)
    ]
    assert masks[0].keys() & masks[1].keys()
    assert all(masks[0][image] != masks[1][image] for image in masks[0].keys() & masks[1].keys())


def test_targets_are_augmented_like_the_inputs(made):
    _, batches, _ = made
    inputs, targets = batches(augment=(c.RandomFlip(), c.PadCrop(pad=2)))[0]
    assert ((inputs == targets).mean(axis=(1, 2, 3)) > 0.6).all()
    assert (targets != batches()[0][1]).any()


def test_validation_images_have_the_same_noise_every_time(made):
    for one, other in zip(made[2](), made[2](), strict=True):
        np.testing.assert_array_equal(one, other)
        assert (one[0] != one[1]).any()


def _rows(batches):
    return (np.concatenate([batch[part] for batch in batches]) for part in (0, 1))
