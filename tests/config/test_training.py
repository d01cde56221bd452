"""Training settings of a pipeline file: names, ranges, and invalid combinations."""

import json
import re
from pathlib import Path

import pytest

from kerasvision import config as c
from kerasvision import lookup
from kerasvision.config import training as t
from kerasvision.config.loading import load_experiment
from kerasvision.config.overrides import with_overrides
from kerasvision.errors import ConfigError

DIGITS = load_experiment(Path(__file__).parents[2] / "pipelines" / "digits.py")
OPTIMIZERS = {
    "sgd": t.Sgd,
    "adagrad": t.Adagrad,
    "rmsprop": t.RmsProp,
    "adam": t.Adam,
    "adamw": t.AdamW,
    "lion": t.Lion,
    "muon": t.Muon,
}
SCHEDULES = {
    "constant": t.Constant,
    "step": t.Step,
    "exponential": t.Exponential,
    "inverse_time": t.InverseTime,
    "polynomial": t.Polynomial,
    "cosine": t.Cosine,
    "one_cycle": t.OneCycle,
}


@pytest.mark.parametrize(("name", "kind"), OPTIMIZERS.items())
def test_optimizer_is_known_by_its_name(name, kind):
    assert t.Training(optimizer=name).optimizer == kind()
    assert kind().kind == name


@pytest.mark.parametrize(("name", "kind"), SCHEDULES.items())
def test_schedule_is_known_by_its_name(name, kind):
    assert t.Training(schedule=name).schedule == kind()
    assert kind().kind == name


def test_names_are_all_there_are():
    assert set(t.Optimizer.family()) == set(OPTIMIZERS)
    assert set(t.Schedule.family()) == set(SCHEDULES)


@pytest.mark.parametrize("kind", [*OPTIMIZERS.values(), *SCHEDULES.values()])
def test_code_behind_settings_is_there(kind):
    assert callable(lookup.load(kind.implementation))


def test_schedule_may_be_a_name_or_have_settings_of_its_own():
    assert t.Training(schedule="cosine", warmup_epochs=1).schedule == t.Cosine()
    assert with_overrides(t.Training(), ["schedule=exponential", "schedule.decay=0.5"]).schedule.decay == 0.5
    with_steps = with_overrides(t.Training(epochs=90), ['schedule={"kind": "step", "at_epochs": [30, 60], "factor": 0.1}'])
    assert with_steps.schedule == t.Step(at_epochs=(30, 60), factor=0.1)


