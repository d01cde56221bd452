"""The simplest models get small images, train on a bounded number of them, and are scored on the whole test split."""

import io
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.validating.schema import DataSchema
from kerasvision.errors import ConfigError
from kerasvision.evaluation.choices import draw_choices
from kerasvision.evaluation.simple_models import best_simple_model, save_simple_scores, score_simple_models, small_images
from kerasvision.tasks.base import Judgement


@pytest.fixture(scope="module")
def scored(trained, stripes):
    """The scores, and what was chosen on the validation split."""
    schema, choices = DataSchema.load(stripes.schema), []
    settings = c.SimpleModels(max_train=60, components=10)
    table = score_simple_models(trained.examples, task=trained.task, schema=schema, settings=settings, choices=choices)
    return table, choices


@pytest.fixture(scope="module")
def table(scored):
    return scored[0]


def test_each_model_is_scored_on_pixels_and_on_components_best_first(table):
    assert len(table) == 6
    assert set(table["metric"]) == {"accuracy"}
    assert set(table["features"]) == {"pixels", "10 principal components"}
    assert table["score"].is_monotonic_decreasing
    assert set(table["train_examples"]) == {60}
    assert set(table["test_examples"]) == {24}
    assert ((table["low"] <= table["score"]) & (table["score"] <= table["high"])).all()


def test_an_accuracy_is_a_share_of_the_test_split(table):
    np.testing.assert_allclose(table["score"] * 24, np.round(table["score"] * 24))
    # Guessing gives a third. Stripes have any phase: a linear model of pixels cannot recognize them, some neighbours can.
    assert table["score"].max() > 1 / 3


def test_neighbours_are_chosen_on_the_validation_split_and_noted(scored, tmp_path):
    table, choices = scored
    save_simple_scores(table, folder=tmp_path, choices=choices)
    saved = pd.read_csv(tmp_path / "choices.csv")
    assert set(saved["features"]) == {"pixels", "10 principal components"}
    for features, rows in saved.groupby("features"):
        assert len(rows) == 3 * 6  # k = 100 is more than the 60 training images
        row = table[(table["model"] == "nearest neighbours") & (table["features"] == features)].iloc[0]
        assert row["notes"] == f"distance {rows['distance'].iloc[0]}, k {rows['k'].iloc[0]}: chosen on 24 validation images"
    axes = draw_choices(saved).axes
    assert [one.get_title() for one in axes] == ["pixels", "10 principal components"]
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["L1", "L2", "cosine", "chosen"]


def test_images_of_their_own_size_are_seen_as_they_are(trained):
    small = small_images(trained.examples, split="test", most=None, task=trained.task, side=16, is_grey=True)
    rows = list(trained.examples.dataset("test").as_numpy_iterator())
    expected = np.stack([np.asarray(Image.open(io.BytesIO(row["image"]))).ravel() for row in rows]) / 255
    np.testing.assert_allclose(small.features, expected, atol=1e-6)
    assert small.images.shape == (24, 16, 16, 1)
    assert small.ids == [row["id"].decode() for row in rows]
    assert small.truth.tolist() == [row["label"] for row in rows]


def test_images_of_12_bits_fill_the_range(trained, tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.array([[0, 2048], [4095, 16]], np.uint16)).save(buffer, "PNG")
    rows = [("x-ray.png", buffer.getvalue(), trained.task.classes[0])]
    write_examples(lambda split: rows, splits={"test": rows}, classes=trained.task.classes, folder=tmp_path / "data")
    small = small_images(
        ExampleSet(tmp_path / "data"), split="test", most=None, task=trained.task, side=2, is_grey=True, significant_bits=12
    )
    np.testing.assert_allclose(small.features[0] * 255, [0, 128, 255, 1], atol=1e-4)


@pytest.mark.slow
def test_a_part_of_the_images_is_drawn_the_same_every_time(trained):
    drawn = [
        small_images(trained.examples, split="train", most=10, task=trained.task, side=4, is_grey=False) for _ in range(2)
    ]
    assert drawn[0].features.shape == (10, 4 * 4 * 3)
    np.testing.assert_array_equal(drawn[0].features, drawn[1].features)


