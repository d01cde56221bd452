"""The metrics of tags are scikit-learn's, with and without weights; what has no value says why."""

import numpy as np
import pytest
from sklearn import metrics as sk

from kerasvision import config as c
from kerasvision.errors import ConfigError, StageError
from kerasvision.evaluation.bootstrap import intervals
from kerasvision.tasks.base import make_task
from kerasvision.tasks.multi_label.judging import ALL, precision_recall
from kerasvision.tasks.multi_label.measures import Answers, WeightedTags, metric_table

NAMES = ("sea", "sand", "sun", "snow")


@pytest.fixture(scope="module")
def answered():
    """Truth, scores and decisions of 200 images; no image has the last tag, and some have none."""
    random = np.random.default_rng(1)
    truth = random.random((200, 4)) < [0.5, 0.3, 0.1, 0.0]
    scores = np.round(1 / (1 + np.exp(-(2.0 * truth + random.normal(-1.0, 1.0, truth.shape)))), 2).astype(np.float32)
    return truth, scores, scores >= np.float32(0.4)


@pytest.fixture(scope="module")
def judgement(answered):
    truth, scores, chosen = answered
    task = make_task(c.MultiLabel(), NAMES)
    return task.judge(ids=[f"{n}" for n in range(200)], truth=truth, predictions={"scores": scores, "chosen": chosen})


def expected(truth, scores, chosen, weights):
    """By scikit-learn, over the tags that occur."""
    known = truth[weights > 0].any(axis=0)
    each = {"sample_weight": weights, "zero_division": 0}
    pairs = np.repeat(weights, truth.shape[1])
    precision, recall, f1, _ = sk.precision_recall_fscore_support(truth, chosen, average=None, **each)
    ranked = [
        sk.average_precision_score(truth[:, tag], scores[:, tag], sample_weight=weights) if known[tag] else np.nan
        for tag in range(truth.shape[1])
    ]
    named = {"average_precision": ranked, "precision": precision, "recall": recall, "f1": f1}
    return {
        "mean_average_precision": np.nanmean(ranked),
        "micro_average_precision": sk.average_precision_score(truth.ravel(), scores.ravel(), sample_weight=pairs),
        "macro_f1": f1[known].mean(),
        "micro_f1": sk.f1_score(truth, chosen, average="micro", **each),
        "micro_precision": sk.precision_score(truth, chosen, average="micro", **each),
        "micro_recall": sk.recall_score(truth, chosen, average="micro", **each),
        "subset_accuracy": sk.accuracy_score(truth, chosen, sample_weight=weights),
        "hamming_loss": sk.hamming_loss(truth, chosen, sample_weight=weights),
        **{f"{metric}[{NAMES[tag]}]": values[tag] for metric, values in named.items() for tag in np.flatnonzero(known)},
    }


def test_scores_are_those_of_scikit_learn_and_a_tag_without_image_is_left_out(answered, judgement):
    wanted = expected(*answered, np.ones(200))
    assert judgement.scores == pytest.approx(wanted)
    assert judgement.left_out == {
        f"{metric}[snow]": "no image has this tag" for metric in ("average_precision", "precision", "recall", "f1")
    }


def test_weighted_scores_are_those_of_scikit_learn_for_each_weighting(answered, judgement):
    rows = np.arange(20, 140)
    weights = np.random.default_rng(2).integers(0, 4, (len(rows), 3)).astype(np.float64)
    found = judgement.weighted_scores(rows, weights)
    for column in range(3):
        wanted = expected(*(part[rows] for part in answered), weights[:, column])
        got = {name: values[column] for name, values in found.items() if not np.isnan(values[column])}
        assert got == pytest.approx(wanted)


def test_every_metric_has_an_interval_around_its_score(judgement):
    found = intervals(judgement, resamples=200, confidence=0.95)
    assert found.keys() == judgement.scores.keys()
    for name, (low, high) in found.items():
        assert 0 <= low <= judgement.scores[name] <= high <= 1
        assert high - low > 0.005


def test_weightings_taken_in_turn_give_the_same_values(answered, monkeypatch):
    weights = np.random.default_rng(3).integers(0, 3, (200, 7)).astype(np.float64)
    one = WeightedTags(Answers(*answered, NAMES), weights)
    table = metric_table()
    whole = {name: table[name].measure(one) for name in ("macro_f1", "micro_average_precision")}
    monkeypatch.setattr("kerasvision.tasks.multi_label.measures.AT_ONCE", 9)
    for name, values in whole.items():
        assert table[name].measure(WeightedTags(one.answers, weights)) == pytest.approx(values)


