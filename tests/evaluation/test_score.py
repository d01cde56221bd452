"""Scores of a served model equal those of a second way from files to scores: Pillow, NumPy, scikit-learn."""

import io
import json

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image
from sklearn import metrics

from kerasvision import config as c
from kerasvision.config.stages import EvaluatorSettings
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.errors import DataError, StageError
from kerasvision.evaluation.predictions import predict_split_from_bytes
from kerasvision.evaluation.score import worst_rows
from kerasvision.evaluation.session import EvaluationFiles, evaluate_model
from kerasvision.served.model import ServedModel
from kerasvision.tasks.base import Judgement


def read(examples, split):
    """(ids, labels, float64 (N, 16, 16, 1) in [0, 1]) through Pillow."""
    rows = list(examples.dataset(split).as_numpy_iterator())
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(row["image"]))) for row in rows])[..., None] / 255
    return [row["id"].decode() for row in rows], np.array([row["label"] for row in rows]), pixels


@pytest.fixture(scope="module")
def files(trained, stripes, manifest, tmp_path_factory):
    """The files of `stripes` and its model, with a simple model's score."""
    folder = tmp_path_factory.mktemp("files")
    manifest.to_parquet(folder / "manifest.parquet")
    (folder / "simple.csv").write_text(
        "model,features,metric,score,low,high,train_examples,test_examples,seconds,notes\n"
        "linear softmax,pixels,accuracy,0.5,0.4,0.6,96,24,0.1,\n"
    )
    return EvaluationFiles(
        examples=stripes.examples,
        manifest=folder / "manifest.parquet",
        schema=stripes.schema,
        transform=stripes.transform,
        history=trained.history,
        saved_model=trained.saved_model,
        network=trained.model,
        baseline=trained.saved_model,
        simple_scores=folder / "simple.csv",
    )


