"""A search is checked when it is made: paths, bounds, conditions, and the requirements of its algorithm."""

import json
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasvision import config as c
from kerasvision.config.loading import load_experiment
from kerasvision.config.overrides import with_values
from kerasvision.errors import ConfigError

OPTIMIZER, MOMENTUM, NESTEROV, BETA = (f"training.optimizer{field}" for field in ("", ".momentum", ".nesterov", ".beta_1"))


def experiment(**fields):
    defaults = {
        "name": "test",
        "source": c.Digits(),
        "transform": c.Transform(image_size=(32, 32)),
        "task": c.Classification(),
        "model": c.Model(name="lenet5"),
        "training": c.Training(optimizer=c.Sgd(learning_rate=0.1)),
    }
    return c.Experiment(**{**defaults, **fields})


# --- Conditions


def test_a_setting_is_active_only_with_the_choices_that_it_is_for():
    search = c.Search(
        space={
            # Written both after and before the setting that it depends on: the order does not matter.
            NESTEROV: c.Choice(True, False, when={OPTIMIZER: "sgd"}),
            OPTIMIZER: c.Choice("sgd", "adam", "lion"),
            BETA: c.Float(0.8, 0.95, when={OPTIMIZER: ("adam", "lion")}),
            "training.l2": c.LogUniform(1e-6, 1e-2, when={NESTEROV: True}),
        }
    )
    assert search.active({OPTIMIZER: "sgd", NESTEROV: True}) == (OPTIMIZER, NESTEROV, "training.l2")
    assert search.active({OPTIMIZER: "sgd", NESTEROV: False}) == (OPTIMIZER, NESTEROV)
    # An earlier value of NESTEROV does not matter if it is not active.
    assert search.active({OPTIMIZER: "adam", NESTEROV: True}) == (OPTIMIZER, BETA)
    assert search.active({OPTIMIZER: "lion"}) == (OPTIMIZER, BETA)


def test_a_condition_over_several_settings_needs_all_of_them():
    search = c.Search(
        space={
            OPTIMIZER: c.Choice("sgd", "adam"),
            "training.schedule": c.Choice("cosine", "constant"),
            "training.warmup_epochs": c.Float(0.1, 1.0, when={OPTIMIZER: "sgd", "training.schedule": "cosine"}),
        }
    )
    active = [
        "training.warmup_epochs" in search.active({OPTIMIZER: optimizer, "training.schedule": schedule})
        for optimizer in ("sgd", "adam")
        for schedule in ("cosine", "constant")
    ]
    assert active == [True, False, False, False]


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (
            {OPTIMIZER: c.Choice("sgd", "adam"), MOMENTUM: c.Float(0, 0.9, when={"training.optimiser": "sgd"})},
            "which is not searched; did you mean 'training.optimizer'?",
        ),
        (
            {"training.batch_size": c.Int(8, 64), MOMENTUM: c.Float(0, 0.9, when={"training.batch_size": 8})},
            "'training.optimizer.momentum' depends on 'training.batch_size', which must be a Choice",
        ),
        (
            {OPTIMIZER: c.Choice("sgd", "adam"), MOMENTUM: c.Float(0, 0.9, when={OPTIMIZER: ("sgd", "rmsprop")})},
            "depends on a value that 'training.optimizer' never has: 'rmsprop'; it has 'sgd', 'adam'",
        ),
        (
            {
                NESTEROV: c.Choice(True, False, when={OPTIMIZER: "sgd"}),
                OPTIMIZER: c.Choice("sgd", "adam", when={NESTEROV: True}),
            },
            "the conditions of 'training.optimizer.nesterov' depend on 'training.optimizer.nesterov' itself",
        ),
        ({OPTIMIZER: c.Choice("sgd", "adam", when={OPTIMIZER: "sgd"})}, "depend on 'training.optimizer' itself"),
        ({}, "at least 1 item"),
        ({MOMENTUM: 0.9}, "received 0.9."),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(space, message):
    with pytest.raises(ConfigError) as raised:
        c.Search(space=space)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: c.Float(0.5, 0.5), "low must be less than high; received low=0.5, high=0.5."),
        (lambda: c.Int(4, 2), "low must be less than high; received low=4, high=2."),
        (lambda: c.Int(0.5, 2), "received 0.5."),
        (lambda: c.Int(0, 4, step=0), "Int.step: input should be greater than or equal to 1; received 0."),
        (lambda: c.LogUniform(0.0, 1.0), "LogUniform.low: input should be greater than 0; received 0.0."),
        (lambda: c.Float(0.0, float("inf")), "received inf."),
        (lambda: c.Choice(), "at least 1 item"),
        (lambda: c.Choice("sgd", 3), "choices must all be of one type; received int, str."),
        (lambda: c.Choice(True, 1), "choices must all be of one type; received bool, int."),
        (lambda: c.Choice(8, 16, 8), "choices must differ; received (8, 16, 8)."),
    ],
)
def test_values_that_cannot_be_drawn_from_are_refused(make, message):
    with pytest.raises(ConfigError) as raised:
        make()
    assert message in str(raised.value)


