"""pycocotools is the judge: all twelve of its figures, on scenes with every rule that it has."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from kerasvision.tasks.detection.average_precision import BoxScores
from kerasvision.tasks.detection.matching import Answers, Objects, areas_of

# In the order of COCOeval.stats.
FIGURES = (
    "box_average_precision",
    "box_average_precision_50",
    "box_average_precision_75",
    "box_average_precision_small",
    "box_average_precision_medium",
    "box_average_precision_large",
    "box_recall_1",
    "box_recall_10",
    "box_recall",
    "box_recall_small",
    "box_recall_medium",
    "box_recall_large",
)


def scenes(*, images, classes, objects, answers, crowds=0.05, decimals=6, seed=0):
    """Objects of all sizes, and answers near them, far from them, or of another class; scores repeat with few decimals."""
    random = np.random.default_rng(seed)
    centres, sides = random.uniform(50, 400, (objects, 2)), random.uniform(5, 250, (objects, 2))
    boxes = np.concatenate([centres - sides / 2, centres + sides / 2], 1).round(1)
    truth = Objects(
        images=random.integers(0, images, objects),
        classes=random.integers(0, classes, objects),
        boxes=boxes,
        crowd=random.uniform(size=objects) < crowds,
        areas=areas_of(boxes) * random.uniform(0.4, 1, objects),
    )
    source = random.integers(0, objects, answers)
    moved = boxes[source] + random.normal(0, 1, (answers, 4)) * random.choice([0, 4, 60], (answers, 1))
    moved = np.concatenate([np.minimum(moved[:, :2], moved[:, 2:]), np.maximum(moved[:, :2], moved[:, 2:]) + 1], 1)
    other = random.uniform(size=answers) < 0.2
    found = Answers(
        images=truth.images[source],
        classes=np.where(other, random.integers(0, classes, answers), truth.classes[source]),
        boxes=moved.round(1),
        scores=random.uniform(size=answers).round(decimals),
    )
    return truth, found


def left_top_width_height(box):
    return [float(box[1]), float(box[0]), float(box[3] - box[1]), float(box[2] - box[0])]


def by_pycocotools(objects, answers, *, images, classes):
    """The twelve figures of COCOeval, -1 where there are no objects."""
    annotations = [
        {
            "id": row + 1,
            "image_id": int(objects.images[row]) + 1,
            "category_id": int(objects.classes[row]) + 1,
            "bbox": left_top_width_height(objects.boxes[row]),
            "area": float(objects.areas[row]),
            "iscrowd": int(objects.crowd[row]),
        }
        for row in range(len(objects.images))
    ]
    found = [
        {
            "image_id": int(answers.images[row]) + 1,
            "category_id": int(answers.classes[row]) + 1,
            "bbox": left_top_width_height(answers.boxes[row]),
            "score": float(answers.scores[row]),
        }
        for row in range(len(answers.images))
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": image + 1} for image in range(images)],
            "categories": [{"id": number + 1} for number in range(classes)],
            "annotations": annotations,
        }
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(found), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge.stats


def ours(objects, answers, *, images, classes, weights=None):
    scores = BoxScores(objects, answers, count=images, classes=classes)
    return scores.scores(np.ones((images, 1)) if weights is None else weights)


def rows_of(named, rows):
    return type(named)(*(getattr(named, field)[rows] for field in named.__dataclass_fields__))


@pytest.mark.parametrize(
    "kind",
    [
        {"images": 20, "classes": 3, "objects": 90, "answers": 500},
        {"images": 20, "classes": 3, "objects": 90, "answers": 500, "crowds": 0.5},
        {"images": 20, "classes": 3, "objects": 90, "answers": 500, "decimals": 1},
        # More than 100 answers of an image and class; and images that have only crowds, or no objects.
        {"images": 3, "classes": 1, "objects": 40, "answers": 900, "decimals": 2},
        {"images": 60, "classes": 2, "objects": 30, "answers": 300, "crowds": 0.9},
    ],
)
def test_all_figures_are_those_of_pycocotools(kind):
    objects, answers = scenes(**kind)
    sizes = {"images": kind["images"], "classes": kind["classes"]}
    found, judged = ours(objects, answers, **sizes), by_pycocotools(objects, answers, **sizes)
    expected = {figure: pytest.approx(value, abs=1e-12) for figure, value in zip(FIGURES, judged, strict=True)}
    assert {figure: found[figure][0] for figure in FIGURES if not np.isnan(found[figure][0])} == {
        figure: value for figure, value in expected.items() if judged[FIGURES.index(figure)] != -1
    }


def test_of_equal_overlaps_the_last_object_is_taken_as_in_coco():
    # Both objects overlap the first answer equally; only the first object overlaps the second answer.
    objects = Objects(
        images=np.zeros(2, int),
        classes=np.zeros(2, int),
        boxes=np.array([[0.0, 0, 10, 8], [0.0, 2, 10, 10]]),
        crowd=np.zeros(2, bool),
        areas=np.array([80.0, 80.0]),
    )
    answers = Answers(
        np.zeros(2, int), np.zeros(2, int), np.array([[0.0, 0, 10, 10], [0.0, 0, 10, 7]]), np.array([0.9, 0.8])
    )
    found = ours(objects, answers, images=1, classes=1)
    assert found["box_average_precision_50"].tolist() == [1.0]
    judged = by_pycocotools(objects, answers, images=1, classes=1)
    assert found["box_average_precision"][0] == pytest.approx(judged[0], abs=1e-12)


def test_a_weight_counts_an_image_as_often_as_it_says():
    kind = {"images": 12, "classes": 2}
    objects, answers = scenes(**kind, objects=60, answers=300)
    drawn = np.random.default_rng(1).integers(0, 12, 12)
    weights = np.bincount(drawn, minlength=12).astype(float)[:, None]
    copies = [[rows_of(of, of.images == image) for of in (objects, answers)] for image in drawn]
    copied = []
    for which in (0, 1):
        parts = [copy[which] for copy in copies]
        joined = {field: np.concatenate([getattr(part, field) for part in parts]) for field in parts[0].__dataclass_fields__}
        joined["images"] = np.concatenate([np.full(len(part.images), place) for place, part in enumerate(parts)])
        copied.append(type(parts[0])(**joined))
    expected = by_pycocotools(*copied, **kind)
    found = ours(objects, answers, **kind, weights=weights)
    for figure, value in zip(FIGURES, expected, strict=True):
        assert found[figure][0] == pytest.approx(value, abs=1e-9), figure


def test_without_answers_every_score_is_zero_and_without_objects_there_is_none():
    objects, answers = scenes(images=4, classes=2, objects=9, answers=20, crowds=0.0)
    nothing, kind = np.zeros(0, int), {"images": 4, "classes": 2}
    silent = ours(objects, rows_of(answers, nothing), **kind)
    assert (silent["box_average_precision"][0], silent["box_recall"][0]) == (0.0, 0.0)
    empty = ours(rows_of(objects, nothing), answers, **kind)
    assert all(np.isnan(values).all() for values in empty.values())
    assert all(
        np.isnan(values).all() for values in ours(rows_of(objects, nothing), rows_of(answers, nothing), **kind).values()
    )


def test_a_class_without_objects_has_no_average_precision_and_does_not_lower_the_mean():
    objects, answers = scenes(images=6, classes=2, objects=20, answers=60, crowds=0.0)
    scores = BoxScores(objects, answers, count=6, classes=3)
    each = scores.of_classes(np.ones((6, 1)))[:, 0]
    assert np.isnan(each[2])
    assert scores.scores(np.ones((6, 1)))["box_average_precision"][0] == pytest.approx(each[:2].mean(), abs=1e-12)


def test_curve_of_a_class_has_its_average_precision_as_mean():
    objects, answers = scenes(images=20, classes=3, objects=90, answers=500)
    boxes = BoxScores(objects, answers, count=20, classes=3)
    weights = np.random.default_rng(0).integers(1, 4, 20).astype(float)
    np.testing.assert_allclose(
        boxes.curve(weights).mean((1, 2)), boxes.of_classes(weights[:, None])[:, 0], rtol=0, atol=1e-12
    )


def test_scores_of_some_images_are_those_of_a_data_set_of_them():
    objects, answers = scenes(images=20, classes=3, objects=90, answers=500)
    some = np.array([7, 3, 11])
    weights = np.zeros((20, 1))
    weights[some] = 1.0
    boxes = BoxScores(objects, answers, count=20, classes=3)
    ours, whole = boxes.of_images(some).scores(np.ones((3, 1))), boxes.scores(weights)
    for name, value in whole.items():
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=1e-12)
