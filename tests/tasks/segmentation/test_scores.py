"""The scores of maps, against scikit-learn and figures by hand."""

import time

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, jaccard_score

from kerasvision import config as c
from kerasvision.errors import DataError
from kerasvision.evaluation.bootstrap import intervals, resample_counts
from kerasvision.tasks.base import make_task
from kerasvision.tasks.segmentation.boundary import between_known, boundary_f1
from kerasvision.tasks.segmentation.counting import as_entries, confusion_of
from kerasvision.tasks.segmentation.scores import JudgedMaps
from kerasvision.tasks.segmentation.truth import ImageMap

NAMES = ("background", "cat", "dog", "cow", "owl")


def drawn(count=12, *, classes=4, seed=0):
    """Truth and answers of images of several sizes: object lists of uint8 (H, W). The last of `NAMES` is in neither."""
    random = np.random.default_rng(seed)
    pairs = []
    for _ in range(count):
        shape = random.integers(5, 15, 2)
        truth = random.integers(0, classes, shape).astype(np.uint8)
        answer = np.where(random.random(shape) < 0.6, truth, random.integers(0, classes, shape)).astype(np.uint8)
        truth[random.random(shape) < 0.2] = 255
        pairs.append((truth, answer))
    return pairs


@pytest.fixture(scope="module")
def judged(png):
    """`judged(pairs, **settings)`: the judgement of these pairs of truth and answer."""

    def judge(pairs, *, names=NAMES, **settings):
        task = make_task(c.Segmentation(**settings), names)
        truth = np.empty(len(pairs), object)
        truth[:] = [ImageMap(png=png(one)) for one, _ in pairs]
        pngs = np.array([png(answer) for _, answer in pairs], object)
        kept, measured = task.measured(truth, {"mask_png_bytes": pngs})
        return task.judge(ids=[str(number) for number in range(len(pairs))], truth=kept, predictions=measured)

    return judge


def flat(pairs):
    """All known pixels in one row: true classes and answered classes."""
    known = [(truth[truth != 255], answer[truth != 255]) for truth, answer in pairs]
    return tuple(np.concatenate(parts) for parts in zip(*known, strict=True))


def by_scikit_learn(pairs):
    truth, answers = flat(pairs)
    labels = np.unique(np.concatenate([truth, answers]))
    each = jaccard_score(truth, answers, labels=labels, average=None)
    return {
        "pixel_accuracy": np.mean(truth == answers),
        "mean_accuracy": balanced_accuracy_score(truth, answers),
        "mean_iou": each.mean(),
        "weighted_iou": jaccard_score(truth, answers, average="weighted"),
        "dice": f1_score(truth, answers, average="macro"),
        "mean_iou_objects": each[labels != 0].mean(),
        **{f"iou[{NAMES[label]}]": value for label, value in zip(labels, each, strict=True)},
    }


def test_scores_are_those_of_scikit_learn(judged):
    pairs = drawn()
    scores = judged(pairs).scores
    for name, value in by_scikit_learn(pairs).items():
        assert scores[name] == pytest.approx(value, abs=1e-12), name


def test_a_resample_is_scored_like_really_copied_images(judged):
    pairs = drawn()
    judgement = judged(pairs)
    (counts,) = resample_counts(len(pairs), resamples=3)
    found = judgement.weighted_scores(np.arange(len(pairs)), counts)
    for column in range(3):
        copies = [pair for pair, often in zip(pairs, counts[:, column], strict=True) for _ in range(int(often))]
        for name, value in by_scikit_learn(copies).items():
            assert found[name][column] == pytest.approx(value, abs=1e-12), name


def test_a_slice_is_scored_like_its_images_alone(judged):
    pairs = drawn()
    rows = np.array([1, 4, 5])
    found = judged(pairs).weighted_scores(rows, np.ones((3, 1)))
    alone = judged([pairs[row] for row in rows]).scores
    for name, value in alone.items():
        assert found[name][0] == pytest.approx(value, abs=1e-12), name


