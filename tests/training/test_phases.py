"""Fine-tuning as a second phase: what learns when, what goes on across the border, and what a resume repeats."""

import keras
import numpy as np
import pytest

from kerasvision import config as c
from kerasvision import models
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.training.fit import fit
from kerasvision.training.step import TrainStep
from kerasvision.training.transfer import FeatureMaps

FINE_TUNING = c.FineTuning(epochs=2, freeze="c1", optimizer=c.Sgd(learning_rate=0.01, momentum=0.9))
NETWORK = c.Model(name="small_networks:normalised", options={"dropout": 0.2})  # see conftest.py
STEPS = 6  # of an epoch: 96 images in batches of 16


@pytest.fixture(scope="module")
def run(stripes, small_networks):
    """Fits on `stripes`: two epochs of the head on kept maps, and then two in which the second level learns as well."""
    examples, transform = ExampleSet(stripes.examples), ImageTransform.load(stripes.transform)

    def fitted(
        *, fine_tune=FINE_TUNING, work=None, until_epoch=None, should_stop=lambda history: None, lengths=None, **training
    ):
        defaults = {
            "epochs": 2,
            "batch_size": 16,
            "optimizer": c.Adam(learning_rate=0.01),
            "freeze": "backbone",
            "features": "once",
            "fine_tune": fine_tune,
            "steps_per_call": 1,
        }
        settings = TrainerSettings(
            task=c.Classification(),
            model=NETWORK,
            training=c.Training(**{**defaults, **training}),
            augment=(c.PadCrop(pad=1),) if fine_tune else (),
        )
        return fit(
            settings,
            examples=examples,
            classes=stripes.classes,
            transform=transform,
            work=work,
            until_epoch=until_epoch,
            should_stop=should_stop,
            lengths=lengths,
        )

    return fitted


@pytest.fixture(scope="module")
def recorded(run):
    """Fits, and returns the result and the weights before each step: a list of {path: array}."""

    def fitted(**settings):
        before, original = [], TrainStep.run

        def step(self, *arguments):
            before.append(weights_of(self.network))
            return original(self, *arguments)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(TrainStep, "run", step)
            return run(**settings), before

    return fitted


@pytest.fixture(scope="module")
def whole(recorded, tmp_path_factory):
    """Both phases without an interruption, the weights before each step, and their folder."""
    work = tmp_path_factory.mktemp("whole")
    return *recorded(work=work, keep="best", average_decay=0.9), work


@pytest.fixture(scope="module")
def ruined(recorded):
    """Both phases stop early, and the second makes the network worse: the result, and the weights before each step."""
    # A change of at least 1000 never happens, so each phase stops after its second epoch.
    stop = c.EarlyStopping(patience=1, minimum_change=1000.0)
    ruinous = c.FineTuning(epochs=5, optimizer=c.Sgd(learning_rate=30.0), freeze="c1")
    return recorded(epochs=5, early_stopping=stop, fine_tune=ruinous, keep="best")


def weights_of(network):
    return {weight.path: weight.numpy() for weight in network.weights}


def changed(before, after):
    return {path for path, weight in after.items() if not np.array_equal(weight, before[path])}


def assert_same_weights(fitted, other):
    mine, others = fitted.model.get_weights(), other.model.get_weights()
    assert all(np.array_equal(one, another) for one, another in zip(mine, others, strict=True))