def test_settings_survive_json():
    original = t.Training(
        epochs=20,
        batch_size=64,
        optimizer=t.Muon(weight_decay=0.1),
        schedule=t.Step(at_epochs=(5, 8.5)),
        clip_norm=1.0,
        micro_batches=4,
        early_stopping=t.EarlyStopping(metric="accuracy"),
        keep="best",
        best_metric="log_loss",
        steps_per_call=8,
        strategy="mirrored",
        devices=("GPU:0", "GPU:1"),
        precision="auto",
        average_decay=0.99,
    )
    assert t.Training.parse(json.loads(json.dumps(original.to_data()))) == original


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: t.Training(optimizer="adamx"), "no optimizer is named 'adamx'; did you mean 'adam'?"),
        (lambda: t.Training(schedule="cosin"), "no schedule is named 'cosin'; did you mean 'cosine'?"),
        (lambda: t.Training(schedule=t.Sgd()), "the schedule must be one of constant, step, exponential"),
        (lambda: t.Sgd(momentum=1.0), "Sgd.momentum: input should be less than 1; received 1.0."),
        (lambda: t.Adam(weight_decay=-1e-4), "Adam.weight_decay: input should be greater than or equal to 0"),
        (lambda: t.Muon(ns_steps=0), "Muon.ns_steps: input should be greater than or equal to 1; received 0."),
        (lambda: t.Cosine(periods=0), "Cosine.periods: input should be greater than or equal to 1; received 0."),
        (lambda: t.OneCycle(rise=0.5), "OneCycle.rise: input should be less than 0.5; received 0.5."),
        (lambda: t.Step(factor=1.0), "Step.factor: input should be less than 1; received 1.0."),
        (lambda: t.Step(at_epochs=(0.0, 3)), "at_epochs must be above 0 and rise; received (0.0, 3.0)."),
        (lambda: t.Training(clip_norm=0), "Training.clip_norm: input should be greater than 0; received 0."),
        (lambda: t.Training(average_decay=1.0), "Training.average_decay: input should be less than 1; received 1.0."),
        (lambda: t.Training(precision="half"), "should be 'float32', 'bfloat16', 'float16' or 'auto'; received 'half'."),
        (lambda: t.Training(steps_per_call=0), "steps_per_call must be 'auto' or an integer of at least 1; received 0."),
        (
            lambda: t.Training(steps_per_call="all"),
            "steps_per_call must be 'auto' or an integer of at least 1; received 'all'.",
        ),
        (lambda: t.Training(batch_size=10, micro_batches=4), "received batch_size=10, replicas=1, micro_batches=4."),
        (
            lambda: t.Training(strategy="mirrored", replicas=2, batch_size=12, micro_batches=4),
            "batch_size must be a multiple of replicas times micro_batches, so that all parts have equal size; "
            "received batch_size=12, replicas=2, micro_batches=4.",
        ),
        (
            lambda: t.Training(devices=("GPU:0",)),
            "devices requires strategy='mirrored'; received devices=('GPU:0',), strategy='auto'.",
        ),
        (lambda: t.Training(strategy="mirrored", devices=("gpu",)), "such as 'GPU:0'; received ('gpu',)."),
        (
            lambda: t.Training(strategy="mirrored", devices=("GPU:0", "GPU:1"), replicas=3, batch_size=6),
            "replicas must equal the number of devices; received replicas=3, devices=('GPU:0', 'GPU:1').",
        ),
        (
            lambda: t.Training(strategy="mirrored", devices=("GPU:0", "GPU:1"), batch_size=7),
            "received batch_size=7, replicas=2.",
        ),
        (
            lambda: t.Training(best_metric="accuracy"),
            "best_metric requires keep='best'; received best_metric='accuracy', keep='last'.",
        ),
        (lambda: t.EarlyStopping(patience=0), "EarlyStopping.patience: input should be greater than or equal to 1"),
        (lambda: c.Classification(loss="hing"), "or 'hierarchical'; received 'hing'."),
    ],
)
def test_mistake_is_told_with_the_rule_and_what_came_in(make, message):
    with pytest.raises(ConfigError) as raised:
        make()
    assert message in str(raised.value)


# --- Schedules longer than the training


@pytest.mark.parametrize(
    ("schedule", "training", "where"),
    [
        (t.Step(every_epochs=30), {"epochs": 10}, "at 30, with warmup_epochs=0, epochs=10"),
        (t.Step(every_epochs=10), {"epochs": 10}, "at 10, with warmup_epochs=0, epochs=10"),
        (t.Step(at_epochs=(5, 20)), {"epochs": 20}, "at 5, 20, with warmup_epochs=0, epochs=20"),
        (t.Step(every_epochs=2), {"epochs": 10, "warmup_epochs": 3}, "at 2, 4, 6, 8, with warmup_epochs=3, epochs=10"),
        # The warm-up would end at a learning rate that is never used.
        (t.Step(at_epochs=(3,)), {"epochs": 10, "warmup_epochs": 3}, "at 3, with warmup_epochs=3, epochs=10"),
    ],
)
def test_step_outside_of_the_training_is_refused(schedule, training, where):
    with pytest.raises(ConfigError, match=rf"{where}. Set schedule.every_epochs or schedule.at_epochs"):
        t.Training(schedule=schedule, **training)


def test_steps_within_the_training_are_accepted():
    assert t.Training(schedule=t.Step(every_epochs=30), epochs=90).schedule.epochs_of_steps(90) == (30, 60)
    assert t.Training(schedule=t.Step(every_epochs=2), epochs=7, warmup_epochs=1.5).schedule.epochs_of_steps(7) == (2, 4, 6)
    assert t.Training(schedule=t.Step(at_epochs=(82, 123)), epochs=164).schedule.epochs_of_steps(164) == (82, 123)


# --- Metrics that stop a training or choose a model


def test_best_epoch_goes_by_its_own_metric_then_by_that_of_early_stopping_then_by_the_loss():
    stopping = t.EarlyStopping(metric="accuracy")
    assert t.Training(keep="best").best_by == "loss"
    assert t.Training(keep="best", early_stopping=stopping).best_by == "accuracy"
    assert t.Training(keep="best", early_stopping=stopping, best_metric="log_loss").best_by == "log_loss"


