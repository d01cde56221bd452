"""The table of trials lists every trial, best first, with its exact settings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasvision.tuning.records import SearchResult, TrialRecord
from kerasvision.tuning.table import printed, read_trials_table, short_names, trials_table

RATE, PAD, KIND = "training.optimizer.learning_rate", "augment.0.pad", "training.optimizer"


def trial(number, score, *, status="COMPLETED", error="", **values):
    return TrialRecord(
        f"{number:04d}",
        status,
        score,
        seconds=12.0,
        epochs=3,
        attempts=1,
        error=error,
        values={path: values[name] for path, name in ((RATE, "rate"), (PAD, "pad"), (KIND, "kind")) if name in values},
    )


TRIALS = (
    trial(0, 0.5, rate=0.1, pad=3, kind="sgd"),
    trial(1, None, status="FAILED", error="the loss became nan", rate=0.9, kind="adam"),
    trial(2, 0.7, rate=0.01, kind="adam"),
    trial(3, 0.6, status="STOPPED", error="hopeless", rate=0.02, pad=1, kind="sgd"),
)


@pytest.mark.parametrize(("direction", "order"), [("max", "0002 0003 0000 0001"), ("min", "0000 0003 0002 0001")])
def test_best_comes_first_and_trials_without_a_score_last(direction, order):
    table = trials_table(SearchResult({}, TRIALS, "val_accuracy", direction))
    assert list(table["trial"]) == order.split()
    assert list(table.columns) == [
        "trial",
        "status",
        "score",
        "seconds",
        "epochs",
        "attempts",
        "parent",
        RATE,
        PAD,
        KIND,
        "error",
    ]


def test_a_setting_that_was_not_varied_is_missing_and_the_others_keep_their_type(tmp_path):
    made = trials_table(SearchResult({}, TRIALS, "val_accuracy", "max"))
    made.to_csv(tmp_path / "trials.csv", index=False)
    for table in (made, read_trials_table(tmp_path / "trials.csv")):
        assert table[PAD].isna().tolist() == [True, False, False, True]
        assert table[PAD].dropna().tolist() == [1, 3]
        assert str(table[PAD].dtype) == "Int64"
        assert table[RATE].tolist() == [0.01, 0.02, 0.1, 0.9]
        assert table["score"].dropna().tolist() == [0.7, 0.6, 0.5]
        assert table.loc[table["status"] == "FAILED", "error"].tolist() == ["the loss became nan"]


def test_names_of_trials_and_words_like_nothing_survive_the_file(tmp_path):
    words = trial(7, 0.5, kind="None"), trial(8, 0.4, kind="NA")
    trials_table(SearchResult({}, words, "val_accuracy", "max")).to_csv(tmp_path / "trials.csv", index=False)
    table = read_trials_table(tmp_path / "trials.csv")
    assert table["trial"].tolist() == ["0007", "0008"]
    assert table[KIND].tolist() == ["None", "NA"]


def test_printed_are_the_best_ones_without_columns_that_say_nothing():
    heads, rows = printed(trials_table(SearchResult({}, TRIALS, "val_accuracy", "max")), most=1)
    assert heads == ["trial", "score", "seconds", "epochs", "learning_rate", "0.pad", "optimizer"]
    assert rows == [["0002", "0.7000", "12", "3", "0.01", "", "adam"]]
    heads, rows = printed(trials_table(SearchResult({}, TRIALS, "val_accuracy", "max")), most=10)
    assert heads[:3] == ["trial", "status", "score"]
    assert [row[1] for row in rows] == ["COMPLETED", "STOPPED", "COMPLETED", "FAILED"]
    assert rows[-1][2] == ""


def test_a_search_without_trials_has_a_table_without_rows():
    table = trials_table(SearchResult({}, (), "val_accuracy", "max"))
    assert len(table) == 0
    assert "score" in table


names = st.lists(st.sampled_from(["training", "optimizer", "model", "pad", "0", "1", "name"]), min_size=1, max_size=4)


@given(st.lists(names.map(".".join), unique=True, max_size=8))
def test_short_names_are_ends_that_tell_the_paths_apart(paths):
    short = short_names(paths)
    assert list(short) == paths
    assert all(path.endswith(name) for path, name in short.items())
    assert len(set(short.values())) == len(paths)


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=9))
def test_every_trial_is_in_the_table_once(scores):
    trials = tuple(trial(number, score, rate=0.1) for number, score in enumerate(scores))
    table = trials_table(SearchResult({}, trials, "val_log_loss", "min"))
    assert sorted(table["trial"]) == [one.id for one in trials]
    assert table["score"].dropna().tolist() == sorted(score for score in scores if score is not None)
    assert table["score"].isna().sum() == scores.count(None)
