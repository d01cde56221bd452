"""The judgement of a detector: every number is worked out by hand, or is pycocotools' (`test_average_precision`)."""

import json

import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.errors import DataError, StageError
from kerasvision.tasks.base import make_task
from kerasvision.tasks.detection.classes import Classes
from kerasvision.tasks.detection.errors import confusion_with_nothing, error_table
from kerasvision.tasks.detection.judging import box_scores, judged_boxes
from kerasvision.tasks.detection.scores import best_score

CLASSES = Classes.of(("cat", "dog"), found=None)
CAT, DOG = 0, 1
BOX, BESIDE, FAR = (10, 10, 30, 30), (10, 20, 30, 40), (60, 60, 90, 90)


def judged(truth, predictions, **changes):
    settings = {"classes": CLASSES, "settings": c.Detection(), "chosen_score": 0.5}
    ids = [f"image{number}" for number in range(len(truth))]
    return judged_boxes(ids=ids, truth=truth, predictions=predictions, **settings | changes)


def test_counts_are_those_of_answers_of_at_least_the_best_score(objects_of, answered):
    truth = objects_of([[(BOX, CAT), (FAR, DOG)], [], [(BOX, CAT)]])
    found = answered([[(BOX, CAT, 0.9), (BESIDE, CAT, 0.6), (FAR, DOG, 0.3)], [(BOX, CAT, 0.7)], [(BOX, CAT, 0.5)]])
    judgement = judged(truth, found)
    # At a score of 0.5: right in images 0 and 2, false in images 0 and 1, and one dog is missed.
    expected = {"precision": 2 / 4, "recall": 2 / 3, "f1": 4 / 7, "count_error": 1 / 3, "best_score": 0.5}
    assert {name: judgement.scores[name] for name in expected} == pytest.approx(expected)
    assert (judgement.scores["recall[cat]"], judgement.scores["recall[dog]"]) == (1.0, 0.0)
    assert judgement.rows[["objects", "found", "missed", "false"]].values.tolist() == [
        [2, 1, 1, 1],
        [0, 0, 0, 1],
        [1, 1, 0, 0],
    ]
    assert json.loads(judgement.rows["things"][0]) == [
        ["found", [0.1, 0.1, 0.3, 0.3], "cat", 0.9],
        ["false", [0.1, 0.2, 0.3, 0.4], "cat", 0.6],
        ["missed", [0.6, 0.6, 0.9, 0.9], "dog", None],
    ]
    # One missed and a false answer of 0.6; a false answer of 0.7; nothing.
    assert judgement.rows["loss"].tolist() == pytest.approx([1.6, 0.7, 0.0])


def test_without_a_chosen_score_that_of_the_best_f1_counts_and_a_remark_says_so(objects_of, answered):
    truth, found = objects_of([[(BOX, CAT), (FAR, CAT)]]), answered([[(BOX, CAT, 0.9), (FAR, CAT, 0.4), (BESIDE, CAT, 0.3)]])
    judgement = judged(truth, found, chosen_score=None)
    assert judgement.scores["best_score"] == pytest.approx(0.4)
    assert "best score on these images themselves" in judgement.remarks[-1]


def test_best_score_is_one_where_nothing_is_found(objects_of, answered):
    boxes = box_scores(objects_of([[(BOX, CAT)]]), answered([[(FAR, CAT, 0.9)]]), classes=CLASSES)
    assert best_score(boxes) == 1.0
    assert (
        judged(objects_of([[(BOX, CAT)]]), answered([[(FAR, CAT, 0.9)]])).remarks[0].startswith("The model found no object")
    )


def test_class_in_neither_truth_nor_answers_is_left_out_with_a_reason(objects_of, answered):
    judgement = judged(objects_of([[(BOX, CAT)]]), answered([[(BOX, CAT, 0.9)]]))
    assert judgement.left_out["average_precision[dog]"] == "no image has an object of this class"
    assert judgement.left_out["box_average_precision_large"] == "no object has such an area"
    assert not any(np.isnan(value) or value < 0 for value in judgement.scores.values())


