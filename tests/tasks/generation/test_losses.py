"""The losses of generators, compared with SciPy's distributions and with integrals."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from kerasvision import config as c
from kerasvision.tasks.generation.losses import MeanPart, bound_parts, game_parts, whole_losses
from kerasvision.tasks.generation.noise import noise_of_samples

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((3, 2, 4, 1)).astype(np.float32)
OUTPUTS = {
    "logits": RANDOM.normal(size=IMAGES.shape).astype(np.float32),
    "mean": RANDOM.normal(size=(3, 5)).astype(np.float32),
    "log_variance": RANDOM.normal(size=(3, 5)).astype(np.float32),
}
PICTURES = 1 / (1 + np.exp(-OUTPUTS["logits"].astype(np.float64)))


def parts(deviation=None):
    outputs = {name: tf.constant(value) for name, value in OUTPUTS.items()}
    return {
        name: part.numpy() for name, part in bound_parts(tf.constant(IMAGES), outputs, pixel_deviation=deviation).items()
    }


def test_divergence_is_that_of_two_normal_distributions():
    """The integral of q log(q / p), one number of the code at a time."""
    line = np.linspace(-15, 15, 20001)
    wanted = np.zeros(3)
    for row in range(3):
        for mean, log_variance in zip(OUTPUTS["mean"][row], OUTPUTS["log_variance"][row], strict=True):
            q = stats.norm(mean, np.exp(log_variance / 2))
            wanted[row] += np.trapezoid(q.pdf(line) * (q.logpdf(line) - stats.norm.logpdf(line)), line)
    np.testing.assert_allclose(parts()["kl_divergence"], wanted, rtol=1e-4)


def test_reconstruction_is_the_likelihood_of_all_values():
    bernoulli = -(IMAGES * np.log(PICTURES) + (1 - IMAGES) * np.log(1 - PICTURES)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(parts()["reconstruction_loss"], bernoulli, rtol=1e-5)
    normal = -stats.norm(PICTURES, 0.2).logpdf(IMAGES).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(parts(0.2)["reconstruction_loss"], normal, rtol=1e-5)


def test_the_weight_of_the_divergence_counts_in_the_loss_alone():
    losses = whole_losses(c.Generation(loss="elbo", kl_weight=3.0))
    outputs = {name: tf.constant(value) for name, value in OUTPUTS.items()}
    wanted = parts()["reconstruction_loss"] + 3 * parts()["kl_divergence"]
    np.testing.assert_allclose(losses(tf.constant(IMAGES), outputs, training=True), wanted, rtol=1e-6)


def test_players_losses_are_minus_the_logarithms_of_the_papers_probabilities():
    real, fake = RANDOM.normal(size=(2, 6, 1)).astype(np.float32)
    found = game_parts({"real": tf.constant(real), "fake": tf.constant(fake)})
    says_real, says_fake = (1 / (1 + np.exp(-logit[:, 0])) for logit in (real, fake))
    np.testing.assert_allclose(found["generator_loss"], -np.log(says_fake), rtol=1e-5)
    np.testing.assert_allclose(found["discriminator_loss"], -np.log(says_real) - np.log(1 - says_fake), rtol=1e-5)


def test_a_part_is_averaged_over_the_images_that_count():
    metric = MeanPart(c.Generation(loss="elbo").to_data(), name="kl_divergence")
    copy = MeanPart.from_config(metric.get_config())
    outputs = {name: tf.constant(value) for name, value in OUTPUTS.items()}
    copy.update_state(tf.constant(IMAGES), outputs, tf.constant([1.0, 0.0, 1.0]))
    assert copy.result().numpy() == pytest.approx(parts()["kl_divergence"][[0, 2]].mean(), rel=1e-5)


def test_noise_of_samples_is_normal_and_depends_on_seed_and_number_alone():
    numbers = tf.range(2000, dtype=tf.int64)
    noise = noise_of_samples(tf.fill([2000], tf.constant(9, tf.int64)), numbers, size=3).numpy()
    assert stats.kstest(noise.ravel(), "norm").pvalue > 0.01
    assert np.abs(np.corrcoef(noise.T) - np.eye(3)).max() < 0.08
    alone = noise_of_samples(tf.constant([9], tf.int64), tf.constant([1234], tf.int64), size=3).numpy()
    np.testing.assert_array_equal(alone[0], noise[1234])
    largest = noise_of_samples(tf.constant([2**63 - 1, -1], tf.int64), tf.constant([2**62, 0], tf.int64), size=3).numpy()
    assert np.isfinite(largest).all()