@pytest.mark.parametrize(
    ("training", "message"),
    [
        (
            {"early_stopping": t.EarlyStopping(metric="acuracy")},
            "training.early_stopping: no metric 'acuracy' is measured after each epoch; did you mean 'accuracy'?",
        ),
        # A metric of the task, but only in the evaluation.
        ({"keep": "best", "best_metric": "majority_accuracy"}, "training.keep='best': no metric 'majority_accuracy'"),
    ],
)
def test_metric_that_no_epoch_measures_is_refused(training, message):
    with pytest.raises(ConfigError) as raised:
        t.Training(**training).check_metrics(c.Classification(), validation=True)
    assert message in str(raised.value)


def test_choice_by_the_validation_split_needs_one():
    for training in (t.Training(keep="best"), t.Training(early_stopping=t.EarlyStopping())):
        with pytest.raises(
            ConfigError, match="requires a validation split, which the data do not have. Set splits.validation above 0"
        ):
            training.check_metrics(c.Classification(), validation=False)
        training.check_metrics(c.Classification(), validation=True)
    t.Training().check_metrics(c.Classification(), validation=False)


def test_task_that_does_not_say_its_metrics_is_believed():
    t.Training(keep="best", best_metric="iou").check_metrics(c.Task.model_construct(), validation=True)


@pytest.mark.parametrize(("metric", "best"), [("loss", "min"), ("log_loss", "min"), ("accuracy", "max")])
def test_losses_are_best_small(metric, best):
    assert c.Classification().best_is(metric) == best


# --- Losses


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_labels_of_a_hinge_are_not_smoothed(loss):
    with pytest.raises(ConfigError, match=f"received label_smoothing=0.1, loss='{loss}'"):
        c.Classification(loss=loss, label_smoothing=0.1)
    assert c.Classification(loss="binary_cross_entropy", label_smoothing=0.1).label_smoothing == 0.1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"gamma": 2.0}, "gamma requires loss='focal' or 'binary_focal'; received gamma=2.0, loss='cross_entropy'"),
        ({"loss": "focal", "gamma": -1}, "at least 0, or a mapping from classes to such numbers; received -1"),
        ({"loss": "focal", "gamma": {"daisy": "much"}}, "received {'daisy': 'much'}"),
        ({"loss": "focal", "gamma": {}}, "received {}"),
        ({"delta": 2.0}, "delta requires loss='hinge' or 'squared_hinge'; received delta=2.0, loss='cross_entropy'"),
        ({"loss": "hinge", "delta": 0.0}, "delta: input should be greater than 0; received 0.0"),
    ],
    ids=str,
)
def test_options_of_a_loss_are_checked(fields, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        c.Classification(**fields)


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_a_penalty_is_not_negative(penalty):
    with pytest.raises(ConfigError, match=f"Training.{penalty}: input should be greater than or equal to 0; received -0.1"):
        t.Training(**{penalty: -0.1})


def test_classes_are_balanced_once_and_only_where_images_have_labels():
    balanced = "training.sampling=balanced"
    assert with_overrides(DIGITS, [balanced]).training.sampling == "balanced"
    with pytest.raises(ConfigError, match=r"together, rare classes count too much.* Leave one of them out"):
        with_overrides(DIGITS, [balanced, "task.class_weights=balanced"])
    others = {"task": c.Captioning(), "source": c.Shapes(), "model": c.Model(name="show_attend_tell")}
    scenes = DIGITS.model_copy(update={**others, "gate": c.Gate(), "simple_models": None})
    with pytest.raises(ConfigError, match="requires one label per image, and Captioning has none"):
        with_overrides(scenes, [balanced])


def test_the_final_training_changes_neither_the_data_nor_the_identity_of_a_training_without_it():
    final, without = t.Training(final="all"), t.Training()
    assert "final" not in without.to_data()
    assert t.Training.parse(final.to_data()) == final != without
    assert final.without_final() == without
    # So the judged network is not trained again if the final training is added or removed.
    assert final.identity() == without.identity()


def test_a_final_training_on_several_machines_is_refused_with_the_way_out():
    with pytest.raises(
        ConfigError, match=r"strategy='multi_worker' on several; choose another strategy, or leave final out"
    ):
        t.Training(final="all", strategy="multi_worker")


def test_an_unknown_final_training_is_refused():
    with pytest.raises(ConfigError, match=r"Training\.final: .*'all'; received 'train'"):
        t.Training(final="train")