def test_resampling_is_exact(objects_of, answered):
    """The weights 2, 0, 1 give the scores of a data set with the first image twice and without the second."""
    images = [[(BOX, CAT), (FAR, DOG)], [(FAR, CAT)], [(BOX, DOG)]]
    answers = [[(BESIDE, CAT, 0.9), (FAR, DOG, 0.6)], [(BOX, CAT, 0.8)], [(BOX, DOG, 0.7), (FAR, CAT, 0.65)]]
    judgement = judged(objects_of(images), answered(answers))
    drawn = judged(objects_of([images[row] for row in (0, 0, 2)]), answered([answers[row] for row in (0, 0, 2)]))
    weighted = judgement.weighted_scores(np.arange(3), np.array([[2.0], [0.0], [1.0]]))
    assert {name: weighted[name][0] for name in drawn.scores if name != "best_score"} == pytest.approx(
        {name: value for name, value in drawn.scores.items() if name != "best_score"}
    )
    # A slice has its own images only.
    of_slice = judgement.weighted_scores(np.array([2, 0]), np.array([[1.0], [2.0]]))
    assert of_slice["box_average_precision"][0] == pytest.approx(weighted["box_average_precision"][0])


def test_errors_are_counted_by_kind(objects_of, answered):
    thirds = (10, 20, 30, 40)  # half of BOX: IoU 1/3
    truth = objects_of([[(BOX, CAT), ((60, 10, 80, 30), DOG), (FAR, DOG)]])
    found = answered(
        [
            [
                (BOX, CAT, 0.9),
                (BOX, CAT, 0.8),  # double
                (thirds, DOG, 0.7),  # wrong class and place
                ((60, 20, 80, 40), DOG, 0.7),  # badly placed
                ((60, 10, 80, 29), CAT, 0.6),  # wrong class
                ((0, 90, 5, 99), CAT, 0.6),  # nothing there
                (FAR, CAT, 0.1),  # wrong class, below the best score
            ]
        ]
    )
    boxes = box_scores(truth, found, classes=CLASSES)
    table = error_table(boxes, score=0.5, classes=2).set_index("kind")
    assert table["count"].to_dict() == {
        "wrong class": 1,
        "badly placed": 1,
        "wrong class and place": 1,
        "double": 1,
        "nothing there": 1,
        "missed": 0,
    }
    assert (table["average_precision_50 lost"] >= 0).all()


def test_what_errors_cost_is_what_correcting_them_gives(objects_of, answered):
    # The cat is found; the dog is found as a cat: AP 1 and 0 of the two classes, so 0.5 is lost.
    truth = objects_of([[(BOX, CAT), (FAR, DOG)]])
    boxes = box_scores(truth, answered([[(BOX, CAT, 0.9), (FAR, CAT, 0.8)]]), classes=CLASSES)
    table = error_table(boxes, score=0.5, classes=2).set_index("kind")
    assert table.loc["wrong class", "average_precision_50 lost"] == pytest.approx(0.5)
    assert table.loc["double", "average_precision_50 lost"] == 0.0
    # Nothing is answered for the dog: without it, only the cat counts.
    boxes = box_scores(truth, answered([[(BOX, CAT, 0.9)]]), classes=CLASSES)
    missed = error_table(boxes, score=0.5, classes=2).set_index("kind").loc["missed"]
    assert missed.tolist() == [1, pytest.approx(0.5)]


def test_confusion_has_a_row_and_a_column_for_nothing(objects_of, answered):
    truth = objects_of([[(BOX, CAT), (FAR, DOG)], [(BOX, DOG)]])
    found = answered([[(BOX, DOG, 0.9), (BESIDE, CAT, 0.8)], [(BOX, DOG, 0.7), (FAR, CAT, 0.2)]])
    table = confusion_with_nothing(box_scores(truth, found, classes=CLASSES), CLASSES, score=0.5)
    assert table.index.tolist() == ["cat", "dog", "(nothing)"]
    assert table.values.tolist() == [[0, 1, 0], [0, 1, 1], [1, 0, 0]]


