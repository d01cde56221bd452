"""A judgement of captions has scores, a row per image, intervals, and can be gated."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from kerasvision import config as c
from kerasvision.errors import DataError, StageError
from kerasvision.evaluation.bootstrap import intervals
from kerasvision.evaluation.evaluated import SLICE_COLUMNS, Evaluated
from kerasvision.evaluation.gate import judge
from kerasvision.tasks.captioning.judging import judged_captions

TASK = SimpleNamespace(settings=c.Captioning(), labels=())
TRUTH = (("A red cat sat on a mat.", "a cat"), ("a black dog ran to the left",), ("two birds in a blue sky",))


def predictions(answers, *, likelihood=-2.0, score=-0.5):
    """One answer for each image; every true caption has four tokens."""
    return {
        "captions": np.array([[answer.encode()] for answer in answers], object),
        "scores": np.full((len(answers), 1), score, np.float32),
        "log_likelihoods": np.full((len(answers), 2), likelihood, np.float32),
        "tokens": np.full((len(answers), 2), 4, np.int32),
    }


def truth_of(captions):
    rows = np.empty(len(captions), object)
    rows[:] = captions
    return rows


def judged(captions=TRUTH, answers=("a red cat sat on a mat", "a black dog ran to the right", "a dog"), **values):
    ids = [f"{n}.jpg" for n in range(len(captions))]
    return judged_captions(ids=ids, truth=truth_of(captions), predictions=predictions(answers, **values))


def test_every_metric_of_the_settings_has_a_value_and_no_other():
    assert set(judged().scores) == set(c.Captioning().metric_names())


def test_a_row_tells_truth_answer_score_and_loss_and_not_whether_it_is_right():
    rows = judged(likelihood=-6.0).rows
    assert list(rows) == ["id", "captions", "caption", "score", "loss"]
    assert rows.loc[0].to_dict() == {
        "id": "0.jpg",
        "captions": "A red cat sat on a mat. | a cat",
        "caption": "a red cat sat on a mat",
        "score": -0.5,
        "loss": 1.5,
    }


def test_the_best_of_several_captions_is_judged():
    several = predictions(["a red cat sat on a mat", "x", "x"])
    several["captions"] = np.hstack([several["captions"], np.array([[b"y"]] * 3, object)])
    found = judged_captions(ids=list("abc"), truth=truth_of(TRUTH), predictions=several)
    assert found.rows["caption"].tolist() == ["a red cat sat on a mat", "x", "x"]
    assert found.scores["exact_match"] == pytest.approx(1 / 3)


def test_captions_given_more_than_once_are_counted():
    table = judged(answers=("a dog", "a cat", "a dog")).tables["repeated_captions"]
    assert table.reset_index().to_numpy().tolist() == [["a dog", 2, pytest.approx(2 / 3)]]


def test_a_captioner_that_always_says_the_same_gets_a_sentence():
    assert judged(answers=("a dog", "a dog", "a dog")).remarks == ("The model answers 'a dog' for every image: 3 of 3.",)
    assert judged(answers=("a dog", "a dog", "a cat")).remarks == ()
    assert judged((("a dog",),) * 3, ("a dog",) * 3).remarks == ()


def test_images_without_captions_are_told_and_left_out():
    found = judged((*TRUTH, ()), ("a red cat sat on a mat", "a dog", "a dog", "a dog"))
    assert found.left_out == {"all metrics that compare with people, for 1 of 4 images": "they have no caption"}
    assert found.rows["captions"].iloc[-1] == ""
    assert found.scores["exact_match"] == pytest.approx(1 / 3)


def test_answers_that_are_no_numbers_are_refused():
    for broken in ({"likelihood": np.nan}, {"score": np.nan}, {"likelihood": -np.inf}):
        with pytest.raises(StageError, match="3 of 3 answers of the network are not numbers"):
            judged(**broken)


def test_a_split_without_captions_cannot_be_judged():
    with pytest.raises(DataError, match="none of these images has one"):
        judged(((), ("",)), ("a cat", "a dog"))


def test_all_scores_of_means_and_sums_have_intervals():
    judgement = judged(TRUTH * 5, ("a red cat sat on a mat", "a black dog ran", "a dog") * 5)
    found = intervals(judgement, resamples=100, confidence=0.9)
    assert set(found) == set(c.Captioning().metric_names()) - {"distinct_captions"}
    assert all(low <= high for low, high in found.values())
    assert found["exact_match"][0] < 1 / 3 < found["exact_match"][1]


def test_rules_of_a_gate_work_on_them():
    def known(judgement):
        ends = intervals(judgement, resamples=100, confidence=0.95)
        return Evaluated("test", judgement, intervals=ends, slices=pd.DataFrame(columns=SLICE_COLUMNS))

    good = judged(TRUTH * 10, ("a red cat sat on a mat", "a black dog ran to the left", "two birds in the sky") * 10)
    bad = judged(TRUTH * 10, ("a dog", "a black dog", "a dog") * 10, likelihood=-4.0)
    rules = c.Gate(
        c.AtLeast("cider_d", 1.0, end="low"),
        c.AtLeast("bleu_4", 0.5),
        c.AtMost("perplexity", 2.0),
        c.NoWorse("cider_d", test="bootstrap"),
        c.Better("perplexity"),
    )
    rules.check(TASK.settings)
    verdict = judge(rules, task=TASK, evaluated=known(good), baseline=known(bad))
    assert [rule.outcome for rule in verdict.rules] == ["passed"] * 5
    verdict = judge(rules, task=TASK, evaluated=known(bad), baseline=known(good))
    assert [rule.outcome for rule in verdict.rules] == ["failed"] * 5
