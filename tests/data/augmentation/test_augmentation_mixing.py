"""MixUp and CutMix: shares are distributed as in the papers, and labels are mixed like the pixels."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from kerasvision import config as a
from kerasvision.data.augmentation import draws, make_augmentation

CLASSES = 5


def random_numbers(rows, columns, seed=0):
    return np.random.default_rng(seed).random((rows, columns), np.float32)


def mixed(*augment, images, labels, numbers=None):
    """Images and label shares of a batch after mixing."""
    augmenter = make_augmentation(augment)
    numbers = random_numbers(len(images), augmenter.draws) if numbers is None else np.asarray(numbers, np.float32)
    batch = {"image": tf.constant(images, tf.float32), "label": tf.constant(labels, tf.int64)}
    result = augmenter.mix(batch, tf.constant(numbers), CLASSES)
    return result["image"].numpy(), result["label_shares"].numpy()


@pytest.mark.parametrize("augment", [a.MixUp(alpha=1.0), a.CutMix()])
def test_numbers_are_mixed_in_the_proportions_of_the_pixels(augment):
    images = np.stack([np.full((8, 8, 1), value, np.float32) for value in (0.0, 100.0, 200.0)])
    values = np.array([[0.0, 1.0], [100.0, np.nan], [200.0, 3.0]], np.float32)
    augmenter = make_augmentation((augment,))
    numbers = random_numbers(3, augmenter.draws)
    numbers[:, 0] = [0.9, 0.5, 0.1]  # the first and the last image are mixed, the one in the middle with itself
    batch = {"image": tf.constant(images), "values": tf.constant(values)}
    result = augmenter.mix(batch, tf.constant(numbers), 0)
    pixels = result["image"].numpy().mean(axis=(1, 2, 3))
    assert "label_shares" not in result
    assert 0 < pixels[0] < 200
    np.testing.assert_allclose(result["values"].numpy()[:, 0], pixels, rtol=1e-5)
    assert np.isnan(result["values"].numpy()[1, 1])


def test_an_image_that_is_not_mixed_keeps_its_numbers_next_to_a_missing_one():
    batch = {"image": tf.zeros((2, 4, 4, 1)), "values": tf.constant([[1.0], [np.nan]])}
    numbers = tf.constant([[0.9, 0.5, 0.5], [0.1, 0.5, 0.5]])
    result = make_augmentation((a.MixUp(probability=0.0),)).mix(batch, numbers, 0)
    np.testing.assert_array_equal(result["values"].numpy(), [[1.0], [np.nan]])


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.4, 1.0, 2.0, 30.0])
def test_the_share_is_distributed_as_beta(alpha):
    numbers = random_numbers(4000, 1)[:, 0]
    shares = draws.beta(tf.constant(numbers), alpha).numpy()
    np.testing.assert_allclose(shares, stats.beta(alpha, alpha).ppf(numbers.astype(np.float64)), atol=1e-6)
    # At 0.1 every tenth share is closer to 0 or 1 than float32 can show, so the distribution is no longer continuous.
    assert alpha == 0.1 or stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 0.01


def test_normal_and_exponential_numbers_are_distributed_so():
    numbers = tf.constant(random_numbers(4000, 1, seed=4)[:, 0])
    assert stats.kstest(draws.normal(numbers).numpy(), stats.norm.cdf).pvalue > 0.01
    assert stats.kstest(draws.exponential(numbers).numpy(), stats.expon.cdf).pvalue > 0.01


@pytest.mark.parametrize("settings", [a.MixUp(alpha=1.0), a.CutMix()])
def test_labels_are_mixed_as_the_pixels_are(settings):
    # Image i has the value 10 i everywhere, and class i: the mean of its pixels shows how it was mixed.
    labels = np.arange(CLASSES)
    images = np.tile(10.0 * labels[:, None, None, None], (1, 30, 40, 3))
    for seed in range(20):
        results, shares = mixed(settings, images=images, labels=labels, numbers=random_numbers(5, settings.draws, seed))
        np.testing.assert_allclose(results.mean(axis=(1, 2, 3)), shares @ (10.0 * labels), atol=1e-3)
        np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
        assert (shares >= 0).all()


def test_mix_up_equals_its_equation():
    # Numbers 0.9, 0.1, 0.5 in order are those of images 1, 2, 0; Beta(1, 1) is the number itself.
    images = np.random.default_rng(0).uniform(0, 255, (3, 4, 5, 3)).astype(np.float32)
    numbers = [[0.9, 0.75, 0.0], [0.1, 0.25, 0.0], [0.5, 0.25, 0.5]]
    results, shares = mixed(a.MixUp(alpha=1.0, probability=0.5), images=images, labels=[0, 1, 2], numbers=numbers)
    np.testing.assert_allclose(results[0], 0.75 * images[0] + 0.25 * images[1], atol=1e-3)
    np.testing.assert_allclose(results[1], 0.25 * images[1] + 0.75 * images[2], atol=1e-3)
    np.testing.assert_array_equal(results[2], images[2])
    np.testing.assert_allclose(shares, [[0.75, 0.25, 0, 0, 0], [0, 0.25, 0.75, 0, 0], [0, 0, 1, 0, 0]], atol=1e-6)


def test_cut_mix_pastes_the_rectangle_that_its_numbers_say():
    # The share of the other image is 0.25: half of each side, 10 x 14, around row 6 and column 27; the right end is cut off.
    images = np.stack([np.zeros((20, 28, 1)), np.ones((20, 28, 1))])
    numbers = [[0.9, 0.75, 0.3, 0.99, 0.0], [0.1, 0.75, 0.3, 0.99, 0.9]]
    results, shares = mixed(a.CutMix(probability=0.5), images=images, labels=[3, 4], numbers=numbers)
    expected = np.zeros((20, 28))
    expected[1:11, 20:28] = 1
    np.testing.assert_array_equal(results[0, ..., 0], expected)
    np.testing.assert_allclose(shares[0, 3:], [1 - 80 / 560, 80 / 560], atol=1e-6)
    np.testing.assert_array_equal(results[1], images[1])
    assert shares[1, 4] == 1


def test_the_others_are_the_batch_in_a_random_order():
    images = np.arange(200.0)[:, None, None, None]
    numbers = random_numbers(200, 3)
    numbers[:, 1] = 0  # all of the other
    results, _ = mixed(a.MixUp(), images=images, labels=np.zeros(200), numbers=numbers)
    others = results.ravel().round().astype(int)
    assert sorted(others) == list(range(200))
    assert np.abs(np.corrcoef(others, np.arange(200))[0, 1]) < 0.3


def test_mixing_again_mixes_what_was_mixed():
    images = np.tile(10.0 * np.arange(4)[:, None, None, None], (1, 8, 8, 1))
    results, shares = mixed(a.MixUp(alpha=1.0), a.CutMix(), images=images, labels=np.arange(4))
    np.testing.assert_allclose(results.mean(axis=(1, 2, 3)), shares[:, :4] @ (10.0 * np.arange(4)), atol=1e-3)
    assert ((shares > 1e-3).sum(axis=1) > 2).any()


@pytest.mark.parametrize("settings", [a.MixUp(alpha=1.0), a.CutMix()])
def test_tags_are_mixed_as_the_pixels_are(settings):
    # Image i has the value 10 i everywhere, and tag i alone, but image 0 has none: tags need not sum to 1.
    images, tags = np.arange(5)[:, None, None, None] * np.full((1, 16, 16, 1), 10.0), np.eye(5) * (np.arange(5) > 0)
    batch = {"image": tf.constant(images, tf.float32), "tags": tf.constant(tags, tf.float32)}
    result = make_augmentation((settings,)).mix(batch, tf.constant(random_numbers(5, settings.draws, 3)), 0)
    assert result.keys() == batch.keys()
    means = result["image"].numpy().mean(axis=(1, 2, 3))
    assert result["tags"].numpy() @ (10.0 * np.arange(5)) == pytest.approx(means, abs=1e-4)
    assert not np.isin(result["tags"], (0, 1)).all()