def test_a_class_in_neither_truth_nor_answers_is_left_out_with_the_reason(judged):
    judgement = judged(drawn())
    assert "iou[owl]" not in judgement.scores
    assert judgement.left_out["iou[owl]"] == "no pixel has this class, and none was answered with it"
    assert not any(np.isnan(value) for value in judgement.scores.values())


def test_a_class_that_is_only_answered_has_an_iou_of_zero(judged):
    scores = judged([(np.zeros((2, 2)), np.array([[0, 0], [0, 1]]))]).scores
    assert (scores["iou[background]"], scores["iou[cat]"], scores["mean_iou"]) == (0.75, 0.0, 0.375)
    assert scores["mean_accuracy"] == 0.75  # a mean over the classes that the truth has


def test_pixels_without_an_answer_are_wrong_and_are_listed(judged):
    judgement = judged([(np.array([[0, 1], [1, 255]]), np.array([[0, 1], [255, 255]]))])
    assert judgement.scores["pixel_accuracy"] == pytest.approx(2 / 3)
    assert judgement.scores["iou[cat]"] == 0.5
    assert judgement.tables["confusion"].loc["cat", "(nothing)"] == 1


def test_confusion_is_that_of_scikit_learn(judged):
    pairs = drawn()
    table = judged(pairs).tables["confusion"]
    assert table.to_numpy().tolist() == confusion_matrix(*flat(pairs), labels=range(5)).tolist()
    assert list(table.columns) == list(NAMES)


def test_rows_say_which_image_is_worst_and_why(judged):
    rows = judged([(np.zeros((2, 2)), np.zeros((2, 2))), (np.array([[0, 2]]), np.array([[0, 1]]))]).rows
    assert rows["loss"].tolist() == [0.0, pytest.approx(2 / 3)]
    assert rows["worst_class"].tolist() == ["background", NAMES[2]]
    assert rows["worst_iou"].tolist() == [1.0, 0.0]


def test_the_worst_class_of_an_image_is_one_that_it_has(judged):
    truth, answer = np.array([[0, 0, 0, 2]]), np.array([[0, 0, 4, 2]])  # the truth has no pixel of class 4
    row = judged([(truth, answer), (truth, truth)]).rows
    assert row["worst_class"].tolist() == ["background", "background"]
    assert row["worst_iou"].tolist() == [pytest.approx(2 / 3), 1.0]
    assert row["absent_class"].tolist() == [NAMES[4], ""]
    assert row["iou"].tolist() == [pytest.approx((2 / 3 + 1 + 0) / 3), 1.0]  # which counts in the mean all the same


def test_images_of_which_nothing_is_known_count_for_nothing(judged):
    void = (np.full((2, 2), 255), np.zeros((2, 2)))
    pairs = drawn()
    with_void = judged([*pairs, void])
    assert with_void.scores == pytest.approx(judged(pairs).scores, abs=1e-12)
    assert with_void.rows.iloc[-1][["pixels", "loss", "worst_class"]].tolist() == [0, 0.0, ""]
    with pytest.raises(DataError, match="all pixels of these images are ignored"):
        judged([void])


def test_mean_iou_of_objects_requires_a_class_of_the_background(judged):
    left_out = judged(drawn(), background="ground").left_out
    assert left_out["mean_iou_objects"] == "no class is named 'ground'; see task.background"


def test_intervals_contain_their_scores(judged):
    judgement = judged(drawn(30))
    found = intervals(judgement, resamples=200, confidence=0.95)
    assert {*c.Segmentation().built_in_metrics(), "iou[cat]"} <= found.keys()
    assert all(low <= judgement.scores[name] <= high for name, (low, high) in found.items())


def test_a_thousand_draws_of_300_images_take_at_most_a_second_of_processor_time():
    random = np.random.default_rng(0)
    maps = random.integers(0, 9, (300, 2, 20, 20)).astype(np.uint8)
    entries = as_entries([confusion_of(*one, count=9) for one in maps])
    judged = JudgedMaps(entries, random.random((300, 9)), [str(number) for number in range(9)], "0")
    weights = np.concatenate(list(resample_counts(300, resamples=1000)), axis=1)
    began = time.process_time()
    judged.scores(np.arange(300), weights)
    assert time.process_time() - began <= 1.0


