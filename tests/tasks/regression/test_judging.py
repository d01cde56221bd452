"""Scores of numbers are scikit-learn's, with weights, missing values and constant truths."""

import numpy as np
import pytest
from sklearn import metrics

from kerasvision import config as c
from kerasvision.errors import DataError, StageError
from kerasvision.evaluation.bootstrap import intervals
from kerasvision.tasks.base import Bounded, Counted, make_task

NAMES = ("age", "height")


def judged(truth, answers, names=NAMES, **settings):
    truth, answers = np.asarray(truth, np.float32), np.asarray(answers, np.float32)
    written = np.broadcast_to(np.array([name.encode() for name in names], object), answers.shape)
    task = make_task(c.Regression(**settings), names)
    return task.judge(
        ids=[str(number) for number in range(len(truth))], truth=truth, predictions={"values": answers, "names": written}
    )


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(3)
    truth = random.normal((30.0, 1.7), (10.0, 0.1), (60, 2)).astype(np.float32)
    answers = truth + random.normal(0.0, (5.0, 0.05), truth.shape).astype(np.float32)
    truth[random.random(truth.shape) < 0.2] = np.nan
    return truth, answers


def expected(truth, answers, weights, name):
    """scikit-learn's score of one value, of the images that have it."""
    known = ~np.isnan(truth) & (weights > 0)
    truth, answers, weights = truth[known], answers[known], weights[known]
    function = {
        "mae": metrics.mean_absolute_error,
        "rmse": metrics.root_mean_squared_error,
        "r2": metrics.r2_score,
        "within_tolerance": lambda *pair, sample_weight: np.average(np.abs(pair[1] - pair[0]) <= 4.0, weights=sample_weight),
    }[name]
    return function(truth, answers, sample_weight=weights)


def test_scores_are_those_of_scikit_learn_for_every_weighting(data):
    truth, answers = (one.astype(np.float64) for one in data)
    judgement = judged(*data, tolerance=4.0)
    rows = np.arange(10, 50)
    weights = np.random.default_rng(0).integers(0, 4, (40, 3)).astype(np.float64)
    found = judgement.weighted_scores(rows, weights)
    for name in ("mae", "rmse", "r2", "within_tolerance"):
        each = np.array(
            [[expected(truth[rows, v], answers[rows, v], column, name) for column in weights.T] for v in range(2)]
        )
        np.testing.assert_allclose(found[name], each.mean(axis=0), rtol=1e-6)
        for v, value in enumerate(NAMES):
            np.testing.assert_allclose(found[f"{name}[{value}]"], each[v], rtol=1e-6)
    ones = {name: expected(truth[:, 0], answers[:, 0], np.ones(60), name) for name in ("mae", "r2")}
    assert judgement.scores["mae[age]"] == pytest.approx(ones["mae"])
    assert judgement.scores["r2[age]"] == pytest.approx(ones["r2"])


def test_r2_keeps_its_digits_far_from_zero(data):
    truth, answers = (one[:, :1].astype(np.float64) for one in data)
    moved = judged(truth + 2.0**22, answers + 2.0**22, names=("age",))  # exact in float32 to a half
    near = judged(np.round(truth * 2) / 2, np.round(answers * 2) / 2, names=("age",))
    assert moved.scores["r2"] == pytest.approx(near.scores["r2"], abs=1e-3)


def test_a_constant_truth_has_no_r2_and_says_why():
    judgement = judged([[7.0, 1.0], [7.0, 2.0], [7.0, np.nan]], [[7.0, 1.0], [8.0, 2.0], [7.5, 3.0]])
    assert "r2[age]" not in judgement.scores
    assert judgement.left_out == {"r2[age]": "all images have the same truth"}
    assert judgement.scores["r2"] == judgement.scores["r2[height]"] == 1.0
    assert judgement.scores["mae[age]"] == pytest.approx(0.5)
    assert np.isfinite(judgement.rows["loss"]).all()


def test_a_value_that_no_image_has_is_left_out():
    judgement = judged([[1.0, np.nan], [2.0, np.nan]], [[1.0, 1.0], [2.0, 1.0]])
    assert judgement.left_out["mae[height]"] == "no image has a number for it"
    assert judgement.scores["mae"] == judgement.scores["mae[age]"] == 0.0


def test_a_tolerance_for_one_value_leaves_the_others_out(data):
    judgement = judged(*data, tolerance={"age": 4.0})
    assert judgement.scores["within_tolerance"] == judgement.scores["within_tolerance[age]"]
    assert judgement.left_out["within_tolerance[height]"] == "task.tolerance does not name it"


