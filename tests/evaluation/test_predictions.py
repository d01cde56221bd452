"""Answers for a whole split: in the original images, whether they are asked for with bytes, with pixels or over a view."""

import numpy as np
import pandas as pd
import pytest

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet, write_examples
from kerasvision.evaluation.predictions import PredictedSplit, predict_split_from_bytes, predict_split_from_pixels
from kerasvision.evaluation.variants import judge_variants
from kerasvision.ops.views import views
from kerasvision.served.model import ServedModel
from kerasvision.tasks.base import Judgement

# Height, width and two boxes in pixels: none is near an edge, where a moved view loses it.
SCENES = (((60, 140), (20, 50, 34, 90), (12, 58, 50, 78)), ((90, 44), (34, 10, 58, 30), (40, 6, 52, 34)))


@pytest.fixture(scope="module")
def served(saved_corners):
    return ServedModel(saved_corners)


@pytest.fixture(scope="module")
def examples(corners, tmp_path_factory):
    folder = tmp_path_factory.mktemp("predictions") / "data"
    rows = [(str(number), corners.png(corners.painted(*scene)), "", []) for number, scene in enumerate(SCENES)]
    write_examples(lambda split: rows, splits=["test"], classes=(), folder=folder, captions=True)
    return ExampleSet(folder)


def in_pixels(predicted):
    """id -> corners (2, 4) in pixels of the original image, by class."""
    found = predicted.predictions
    pixels = found["corners"] * np.tile(found["image_size"], 2)[:, np.newaxis]
    return {
        name: rows[np.argsort(numbers)]
        for name, rows, numbers in zip(predicted.ids, pixels, found["class_numbers"], strict=True)
    }


def from_pixels(corners, served, examples, view=None):
    return predict_split_from_pixels(
        examples,
        split="test",
        task=corners.CornersTask(),
        transform=corners.transform(),
        predict=lambda pixels: served("serve_tensor", image=pixels),
        view=view,
    )


def test_pixels_give_the_answers_of_bytes(corners, served, examples):
    of_bytes = predict_split_from_bytes(examples, split="test", task=corners.CornersTask(), saved_model=served)
    of_pixels = from_pixels(corners, served, examples)
    assert of_bytes.ids == of_pixels.ids and of_bytes.predictions.keys() == of_pixels.predictions.keys()
    for name, rows in of_bytes.predictions.items():
        if rows.dtype.kind == "f":
            np.testing.assert_allclose(rows, of_pixels.predictions[name], atol=1e-5)
        else:
            assert rows.tolist() == of_pixels.predictions[name].tolist()


@pytest.mark.parametrize(
    "view",
    [None, *views("flip"), *views("shift"), views("scale")[0]],
    ids=["none", "flip", "down", "up", "right", "left", "smaller"],
)
def test_what_is_found_over_a_view_comes_back_to_the_original_image(view, corners, served, examples):
    for name, found in in_pixels(from_pixels(corners, served, examples, view)).items():
        assert np.abs(found - np.array(SCENES[int(name)][1:])).max() < 0.5


def test_answers_of_views_are_averaged_where_they_are_in_the_original_image(corners, served, examples):
    averaged = []

    class AveragingTask(corners.CornersTask):
        def averaged(self, predictions):
            averaged.extend(predictions)
            return predictions[0]

        def judge(self, *, ids, truth, predictions):
            return Judgement({}, pd.DataFrame({"id": ids}))

    task = AveragingTask()
    judge_variants(
        served,
        predict_split_from_bytes(examples, split="test", task=task, saved_model=served),
        split="test",
        task=task,
        examples=examples,
        transform=corners.transform(),
        settings=c.Evaluation(test_time=("flip",)),
    )
    alone, mirrored = (in_pixels(PredictedSplit(["0", "1"], np.zeros(2), one)) for one in averaged)
    for name, found in mirrored.items():
        assert np.abs(found - alone[name]).max() < 0.5


def test_an_evaluation_keeps_what_the_task_says(corners, served, examples):
    class CountsTask(corners.CornersTask):
        def measured(self, truth, predictions):
            assert "valid" not in predictions
            return truth + 1, {"area": np.prod(predictions["corners"][:, :, 2:] - predictions["corners"][:, :, :2], axis=2)}

    found = predict_split_from_bytes(examples, split="test", task=CountsTask(), saved_model=served)
    assert (found.truth.tolist(), found.predictions.keys()) == ([1, 1], {"area"})
    # The first box of the first scene: 14 x 40 of 60 x 140 pixels.
    assert found.predictions["area"][found.ids.index("0"), 0] == pytest.approx(14 * 40 / (60 * 140), abs=0.003)