@given(st.integers(-50, 50), st.integers(1, 100), st.integers(1, 30))
def test_ends_of_whole_numbers_are_the_first_and_the_last_that_steps_reach(low, width, step):
    assert c.Int(low, low + width, step=step).examples() == (low, list(range(low, low + width + 1, step))[-1])


# --- Within an experiment


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"training.optimizer.momentun": c.Float(0, 0.9)}, "Sgd has no field 'momentun'; did you mean 'momentum'?"),
        ({MOMENTUM: c.Float(0.5, 1.0)}, "Sgd.momentum: input should be less than 1; received 1.0."),
        # Both ends are integers, but few numbers between them are.
        ({"training.batch_size": c.Float(8, 32)}, "Training.batch_size: input should be a valid integer"),
        ({"training.batch_size": c.LogUniform(8, 32)}, "Training.batch_size: input should be a valid integer"),
        # Every choice is checked, not only the first one.
        ({"training.batch_size": c.Choice(8, 16, 0)}, "Training.batch_size: input should be greater than or equal to 1"),
        ({"model.name": c.Choice("lenet5", "lenet6")}, "no model is named 'lenet6'; did you mean 'lenet5'?"),
        # SGD, the experiment's own, has no beta_1; Adam has, and it is less than 1.
        ({OPTIMIZER: c.Choice("sgd", "adam"), BETA: c.Float(0.8, 0.95)}, "Sgd has no field 'beta_1'"),
        ({OPTIMIZER: c.Choice("sgd", "adam"), BETA: c.Float(0.8, 1.0, when={OPTIMIZER: "adam"})}, "Adam.beta_1: "),
        # A trial has three epochs, but the warm-up would last four.
        ({"training.warmup_epochs": c.Int(1, 4)}, "warmup_epochs must lie in [0, epochs]"),
        ({"training.micro_batches": c.Int(1, 3)}, "batch_size must be a multiple of replicas times micro_batches"),
    ],
)
def test_what_a_field_forbids_is_told_when_the_experiment_is_written(space, message):
    with pytest.raises(ConfigError) as raised:
        experiment(search=c.Search(space=space))
    assert message in str(raised.value)


def test_a_refused_value_of_a_search_names_its_place_and_the_value():
    with pytest.raises(ConfigError) as raised:
        experiment(augment=(c.PadCrop(pad=2),), search=c.Search(space={"augment.0.pad": c.Int(0, 4)}))
    rule = "PadCrop.pad: input should be greater than or equal to 1; received 0."
    way_out = "Choose a number that is at least 1 and at most 64."
    assert str(raised.value) == f'search.space["augment.0.pad"] cannot be 0: {rule} {way_out}'


def test_a_path_that_no_search_varies_names_the_one_that_was_meant():
    with pytest.raises(ConfigError) as raised:
        experiment(search=c.Search(space={"learning_rate": c.LogUniform(1e-4, 1e-1)}))
    assert str(raised.value) == (
        'search.space["learning_rate"]: a search can only vary paths that begin with model, training, augment. '
        "Did you mean training.optimizer.learning_rate?"
    )


def test_a_setting_of_a_component_that_is_chosen_is_checked_with_that_component():
    space = {OPTIMIZER: c.Choice("sgd", "adam"), BETA: c.Float(0.8, 0.95, when={OPTIMIZER: "adam"})}
    made = experiment(search=c.Search(space=space))
    tried = with_values(made, {BETA: 0.9, OPTIMIZER: "adam"})
    assert tried.training.optimizer == c.Adam(beta_1=0.9)


def test_a_search_in_a_pipeline_file_is_checked_when_the_file_is_loaded(tmp_path):
    text = """from kerasvision import config as c
EXPERIMENT = c.Experiment(
    name="test", source=c.Digits(), transform=c.Transform(image_size=(32, 32)), task=c.Classification(),
    model=c.Model(name="lenet5"), search=c.Search(space={"training.optimizer.PATH": c.Float(0.1, 0.9)}),
)
"""
    (tmp_path / "wrong.py").write_text(text.replace("PATH", "momentun"))
    with pytest.raises(ConfigError, match="Sgd has no field 'momentun'; did you mean 'momentum'?"):
        load_experiment(tmp_path / "wrong.py")
    (tmp_path / "right.py").write_text(text.replace("PATH", "momentum"))
    assert load_experiment(tmp_path / "right.py").search.space == {MOMENTUM: c.Float(0.1, 0.9)}
    changed = load_experiment(tmp_path / "right.py", overrides=["search.trials=3", "search.algorithm=bayesian"]).search
    assert (changed.trials, changed.algorithm) == (3, "bayesian")