def test_an_answer_at_the_tolerance_is_within_it():
    assert judged([[1.0], [1.0]], [[1.5], [1.75]], names=("age",), tolerance=0.5).scores["within_tolerance"] == 0.5


def test_intervals_contain_their_scores_and_shares_are_counted(data):
    judgement = judged(*data, tolerance=4.0)
    found = intervals(judgement, resamples=200, confidence=0.95)
    for name, score in judgement.scores.items():
        low, high = found[name]
        assert low <= score <= high
    evidence = judgement.evidence(np.arange(60))
    known = int((~np.isnan(data[0][:, 0])).sum())
    right = int((np.abs(data[1] - data[0])[:, 0] <= 4.0).sum())
    assert evidence["within_tolerance[age]"] == Counted(right, known)
    assert evidence["mae[age]"] == Bounded(0.0, pytest.approx(np.nanmax(np.abs(data[1] - data[0])[:, 0])), known)
    assert evidence["r2[age]"].most == 1.0


def test_perfect_answers_still_have_an_interval():
    judgement = judged(np.arange(40.0)[:, None], np.arange(40.0)[:, None] + 0.25, names=("age",))
    low, _ = intervals(judgement, resamples=200, confidence=0.95)["mae"]
    assert low < 0.25 == judgement.scores["mae"]


def test_rows_name_the_worst_images_whatever_the_units(data):
    truth = np.array([[30.0, 1.5], [40.0, 1.7], [50.0, 1.9]])
    answers = truth + np.array([[0.0, 0.3], [1.0, 0.0], [0.0, 0.0]])
    judgement = judged(truth, answers)
    assert judgement.rows["loss"].to_numpy().argmax() == 0  # 0.3 m is more than 1 year
    assert list(judgement.rows) == ["id", "truth[age]", "answer[age]", "truth[height]", "answer[height]", "loss"]
    task = make_task(c.Regression(), NAMES)
    assert task.caption(judgement.rows.iloc[0]) == "height 1.5 → 1.8, age 30 → 30"


def test_remarks_say_which_values_were_not_learned():
    truth = np.stack([np.arange(20.0), np.arange(20.0)], axis=1)
    answers = np.stack([np.full(20, 9.5), 19 - np.arange(20.0)], axis=1)
    constant, reversed_ = judged(truth, answers).remarks
    assert constant == "The model answers every image with nearly the same age, 9.5."
    assert reversed_.startswith("For height the model is worse than the mean of these images: R2 is -3")


def test_answers_that_are_no_numbers_or_of_other_values_are_rejected(data):
    with pytest.raises(StageError, match="1 of 2 answers of the network are not numbers"):
        judged([[1.0, 1.0]] * 2, [[1.0, np.nan], [1.0, 1.0]])
    written = np.broadcast_to(np.array([b"age", b"size"], object), (1, 2))
    task = make_task(c.Regression(), NAMES)
    with pytest.raises(DataError, match="a model must answer with the values age, height; this one has others"):
        task.judge(ids=["0"], truth=np.ones((1, 2)), predictions={"values": np.ones((1, 2)), "names": written})
    with pytest.raises(DataError, match="none of these images has one"):
        judged([[np.nan, np.nan]], [[1.0, 1.0]])


def test_answers_of_several_models_are_averaged(data):
    task = make_task(c.Regression(), NAMES)
    written = np.broadcast_to(np.array([b"age", b"height"], object), (1, 2))
    both = [{"values": np.array([[1.0, 2.0]]), "names": written}, {"values": np.array([[3.0, 6.0]]), "names": written}]
    assert task.averaged(both)["values"].tolist() == [[2.0, 4.0]]


def test_plots_show_the_values_that_are_explained_least(data):
    task = make_task(c.Regression(), NAMES)
    (figure,) = task.figures(judged(*data)).values()
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["answer: age", "residual: answer - truth", "answer: height", "residual: answer - truth"]
    known = int((~np.isnan(data[0][:, 0])).sum())
    assert len(figure.axes[0].collections[0].get_offsets()) == known


def test_a_name_that_the_font_of_a_plot_lacks_is_numbered(data):
    names = ("$x$", "年齢")
    (figure,) = make_task(c.Regression(), names).figures(judged(*data, names=names)).values()
    assert {figure.axes[0].get_ylabel(), figure.axes[2].get_ylabel()} == {"answer: $x$", "answer: value 2"}
