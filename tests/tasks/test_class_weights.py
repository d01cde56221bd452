"""Class weights multiply the losses of their classes: by hand, by scikit-learn, and in a training."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from sklearn.utils.class_weight import compute_class_weight

from kerasvision import config as c
from kerasvision.config.overrides import with_value
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError, DataError
from kerasvision.tasks.base import make_task
from kerasvision.tasks.classification.class_weights import balanced_weights, weighted_by_class
from kerasvision.tasks.classification.losses import example_losses
from kerasvision.training.fit import fit

CLASSES = ("rose", "daisy", "tulip")
LOGITS = tf.constant([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]])
WEIGHTS = np.array([0.5, 1.0, 4.0], np.float32)


def labelled(*labels):
    return tf.data.Dataset.from_tensor_slices({"label": np.array(labels, np.int64)})


def objective_losses(weights, targets, **fields):
    task = make_task(c.Classification(class_weights=weights, **fields), CLASSES)
    losses = task.learning_from(labelled(0, 0, 0, 0, 1)).objective().losses
    return losses(tf.constant(targets, tf.float32), LOGITS, training=True).numpy()


def test_balanced_weights_are_those_of_scikit_learn():
    labels = [0] * 80 + [1] * 40 + [2] * 10
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert list(balanced_weights(labels, classes=CLASSES).values()) == pytest.approx(expected)


def test_balanced_weights_leave_the_mean_loss_of_equal_losses_unchanged():
    labels = [0, 0, 0, 0, 2]
    weights = list(balanced_weights(labels, classes=CLASSES).values())
    assert np.mean([weights[label] for label in labels]) == pytest.approx(1.0)


def test_losses_are_multiplied_by_the_weights_of_their_classes():
    plain = objective_losses(None, np.eye(3))
    np.testing.assert_allclose(objective_losses({"daisy": 2}, np.eye(3)), plain * [1, 2, 1], rtol=1e-6)
    # Four roses and a daisy: 5 / (2 * 4), 5 / (2 * 1), and no tulip.
    np.testing.assert_allclose(objective_losses("balanced", np.eye(3)), plain * [0.625, 2.5, 1.0], rtol=1e-6)


@pytest.mark.parametrize(
    "fields",
    [
        {"loss": "cross_entropy", "label_smoothing": 0.1},
        {"loss": "binary_cross_entropy", "label_smoothing": 0.1},
        {"loss": "hinge"},
        {"loss": "squared_hinge"},
    ],
)
def test_loss_and_gradient_of_a_mixed_image_are_the_sums_of_those_of_its_labels(fields):
    plain = example_losses(c.Classification(**fields))
    weighted = weighted_by_class(plain, WEIGHTS)
    shares = tf.constant([[0.3, 0.0, 0.7]] * 3)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(LOGITS)
        mixed = weighted(shares, LOGITS)
        rose, tulip = (plain(tf.one_hot([label] * 3, 3), LOGITS) for label in (0, 2))
        expected = 0.3 * 0.5 * rose + 0.7 * 4.0 * tulip
    np.testing.assert_allclose(mixed, expected, rtol=1e-5)
    np.testing.assert_allclose(tape.gradient(mixed, LOGITS), tape.gradient(expected, LOGITS), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "wrong", ["equal", {}, {"daisy": 0}, {"daisy": -1.0}, {"daisy": float("nan")}, {"daisy": True}, 2.0]
)
def test_weights_that_are_not_numbers_above_0_are_rejected(wrong):
    with pytest.raises(ConfigError, match="class_weights must be 'balanced', or a mapping from classes to finite numbers"):
        c.Classification(class_weights=wrong)


def test_a_class_that_does_not_exist_is_named_before_the_training():
    task = make_task(c.Classification(class_weights={"dasy": 2}), CLASSES)
    with pytest.raises(ConfigError, match=r"task\.class_weights: no class is named 'dasy'; did you mean 'daisy'\?"):
        task.learning_from(labelled(0))


def test_balanced_weights_require_labels_and_the_training_examples():
    task = make_task(c.Classification(class_weights="balanced"), CLASSES)
    with pytest.raises(DataError, match="requires a label for every image"):
        task.learning_from(tf.data.Dataset.from_tensor_slices({"id": ["a"]}))
    with pytest.raises(ConfigError, match="depend on the training examples"):
        task.objective()


def test_a_weight_can_be_set_by_its_path():
    settings = with_value(c.Classification(class_weights={"daisy": 2}), "class_weights.rose", 3)
    assert settings.class_weights == {"daisy": 2, "rose": 3}
    assert c.Task.parse(settings.to_data()) == settings


@pytest.mark.parametrize(
    ("weights", "factor"),
    [
        pytest.param("balanced", 1.0, marks=pytest.mark.slow),
        (dict.fromkeys(("across", "along", "über Kreuz"), 2.0), 2.0),
    ],
)
def test_a_training_minimizes_the_weighted_loss_and_measures_without_weights(stripes, weights, factor, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "training")
    settings = TrainerSettings(
        task=c.Classification(class_weights=weights),
        model=c.Model(name="small_networks:dense"),
        training=c.Training(epochs=1, batch_size=16, micro_batches=2),
        augment=(),
    )
    examples, transform = ExampleSet(stripes.examples), ImageTransform.load(stripes.transform)
    epoch = fit(settings, examples=examples, classes=stripes.classes, transform=transform).history.iloc[0]
    # The stripes have 32 training images of each class, so they are balanced.
    assert epoch.loss == pytest.approx(factor * epoch.log_loss, rel=1e-5)
    assert epoch.val_loss == pytest.approx(factor * epoch.val_log_loss, rel=1e-5)
