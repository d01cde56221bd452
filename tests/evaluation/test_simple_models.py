"""The simplest models get small images, train on a bounded number of them, and are scored on the whole test split."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.data.validating.schema import DataSchema
from kerasvision.evaluation.simple_models import save_simple_scores, score_simple_models, small_images


@pytest.fixture(scope="module")
def table(trained, stripes):
    schema = DataSchema.load(stripes.schema)
    settings = c.SimpleModels(max_train=60, components=10)
    return score_simple_models(trained.examples, task=trained.task, schema=schema, settings=settings)


def test_each_model_is_scored_on_pixels_and_on_components_best_first(table):
    assert len(table) == 6
    assert set(table["features"]) == {"pixels", "10 principal components"}
    assert table["accuracy"].is_monotonic_decreasing
    assert set(table["train_examples"]) == {60}
    assert set(table["test_examples"]) == {24}
    assert ((table["low"] <= table["accuracy"]) & (table["accuracy"] <= table["high"])).all()


def test_an_accuracy_is_a_share_of_the_test_split(table):
    np.testing.assert_allclose(table["accuracy"] * 24, np.round(table["accuracy"] * 24))
    # Guessing gives a third. Stripes have any phase: a linear model of pixels cannot recognize them, some neighbours can.
    assert table["accuracy"].max() > 1 / 3


def test_images_of_their_own_size_are_seen_as_they_are(trained):
    images, truth = small_images(trained.examples, split="test", most=None, task=trained.task, side=16, is_grey=True)
    rows = list(trained.examples.dataset("test").as_numpy_iterator())
    expected = np.stack([np.asarray(Image.open(io.BytesIO(row["image"]))).ravel() for row in rows]) / 255
    np.testing.assert_allclose(images, expected, atol=1e-6)
    assert truth.tolist() == [row["label"] for row in rows]


def test_images_of_12_bits_fill_the_range(trained, tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.array([[0, 2048], [4095, 16]], np.uint16)).save(buffer, "PNG")
    rows = [("x-ray.png", buffer.getvalue(), trained.task.classes[0])]
    write_examples(lambda split: rows, splits={"test": rows}, classes=trained.task.classes, folder=tmp_path / "data")
    images, _ = small_images(
        ExampleSet(tmp_path / "data"), split="test", most=None, task=trained.task, side=2, is_grey=True, significant_bits=12
    )
    np.testing.assert_allclose(images[0] * 255, [0, 128, 255, 1], atol=1e-4)


def test_a_part_of_the_images_is_drawn_the_same_every_time(trained):
    drawn = [
        small_images(trained.examples, split="train", most=10, task=trained.task, side=4, is_grey=False) for _ in range(2)
    ]
    assert drawn[0][0].shape == (10, 4 * 4 * 3)
    np.testing.assert_array_equal(drawn[0][0], drawn[1][0])


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

    schema = DataSchema.load(stripes.schema)
    assert score_simple_models(trained.examples, task=Other(), schema=schema, settings=c.SimpleModels()).empty
