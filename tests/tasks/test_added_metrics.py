"""A custom metric is measured like every other, and errors say what it must return."""

import sys
import textwrap

import numpy as np
import pytest
from sklearn import metrics

from kerasvision import config as c
from kerasvision.errors import ConfigError, StageError
from kerasvision.evaluation.bootstrap import intervals
from kerasvision.tasks.base import Bounded, make_task
from kerasvision.tasks.captioning.judging import judged_captions

CLASSES = ("ant", "bee", "cow")
RANDOM = np.random.default_rng(0)
LABELS = np.arange(60) % 3
SCORES = RANDOM.dirichlet([1, 1, 1], 60) + 0.4 * np.eye(3)[LABELS]
SCORES /= SCORES.sum(axis=1, keepdims=True)

BALANCED = """
    import numpy as np

    def balanced(truth, scores, weights):
        right = scores.argmax(axis=1) == truth
        of_class = [truth == number for number in range(scores.shape[1])]
        return np.mean([right[of] @ weights[of] / weights[of].sum(axis=0) for of in of_class], axis=0)
"""


@pytest.fixture
def my_metrics(tmp_path, monkeypatch):
    """Writes my_metrics.py."""
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda source: (tmp_path / "my_metrics.py").write_text(textwrap.dedent(source))
    sys.modules.pop("my_metrics", None)


def judged(*added):
    names = np.array([name.encode() for name in CLASSES], object)
    predictions = {"scores": SCORES, "classes": names[SCORES.argmax(axis=1)]}
    task = make_task(c.Classification(top_k=2, metrics=added), CLASSES)
    return task.judge(ids=[str(number) for number in range(60)], truth=LABELS, predictions=predictions)


# --- Measured like every other


def test_it_is_among_the_scores_of_the_whole_of_a_part_and_of_weightings(my_metrics):
    my_metrics(BALANCED)
    judgement, answered = judged("my_metrics:balanced"), SCORES.argmax(axis=1)
    assert judgement.scores["balanced"] == pytest.approx(metrics.balanced_accuracy_score(LABELS, answered))
    rows, weights = np.arange(10, 50), RANDOM.integers(1, 4, (40, 5)).astype(float)
    for column, found in zip(weights.T, judgement.weighted_scores(rows, weights)["balanced"], strict=True):
        expected = metrics.balanced_accuracy_score(LABELS[rows], answered[rows], sample_weight=column)
        assert found == pytest.approx(expected)


def test_it_has_an_interval_that_allows_for_the_unseen_where_its_bounds_are_known(my_metrics):
    my_metrics(
        """
        def perfect(truth, scores, weights):
            return weights.sum(axis=0) / weights.sum(axis=0)
        """
    )
    without = intervals(judged("my_metrics:perfect"), resamples=100, confidence=0.95)
    assert "perfect" not in without
    found = judged(c.Metric("my_metrics:perfect", bounds=(0, 1)))
    assert found.evidence(np.arange(60))["perfect"] == Bounded(0.0, 1.0, 60)
    low, high = intervals(found, resamples=1000, confidence=0.95)["perfect"]
    # 60 of 60: Clopper and Pearson's low end is 0.025 ** (1 / 60).
    assert (low, high) == (pytest.approx(0.025 ** (1 / 60), abs=0.005), 1.0)


def test_it_has_no_value_where_it_says_nan_and_nothing_warns(my_metrics):
    my_metrics(BALANCED)
    judgement = judged("my_metrics:balanced")
    ants = np.flatnonzero(LABELS == 0)
    assert np.isnan(judgement.within_label(ants, np.ones((20, 1)))["balanced"]).all()


def test_a_metric_of_captions_receives_what_people_wrote_and_the_answers(my_metrics):
    my_metrics(
        """
        import numpy as np

        def same_length(truth, answers, weights):
            same = [any(len(one.split()) == len(answer.split()) for one in captions)
                    for captions, answer in zip(truth, answers)]
            return np.array(same, float) @ weights / weights.sum(axis=0)
        """
    )
    truth = np.empty(3, object)
    truth[:] = [("a cat", "one red cat"), ("a dog",), ("a cow",)]
    predictions = {
        "captions": np.array([[b"the red cat"], [b"a dog runs"], [b"a cow"]], object),
        "scores": np.zeros((3, 1)),
        "log_likelihoods": -np.ones((3, 2)),
        "tokens": np.ones((3, 2)),
    }
    added = (c.Metric("my_metrics:same_length", bounds=(0, 1)),)
    judgement = judged_captions(ids="abc", truth=truth, predictions=predictions, added=added)
    assert judgement.scores["same_length"] == pytest.approx(2 / 3)
    weighted = judgement.weighted_scores(np.array([0, 1]), np.array([[1.0, 3.0], [1.0, 1.0]]))
    assert weighted["same_length"].tolist() == [0.5, 0.75]
    assert judgement.evidence(np.arange(2))["same_length"] == Bounded(0.0, 1.0, 2)


# --- Rejected functions and values


def refused(error, body, **fields):
    source = f"""
        import numpy as np

        def mine(truth, scores, weights):
            {body}
    """
    return error, source, fields


@pytest.mark.parametrize(
    ("error", "source", "fields", "message"),
    [
        (*refused(StageError, "return truth / 'a'"), r"the metric mine raised .*\(weights of shape \(60, 1\)\)"),
        (*refused(ConfigError, "return 0.5"), r"one number for each weighting, float \(1,\); received float of shape \(\)"),
        (*refused(ConfigError, "return weights[:, 0]"), r"received ndarray of shape \(60,\) and type float64"),
        (*refused(ConfigError, "return None"), r"received NoneType of shape \(\) and type object"),
        (*refused(ConfigError, "return ['0.5']"), r"received list of shape \(1,\) and type <U3"),
        (*refused(ConfigError, "return [[1, 2], [3]]"), "received list"),
        (*refused(StageError, "return [np.nan]"), "the metric mine is not a number over all 60 examples, each of weight 1"),
        (*refused(StageError, "return [np.inf]"), "the metric mine must be finite; it returned inf"),
        (*refused(StageError, "return [1.5]", bounds=(0, 1)), r"must be in its bounds \[0, 1\]; it returned 1.5"),
        (*refused(StageError, "weights *= 2; return weights[0]"), "raised ValueError: .* read-only"),
    ],
)
def test_a_function_that_fails_is_named_with_the_way_out(error, source, fields, message, my_metrics):
    my_metrics(source)
    with pytest.raises(error, match=message) as caught:
        judged(c.Metric("my_metrics:mine", **fields))
    assert "my_metrics:mine, or leave it out of task.metrics" in str(caught.value)


def test_a_function_that_is_not_there_is_named_with_the_closest(my_metrics):
    my_metrics(BALANCED)
    with pytest.raises(ConfigError, match="my_metrics has no 'balance'; did you mean 'balanced'"):
        judged("my_metrics:balance")


def test_a_value_that_rounding_moved_out_of_its_bounds_is_accepted(my_metrics):
    my_metrics("def mine(truth, scores, weights): return [1 + 1e-12] * weights.shape[1]")
    assert judged(c.Metric("my_metrics:mine", bounds=(0, 1))).scores["mine"] == pytest.approx(1)
