"""Cross-validation: mean and deviation over folds, and what is said about the network that is pushed."""

import json
import statistics

import pandas as pd
import pytest

from kerasvision.evaluation.cross_validation import add_fold

ACCURACIES = [0.9, 0.8, 0.95]


@pytest.fixture
def joined(tmp_path):
    """The folder of the last of three folds, and its properties."""
    before = None
    for fold, accuracy in enumerate(ACCURACIES, 1):
        scores = {"accuracy": {"score": accuracy}, "recall[rose]": {"score": 1.0}}
        scores |= {"roc_auc": {"score": 0.5}} if fold == 2 else {}
        file, folder = tmp_path / f"scores_{fold}.json", tmp_path / str(fold)
        file.write_text(json.dumps({"splits": {"test": {"count": 10 + fold, "scores": scores}}}))
        folder.mkdir()
        known = add_fold(file, before=before, folder=folder, fold=fold, folds=3, final=False, headline="accuracy")
        before = folder / "folds.csv"
    return folder, known


def test_mean_and_deviation_are_those_of_the_folds(joined, capsys):
    folder, known = joined
    assert known["mean"] == pytest.approx(statistics.mean(ACCURACIES))
    assert known["deviation"] == pytest.approx(statistics.stdev(ACCURACIES))
    assert (known["folds"], known["headline"]) == (3, "accuracy")
    rows = pd.read_csv(folder / "cross_validation.csv").set_index("metric")
    assert list(rows.index) == ["accuracy", "roc_auc"]  # those of single classes are in each fold's own evaluation
    assert rows.loc["roc_auc", "folds"] == 1


def test_files_hold_each_fold_and_what_is_pushed(joined):
    folder, _ = joined
    table = pd.read_csv(folder / "folds.csv")
    assert table[table["metric"] == "accuracy"]["score"].tolist() == ACCURACIES
    assert table.drop_duplicates("fold")["examples"].tolist() == [11, 12, 13]
    record = json.loads((folder / "cross_validation.json").read_text())
    assert record["served"].startswith("Pushed is the network of fold 1; training.final='all' would")
    assert record["metrics"][1] == {"metric": "roc_auc", "mean": 0.5, "deviation": None, "folds": 1}
    page = (folder / "cross_validation.html").read_text()
    assert "0.8833" in page
    assert "0.0764" in page


def test_last_fold_says_the_result_and_a_final_training_what_is_pushed(tmp_path, capsys):
    file = tmp_path / "scores.json"
    file.write_text(json.dumps({"splits": {"test": {"count": 9, "scores": {"accuracy": {"score": 0.5}}}}}))
    known = add_fold(file, before=None, folder=tmp_path, fold=1, folds=1, final=True, headline="accuracy")
    said = capsys.readouterr().err
    assert "accuracy 0.5000 +- 0.0000 over 1 folds. Pushed is another network, trained on all images" in said
    assert known["deviation"] == 0
    assert add_fold(file, before=None, folder=tmp_path, fold=1, folds=2, final=True, headline="bleu") == {"folds": 1}
