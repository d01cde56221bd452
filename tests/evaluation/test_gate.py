"""A model is blessed only if it passes every rule that can be judged."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kerasvision import config as c
from kerasvision.config.gate import Rule
from kerasvision.errors import ConfigError, StageError
from kerasvision.evaluation.bootstrap import intervals
from kerasvision.evaluation.evaluated import SLICE_COLUMNS, Evaluated
from kerasvision.evaluation.gate import judge
from kerasvision.evaluation.rules import RuleResult
from kerasvision.evaluation.slices import cut_into_slices, slice_table
from kerasvision.tasks.base import Judgement, make_task

SCORES = {"accuracy": 0.9, "log_loss": 0.3, "recall[cat]": 0.8}
INTERVALS = {"accuracy": (0.85, 0.94), "log_loss": (0.25, 0.36)}
# slice, value, count, metric, score, low, high
SLICES = [
    ("label", "cat", 40, "accuracy", 0.95, 0.88, 1.0),
    ("label", "dog", 60, "accuracy", 0.75, 0.63, 0.85),
    ("label", "dog", 60, "log_loss", 0.5, 0.4, 0.7),
    ("width", "1 of 2", 9, "accuracy", 1.0, math.nan, math.nan),
]


def evaluated(scores=SCORES, *, slices=SLICES, intervals=INTERVALS, left_out=None, undefined=None):
    """A model with scores only."""
    rows = pd.DataFrame({"id": [f"{n}" for n in range(100)]})
    judgement = Judgement(dict(scores), rows, left_out=left_out or {}, undefined=undefined or {})
    return Evaluated("test", judgement, intervals, pd.DataFrame(slices, columns=SLICE_COLUMNS))


def answered(correct, *, ids=None, labels=()):
    """A model with the images that it answers right, and optionally their labels."""
    correct = np.asarray(correct, bool)
    rows = pd.DataFrame({"id": ids or [str(n) for n in range(len(correct))], "correct": correct})

    def resampled(positions, counts):
        return {"accuracy": correct[positions] @ counts / counts.sum(axis=0)}

    judgement = Judgement({"accuracy": correct.mean()}, rows, weighted_scores=resampled)
    if len(labels):
        rows["slice_label"] = labels
    of = {label: np.asarray(labels) == label for label in labels}
    table = [("label", label, is_it.sum(), "accuracy", correct[is_it].mean(), 0.0, 1.0) for label, is_it in of.items()]
    return Evaluated("test", judgement, {}, pd.DataFrame(table, columns=SLICE_COLUMNS))


def counted(right, of):
    """A model with this number of right answers, as its task judges and measures it."""
    positions = np.arange(of)
    truth, answers = positions % 2, (positions + (positions >= right)) % 2
    scores = np.where(answers[:, None] == np.arange(2), 0.9, 0.1)
    predictions = {"scores": scores, "classes": np.array([b"cat", b"dog"], object)[answers]}
    task = make_task(c.Classification(), ["cat", "dog"])
    judgement = task.judge(ids=[str(n) for n in positions], truth=truth, predictions=predictions)
    found = intervals(judgement, resamples=100, confidence=0.95)
    return Evaluated("test", judgement, found, pd.DataFrame(columns=SLICE_COLUMNS))


def changed(*, both=0, won=0, lost=0, neither=0):
    """(model, last blessed model), from the numbers of images that only one of them answers right."""
    shares = [both, won, lost, neither]
    return answered(np.repeat([1, 1, 0, 0], shares)), answered(np.repeat([1, 0, 1, 0], shares))


@pytest.fixture(scope="module")
def task():
    return make_task(c.Classification(), ["cat", "dog"])


@pytest.fixture
def verdict(task):
    def judged(*rules, of=None, baseline=None, facts=None, identity=None):
        known = {"evaluated": of or evaluated(), "baseline": baseline, "facts": facts, "baseline_identity": identity}
        return judge(c.Gate(*rules), task=task, **known)

    return judged


# --- Bounds


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
def test_a_bound_may_be_reached_and_not_crossed(rule, outcome, bound, verdict):
    (result,) = verdict(rule).rules
    assert (result.outcome, result.value, result.bound) == (outcome, SCORES[rule.metric], bound)


@pytest.mark.parametrize(
    ("rule", "value", "outcome"),
    [
        (c.AtLeast("accuracy", 0.86, end="low"), 0.85, "failed"),
        (c.AtLeast("accuracy", 0.86, end="high"), 0.94, "passed"),
        (c.AtMost("log_loss", 0.35, end="high"), 0.36, "failed"),
        (c.AtLeast("accuracy", 0.63, end="low", slice="label=dog"), 0.63, "passed"),
    ],
)
def test_an_end_of_the_interval_can_be_bounded(rule, value, outcome, verdict):
    (result,) = verdict(rule).rules
    assert (result.value, result.outcome) == (value, outcome)
    assert result.rule.startswith(f"{rule.end} end of ")


def test_where_there_is_no_interval_the_model_is_undecided_and_it_says_why(verdict):
    judged = verdict(c.AtLeast("accuracy", 0.1, end="low", slice="width=1 of 2"))
    assert judged.verdict == "UNDECIDED"
    assert judged.rules[0].reason == "9 images are too few for an interval of accuracy; 10 are needed"


# 0.025 ** (1 / n) is the low end of n right answers of n: 0.8316 for 20; 367 give 0.98999 and 368 give 0.99003.
@pytest.mark.parametrize(
    ("right", "of", "outcome", "word"),
    [
        (20, 20, "not_enough_data", "UNDECIDED"),
        (19, 20, "not_enough_data", "UNDECIDED"),
        (367, 367, "not_enough_data", "UNDECIDED"),
        (368, 368, "passed", "BLESSED"),
        (360, 368, "failed", "NOT_BLESSED"),  # this many images could pass, but did not
        (10, 20, "failed", "NOT_BLESSED"),  # the whole interval, up to 0.728, is below the bound
    ],
)
def test_below_the_number_of_images_that_could_pass_a_model_is_undecided(right, of, outcome, word, verdict):
    judged = verdict(c.AtLeast("accuracy", 0.99, end="low"), of=counted(right, of))
    assert (judged.rules[0].outcome, judged.verdict) == (outcome, word)
    if outcome == "not_enough_data":
        assert judged.rules[0].reason.endswith("and 368 are needed")


def test_what_no_number_of_images_can_show_is_said_to_be_so(verdict):
    (result,) = verdict(c.AtLeast("accuracy", 1.0, end="low"), of=counted(20, 20)).rules
    assert result.reason == (
        "0.831567 is not >= 1; even without a mistake 20 images would give 0.8316, and no number of images would be enough"
    )


def test_a_bound_can_hold_for_one_slice(verdict):
    (result,) = verdict(c.AtLeast("accuracy", 0.8, slice="label=dog")).rules
    assert (result.rule, result.value, result.outcome) == ("accuracy of label=dog >= 0.8", 0.75, "failed")
    assert result.examples == 60


def test_a_bound_for_every_slice_is_judged_slice_by_slice(verdict):
    judged = verdict(c.AtLeast("accuracy", 0.8, slice="label"))
    assert {result.rule: result.outcome for result in judged.rules} == {
        "accuracy of label=cat >= 0.8": "passed",
        "accuracy of label=dog >= 0.8": "failed",
    }
    assert judged.verdict == "NOT_BLESSED"


def test_a_slice_that_has_no_such_metric_leaves_the_model_undecided(verdict):
    judged = verdict(c.AtMost("log_loss", 1, slice="label"))
    assert {result.rule: (result.outcome, result.reason) for result in judged.rules} == {
        "log_loss of label=dog <= 1": ("passed", "0.5 is <= 1"),
        "log_loss of label=cat (AtMost)": ("not_enough_data", "log_loss has no value on the 40 images with label=cat"),
    }
    assert judged.verdict == "UNDECIDED"


@pytest.mark.parametrize("rule", [c.AtLeast("accuracy", 0.5, slice="label"), c.AtLeast("accuracy", 0.5, slice="label=dog")])
def test_a_label_without_a_test_image_leaves_the_model_undecided_and_is_named(rule, verdict):
    judged = verdict(rule, of=evaluated(slices=[("label", "cat", 40, "accuracy", 0.95, 0.88, 1.0)]))
    assert judged.verdict == "UNDECIDED"
    assert "no image of the test split has label=dog" in judged.reason


@pytest.mark.parametrize("part", ["format", "format=WEBP"])
def test_a_value_that_only_other_splits_have_is_asked_for_too(part, verdict):
    known = evaluated(slices=[("format", "JPEG", 40, "accuracy", 0.95, 0.88, 1.0)])
    judged = verdict(c.AtLeast("accuracy", 0.5, slice=part), of=replace(known, expected={"format": ("JPEG", "WEBP")}))
    assert judged.verdict == "UNDECIDED"
    assert "no image of the test split has format=WEBP" in judged.reason


def by_label(counts, wrong=None):
    """A model with the same number of images of each label, all answered right except those of the label `wrong`."""
    names = [f"c{number:03d}" for number in range(len(counts))]
    truth = np.repeat(np.arange(len(counts)), counts)
    answers = np.where(truth == wrong, 0, truth)
    scores = np.where(answers[:, None] == np.arange(len(counts)), 0.9, 0.1 / (len(counts) - 1))
    task, ids = make_task(c.Classification(), names), [str(number) for number in range(len(truth))]
    predictions = {"scores": scores, "classes": np.array(names)[answers].astype(bytes).astype(object)}
    judgement = task.judge(ids=ids, truth=truth, predictions=predictions)
    parts = cut_into_slices(pd.DataFrame({"label": np.array(names)[truth]}, index=ids), bands=3)
    known = Evaluated("test", judgement, {}, slice_table(judgement, parts, c.Evaluation(resamples=100)))
    return judge(c.Gate(c.AtLeast("accuracy", 0.8, slice="label")), task=task, evaluated=known)


def test_each_of_very_many_labels_is_judged():
    judged = by_label([20] * 100 + [4] * 50, wrong=149)
    assert (judged.verdict, len(judged.rules)) == ("NOT_BLESSED", 150)
    assert judged.reason == "accuracy of label=c149 >= 0.8 failed with 0"


def test_a_label_that_the_test_split_lacks_is_named():
    judged = by_label([20] * 9 + [0])
    assert judged.verdict == "UNDECIDED"
    assert "for accuracy of label=c009 (AtLeast): no image of the test split has label=c009" in judged.reason


# --- Custom rules


def raises(rule, case):
    return {}["no such key"]


class OwnRule(Rule):
    implementation = "tests:own_rule"


def own(answer, verdict, monkeypatch):
    implementation = answer if callable(answer) else lambda rule, case: answer
    monkeypatch.setattr("kerasvision.evaluation.gate.lookup.load", lambda name: implementation)
    return verdict(OwnRule("accuracy"))


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (RuleResult("own", "Failed", 0.1, None), "'Failed'"),
        (RuleResult("own", None, 0.1, None), "None"),
        (False, "False"),
        (True, "True"),
        (None, "None"),
        ("passed", "'passed'"),
        ([], "[]"),
    ],
)
def test_a_rule_that_answers_with_no_known_outcome_stops_the_run(answer, shown, verdict, monkeypatch):
    with pytest.raises(ConfigError) as error:
        own(answer, verdict, monkeypatch)
    rule = "the rule OwnRule for accuracy must return a RuleResult whose outcome is one of passed, failed, no_baseline"
    assert rule in str(error.value)
    assert f"received {shown}" in str(error.value)


def test_a_rule_that_raises_stops_the_run_and_is_named(verdict, monkeypatch):
    with pytest.raises(StageError, match="the rule OwnRule for accuracy raised KeyError: 'no such key'"):
        own(raises, verdict, monkeypatch)


@pytest.mark.parametrize("value", [math.nan, None, "high", True])
def test_a_rule_that_passes_on_no_number_leaves_the_model_undecided(value, verdict, monkeypatch):
    judged = own(RuleResult("own", "passed", value, None), verdict, monkeypatch)
    assert (judged.rules[0].outcome, judged.verdict) == ("not_enough_data", "UNDECIDED")


def test_a_rule_may_fail_with_no_number(verdict, monkeypatch):
    judged = own(RuleResult("own", "failed", None, None), verdict, monkeypatch)
    assert (judged.verdict, judged.reason) == ("NOT_BLESSED", "own failed with None")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (c.AtLeast("acuracy", 0.5), "no metric is named 'acuracy'; did you mean 'accuracy'?"),
        (c.AtLeast("latency_p95", 0.5), "no metric is named 'latency_p95'; did you mean 'latency_p95_ms'?"),
        (c.AtLeast("accuracy", 0.5, slice="lable"), "no slice is named 'lable'; did you mean 'label'?"),
        (c.AtLeast("accuracy", 0.5, slice="label=cats"), "no slice of label is named 'cats'; did you mean 'cat'?"),
        (c.NoWorse("roc_auc", slice="label"), "slices of label have no metric 'roc_auc'; choose from accuracy, log_loss"),
    ],
)
def test_what_was_not_measured_is_told_with_the_closest(rule, message, verdict):
    with pytest.raises(ConfigError) as error:
        verdict(rule, baseline=evaluated())
    assert message in str(error.value)


def test_a_metric_that_has_no_value_here_leaves_the_model_undecided_and_says_why(verdict):
    known = evaluated({"accuracy": 0.9}, left_out={"recall[cat]": "there is no example of this class"})
    judged = verdict(c.AtLeast("recall[cat]", 0), of=known)
    assert (judged.verdict, judged.rules[0].reason) == ("UNDECIDED", "there is no example of this class")
    never = evaluated({"accuracy": 0.9}, undefined={"top_5_accuracy": "with 3 classes, it is always right"})
    judged = verdict(c.AtLeast("top_5_accuracy", 0.9), of=never)
    assert (judged.verdict, judged.rules[0].reason) == ("UNDECIDED", "with 3 classes, it is always right")


# --- Facts


@pytest.mark.parametrize(("p95", "expected"), [(50.0, "BLESSED"), (50.1, "NOT_BLESSED")])
def test_latency_and_size_are_bounded_like_scores(p95, expected, verdict):
    facts = {"latency_p95_ms": p95, "size_mb": 4.0}
    assert verdict(c.AtMost("latency_p95_ms", 50), c.AtMost("size_mb", 5), facts=facts).verdict == expected


def test_a_fact_that_could_not_be_measured_passes_nothing(verdict):
    (result,) = verdict(c.AtMost("latency_p95_ms", 50), facts={}).rules
    assert (result.outcome, result.reason) == ("failed", "it was not measured")


# --- Change


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
def test_no_worse_knows_which_way_is_worse(metric, value, before, tolerance, outcome, verdict):
    judged = verdict(c.NoWorse(metric, tolerance), of=evaluated({metric: value}), baseline=evaluated({metric: before}))
    assert judged.rules[0].outcome == outcome
    assert judged.rules[0].baseline == before
    assert judged.verdict == {"passed": "BLESSED", "failed": "NOT_BLESSED"}[outcome]


@pytest.mark.parametrize(("value", "outcome"), [(0.625, "passed"), (0.626, "failed")])
def test_a_relative_tolerance_is_a_share_of_the_former_score(value, outcome, verdict):
    # 0.5 plus a quarter of it.
    rule = c.NoWorse("log_loss", relative_tolerance=0.25)
    judged = verdict(rule, of=evaluated({"log_loss": value}), baseline=evaluated({"log_loss": 0.5}))
    assert (judged.rules[0].outcome, judged.rules[0].bound) == (outcome, 0.625)


@pytest.mark.parametrize(
    ("rule", "before", "outcome"),
    [
        (c.Better("accuracy"), 0.9, "failed"),
        (c.Better("accuracy"), 0.89, "passed"),
        (c.Better("accuracy", 0.125), 0.775, "failed"),
        (c.Better("log_loss"), 0.31, "passed"),
        (c.Better("log_loss"), 0.29, "failed"),
    ],
)
def test_better_asks_for_more_than_as_good(rule, before, outcome, verdict):
    assert verdict(rule, baseline=evaluated({rule.metric: before})).rules[0].outcome == outcome


def test_change_is_compared_slice_by_slice(verdict):
    before = evaluated(slices=[("label", "cat", 40, "accuracy", 0.95, 0, 1), ("label", "dog", 60, "accuracy", 0.8, 0, 1)])
    outcomes = [result.outcome for result in verdict(c.NoWorse("accuracy", slice="label"), baseline=before).rules]
    assert outcomes == ["passed", "failed"]


def test_a_slice_that_the_last_blessed_model_did_not_have_cannot_be_compared(verdict):
    before = evaluated(slices=[("label", "cat", 40, "accuracy", 0.95, 0, 1)])
    _, dog = verdict(c.NoWorse("accuracy", slice="label"), baseline=before).rules
    assert (dog.outcome, dog.reason) == ("no_baseline", "the last blessed model has no accuracy of label=dog")


# --- Change, tested. McNemar's exact p is 2 * 0.5**6 = 0.031 for 6 images that one model alone answers.


@pytest.mark.parametrize("test", ["bootstrap", "mcnemar"])
@pytest.mark.parametrize(
    ("rule", "counts", "outcome"),
    [
        (c.NoWorse, {"both": 900, "won": 40, "lost": 10, "neither": 50}, "passed"),
        (c.NoWorse, {"both": 900, "won": 10, "lost": 40, "neither": 50}, "failed"),
        (c.NoWorse, {"both": 900, "won": 25, "lost": 25, "neither": 50}, "not_enough_data"),
        (c.Better, {"both": 900, "won": 40, "lost": 10, "neither": 50}, "passed"),
        (c.Better, {"both": 900, "won": 10, "lost": 40, "neither": 50}, "failed"),
        (c.Better, {"both": 900, "won": 25, "lost": 25, "neither": 50}, "not_enough_data"),
        (c.NoWorse, {"both": 12, "won": 12, "lost": 0, "neither": 5}, "not_enough_data"),  # 29 images
        (c.NoWorse, {"both": 13, "won": 12, "lost": 0, "neither": 5}, "passed"),
    ],
)
def test_a_tested_change_passes_or_fails_only_where_it_is_sure(test, rule, counts, outcome, verdict):
    now, before = changed(**counts)
    judged = verdict(rule("accuracy", test=test), of=now, baseline=before)
    assert judged.rules[0].outcome == outcome
    assert judged.verdict == {"passed": "BLESSED", "failed": "NOT_BLESSED", "not_enough_data": "UNDECIDED"}[outcome]


@pytest.mark.parametrize(("lost", "outcome"), [(5, "not_enough_data"), (6, "failed")])
def test_mcnemar_needs_six_images_to_tell_a_change(lost, outcome, verdict):
    now, before = changed(both=100, lost=lost)
    (result,) = verdict(c.NoWorse("accuracy", test="mcnemar"), of=now, baseline=before).rules
    assert (result.outcome, result.p_value) == (outcome, 2 * 0.5**lost)


def test_a_tolerance_makes_few_images_enough(verdict):
    # 3 lost of 200 and none won: up to 4.32 % may be lost, the exact upper end for 3 of 200.
    now, before = changed(both=197, lost=3)
    assert verdict(c.NoWorse("accuracy", 0.044, test="mcnemar"), of=now, baseline=before).verdict == "BLESSED"
    assert verdict(c.NoWorse("accuracy", 0.043, test="mcnemar"), of=now, baseline=before).verdict == "UNDECIDED"


@pytest.mark.parametrize("test", ["bootstrap", "mcnemar"])
def test_models_that_answer_alike_are_not_proven_to_be_alike(test, verdict):
    now, before = counted(200, 200), counted(200, 200)
    judged = [
        verdict(rule, of=now, baseline=before)
        for rule in (
            c.NoWorse("accuracy", 0.02, test=test),
            c.NoWorse("accuracy", 0.01, test=test),
            c.NoWorse("accuracy", test=test),
            c.Better("accuracy", test=test),
        )
    ]
    # 1 - 0.025 ** (1 / 200) = 0.0183.
    assert [one.verdict for one in judged] == ["BLESSED", "UNDECIDED", "UNDECIDED", "UNDECIDED"]
    assert judged[1].rules[0].reason.endswith("models with the same answers pass with 368 images")
    assert judged[2].rules[0].reason.endswith("models with the same answers pass only with a tolerance")


def test_bootstrap_interval_is_as_wide_as_theory_says(verdict):
    # Of 400 images, 20 are won and 20 lost: the standard deviation of the mean change is sqrt(40) / 400 = 0.0158.
    now, before = changed(both=320, won=20, lost=20, neither=40)
    (result,) = verdict(c.NoWorse("accuracy", test="bootstrap"), of=now, baseline=before).rules
    assert result.interval == pytest.approx((-1.96 * 0.0158, 1.96 * 0.0158), rel=0.15)


def test_a_tested_change_of_a_slice_looks_at_its_images_alone(verdict):
    labels = ["cat"] * 40 + ["dog"] * 60
    now = answered(np.r_[np.zeros(20), np.ones(80)], labels=labels)
    before = answered(np.r_[np.ones(40), np.zeros(60)], labels=labels)
    judged = verdict(c.NoWorse("accuracy", slice="label", test="mcnemar"), of=now, baseline=before)
    assert [result.outcome for result in judged.rules] == ["failed", "passed"]


def test_models_that_were_asked_about_different_images_are_not_compared(verdict):
    now, before = answered([1] * 40), answered([1] * 40, ids=[f"other {n}" for n in range(40)])
    with pytest.raises(StageError, match="the last blessed model was asked about others"):
        verdict(c.NoWorse("accuracy", test="mcnemar"), of=now, baseline=before)


def test_a_metric_that_is_not_resampled_cannot_be_tested(verdict):
    now, before = changed(both=40, won=2, lost=2)
    for model in (now, before):
        model.judgement.scores["roc_auc"] = 0.5
    with pytest.raises(ConfigError, match="roc_auc is not resampled for 44 images"):
        verdict(c.NoWorse("roc_auc", test="bootstrap"), of=now, baseline=before)


# --- The verdict


def test_all_rules_hold_blessed(verdict):
    judged = verdict(c.AtLeast("accuracy", 0.5), c.AtMost("log_loss", 0.5), c.NoWorse("accuracy"), baseline=evaluated())
    assert (judged.verdict, judged.blessed) == ("BLESSED", True)


def test_one_failed_rule_is_enough_and_every_failed_one_is_named(verdict):
    judged = verdict(c.AtLeast("accuracy", 0.95), c.AtMost("log_loss", 0.5), c.AtLeast("recall[cat]", 0.9))
    assert (judged.verdict, judged.blessed) == ("NOT_BLESSED", False)
    assert judged.reason == "accuracy >= 0.95 failed with 0.9; recall[cat] >= 0.9 failed with 0.8"


def test_without_rules_undecided_and_so_not_blessed(verdict):
    judged = verdict()
    assert (judged.verdict, judged.blessed) == ("UNDECIDED", False)
    # The model has 0.9.
    assert judged.reason == "the gate has no rules; add one such as gate=c.Gate(c.AtLeast('accuracy', 0.9))"


@pytest.mark.parametrize(
    ("scores", "rule"),
    [
        ({"mae": 2.345}, "c.AtMost('mae', 2.35)"),
        ({"mae": 3.0}, "c.AtMost('mae', 3)"),
        ({"mae": 1234567.891}, "c.AtMost('mae', 1234567.9)"),
        # The next number above 0.35: a hundred times that is rounded to 35.
        ({"mae": math.nextafter(0.35, 1)}, "c.AtMost('mae', 0.36)"),
        ({}, "c.AtMost('size_mb', 50)"),
    ],
)
def test_the_rule_to_add_is_one_that_the_model_would_pass(scores, rule):
    judgement = Judgement(scores, rows=pd.DataFrame({"id": ["a"]}))
    known = Evaluated("test", judgement, {}, pd.DataFrame(columns=SLICE_COLUMNS))
    judged = judge(c.Gate(), task=make_task(c.Regression(), ["age"]), evaluated=known)
    assert judged.reason == f"the gate has no rules; add one such as gate=c.Gate({rule})"


def test_with_nothing_to_compare_with_undecided(verdict):
    judged = verdict(c.NoWorse("accuracy"))
    assert (judged.verdict, judged.blessed) == ("UNDECIDED", False)
    assert (judged.rules[0].outcome, judged.rules[0].bound) == ("no_baseline", None)
    assert judged.reason.startswith("no rule could be judged yet")


@pytest.mark.parametrize(("bound", "expected"), [(0.5, "BLESSED"), (0.95, "NOT_BLESSED")])
def test_with_nothing_to_compare_with_the_other_rules_decide(bound, expected, verdict):
    assert verdict(c.NoWorse("accuracy"), c.AtLeast("accuracy", bound)).verdict == expected


def test_not_enough_data_for_one_rule_leaves_a_model_undecided_whatever_the_others_say(verdict):
    now, before = changed(both=900, won=25, lost=25, neither=50)
    judged = verdict(c.AtLeast("accuracy", 0.5), c.NoWorse("accuracy", test="mcnemar"), of=now, baseline=before)
    assert judged.verdict == "UNDECIDED"
    assert judged.reason.startswith("not enough data for accuracy no worse than the last blessed model's by more than 0: ")


@pytest.mark.parametrize(
    "rule",
    [c.AtLeast("accuracy", 0.0), c.AtMost("accuracy", 1.0), c.NoWorse("accuracy", 1.0), c.Better("accuracy")],
    ids=lambda rule: rule.kind,
)
def test_a_score_that_is_not_a_number_leaves_the_model_undecided(rule, verdict):
    judged = verdict(rule, of=evaluated({"accuracy": math.nan}), baseline=evaluated({"accuracy": 0.5}))
    assert (judged.verdict, judged.rules[0].reason) == ("UNDECIDED", "it is not a number")


def test_nothing_is_no_worse_than_what_is_not_a_number(verdict):
    judged = verdict(c.NoWorse("accuracy", 1.0), baseline=evaluated({"accuracy": math.nan}))
    assert (judged.verdict, judged.rules[0].reason) == ("UNDECIDED", "the last blessed model's value is not a number")


def test_a_saved_verdict_holds_every_rule_with_its_value_bound_baseline_and_reason(verdict, tmp_path):
    identity = {"artifact": 12, "digest": "ab12"}
    rules = (c.AtLeast("accuracy", 0.95), c.NoWorse("log_loss", 0.25))
    verdict(*rules, baseline=evaluated({"accuracy": 0.8, "log_loss": 0.5}), identity=identity).save(tmp_path)
    assert json.loads((tmp_path / "verdict.json").read_text()) == {
        "verdict": "NOT_BLESSED",
        "reason": "accuracy >= 0.95 failed with 0.9",
        "rules": [
            {
                "rule": "accuracy >= 0.95",
                "outcome": "failed",
                "value": 0.9,
                "bound": 0.95,
                "reason": "0.9 is not >= 0.95",
                "baseline": 0.8,
                "interval": [0.85, 0.94],
                "p_value": None,
                "examples": 100,
            },
            {
                "rule": "log_loss no worse than the last blessed model's by more than 0.25",
                "outcome": "passed",
                "value": 0.3,
                "bound": 0.75,
                "reason": "0.3 after 0.5",
                "baseline": 0.5,
                "interval": None,
                "p_value": None,
                "examples": 100,
            },
        ],
        "baseline": identity,
        "remarks": [],
    }


def test_a_saved_verdict_is_json_even_where_a_score_is_not_a_number(verdict, tmp_path):
    verdict(c.AtLeast("accuracy", 0), of=evaluated({"accuracy": math.nan})).save(tmp_path)
    saved = json.loads((tmp_path / "verdict.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert saved["rules"][0]["value"] is None


def test_of_many_failures_the_first_are_named_and_the_rest_counted(verdict):
    slices = [("label", f"class {n}", 9, "accuracy", 0.1, 0.0, 0.2) for n in range(8)]
    judged = verdict(c.AtLeast("accuracy", 0.5, slice="label"), of=evaluated(slices=slices))
    assert len([result for result in judged.rules if result.outcome == "failed"]) == 8
    assert judged.reason.endswith("accuracy of label=class 4 >= 0.5 failed with 0.1 and 3 more, see verdict.json")


@pytest.mark.parametrize(
    ("rules", "name"),
    [((), "UNDECIDED"), ((c.AtLeast("accuracy", 0.5),), "BLESSED"), ((c.AtLeast("accuracy", 1),), "NOT_BLESSED")],
)
def test_an_empty_file_bears_the_verdicts_name(rules, name, verdict, tmp_path):
    verdict(*rules).save(tmp_path)
    assert {path.name: path.stat().st_size for path in tmp_path.iterdir() if path.suffix != ".json"} == {name: 0}