def dies_after(monkeypatch, steps):
    """The process of the next training ends after this many of its steps."""
    original, left = TrainStep.run, iter(range(steps))

    def run(self, *arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return original(self, *arguments)

    monkeypatch.setattr(TrainStep, "run", run)


def test_the_history_is_that_of_one_training(whole):
    fitted, _, work = whole
    assert list(fitted.history["epoch"]) == [1, 2, 3, 4]
    assert fitted.history["val_loss"].notna().all()
    lines = (work / "logs" / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "1", "2", "3", "4"]


def test_only_the_head_learns_first_and_later_levels_afterwards(whole):
    fitted, before, _ = whole
    keras.utils.set_random_seed(0)  # the seed of the settings
    start = weights_of(models.build(NETWORK.name, image_shape=(16, 16, 1), num_classes=3, **NETWORK.options))
    border = before[2 * STEPS]
    assert changed(start, border) == {"logits/kernel", "logits/bias"}
    learned = changed(border, weights_of(fitted.model))
    assert {path.split("/")[0] for path in learned} == {"conv2", "norm2", "logits"}


def assert_same(resumed, work, whole):
    assert resumed.history.equals(whole[0].history)
    assert_same_weights(resumed, whole[0])
    assert (work / "logs" / "history.csv").read_text() == (whole[2] / "logs" / "history.csv").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(STEPS + 3, id="first phase"),
        pytest.param(2 * STEPS, id="border"),
        pytest.param(2 * STEPS + 3, id="second phase before its first checkpoint"),
        pytest.param(3 * STEPS + 3, id="second phase"),
    ],
)
def test_a_training_that_was_killed_ends_as_if_it_was_not(whole, run, steps, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        dies_after(patch, steps)
        with pytest.raises(KeyboardInterrupt):
            run(work=tmp_path, keep="best", average_decay=0.9)
    if steps > 3 * STEPS:
        # The maps are of no use any more.
        monkeypatch.setattr(FeatureMaps, "__init__", lambda *_, **__: pytest.fail("the frozen part ran again"))
    assert_same(run(work=tmp_path, keep="best", average_decay=0.9), tmp_path, whole)


@pytest.mark.slow
def test_a_training_that_was_ended_in_both_phases_and_between_them_ends_as_if_it_was_not(
    whole, run, tmp_path, monkeypatch, capsys
):
    settings = {"work": tmp_path, "keep": "best", "average_decay": 0.9}
    assert len(run(until_epoch=1, **settings).history) == 1
    stopped = run(should_stop=lambda history: "enough" if len(history) == 2 else None, **settings)
    assert (len(stopped.history), stopped.stopped) == (2, "enough")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        dies_after(patch, STEPS + 3)
        run(until_epoch=2, **settings)
    assert "  fine-tuning begins at epoch 3 of 4\n" in capsys.readouterr().err
    # The maps are of no use any more.
    monkeypatch.setattr(FeatureMaps, "__init__", lambda *_, **__: pytest.fail("the frozen part ran again"))
    assert_same(run(**settings), tmp_path, whole)


@pytest.mark.slow
def test_the_epochs_that_made_the_weights_make_them_again_without_a_choice_by_validation(whole, run):
    fitted = whole[0]
    assert fitted.epochs == (2, 2)  # or the two trainings would differ by design
    assert_same_weights(run(lengths=fitted.epochs, average_decay=0.9), fitted)


@pytest.mark.slow
def test_a_phase_without_a_length_is_left_out(run):
    assert len(run(lengths=(1,)).history) == 1


@pytest.mark.slow
def test_the_best_epoch_of_both_phases_is_kept(ruined):
    fitted, before = ruined
    best = int(fitted.history["val_loss"].idxmin())
    assert best < 2
    assert fitted.epochs == (best + 1,)
    assert not changed(before[(best + 1) * STEPS], weights_of(fitted.model))


@pytest.mark.slow
def test_early_stopping_of_the_first_phase_begins_the_second(ruined):
    assert list(ruined[0].history["epoch"]) == [1, 2, 3, 4]


def test_fine_tuning_must_let_more_layers_learn():
    for freeze, later in ((None, "c2"), ("c2", "c2"), ("c2", "c3"), ("c4", "backbone"), ("backbone", "backbone")):
        with pytest.raises(ConfigError, match=r"fine_tune\.freeze must be an earlier level than freeze"):
            c.Training(freeze=freeze, fine_tune=c.FineTuning(freeze=later))
    assert c.Training(freeze="backbone", fine_tune=c.FineTuning(freeze="c4")).phases[1].freeze == "c4"
    assert c.Training(freeze="c3", fine_tune=c.FineTuning()).phases[1].freeze is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"freeze": "layer4"}, "freeze must be 'backbone' or a level such as 'c3'"),
        ({"epochs": 2, "warmup_epochs": 3}, r"warmup_epochs must lie in \[0, epochs\]"),
        ({"epochs": 0}, "greater than or equal to 1"),
        ({"learning_rate": 0.1}, "FineTuning has no field 'learning_rate'"),
    ],
)
def test_wrong_fine_tuning_is_named(wrong, message):
    with pytest.raises(ConfigError, match=message):
        c.FineTuning(**wrong)


def test_plain_epochs_belong_to_the_end():
    training = c.Training(epochs=9, plain_epochs=1, freeze="backbone", fine_tune=c.FineTuning(epochs=2))
    assert [phase.plain_epochs for phase in training.phases] == [0, 1]
    with pytest.raises(ConfigError, match=r"plain_epochs must lie in \[0, fine_tune\.epochs\]"):
        c.Training(epochs=9, plain_epochs=3, freeze="backbone", fine_tune=c.FineTuning(epochs=2))
