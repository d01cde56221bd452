"""Scores of a trained network equal those of a second way from the files to the answers: Pillow, NumPy, scikit-learn."""

import io
import json

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import metrics

from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.errors import DataError, ExportError
from kerasvision.evaluation.score import save_judgement, score_baseline, score_network, worst_rows
from kerasvision.tasks.base import Judgement


def read(examples, split):
    """(ids, labels, float64 (N, 16, 16, 1) in [0, 1]) through Pillow."""
    rows = list(examples.dataset(split).as_numpy_iterator())
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(row["image"]))) for row in rows])[..., None] / 255
    return [row["id"].decode() for row in rows], np.array([row["label"] for row in rows]), pixels


@pytest.fixture(scope="module")
def judgement(trained):
    return score_network(trained.model, task=trained.task, examples=trained.examples, transform=trained.transform)


def test_scores_equal_those_of_numpy_and_scikit_learn(trained, judgement):
    _, _, train = read(trained.examples, "train")
    ids, labels, test = read(trained.examples, "test")
    inputs = (test - train.mean()) / train.std()
    logits = keras.models.load_model(trained.model).predict(inputs, verbose=0).astype(np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert judgement.rows["id"].tolist() == ids
    assert judgement.scores["accuracy"] == metrics.accuracy_score(labels, probabilities.argmax(axis=1))
    assert judgement.scores["log_loss"] == pytest.approx(metrics.log_loss(labels, probabilities), rel=1e-4)
    np.testing.assert_allclose(judgement.rows["score"], probabilities.max(axis=1), atol=1e-5)


def test_the_network_has_learned(judgement):
    # Three classes of eight images each: guessing scores a third.
    assert judgement.scores["majority_accuracy"] == 1 / 3
    assert judgement.scores["accuracy"] > 0.7


def test_a_served_model_scores_like_the_network_it_came_from(trained, judgement):
    baseline = score_baseline(trained.saved_model, task=trained.task, examples=trained.examples)
    assert baseline == pytest.approx(judgement.scores, abs=1e-5)


def test_without_a_test_split_there_is_nothing_to_score(trained, tmp_path):
    rows = [("a", next(iter(trained.examples.dataset("train")))["image"].numpy(), "across")]
    write_examples(lambda split: rows, splits=["train"], classes=["across"], folder=tmp_path / "data")
    with pytest.raises(DataError, match=r"there is no test split to evaluate on. Set splits.test above 0."):
        score_network(trained.model, task=trained.task, examples=ExampleSet(tmp_path / "data"), transform=trained.transform)


def test_a_model_file_cut_short_is_called_damaged(trained, tmp_path):
    file = tmp_path / "model.keras"
    file.write_bytes(trained.model.read_bytes()[:2000])
    with pytest.raises(ExportError, match="is damaged or no Keras model"):
        score_network(file, task=trained.task, examples=trained.examples, transform=trained.transform)


def test_the_worst_are_wrong_and_come_by_loss():
    rows = pd.DataFrame({"id": list("abcd"), "loss": [1.0, 9.0, 3.0, 2.0], "correct": [False, True, False, False]})
    assert worst_rows(Judgement({}, rows), most=2)["id"].tolist() == ["c", "d"]


def test_a_saved_judgement_is_the_same_when_read(judgement, tmp_path):
    save_judgement(judgement, scores=tmp_path / "s.json", predictions=tmp_path / "p.parquet", folder=tmp_path)
    assert json.loads((tmp_path / "s.json").read_text()) == judgement.scores
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "p.parquet"), judgement.rows, check_dtype=False)
    confusion = pd.read_csv(tmp_path / "confusion.csv", index_col="label")
    assert confusion.to_dict() == judgement.tables["confusion"].to_dict()
