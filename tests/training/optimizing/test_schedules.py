"""The learning rate of every step equals the formula of the paper or course note in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.config import training as t
from kerasvision.training.optimizing.optimizers import learning_rate, make_optimizer

PEAK, EPOCHS, STEPS_PER_EPOCH = 0.4, 6, 10
STEPS = np.arange(EPOCHS * STEPS_PER_EPOCH + 1)
# Steps of the warm-up and of each later part, for claims that do not depend on the formula.
SOME = STEPS[::6]


def schedule(settings, **training):
    training = {"epochs": EPOCHS, "optimizer": t.Sgd(learning_rate=PEAK), **training}
    return learning_rate(t.Training(schedule=settings, **training), steps_per_epoch=STEPS_PER_EPOCH)


def cosine(share, end=0.0):
    return end + (1 - end) * (1 + np.cos(np.pi * share)) / 2


# Name -> settings, and the factor of the peak, from the epochs and the share of the time since the warm-up.
FORMULAS = {
    "exponential": (t.Exponential(decay=0.3), lambda epochs, share: np.exp(-0.3 * epochs)),
    "inverse time": (t.InverseTime(decay=2), lambda epochs, share: 1 / (1 + 2 * epochs)),
    "d2l's polynomial": (t.InverseTime(decay=0.5, power=0.5), lambda epochs, share: (0.5 * epochs + 1) ** -0.5),
    "line": (t.Polynomial(), lambda epochs, share: 1 - share),
    "poly": (t.Polynomial(power=0.9, end=0.1), lambda epochs, share: 0.1 + 0.9 * (1 - share) ** 0.9),
    "cosine": (t.Cosine(), lambda epochs, share: cosine(share)),
    "cosine to a tenth": (t.Cosine(end=0.1), lambda epochs, share: cosine(share, 0.1)),
    "one cycle": (
        t.OneCycle(rise=0.4, start=0.2, end=0.01),
        lambda epochs, share: np.interp(share, [0, 0.4, 0.8, 1], [0.2, 1, 0.2, 0.01]),
    ),
}


@pytest.mark.parametrize(("settings", "factor"), FORMULAS.values(), ids=FORMULAS)
def test_rate_of_every_step_follows_the_formula(settings, factor):
    rate = schedule(settings)
    expected = PEAK * factor(STEPS / STEPS_PER_EPOCH, STEPS / STEPS[-1])
    np.testing.assert_allclose([float(rate(step)) for step in STEPS], expected, atol=1e-6 * PEAK)


@pytest.mark.parametrize(("settings", "factor"), FORMULAS.values(), ids=FORMULAS)
def test_warm_up_rises_in_a_line_and_the_schedule_has_the_rest(settings, factor):
    rate = schedule(settings, warmup_epochs=1.5)
    after = np.maximum(STEPS - 15, 0)
    expected = PEAK * factor(after / STEPS_PER_EPOCH, after / 45) * np.minimum(STEPS / 15, 1)
    np.testing.assert_allclose([float(rate(step)) for step in STEPS], expected, atol=1e-6 * PEAK)


def test_constant_rate_is_a_number_that_callbacks_may_set():
    assert schedule("constant") == PEAK
    assert float(schedule("constant", warmup_epochs=6)(59)) == pytest.approx(PEAK * 59 / 60)


@pytest.mark.parametrize(
    ("settings", "rates"),
    [
        # From the first step of the epoch on. The warm-up does not delay the falls.
        (t.Step(every_epochs=2, factor=0.5), {5: 0.2, 10: 0.4, 19: 0.4, 20: 0.2, 39: 0.2, 40: 0.1, 60: 0.1}),
        (t.Step(at_epochs=(2.5, 4), factor=0.1), {10: 0.4, 24: 0.4, 25: 0.04, 39: 0.04, 40: 0.004, 60: 0.004}),
        (t.Step(at_epochs=(1.1,), factor=0.1), {9: 0.36, 10: 0.4, 11: 0.04}),
        (t.Step(), {49: 0.4, 50: 0.2}),
    ],
)
def test_step_falls_at_its_epochs(settings, rates):
    rate = schedule(settings, warmup_epochs=1)
    for step, expected in rates.items():
        assert float(rate(step)) == pytest.approx(expected, rel=1e-6), step


def test_every_period_of_a_cosine_begins_at_the_peak_and_the_last_ends_low():
    rate = schedule(t.Cosine(periods=3, end=0.25))
    expected = PEAK * cosine(np.append(STEPS[:-1] % 20 / 20, 1.0), 0.25)
    np.testing.assert_allclose([float(rate(step)) for step in STEPS], expected, atol=1e-6 * PEAK)


@pytest.mark.parametrize("name", t.Schedule.family())
def test_rate_stays_after_the_last_step(name):
    rate = schedule(name, warmup_epochs=1)
    assert float(rate(10**6)) == float(rate(STEPS[-1]))


@pytest.mark.parametrize("name", t.Schedule.family())
def test_rate_is_that_of_the_step_whatever_came_before_and_however_it_is_asked_for(name):
    rate = schedule(name, warmup_epochs=1)
    in_order = [float(rate(step)) for step in SOME]
    assert [float(rate(step)) for step in SOME[::-1]] == in_order[::-1]
    graph = tf.function(rate)
    # A graph replaces division by a constant with multiplication, which rounds differently.
    np.testing.assert_allclose([float(graph(tf.constant(step, tf.int64))) for step in SOME], in_order, atol=1e-6 * PEAK)


@pytest.mark.parametrize("name", t.Schedule.family())
def test_rates_of_many_steps_are_those_of_each(name):
    rate = schedule(name, warmup_epochs=1)
    steps = np.arange(24).reshape(4, 6)
    one_by_one = [float(rate(step)) for step in steps.ravel()]
    np.testing.assert_allclose(rate(steps), np.reshape(one_by_one, steps.shape), atol=1e-7)


@pytest.mark.parametrize("name", t.Schedule.family())
def test_schedule_survives_being_saved(name):
    rate = schedule(name, warmup_epochs=1)
    again = type(rate).from_config(rate.get_config())
    assert [float(again(step)) for step in SOME] == [float(rate(step)) for step in SOME]


def test_optimizer_takes_each_step_at_the_rate_of_that_step():
    training = t.Training(epochs=2, optimizer=t.Sgd(learning_rate=1.0), schedule="polynomial", warmup_epochs=1)
    optimizer, weight = make_optimizer(training, steps_per_epoch=4), keras.Variable([0.0])
    step = tf.function(lambda: optimizer.apply([tf.constant([1.0])], [weight]))
    optimizer.build([weight])
    path = []
    for _ in range(8):
        step()
        path.append(float(weight[0]))
    # Four steps up and four down.
    np.testing.assert_allclose(path, -np.cumsum([0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25]), rtol=1e-6)


def test_own_schedule_is_taken_by_its_path():
    class Half(t.Schedule):
        implementation = "kerasvision.training.optimizing.schedules:Step"
        factor: float = 0.5
        at_epochs: tuple[float, ...] = (1.0,)

    rate = schedule(Half())
    assert [float(rate(step)) for step in (9, 10)] == pytest.approx([0.4, 0.2])