def test_a_metric_of_your_own_receives_pixels_by_class(judged, tmp_path, monkeypatch):
    (tmp_path / "own_metric.py").write_text(
        "import numpy as np\n"
        "def right(truth, answers, weights):\n"
        "    both = np.trace(answers[:, :, :-1], axis1=1, axis2=2)\n"
        "    return both @ weights / (truth.sum(axis=1) @ weights)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    scores = judged(drawn(), metrics=("own_metric:right",)).scores
    assert scores["right"] == pytest.approx(scores["pixel_accuracy"], abs=1e-12)


# --- Borders


def by_all_distances(truth, answer, *, number, reach):
    """The F1 of a class from the distances of all pairs of border pixels."""

    def border(pixels):
        known, found = truth != 255, []
        for y, x in np.argwhere((pixels == number) & known):
            near = [(y + down, x + right) for down, right in ((1, 0), (-1, 0), (0, 1), (0, -1))]
            inside = [(i, j) for i, j in near if 0 <= i < len(pixels) and 0 <= j < len(pixels[0])]
            if any(known[place] and pixels[place] != number for place in inside):
                found.append((y, x))
        return np.array(found).reshape(-1, 2)

    one, other = border(truth), border(answer)
    if not len(one) and not len(other):
        return np.nan
    if not len(one) or not len(other):
        return 0.0
    close = np.hypot(*(one[:, None] - other[None]).transpose(2, 0, 1)) <= reach
    recall, precision = close.any(axis=1).mean(), close.any(axis=0).mean()
    return 2 * recall * precision / (recall + precision) if recall + precision else 0.0


def test_borders_are_compared_as_by_the_distances_of_all_pairs():
    for truth, answer in drawn(6, seed=3):
        for tolerance in (0.01, 0.1, 0.2):
            reach = tolerance * np.hypot(*truth.shape)
            closed = between_known(truth, reach=reach)
            expected = [by_all_distances(closed, answer, number=number, reach=reach) for number in range(5)]
            np.testing.assert_allclose(boundary_f1(truth, answer, count=5, tolerance=tolerance), expected, atol=1e-12)


def test_objects_in_an_unknown_band_have_their_border_in_its_middle():
    """As in Pascal VOC: nothing is known of 2 pixels at each side of the border of a square."""
    whole = np.zeros((60, 80), np.uint8)
    whole[20:40, 20:50] = 1
    truth = whole.copy()
    truth[18:42, 18:52] = 255
    truth[22:38, 22:48] = 1
    far = np.roll(whole, 6, axis=1)
    tolerance = 2 / 100  # of a diagonal of 100 pixels
    np.testing.assert_allclose(boundary_f1(truth, whole, count=3, tolerance=tolerance), [1, 1, np.nan])
    # Six pixels to the right, both upright sides are off.
    assert (boundary_f1(truth, far, count=3, tolerance=tolerance)[:2] < 0.8).all()


def test_what_is_answered_in_an_unknown_region_of_one_class_does_not_count():
    truth = np.zeros((60, 80), np.uint8)
    truth[10:30, 10:30] = 1
    truth[40:50, 40:60] = 255
    answer = np.where(truth == 255, 1, truth)
    np.testing.assert_allclose(boundary_f1(truth, answer, count=2, tolerance=0.02), [1, 1])


def test_boundary_score_is_a_mean_over_images_and_then_over_classes(judged):
    good = (np.array([[0, 0, 1, 1]] * 4), np.array([[0, 0, 1, 1]] * 4))
    bad = (np.array([[0, 0, 2, 2]] * 4), np.array([[0, 2, 2, 2]] * 4))
    # background: 1 and 0, cat: 1, dog: 0. A tolerance of 0.01 reaches no other pixel.
    assert judged([good, bad], boundary_tolerance=0.01).scores["boundary_f1"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert judged([good, bad], boundary_tolerance=0.2).scores["boundary_f1"] == pytest.approx(1.0)
