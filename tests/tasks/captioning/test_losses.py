"""Losses of captions and metrics of their tokens: by hand, and by loops in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.tasks.captioning.losses import Perplexity, TokenAccuracy, caption_losses, uneven_attention

RANDOM = np.random.default_rng(0)
# The first image has two captions, the second one. The first image's captions have 3 tokens together.
TARGETS = np.array([[[4, 3, 0], [3, 0, 0]], [[5, 4, 3], [0, 0, 0]]], np.int32)
LOGITS = RANDOM.normal(size=(2, 2, 3, 6), scale=2.0)
ATTENTION = RANDOM.dirichlet(np.ones(4), size=(2, 2, 3)).reshape(2, 2, 3, 2, 2)


def by_loops(targets, logits, smoothing=0.0):
    """(per-token losses of each image, whether the likeliest token is the true one) in float64."""
    losses, right = [], []
    for captions, of_captions in zip(targets, logits, strict=True):
        found, hits = [], []
        for token, row in zip(captions.reshape(-1), of_captions.reshape(-1, logits.shape[-1]), strict=True):
            if token:
                log_p = row - np.log(np.exp(row).sum())
                found.append(-(1 - smoothing) * log_p[token] - smoothing * log_p.mean())
                hits.append(row.argmax() == token)
        losses.append(found)
        right.append(hits)
    return losses, right


def losses(outputs, *, targets=TARGETS, training=True, **fields):
    return caption_losses(c.Captioning(**fields))(tf.constant(targets), outputs, training=training).numpy()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_of_an_image_is_the_mean_over_the_tokens_of_all_its_captions(smoothing):
    expected = [np.mean(found) for found in by_loops(TARGETS, LOGITS, smoothing)[0]]
    np.testing.assert_allclose(losses(tf.constant(LOGITS, tf.float32), label_smoothing=smoothing), expected, rtol=1e-5)


def test_what_is_said_after_the_end_changes_nothing():
    changed = np.where((TARGETS == 0)[..., None], RANDOM.normal(size=LOGITS.shape), LOGITS)
    both = [losses(tf.constant(logits, tf.float32), label_smoothing=0.1) for logits in (LOGITS, changed)]
    np.testing.assert_array_equal(*both)


def test_an_image_without_captions_has_no_loss_and_no_gradient():
    logits, targets = tf.Variable(LOGITS, dtype=tf.float32), np.zeros_like(TARGETS)
    with tf.GradientTape() as tape:
        found = caption_losses(c.Captioning(attention_penalty=1.0))(
            tf.constant(targets), {"logits": logits, "attention": tf.constant(ATTENTION, tf.float32)}, training=True
        )
    assert found.numpy().tolist() == [0.0, 0.0]
    assert not tape.gradient(found, logits).numpy().any()


def test_losses_of_16_bit_logits_are_taken_in_32_bits():
    logits = tf.cast(LOGITS, tf.bfloat16)
    found = losses(logits)
    assert found.dtype == np.float32
    expected = [np.mean(found) for found in by_loops(TARGETS, tf.cast(logits, tf.float64).numpy())[0]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_attention_penalty_is_the_mean_square_of_what_places_lack_or_have_too_much():
    expected = []
    for captions, of_captions in zip(TARGETS, ATTENTION, strict=True):
        each = [
            np.mean((1 - maps[tokens > 0].sum(axis=0)) ** 2)
            for tokens, maps in zip(captions, of_captions, strict=True)
            if tokens.any()
        ]
        expected.append(np.mean(each))
    present = tf.constant(TARGETS > 0, tf.float32)
    np.testing.assert_allclose(uneven_attention(tf.constant(ATTENTION), present), expected, rtol=1e-5)


def test_attention_penalty_is_of_training_alone():
    outputs = {"logits": tf.constant(LOGITS, tf.float32), "attention": tf.constant(ATTENTION, tf.float32)}
    plain = losses(outputs)
    np.testing.assert_array_equal(losses(outputs, training=False, attention_penalty=2.0), plain)
    uneven = uneven_attention(outputs["attention"], tf.constant(TARGETS > 0, tf.float32))
    np.testing.assert_allclose(losses(outputs, attention_penalty=2.0), plain + 2.0 * uneven.numpy(), rtol=1e-6)


# --- Metrics


@pytest.mark.parametrize("weights", [None, [1.0, 0.0]])
def test_measures_are_of_all_tokens_of_images_that_count(weights):
    of_images, right = by_loops(TARGETS, LOGITS)
    kept = [number for number in range(2) if weights is None or weights[number]]
    expected = {
        "perplexity": np.exp(np.mean(np.concatenate([of_images[number] for number in kept]))),
        "token_accuracy": np.mean(np.concatenate([right[number] for number in kept])),
    }
    for metric in (Perplexity(), TokenAccuracy()):
        metric.update_state(
            tf.constant(TARGETS), tf.constant(LOGITS, tf.float32), None if weights is None else tf.constant(weights)
        )
        assert float(metric.result()) == pytest.approx(expected[metric.name], rel=1e-5)


def test_measures_of_batches_are_those_of_all_their_tokens():
    expected = np.exp(np.mean(np.concatenate(by_loops(TARGETS, LOGITS)[0])))
    metric = Perplexity()
    for number in range(2):
        metric.update_state(tf.constant(TARGETS[number : number + 1]), tf.constant(LOGITS[number : number + 1], tf.float32))
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", [Perplexity, TokenAccuracy])
def test_measures_can_be_made_anew_from_their_settings(kind):
    copy = kind.from_config(kind().get_config())
    assert copy.name == kind().name
    assert isinstance(copy, keras.metrics.Metric)