def test_an_objective_that_the_task_does_not_have_is_refused():
    with pytest.raises(ConfigError, match="'acuracy' is not measured in training; did you mean 'accuracy'?"):
        experiment(search=c.Search(space={MOMENTUM: c.Float(0, 0.9)}, objective="acuracy"))
    with pytest.raises(ConfigError, match="search.objective 'roc_auc' is not measured in training"):
        experiment(search=c.Search(space={MOMENTUM: c.Float(0, 0.9)}, objective="roc_auc"))


class Unknown(c.MeasuredTask):
    """A task whose training metrics are not known before it is trained."""

    implementation: ClassVar[str] = "nowhere:Unknown"


class Known(Unknown):
    def training_metric_names(self):
        return ("loss", "whole_score", "other")


@pytest.mark.parametrize(
    ("task", "metric"),
    [
        (c.Classification(), "accuracy"),
        (c.Captioning(), "token_accuracy"),
        (Known(), "whole_score"),
        (Unknown(), "loss"),
    ],
)
def test_by_default_trials_are_compared_by_the_tasks_headline_metric_of_training(task, metric):
    plan = c.Search(space={MOMENTUM: c.Float(0, 0.9)})
    assert plan.metric(task) == metric
    assert plan.model_copy(update={"objective": "other"}).metric(task) == "other"


def test_a_search_of_a_task_without_training_metrics_may_go_by_the_loss():
    for objective in (None, "loss"):
        experiment(task=Unknown(), search=c.Search(space={MOMENTUM: c.Float(0, 0.9)}, objective=objective))
    with pytest.raises(ConfigError, match="has no metric 'acuracy'"):
        experiment(task=Unknown(), search=c.Search(space={MOMENTUM: c.Float(0, 0.9)}, objective="acuracy"))


# --- Algorithms and budgets


@pytest.mark.parametrize("algorithm", ["hyperband", "halving"])
def test_rounds_need_an_epoch_to_compare_trials_after_and_more_for_the_best(algorithm):
    space = {MOMENTUM: c.Float(0, 0.9)}
    with pytest.raises(ConfigError, match=f"{algorithm} requires epochs of at least factor.*received epochs=3, factor=4"):
        c.Search(space=space, algorithm=algorithm, epochs=3, factor=4)
    assert c.Search(space=space, algorithm=algorithm, epochs=3, factor=3).factor == 3
    assert c.Search(space=space, algorithm="random", epochs=1).epochs == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trials", 0),
        ("epochs", 0),
        ("factor", 1),
        ("minutes", 0),
        ("minutes", -1),
        ("total_epochs", 0),
        ("retries", -1),
        ("trial_minutes", 0),
        ("parallel_trials", 0),
        ("seeds", -1),
        ("seed", -1),
        ("algorithm", "hyperbend"),
    ],
)
def test_a_budget_that_allows_nothing_is_refused(field, value):
    with pytest.raises(ConfigError, match=rf"Search\.{field}: .*received '?{value}"):
        c.Search(space={MOMENTUM: c.Float(0, 0.9)}, **{field: value})


def test_a_search_survives_json():
    space = {
        OPTIMIZER: c.Choice("sgd", "adam"),
        MOMENTUM: c.Float(0.1, 0.9, when={OPTIMIZER: "sgd"}),
        "training.batch_size": c.Int(8, 64, step=8),
        "training.l2": c.LogUniform(1e-6, 1e-2, when={OPTIMIZER: ("sgd", "adam")}),
    }
    search = c.Search(space=space, algorithm="hyperband", epochs=9, minutes=1.5, seeds=3)
    read = c.Search.parse(json.loads(json.dumps(search.to_data())))
    assert read == search
    assert list(read.in_order()) == list(search.in_order())


@pytest.mark.parametrize("made", [c.Choice(1, 2), c.Int(1, 9, step=2), c.Float(0, 1), c.LogUniform(0.1, 1)], ids=repr)
def test_values_to_try_are_made_again_from_their_fields(made):
    fields = {name: getattr(made, name) for name in type(made).model_fields}
    assert type(made).parse(fields) == type(made)(**fields) == made
