"""Averages of the weights: the formula, what is averaged, and that swapping them with the weights loses nothing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.tasks.base import Objective
from kerasvision.training.optimizing.averaging import WeightAverages
from kerasvision.training.step import TrainStep


def network():
    keras.utils.set_random_seed(0)
    image = keras.Input((4,))
    x = keras.layers.BatchNormalization(momentum=0.5)(image)
    return keras.Model(image, keras.layers.Dense(2)(x))


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.999])
def test_averages_follow_the_formula_and_its_warm_up(decay):
    model = network()
    averages = WeightAverages(model, decay=decay)
    expected = model.get_weights()
    for step in range(1, 30):
        model.set_weights([weight + np.float32(step) for weight in model.get_weights()])
        averages.update()
        d = min(decay, (1 + step) / (10 + step))
        expected = [d * average + (1 - d) * weight for average, weight in zip(expected, model.get_weights(), strict=True)]
    averages.keep()
    for average, other in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(average, other, rtol=1e-5)


def trained(*, decay):
    model = network()
    averages = WeightAverages(model, decay=decay)
    objective = Objective(lambda targets, outputs, training: tf.reduce_sum((outputs - targets) ** 2, axis=1), [])
    step = TrainStep(
        model,
        objective=objective,
        optimizer=keras.optimizers.SGD(0.01),
        strategy=tf.distribute.get_strategy(),
        averages=averages,
    )
    generator = np.random.default_rng(0)
    data = (generator.normal(3, 2, (8, 4)).astype("float32"), generator.normal(size=(8, 2)).astype("float32"))
    seen = []
    for _ in range(4):
        step.run(iter(tf.data.Dataset.from_tensors(data)), 1)
        seen.append(model.get_weights())
    return model, averages, seen


def test_statistics_of_batch_normalisation_are_averaged_as_the_weights_are():
    model, averages, seen = trained(decay=0.0)
    with averages.in_place():
        for average, last in zip(model.get_weights(), seen[-1], strict=True):
            np.testing.assert_allclose(average, last, rtol=1e-6)  # with decay 0 the average is the last weight
    model, averages, seen = trained(decay=0.9)
    mean = model.layers[1].moving_mean
    own = np.array(mean)
    with averages.in_place():
        expected = np.zeros(4)
        for step, weights in enumerate(seen, 1):
            d = min(0.9, (1 + step) / (10 + step))
            expected = d * expected + (1 - d) * weights[2]
        np.testing.assert_allclose(np.array(mean), expected, rtol=1e-5)
    np.testing.assert_array_equal(np.array(mean), own)


def test_weights_are_back_to_the_bit_even_after_an_error():
    model, averages, seen = trained(decay=0.9)
    with pytest.raises(KeyError), averages.in_place():
        assert any((now != last).any() for now, last in zip(model.get_weights(), seen[-1], strict=True))
        raise KeyError
    for now, last in zip(model.get_weights(), seen[-1], strict=True):
        np.testing.assert_array_equal(now, last)


def test_averages_are_as_exact_after_they_were_in_place():
    _, averages, _ = trained(decay=0.9)
    before = {name: np.array(variable) for name, variable in averages.variables().items()}
    with averages.in_place():
        pass
    for name, variable in averages.variables().items():
        np.testing.assert_array_equal(variable, before[name])