def test_points_of_the_curves_are_a_short_table(objects_of, answered):
    """Both cats are found, a false answer between them: precision 1 up to a recall of 1/2, then 2/3. The dog is missed."""
    truth = objects_of([[(BOX, CAT), (FAR, CAT), ((40, 40, 50, 50), DOG)]])
    judgement = judged(truth, answered([[(BOX, CAT, 0.9), (BESIDE, CAT, 0.8), (FAR, CAT, 0.7)]]))
    table = judgement.tables["precision_at_recall"]
    assert table.columns.tolist() == ["recall 0.1", "recall 0.3", "recall 0.5", "recall 0.7", "recall 0.9"]
    assert table.loc["cat"].tolist() == pytest.approx([1, 1, 1, 2 / 3, 2 / 3])
    assert table.loc["dog"].tolist() == [0] * 5
    assert table.index.tolist() == ["(mean)", "cat", "dog"]
    assert table.loc["(mean)"].tolist() == pytest.approx([0.5, 0.5, 0.5, 1 / 3, 1 / 3])


def test_all_points_of_the_curves_are_drawn(objects_of, answered):
    judgement = judged(objects_of([[(BOX, CAT)]]), answered([[(BOX, CAT, 0.9)]]))
    assert len(judgement.curves["precision_recall"]) == 101
    ((title, figure),) = make_task(c.Detection(), CLASSES.names).figures(judgement).items()
    assert title == "Precision and recall at IoU 0.5"
    _thin, mean = figure.axes[0].lines
    assert mean.get_xdata().tolist() == pytest.approx(np.linspace(0, 1, 101)) and set(mean.get_ydata()) == {1.0}


def test_crowds_count_neither_as_found_nor_as_missed(objects_of, answered):
    truth = objects_of([[(BOX, CAT), (FAR, CAT)]], crowds={(0, 1)})
    judgement = judged(truth, answered([[(BOX, CAT, 0.9), (FAR, CAT, 0.8)]]))
    assert judgement.rows[["objects", "found", "missed", "false"]].values.tolist() == [[1, 1, 0, 0]]
    assert judgement.tables["confusion"].to_numpy().sum() == 1


def test_answers_of_other_classes_are_refused(objects_of, answered):
    with pytest.raises(DataError, match="a model must answer with the classes cat, dog"):
        judged(objects_of([[(BOX, CAT)]]), answered([[(BOX, CAT, 0.9)]], names=("cow", "dog")))


def test_answers_that_are_not_numbers_are_refused(objects_of, answered):
    found = answered([[(BOX, CAT, 0.9)]])
    found["scores"][0, 0] = np.nan
    with pytest.raises(StageError, match="1 of 1 answers of the network are not numbers"):
        judged(objects_of([[(BOX, CAT)]]), found)


def test_images_without_any_object_cannot_be_judged(objects_of, answered):
    with pytest.raises(DataError, match="none of these images has one"):
        judged(objects_of([[]]), answered([[(BOX, CAT, 0.9)]]))


def boxes_per_image(truth, answers, weights):
    """A metric of a person's own."""
    counts = np.array([len(one["scores"]) for one in answers], float)
    assert all(len(one.boxes) >= 0 for one in truth)
    return counts @ weights / weights.sum(0)


def test_metrics_of_a_persons_own_get_objects_and_answers(objects_of, answered, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "own_metrics", type("M", (), {"boxes_per_image": boxes_per_image}))
    settings = c.Detection(metrics=(c.Metric("own_metrics:boxes_per_image", best="min"),))
    found = answered([[(BOX, CAT, 0.9)], [(BOX, CAT, 0.9), (FAR, CAT, 0.8)]])
    judgement = judged(objects_of([[(BOX, CAT)], []]), found, settings=settings)
    assert judgement.scores["boxes_per_image"] == 1.5


def test_score_of_the_best_f1_on_the_validation_split_counts_on_every_split(objects_of, answered):
    task = make_task(c.Detection(), CLASSES.names)
    validation = answered([[(BOX, CAT, 0.7), (FAR, CAT, 0.6)]])
    decided = task.decided_on(truth=objects_of([[(BOX, CAT)]]), predictions=validation)
    found = answered([[(BOX, CAT, 0.8), (FAR, DOG, 0.69)]])
    judgement = decided.judge(ids=["one"], truth=objects_of([[(BOX, CAT), (FAR, DOG)]]), predictions=found)
    # On these images a score of 0.69 would be better.
    assert judgement.scores["best_score"] == pytest.approx(0.7)
    assert judgement.scores["recall"] == 0.5
    assert judgement.remarks == ()
