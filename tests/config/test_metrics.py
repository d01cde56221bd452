"""A user's own metric has a name, a direction and bounds, and is part of the evaluator's cache key alone."""

import pytest

from kerasvision import config as c
from kerasvision.config.stages import stage_settings
from kerasvision.errors import ConfigError

MINE = "kerasvision.errors:mine"


def experiment(*metrics, gate=None, task=c.Classification, **fields):
    return c.Experiment(
        name="test",
        source=c.Digits(),
        transform=c.Transform(image_size=(32, 32)),
        task=task(metrics=metrics),
        model=c.Model(name="lenet5"),
        gate=gate or c.Gate(),
        **fields,
    )


def test_a_path_alone_is_a_metric_and_is_named_after_its_function():
    (metric,) = c.Classification(metrics=("my_metrics:balanced",)).metrics
    assert metric == c.Metric("my_metrics:balanced", name="balanced", best="max", bounds=None)


@pytest.mark.parametrize("task", [c.Classification, c.Captioning])
def test_settings_come_back_from_plain_data(task):
    settings = task(metrics=(c.Metric("my_metrics:brier", best="min", bounds=(0, 2), depends_on=("a.csv",)), "b:c"))
    assert c.Task.parse(settings.to_data()) == settings


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("balanced", "a path to a metric must have the form 'module:function'; received 'balanced'"),
        ("my metrics:f", "a path to a metric must have the form 'module:function'"),
        ("a:f.g", "a path to a metric must have the form 'module:function'"),
        ("a:accuracy", "metrics must have different names; received 'accuracy' twice"),
        ("a:loss", "metrics must have different names; received 'loss' twice"),
        ("a:latency_p95_ms", "'latency_p95_ms' is a fact of the served model"),
        ({"function": "a:b", "bounds": (1, 1)}, r"bounds must be \(lowest, highest\); received \(1.0, 1.0\)"),
        ({"function": "a:b", "name": "b[c]"}, "Metric.name"),
        ({"function": "a:b", "better": "min"}, "Metric has no field 'better'"),
        ({}, "a path to a metric must have the form 'module:function'"),
        (3, "received 3"),
    ],
)
def test_a_metric_that_cannot_be_is_refused(metric, message):
    with pytest.raises(ConfigError, match=message):
        c.Classification(metrics=(metric,))


def test_two_metrics_have_two_names():
    with pytest.raises(ConfigError, match=r"received 'f' twice; see Metric\(name=...\)"):
        c.Classification(metrics=("a:f", "b:f"))
    assert c.Classification(metrics=("a:f", c.Metric("b:f", name="g"))).metric_names()[-2:] == ("f", "g")


def test_rules_and_figures_of_people_may_name_it_and_it_says_what_is_better():
    mine = c.Metric(MINE, best="min")
    made = experiment(mine, gate=c.Gate(c.NoWorse("mine")), evaluation=c.Evaluation(human={"mine": 1}, human_source="me"))
    assert made.task.best_is("mine") == made.task.best_is("log_loss") == "min"
    assert made.task.best_is("accuracy") == "max"
    with pytest.raises(ConfigError, match="classification has no metric 'min'; did you mean 'mine'"):
        experiment(mine, gate=c.Gate(c.AtLeast("min", 0.9)))


def test_its_code_counts_for_the_evaluator_alone():
    plain, more = stage_settings(experiment()), stage_settings(experiment(MINE))
    assert [stage for stage in plain if plain[stage] != more[stage]] == ["evaluator"]
    assert more["evaluator"].code_paths() - plain["evaluator"].code_paths() == {MINE}


def test_what_its_code_loads_unseen_is_named_and_counts(tmp_path):
    (tmp_path / "costs.csv").touch()
    mine = c.Metric(MINE, depends_on=(str(tmp_path / "costs.csv"),))
    assert [path.name for _, path in stage_settings(experiment(mine))["evaluator"].files()] == ["costs.csv"]


def test_a_module_that_is_not_there_is_noticed_before_a_stage_runs():
    settings = stage_settings(experiment("my_lost_metrics:f"))["evaluator"]
    with pytest.raises(ConfigError, match="the metric f requires the module 'my_lost_metrics', which was not found"):
        list(settings.files())
