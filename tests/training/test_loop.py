"""The loop calls callbacks as Keras' fit does, gives the same history and weights, and can be resumed anywhere."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.errors import StageError
from kerasvision.tasks.base import Objective
from kerasvision.training.logs.progress_bar import TrainingBar
from kerasvision.training.loop import Unsaved, train_loop
from kerasvision.training.optimizing.averaging import WeightAverages
from kerasvision.training.step import TrainStep

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(20, 4)).astype("float32")
TARGETS = np.eye(3, dtype="float32")[RANDOM.integers(3, size=20)]
STEPS, EPOCHS = 5, 3


def network(dropout=0.0):
    keras.utils.set_random_seed(0)
    image = keras.Input((4,))
    return keras.Model(image, keras.layers.Dense(3)(keras.layers.Dropout(dropout, seed=1)(image)))


def metrics():
    return [keras.metrics.CategoricalAccuracy(name="accuracy")]


def make_step(model, **options):
    def losses(targets, logits, training):
        return tf.nn.softmax_cross_entropy_with_logits(targets, logits)

    return TrainStep(
        model,
        objective=Objective(losses, metrics()),
        optimizer=keras.optimizers.SGD(0.5, momentum=0.9),
        strategy=tf.distribute.get_strategy(),
        **options,
    )


def batches(start=0):
    return tf.data.Dataset.from_tensor_slices((IMAGES, TARGETS)).batch(4).repeat(EPOCHS).skip(start)


def validation():
    return tf.data.Dataset.from_tensor_slices((IMAGES[::-1], TARGETS)).batch(20)


def ours(model, callbacks=(), **options):
    return train_loop(
        make_step(model),
        batches(),
        epochs=EPOCHS,
        steps_per_epoch=STEPS,
        validation=validation(),
        callbacks=callbacks,
        **options,
    )


def theirs(model, callbacks=(), steps_per_call=1):
    model.compile(
        keras.optimizers.SGD(0.5, momentum=0.9),
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=metrics(),
        jit_compile=False,
        steps_per_execution=steps_per_call,
    )
    return model.fit(
        batches().repeat(),
        epochs=EPOCHS,
        steps_per_epoch=STEPS,
        validation_data=validation(),
        callbacks=callbacks,
        verbose=0,
        shuffle=False,
    )


class Diary(keras.callbacks.Callback):
    """Records every call: its name, its number, the names of the logs."""

    def __init__(self):
        super().__init__()
        self.notes = []

    def _note(self, name, *numbers, logs):
        self.notes.append((name, *numbers, *sorted(logs or {})))

    def on_train_begin(self, logs=None):
        self._note("train begin", logs=logs)

    def on_train_end(self, logs=None):
        self._note("train end", logs=logs)

    def on_epoch_begin(self, epoch, logs=None):
        self._note("epoch begin", epoch, logs=logs)

    def on_epoch_end(self, epoch, logs=None):
        self._note("epoch end", epoch, logs=logs)

    def on_train_batch_begin(self, batch, logs=None):
        self._note("batch begin", batch, logs=logs)

    def on_train_batch_end(self, batch, logs=None):
        self._note("batch end", batch, logs=logs)

    def on_test_begin(self, logs=None):
        self._note("test begin", logs=logs)

    def on_test_batch_end(self, batch, logs=None):
        self._note("test batch end", batch, logs=logs)

    def on_test_end(self, logs=None):
        self._note("test end", logs=logs)


class StopAt(keras.callbacks.Callback):
    """Stops after this batch of the second epoch."""

    def __init__(self, batch):
        super().__init__()
        self._batch = batch
        self._epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self._epoch, batch) == (1, self._batch):
            self.model.stop_training = True


def halved():
    return keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)


def plateau():
    return keras.callbacks.ReduceLROnPlateau("val_loss", patience=0, min_delta=10.0, factor=0.1)


# --- Compared with Keras


# With two steps per call, Keras would run six steps instead of five.
@pytest.mark.parametrize("steps_per_call", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_callbacks_are_called_when_and_with_what_keras_calls_them(steps_per_call):
    mine, keras_own = Diary(), Diary()
    ours(network(), [mine], steps_per_call=steps_per_call)
    theirs(network(), [keras_own], steps_per_call=steps_per_call)
    # Keras numbers the batch of a validation by the steps of a call.
    ours_said, theirs_said = ([note for note in diary.notes if note[0] != "test batch end"] for diary in (mine, keras_own))
    assert ours_said == theirs_said


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(None, id="none", marks=pytest.mark.slow),
        pytest.param(halved, id="schedule", marks=pytest.mark.slow),
        pytest.param(plateau, id="plateau"),
        pytest.param(lambda: StopAt(2), id="stopped"),
        pytest.param(lambda: StopAt(4), id="stopped at the end", marks=pytest.mark.slow),
    ],
)
def test_history_and_weights_are_those_of_keras(make):
    one, other = network(), network()
    mine = ours(one, [make()] if make else [])
    keras_own = theirs(other, [make()] if make else [])
    assert mine.epoch == keras_own.epoch
    assert mine.history.keys() == keras_own.history.keys()
    for name, values in keras_own.history.items():
        if name != "learning_rate":
            np.testing.assert_allclose(mine.history[name], values, rtol=1e-5, err_msg=name)
    for left, right in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_callback_that_looks_at_each_step_sees_each_and_the_bar_does_not_slow_the_rest_down():
    diary = Diary()
    ours(network(), [diary])
    assert sum(note[0] == "batch end" for note in diary.notes) == STEPS * EPOCHS
    moved = []
    bar = TrainingBar(lambda steps, note: moved.append(steps), batch_size=4, epochs=EPOCHS)
    ours(network(), [bar], steps_per_call=2)
    assert moved == [2, 2, 1] * EPOCHS


def test_averages_are_what_is_validated_and_what_is_left():
    model, seen = network(), []
    step = make_step(model, averages=WeightAverages(model, decay=0.9))
    note = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((model.get_weights(), logs)))
    history = train_loop(
        step, batches(), epochs=EPOCHS, steps_per_epoch=STEPS, validation=validation(), callbacks=[note]
    ).history
    for left, right in zip(seen[-1][0], model.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    assert step.evaluate(validation())["loss"] == history["val_loss"][-1]


@pytest.mark.parametrize("is_compiled", [False, True])
def test_callbacks_find_the_optimizer_at_the_network_and_later_there_is_what_was_before(is_compiled):
    model, seen = network(), []
    if is_compiled:
        model.compile("adam", "mse")
    before = getattr(model, "optimizer", None)
    step = make_step(model)
    note = keras.callbacks.LambdaCallback(on_train_end=lambda logs: seen.append(model.optimizer))
    train_loop(step, batches(), epochs=1, steps_per_epoch=STEPS, callbacks=[note])
    assert seen == [step.optimizer]
    assert getattr(model, "optimizer", None) is before


# --- Resumed


class Memory(Unsaved):
    """Saves in memory after every call."""

    def __init__(self, step, *, since=None):
        super().__init__()
        self._step, self._since, self.saved = step, since, []
        if since is not None:
            self.start = since[0]

    def restore(self):
        for name, variable in self._step.variables().items() if self._since else ():
            variable.assign(self._since[1][name])

    def is_due(self):
        return True

    def save(self, progress):
        arrays = {name: np.array(tf.convert_to_tensor(variable)) for name, variable in self._step.variables().items()}
        self.saved.append((progress, arrays))


def run(*, start=0, callbacks=(), since=None):
    model = network(dropout=0.3)
    step = make_step(model, averages=WeightAverages(model, decay=0.9))
    saving = Memory(step, since=since)
    history = train_loop(
        step,
        batches(start),
        epochs=EPOCHS,
        steps_per_epoch=STEPS,
        validation=validation(),
        saving=saving,
        callbacks=callbacks,
        steps_per_call=1,
    ).history
    return model.get_weights(), history, saving.saved


@pytest.fixture(scope="module")
def undisturbed():
    """Weights, history, and the saved states after each step."""
    return run()


# Within an epoch, at its end, and at the end of the training.
@pytest.mark.parametrize("step", [5, 7, *(pytest.param(step, marks=pytest.mark.slow) for step in (1, 4, 14, 15))])
def test_a_training_goes_on_to_the_bit_from_what_was_saved_after_any_step(undisturbed, step):
    weights, history, saved = undisturbed
    assert [progress.step for progress, _ in saved] == list(range(1, 16))
    resumed_weights, resumed_history, _ = run(start=step, since=saved[step - 1])
    assert resumed_history == history
    for left, right in zip(weights, resumed_weights, strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_training_that_a_callback_stopped_stays_stopped():
    weights, history, saved = run(callbacks=[StopAt(4)])
    assert (saved[-1][0].step, saved[-1][0].stopped) == (10, True)
    resumed_weights, resumed_history, _ = run(start=10, since=saved[-1], callbacks=[StopAt(4)])
    assert resumed_history == history
    np.testing.assert_array_equal(weights[0], resumed_weights[0])


# --- Lost steps


def test_a_lost_loss_names_step_epoch_and_what_is_known_of_it():
    spoilt = IMAGES.copy()
    spoilt[9] = np.nan
    data = batches().take(STEPS).concatenate(tf.data.Dataset.from_tensor_slices((spoilt, TARGETS)).batch(4))
    with pytest.raises(StageError, match=r"the training loss became nan at step 3 of epoch 2. Known of 7. Lower "):
        train_loop(make_step(network()), data, epochs=2, steps_per_epoch=STEPS, explain=lambda step: f"Known of {step}")