HITS = "def hits(truth, scores, weights):\n    return (scores.argmax(axis=1) == truth) @ weights / weights.sum(axis=0)\n"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """With a metric of one's own, which is the accuracy."""
    folder = tmp_path_factory.mktemp("metric")
    (folder / "my_hits.py").write_text(HITS)
    task = c.Classification(metrics=(c.Metric("my_hits:hits", name="my_accuracy", bounds=(0, 1)),))
    evaluation = c.Evaluation(
        slices=("label", "brightness", "pixels"),
        resamples=100,
        test_time=("flip",),
        human={"accuracy": 0.9},
        human_source="one <person>",
    )
    gate = c.Gate(c.AtLeast("accuracy", 0.5), c.NoWorse("log_loss"), c.AtLeast("accuracy", 0.1, slice="brightness"))
    own = (
        c.AtLeast("my_accuracy", 0.5),
        c.NoWorse("my_accuracy"),
        c.AtLeast("my_accuracy", 0, slice="brightness"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield EvaluatorSettings(task=task, evaluation=evaluation, gate=c.Gate(*gate.rules, *own))


@pytest.fixture(scope="module")
def evaluated(files, settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    verdict, found = evaluate_model(files, settings, folder=folder)
    return verdict, found, folder


def test_scores_equal_those_of_numpy_and_scikit_learn(trained, evaluated):
    judgement = evaluated[1].judgement
    _, _, train = read(trained.examples, "train")
    ids, labels, test = read(trained.examples, "test")
    inputs = (test - train.mean()) / train.std()
    logits = keras.models.load_model(trained.model).predict(inputs, verbose=0).astype(np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert judgement.rows["id"].tolist() == ids
    assert judgement.scores["accuracy"] == metrics.accuracy_score(labels, probabilities.argmax(axis=1))
    assert judgement.scores["log_loss"] == pytest.approx(metrics.log_loss(labels, probabilities), rel=1e-4)
    auc = metrics.roc_auc_score(labels, probabilities, multi_class="ovr")
    assert judgement.scores["roc_auc"] == pytest.approx(auc, abs=1e-6)
    np.testing.assert_allclose(judgement.rows["score"], probabilities.max(axis=1), atol=1e-5)


def test_the_network_has_learned(evaluated):
    # Three classes of eight images each: guessing scores a third.
    scores = evaluated[1].judgement.scores
    assert scores["majority_accuracy"] == 1 / 3
    assert scores["accuracy"] > 0.7


def test_a_model_is_no_worse_than_itself_and_every_slice_is_judged(evaluated):
    verdict = evaluated[0]
    # Two rules for all images and one for each of three slices, for each of the accuracies.
    assert (verdict.verdict, len(verdict.rules)) == ("BLESSED", 2 * (2 + 3))


def test_the_files_hold_every_split_with_intervals(evaluated):
    _, found, folder = evaluated
    data = json.loads((folder / "scores.json").read_text())
    assert {split: part["count"] for split, part in data["splits"].items()} == {"validation": 24, "test": 24}
    accuracy = data["splits"]["test"]["scores"]["accuracy"]
    assert accuracy["score"] == found.judgement.scores["accuracy"]
    assert accuracy["low"] <= accuracy["score"] <= accuracy["high"]
    assert data["human"] == {"scores": {"accuracy": 0.9}, "source": "one <person>"}
    slices = pd.read_csv(folder / "slices.csv")
    assert set(slices["split"]) == {"validation", "test"}
    assert {"validation/predictions.parquet", "validation/confusion.csv"} <= {
        str(path.relative_to(folder)) for path in folder.rglob("*")
    }
    confusion = pd.read_csv(folder / "confusion.csv", index_col="label")
    assert confusion.to_dict() == found.judgement.tables["confusion"].to_dict()
    rows = pd.read_parquet(folder / "predictions.parquet")
    pd.testing.assert_frame_equal(rows, found.judgement.rows, check_dtype=False)
    assert (rows["slice_label"] == rows["label"]).all()


def test_the_slices_of_a_split_add_up_to_it(evaluated):
    found = evaluated[1]
    for name in ("label", "brightness"):
        part = found.slices[(found.slices["slice"] == name) & (found.slices["metric"] == "accuracy")]
        assert part["count"].sum() == 24
        mean = np.average(part["score"], weights=part["count"])
        assert mean == pytest.approx(found.judgement.scores["accuracy"])
    # All images are 16 x 16, so there are no slices by size.
    assert set(found.slices["slice"]) == {"label", "brightness"}


def test_the_page_compares_with_simple_models_people_and_further_views(evaluated):
    text = (evaluated[2] / "evaluation.html").read_text(encoding="utf-8")
    for words in (
        "people (one &lt;person&gt;)",
        "linear softmax on pixels",
        "this model, flip",
        "The same for all test images: pixels",
    ):
        assert words in text


def test_a_metric_of_ones_own_is_in_every_table_and_on_the_page_and_the_gate_judges_it(evaluated):
    verdict, found, folder = evaluated
    own = [rule for rule in verdict.rules if rule.rule.startswith("my_accuracy")]
    assert [rule.outcome for rule in own] == ["passed"] * 5
    scores = json.loads((folder / "scores.json").read_text())["splits"]["test"]["scores"]
    assert scores["my_accuracy"]["score"] == scores["accuracy"]["score"] == own[0].value
    assert scores["my_accuracy"]["low"] < scores["my_accuracy"]["score"] < scores["my_accuracy"]["high"]
    slices = found.slices.set_index(["slice", "value", "metric"])["score"].unstack()
    assert (slices["my_accuracy"] == slices["accuracy"]).all()
    assert "<td>my accuracy</td>" in (folder / "evaluation.html").read_text(encoding="utf-8")


def test_without_a_test_split_there_is_nothing_to_score(files, settings, trained, tmp_path):
    rows = [("a", next(iter(trained.examples.dataset("train")))["image"].numpy(), "across")]
    write_examples(lambda split: rows, splits=["train"], classes=["across"], folder=tmp_path / "data")
    without = EvaluationFiles(**{**vars(files), "examples": tmp_path / "data"})
    with pytest.raises(DataError, match=r"there is no test split to evaluate on. Set splits.test above 0."):
        evaluate_model(without, settings, folder=tmp_path)


# --- Models that cannot be asked


def save(folder, outputs):
    """A SavedModel whose `serving_default` gives these outputs, functions of the bytes."""
    module = tf.Module()
    function = tf.function(
        lambda image_bytes: {name: of(image_bytes) for name, of in outputs.items()},
        input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")],
    )
    tf.saved_model.save(module, str(folder), signatures={"serving_default": function})
    return ServedModel(folder)


def test_images_that_the_served_model_cannot_read_are_named(trained, tmp_path):
    first = next(iter(trained.examples.dataset("test")))
    model = save(
        tmp_path / "m",
        {
            "scores": lambda image: tf.zeros((tf.size(image), 3)),
            "valid": lambda image: image != first["image"],
        },
    )
    name = first["id"].numpy().decode()
    with pytest.raises(StageError, match=f"cannot read 1 images .*: {name}"):
        predict_split_from_bytes(trained.examples, split="test", task=trained.task, saved_model=model)


def test_the_largest_losses_come_first():
    rows = pd.DataFrame({"id": list("abcd"), "loss": [1.0, 9.0, 3.0, 2.0], "correct": [False, True, False, False]})
    assert worst_rows(Judgement({}, rows), most=3)["id"].tolist() == ["b", "c", "d"]


def test_captions_of_any_number_are_batched(tmp_path, trained):
    image = next(iter(trained.examples.dataset("train")))["image"].numpy()
    rows = [(name, image, "", captions) for name, captions in (("a", ["one"]), ("b", ["two", "three"]))]
    write_examples(lambda split: rows, splits=["test"], classes=(), folder=tmp_path / "data", captions=True)

    class Captions:
        def truth(self, batch):
            return np.array([len(captions) for captions in batch["captions"].to_list()])

        def evaluation_inputs(self, batch):
            return {}

        def measured(self, truth, predictions):
            return truth, predictions

    model = save(tmp_path / "m", {"said": lambda image: image})
    found = predict_split_from_bytes(ExampleSet(tmp_path / "data"), split="test", task=Captions(), saved_model=model)
    assert dict(zip(found.ids, found.truth.tolist(), strict=True)) == {"a": 1, "b": 2}
    assert found.predictions["said"].tolist() == [image, image]