def test_the_files_hold_the_table_without_nan(table, tmp_path):
    few = table.assign(low=np.nan, high=np.nan)
    save_simple_scores(few, folder=tmp_path)
    assert pd.read_csv(tmp_path / "simple_scores.csv")["model"].tolist() == table["model"].tolist()
    first = json.loads((tmp_path / "simple_scores.json").read_text())[0]
    assert (first["model"], first["low"]) == (table["model"][0], None)


def test_a_task_without_simple_models_has_no_rows(trained, stripes):
    class Other:
        def simple_models(self):
            return {}

        baselines = simple_models

    schema = DataSchema.load(stripes.schema)
    assert score_simple_models(trained.examples, task=Other(), schema=schema, settings=c.SimpleModels()).empty


class Distances:
    """A task with baselines that answer with a number for each image, and are judged by how far it is from the label."""

    def __init__(self, headline="mean_distance"):
        self.settings = SimpleNamespace(best_is=lambda metric: "min", headline_metric=lambda: headline)

    def simple_models(self):
        return {}

    def baselines(self):
        def the_mean(images, truth):
            return lambda unseen: {"answer": np.full(len(unseen), truth.mean())}

        def always_nine(images, truth):
            assert images.shape[1:] == (16, 16, 1)
            return lambda unseen: {"answer": np.full(len(unseen), 9.0)}

        return {"always nine": always_nine, "the mean": the_mean}

    def truth(self, batch):
        return batch["label"].numpy()

    def measured(self, truth, predictions):
        return truth, {"distance": np.abs(predictions["answer"] - truth)}

    def judge(self, *, ids, truth, predictions):
        distances = predictions["distance"]
        return Judgement(
            {"mean_distance": float(distances.mean())},
            pd.DataFrame({"id": ids, "loss": distances}),
            weighted_scores=lambda rows, weights: {"mean_distance": distances[rows] @ weights / weights.sum(axis=0)},
        )


def test_baselines_are_judged_by_the_task_and_scored_by_its_headline_metric(trained, stripes):
    schema = DataSchema.load(stripes.schema)
    found = score_simple_models(trained.examples, task=Distances(), schema=schema, settings=c.SimpleModels())
    labels = {split: [one["label"].numpy() for one in trained.examples.dataset(split)] for split in ("train", "test")}
    # A smaller distance is better.
    assert found["model"].tolist() == ["the mean", "always nine"]
    expected = [np.abs(np.mean(labels["train"]) - labels["test"]).mean(), 9 - np.mean(labels["test"])]
    np.testing.assert_allclose(found["score"], expected)
    assert set(found["metric"]) == {"mean_distance"} and set(found["features"]) == {"images"}
    assert ((found["low"] < found["score"]) & (found["score"] < found["high"])).all()
    best = best_simple_model(found)
    assert best == {"simple_mean_distance": pytest.approx(expected[0]), "simple_model": "the mean on images"}


@pytest.mark.slow
def test_baselines_of_a_task_without_a_headline_metric_are_refused(trained, stripes):
    schema = DataSchema.load(stripes.schema)
    with pytest.raises(ConfigError, match=r"Distances.baselines are scored by the headline metric, .*names none"):
        score_simple_models(trained.examples, task=Distances(None), schema=schema, settings=c.SimpleModels())


def test_a_baseline_without_a_score_says_why_and_is_never_the_best(trained, stripes, monkeypatch):
    judge = Distances.judge

    def judged(self, *, ids, truth, predictions):
        found = judge(self, ids=ids, truth=truth, predictions=predictions)
        if predictions["distance"].max() > 8:
            return replace(found, scores={}, left_out={"mean_distance": "no answer is near"})
        return found

    monkeypatch.setattr(Distances, "judge", judged)
    schema = DataSchema.load(stripes.schema)
    found = score_simple_models(trained.examples, task=Distances(), schema=schema, settings=c.SimpleModels())
    assert found["score"].isna().tolist() == [False, True]
    assert found["notes"].tolist() == ["", "no answer is near"]
    assert best_simple_model(found)["simple_model"] == "the mean on images"
    assert best_simple_model(found[1:]) == {}
