"""The learned prior of an autoencoder: it leads from codes to noise and back, and knows how it stretches them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.generators import LABEL, LOG_DETERMINANT, NOISE, PRIOR_CODE, PRIOR_NOISE, computed, has_learned_prior

SIZE, CLASSES = 5, 3
LABELS = np.eye(CLASSES, dtype=np.float32)[[0, 1, 2, 0]]
VALUES = np.random.default_rng(1).normal(size=(4, SIZE)).astype(np.float32)


def build_vae(**options):
    keras.utils.set_random_seed(0)
    return build("vae", image_shape=(16, 16, 1), **{"num_classes": CLASSES, "latent_size": SIZE, "channels": 4, **options})


@pytest.fixture(scope="module")
def network():
    """One whose couplings move, as after a training."""
    made, random = build_vae(couplings=3), np.random.default_rng(2)
    for weight in made.trainable_variables:
        if "_moves/" in weight.path:
            weight.assign(random.normal(0, 0.1, weight.shape))
    return made


def test_the_way_back_undoes_the_way_there(network):
    code = computed(network, {NOISE: VALUES, LABEL: LABELS}, to=PRIOR_CODE)
    assert np.abs(code - VALUES).max() > 1
    np.testing.assert_allclose(computed(network, {"code": code, LABEL: LABELS}, to=PRIOR_NOISE), VALUES, atol=1e-4)


def test_the_log_determinant_is_that_of_the_jacobian(network):
    code = tf.constant(VALUES)
    with tf.GradientTape() as tape:
        tape.watch(code)
        noise = computed(network, {"code": code, LABEL: LABELS}, to=PRIOR_NOISE)
    _, expected = np.linalg.slogdet(tape.batch_jacobian(noise, code))
    found = computed(network, {"code": code, LABEL: LABELS}, to=LOG_DETERMINANT)
    assert np.abs(expected).min() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_label_decides(network):
    one, other = (
        computed(network, {NOISE: VALUES, LABEL: each}, to=PRIOR_CODE) for each in (LABELS, np.roll(LABELS, 1, axis=1))
    )
    assert np.abs(one - other).max(axis=1).min() > 1e-3


@pytest.mark.parametrize("classes", [CLASSES, None])
def test_a_new_prior_is_standard_normal(classes):
    """It only changes the order of the numbers."""
    network = build_vae(couplings=2, num_classes=classes)
    given = {"code": VALUES} if classes is None else {"code": VALUES, LABEL: LABELS}
    noise = np.asarray(computed(network, given, to=PRIOR_NOISE))
    np.testing.assert_array_equal(np.sort(noise), np.sort(VALUES))
    np.testing.assert_array_equal(computed(network, given, to=LOG_DETERMINANT), 0)


def test_each_coupling_has_the_weights_of_three_layers():
    added = build_vae(couplings=2).count_params() - build_vae().count_params()
    assert added == 2 * ((2 + CLASSES + 1) * 256 + (256 + 1) * 256 + (256 + 1) * 2 * 3)


def test_saved_equals_loaded(network, tmp_path):
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    images = np.random.default_rng(0).random((4, 16, 16, 1), np.float32)
    before, after = network([images, VALUES, LABELS]), loaded([images, VALUES, LABELS])
    assert before.keys() >= {PRIOR_NOISE, LOG_DETERMINANT, PRIOR_CODE}
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value, atol=1e-5)


def test_every_weight_learns_from_the_bound(network):
    """Those of the couplings by the way to noise alone."""
    from kerasvision.tasks.generation.losses import bound_parts

    images = np.random.default_rng(0).random((4, 16, 16, 1), np.float32)
    with tf.GradientTape() as tape:
        outputs = network([images, VALUES, LABELS], training=True)
        loss = sum(bound_parts(tf.constant(images), outputs, pixel_deviation=None).values())
    weights = network.trainable_variables
    missing = [
        weight.path for weight, gradient in zip(weights, tape.gradient(loss, weights), strict=True) if gradient is None
    ]
    assert missing == []


def test_a_code_of_one_number_has_no_halves():
    with pytest.raises(ConfigError, match="couplings require a latent_size of at least 2; received 1"):
        build_vae(couplings=1, latent_size=1)
    assert not has_learned_prior(build_vae(latent_size=1))