def test_rows_and_tables_say_what_was_missed_and_what_occurs_together(answered, judgement):
    truth, scores, chosen = answered
    rows = judgement.rows
    for row in (0, 7, 199):
        assert rows["tags"][row] == [NAMES[tag] for tag in np.flatnonzero(truth[row])]
        missed, false = np.flatnonzero(truth[row] & ~chosen[row]), np.flatnonzero(chosen[row] & ~truth[row])
        # The most wrong first.
        assert rows["missed"][row] == [NAMES[tag] for tag in sorted(missed, key=lambda tag: scores[row, tag])]
        assert rows["false"][row] == [NAMES[tag] for tag in sorted(false, key=lambda tag: -scores[row, tag])]
        loss = sk.log_loss(truth[row], scores[row].astype(float), normalize=False, labels=[False, True])
        assert rows["loss"][row] == pytest.approx(loss, rel=1e-4)
        assert rows["correct"][row] == (truth[row] == chosen[row]).all()
    table = judgement.tables["true_together"]
    assert table.loc["sea", "sand"] == (truth[:, 0] & truth[:, 1]).sum()
    assert table.loc["sun", "sun"] == truth[:, 2].sum()
    pairs = judgement.tables["pairs"].iloc[0]
    assert pairs["difference"] == pairs["answered"] - pairs["true"] != 0
    assert judgement.tables["tags"].index.tolist() == ["sea", "sand", "sun", "snow"]
    assert judgement.tables["tags"]["threshold"].tolist() == [0.5] * 4


def test_curves_have_the_best_precision_at_each_recall(answered):
    truth, scores, chosen = answered
    table = precision_recall(Answers(truth, scores, chosen, NAMES))
    assert set(table["tag"]) == {ALL, "sea", "sand", "sun"}
    precision, recall, _ = sk.precision_recall_curve(truth[:, 1], scores[:, 1])
    sand = table[table["tag"] == "sand"]
    for at, found in zip(sand["recall"], sand["precision"], strict=True):
        assert found == pytest.approx(precision[recall >= at - 1e-9].max())


def test_without_any_true_tag_nothing_can_be_ranked():
    task = make_task(c.MultiLabel(), NAMES)
    scores = np.full((12, 4), 0.1, np.float32)
    found = task.judge(ids=list("abcdefghijkl"), truth=np.zeros((12, 4), bool), predictions={"scores": scores})
    assert found.scores == {"subset_accuracy": 1.0, "hamming_loss": 0.0}
    assert found.left_out["mean_average_precision"] == "no image has a tag"
    assert found.left_out["micro_precision"] == "no tag is answered"
    assert found.remarks == ()
    assert task.figures(found) == {}


def test_a_model_that_answers_every_image_alike_is_remarked_on(answered):
    truth, scores, chosen = answered
    task = make_task(c.MultiLabel(), NAMES)
    ids = list(map(str, range(200)))
    never = task.judge(ids=ids, truth=truth, predictions={"scores": scores, "chosen": np.zeros_like(chosen)})
    assert never.remarks == ("The model answers no image with any tag.",)
    always = task.judge(ids=ids, truth=truth, predictions={"scores": scores, "chosen": chosen[:1] | np.zeros_like(chosen)})
    assert always.remarks[0].startswith("The model answers every image with the same tags, such as ")


def test_an_answer_that_is_no_number_is_an_error(answered):
    truth, scores, chosen = answered
    broken = scores.copy()
    broken[3, 1] = np.nan
    with pytest.raises(StageError, match="1 of 200 answers of the network are not numbers"):
        make_task(c.MultiLabel(), NAMES).judge(
            ids=["a"] * 200, truth=truth, predictions={"scores": broken, "chosen": chosen}
        )


@pytest.mark.slow
def test_twenty_thousand_tags_are_judged_in_memory_and_their_slices_have_no_single_tags():
    random = np.random.default_rng(0)
    names = [f"tag {n}" for n in range(20_000)]
    truth = random.random((60, 20_000)) < 2e-4
    scores = random.random((60, 20_000), np.float32)
    task = make_task(c.MultiLabel(), names)
    found = task.judge(ids=list(map(str, range(60))), truth=truth, predictions={"scores": scores})
    assert sum("[" in name for name in found.scores) == 4 * truth.any(axis=0).sum()
    assert not any("[" in name for name in found.weighted_scores(np.arange(30), np.ones((30, 1))))
    assert len(found.tables["true_together"]) == 40
    assert set(found.curves["precision_recall"]["tag"]) == {ALL}


@pytest.mark.parametrize("name", ["mean_average_precision", "recall[sea]", "average_precision[a b]", "hamming_loss"])
def test_metrics_that_exist_are_accepted(name):
    c.MultiLabel().check_metric(name)


@pytest.mark.parametrize("name", ["accuracy", "recall", "recall[]", "roc_auc[sea]"])
def test_metrics_that_do_not_exist_are_refused(name):
    with pytest.raises(ConfigError, match="multi_label has no metric"):
        c.MultiLabel().check_metric(name)


def test_a_lower_hamming_loss_is_better():
    assert c.MultiLabel().best_is("hamming_loss") == c.MultiLabel().best_is("loss") == "min"
    assert c.MultiLabel().best_is("mean_average_precision") == c.MultiLabel().best_is("recall[sea]") == "max"
