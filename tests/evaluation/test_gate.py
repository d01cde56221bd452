"""A model is blessed only where every rule that can be judged holds."""

import json
import math

import pytest

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.evaluation.gate import judge

SCORES = {"accuracy": 0.9, "log_loss": 0.3, "recall[cat]": 0.8}


def verdict(*rules, scores=SCORES, baseline=None):
    return judge(c.Gate(*rules), task=c.Classification(), scores=scores, baseline=baseline)


@pytest.mark.parametrize(
    ("rule", "outcome", "bound"),
    [
        (c.AtLeast("accuracy", 0.9), "passed", 0.9),
        (c.AtLeast("accuracy", 0.91), "failed", 0.91),
        (c.AtMost("log_loss", 0.3), "passed", 0.3),
        (c.AtMost("log_loss", 0.29), "failed", 0.29),
        (c.AtLeast("recall[cat]", 0.5), "passed", 0.5),
    ],
)
def test_a_bound_may_be_reached_and_not_crossed(rule, outcome, bound):
    (result,) = verdict(rule).rules
    assert (result.outcome, result.value, result.bound) == (outcome, SCORES[rule.metric], bound)


# More accuracy is better, less log loss is better; 0.25 is exact in binary.
@pytest.mark.parametrize(
    ("metric", "value", "before", "tolerance", "outcome"),
    [
        ("accuracy", 0.75, 0.75, 0.0, "passed"),
        ("accuracy", 0.75, 1.0, 0.25, "passed"),
        ("accuracy", 0.75, 1.0, 0.125, "failed"),
        ("accuracy", 1.0, 0.5, 0.0, "passed"),
        ("log_loss", 0.75, 0.75, 0.0, "passed"),
        ("log_loss", 0.75, 0.5, 0.25, "passed"),
        ("log_loss", 0.75, 0.5, 0.125, "failed"),
        ("log_loss", 0.5, 1.0, 0.0, "passed"),
    ],
)
def test_no_worse_knows_which_way_is_worse(metric, value, before, tolerance, outcome):
    judged = verdict(c.NoWorse(metric, tolerance), scores={metric: value}, baseline={metric: before})
    assert judged.rules[0].outcome == outcome
    assert judged.verdict == {"passed": "BLESSED", "failed": "NOT_BLESSED"}[outcome]


def test_all_rules_hold_blessed():
    judged = verdict(c.AtLeast("accuracy", 0.5), c.AtMost("log_loss", 0.5), c.NoWorse("accuracy"), baseline=SCORES)
    assert (judged.verdict, judged.blessed) == ("BLESSED", True)


def test_one_failed_rule_is_enough_and_every_failed_one_is_named():
    judged = verdict(c.AtLeast("accuracy", 0.95), c.AtMost("log_loss", 0.5), c.AtLeast("recall[cat]", 0.9))
    assert (judged.verdict, judged.blessed) == ("NOT_BLESSED", False)
    assert judged.reason == "accuracy >= 0.95 failed with 0.9; recall[cat] >= 0.9 failed with 0.8"


def test_without_rules_undecided_and_so_not_blessed():
    judged = verdict()
    assert (judged.verdict, judged.blessed) == ("UNDECIDED", False)
    assert judged.reason.startswith("the gate has no rules; add one such as gate=c.Gate(")


def test_with_nothing_to_compare_with_undecided():
    judged = verdict(c.NoWorse("accuracy"))
    assert (judged.verdict, judged.blessed) == ("UNDECIDED", False)
    assert (judged.rules[0].outcome, judged.rules[0].bound) == ("no_baseline", None)
    assert judged.reason.startswith("no rule could be judged yet")


@pytest.mark.parametrize(("bound", "expected"), [(0.5, "BLESSED"), (0.95, "NOT_BLESSED")])
def test_with_nothing_to_compare_with_the_other_rules_decide(bound, expected):
    assert verdict(c.NoWorse("accuracy"), c.AtLeast("accuracy", bound)).verdict == expected


@pytest.mark.parametrize(
    "rule",
    [c.AtLeast("accuracy", 0.0), c.AtMost("accuracy", 1.0), c.NoWorse("accuracy", 1.0)],
    ids=lambda rule: rule.kind,
)
def test_a_score_that_is_not_a_number_never_passes(rule):
    judged = verdict(rule, scores={"accuracy": math.nan}, baseline={"accuracy": 0.5})
    assert judged.verdict == "NOT_BLESSED"


def test_nothing_is_no_worse_than_what_is_not_a_number():
    assert verdict(c.NoWorse("accuracy", 1.0), baseline={"accuracy": math.nan}).verdict == "NOT_BLESSED"


def test_a_metric_that_was_not_measured_is_told_with_the_closest():
    with pytest.raises(ConfigError, match=r"no metric is named 'acuracy'; did you mean 'accuracy'\?"):
        verdict(c.AtLeast("acuracy", 0.5))


def test_a_saved_verdict_holds_every_rule_with_its_value_and_bound(tmp_path):
    verdict(c.AtLeast("accuracy", 0.95), c.NoWorse("log_loss", 0.1)).save(tmp_path)
    assert json.loads((tmp_path / "verdict.json").read_text()) == {
        "verdict": "NOT_BLESSED",
        "reason": "accuracy >= 0.95 failed with 0.9",
        "rules": [
            {"rule": "accuracy >= 0.95", "outcome": "failed", "value": 0.9, "bound": 0.95},
            {"rule": "log_loss no worse than the last blessed model's by more than 0.1", "outcome": "no_baseline",
             "value": 0.3, "bound": None},
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "name"),
    [((), "UNDECIDED"), ((c.AtLeast("accuracy", 0.5),), "BLESSED"), ((c.AtLeast("accuracy", 1),), "NOT_BLESSED")],
)
def test_an_empty_file_bears_the_verdicts_name(rules, name, tmp_path):
    verdict(*rules).save(tmp_path)
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir() if path.suffix != ".json"} == {name: 0}
