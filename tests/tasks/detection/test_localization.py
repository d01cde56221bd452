"""Localization: which object is learned, the losses by hand, and the judgement of a few boxes."""

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import ConfigError, DataError, StageError
from kerasvision.tasks.base import make_task
from kerasvision.tasks.detection.localization import localization_losses
from kerasvision.tasks.detection.presentation import LocatedObject
from kerasvision.tasks.presentation import presentation_of

NAMES = ("cat", "dog")
NONE = [0.0, 0, 0, 0]


def batch(boxes, labels, crowd=None):
    objects = {
        "bbox": tf.constant(boxes, tf.float32),
        "label": tf.constant(labels, tf.int64),
        "crowd": tf.zeros(np.shape(labels), bool) if crowd is None else tf.constant(crowd),
        "area": tf.ones(np.shape(labels)),
    }
    return {"image": tf.zeros((len(labels), 16, 16, 3)), "objects": objects}


def test_largest_object_that_is_no_crowd_is_learned():
    task = make_task(c.Localization(), NAMES)
    boxes = [[[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.75], [0, 0, 1, 1]], [NONE] * 3]
    given = batch(boxes, [[0, 1, 0], [-1, -1, -1]], [[False, False, True], [False] * 3])
    _, targets = task.encode(given)
    assert targets["box"].numpy().tolist() == [[0, 0, 0.5, 0.75], NONE]
    assert targets["class"].numpy().tolist() == [1, -1]
    np.testing.assert_array_equal(task.truth(given), [[0, 0, 0.5, 0.75, 1], [np.nan] * 5])


def test_truth_of_images_of_any_number_of_objects_ignores_fields_that_are_texts():
    """An evaluation reads whole examples, and those of Shapes and COCO have masks."""
    objects = {
        "bbox": tf.RaggedTensor.from_row_lengths([[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.75]], [2, 0]),
        "label": tf.ragged.constant([[0, 1], []], tf.int64),
        "crowd": tf.ragged.constant([[False, False], []], tf.bool),
        "area": tf.ragged.constant([[1.0, 2.0], []]),
        "mask": tf.ragged.constant([["one", "another"], []]),
    }
    found = make_task(c.Localization(), NAMES).truth({"objects": objects})
    np.testing.assert_array_equal(found, [[0, 0, 0.5, 0.75, 1], [np.nan] * 5])


def answers(box, shares):
    shares = np.array(shares, np.float32)
    names = np.array([name.encode() for name in NAMES], object)[shares.argmax(axis=1)]
    numbers, scores = shares.argmax(axis=1).astype(np.int32), shares.max(axis=1)
    found = {"classes": names, "class_numbers": numbers, "scores": scores, "class_scores": shares}
    return {"box": np.array(box, np.float32), **found, "image_size": np.full((len(box), 2), 16, np.int32)}


def test_mean_of_answers_is_that_of_the_corners_and_of_the_probabilities():
    """Two of three say dog, but the first is surer that it is a cat: (0.9 + 0.45 + 0.4) / 3 = 7 / 12."""
    task = make_task(c.Localization(), NAMES)
    boxes = [[[0, 0, 1, 1]], [[0, 0.25, 1, 1]], [[0.75, 0.5, 1, 0.25]]]
    given = [answers(box, [[cat, 1 - cat]]) for box, cat in zip(boxes, (0.9, 0.45, 0.4), strict=True)]
    found = task.averaged(given)
    np.testing.assert_allclose(found["box"], [[0.25, 0.25, 1, 0.75]])
    np.testing.assert_allclose(found["class_scores"], [[7 / 12, 5 / 12]], rtol=1e-6)
    np.testing.assert_allclose(found["scores"], [7 / 12], rtol=1e-6)
    assert (found["classes"].tolist(), found["class_numbers"].tolist()) == ([b"cat"], [0])
    truth = np.array([[0.25, 0.25, 1, 0.75, 0]])
    assert task.judge(ids=["a"], truth=truth, predictions=found).scores["localization_accuracy"] == 1


def test_boxes_without_classes_have_a_mean():
    task = make_task(c.Localization(), NAMES)
    found = task.averaged([{"box": np.array([[0, 0, side, 1]])} for side in (0.5, 1.0)])
    assert {name: part.tolist() for name, part in found.items()} == {"box": [[0, 0, 0.75, 1]]}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"scores": np.zeros((1, 2))}, "requires the output box; received scores"),
        ({"box": np.zeros((1, 4))}, "1 of 2 have none"),
        (answers([NONE], [[1, 0]]) | {"classes": np.array([b"dog"], object)}, "the classes cat, dog; this one has others"),
        (answers([NONE], [[1, 0]]) | {"class_scores": np.ones((1, 3))}, "the classes cat, dog; this one has others"),
    ],
)
def test_answers_of_another_kind_have_no_mean_with_these(other, message):
    task = make_task(c.Localization(), NAMES)
    with pytest.raises(DataError, match=message):
        task.averaged([answers([NONE], [[1, 0]]), other])


def test_last_model_with_other_classes_is_not_compared_with():
    """Its numbers would stand for other classes."""
    predictions = answers([NONE], [[1, 0]]) | {"classes": np.array([b"cow"], object)}
    with pytest.raises(DataError, match="leave NoWorse out of the gate"):
        make_task(c.Localization(), NAMES).judge(ids=["a"], truth=np.zeros((1, 5)), predictions=predictions)


@pytest.mark.parametrize("output", ["box", "class_scores"])
def test_answers_that_are_not_numbers_are_refused(output):
    predictions = answers([NONE], [[1, 0]])
    predictions[output][0, 1] = np.nan
    with pytest.raises(StageError, match="1 of 1 answers of the network are not numbers"):
        make_task(c.Localization(), NAMES).judge(ids=["a"], truth=np.zeros((1, 5)), predictions=predictions)


def test_another_class_is_right_where_both_are_nearly_equal():
    task = make_task(c.Localization(), NAMES)
    expected = answers([NONE] * 2, [[0.5001, 0.4999], [0.9, 0.1]])
    received = {"class_numbers": np.array([1, 1], np.int32), "classes": np.array(["dog", "dog"])}
    found = task.also_right(received, expected, 1e-3)
    assert {name: part.tolist() for name, part in found.items()} == {
        "classes": [True, False],
        "class_numbers": [True, False],
    }
    assert task.also_right({}, {"box": expected["box"]}, 1e-3) == {}


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("l2", 0.5**2 + 0.1**2),
        # 0.5 is in the linear part, 0.1 in the square one.
        ("smooth_l1", (0.5 - 1 / 18) + 0.1**2 * 9 / 2),
        # Shared 0.5 * 0.9 of a union of 0.9 * 1 + 0.5 * 1 - 0.45.
        ("iou", 1 - 0.45 / 0.95),
    ],
)
def test_losses_are_those_of_the_formulas(loss, expected):
    targets = {"box": tf.constant([[0.0, 0, 1, 0.9], NONE]), "class": tf.constant([0, -1])}
    outputs = {"box": tf.constant([[0.5, 0, 1, 1.0], [0.3, 0.3, 0.6, 0.6]])}
    found = localization_losses(c.Localization(loss=loss))(targets, outputs, training=True)
    np.testing.assert_allclose(found.numpy(), [expected, 0], rtol=1e-5)


@pytest.mark.parametrize("loss", ["l2", "smooth_l1", "iou", "giou", "diou", "ciou"])
def test_every_loss_has_a_finite_gradient_without_objects_and_for_boxes_of_no_area(loss):
    targets = {"box": tf.constant([NONE, NONE]), "class": tf.constant([-1, 0])}
    outputs = {"box": tf.constant([NONE, NONE]), "class_logits": tf.zeros((2, 2))}
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        found = localization_losses(c.Localization(loss=loss))(targets, outputs, training=True)
    gradients = tape.gradient(found, outputs)
    assert all(np.isfinite(part.numpy()).all() for part in (found, *gradients.values()))


def test_answers_of_every_network_are_shown_as_one_located_object():
    """A network without classes answers with the box alone, and `placed_back` adds the size."""
    task = make_task(c.Localization(), NAMES)
    assert isinstance(presentation_of(task.presentation(), outputs=["box", "image_size"], where="it"), LocatedObject)
    assert set(LocatedObject.needs) <= set(task.output_descriptions())


def test_judgement_is_that_of_a_hand_count():
    task = make_task(c.Localization(), NAMES)
    truth = np.array([[0, 0, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 1], [np.nan] * 5])
    boxes = np.array([[0, 0, 1, 1], [0, 0, 1, 0.6], [0, 0, 0.25, 1], [0, 0, 1, 1]], np.float32)
    numbers = np.array([0, 0, 1, 0], np.int32)
    judgement = task.judge(ids=list("abcd"), truth=truth, predictions={"box": boxes, "class_numbers": numbers})
    expected = {"mean_iou": 1.85 / 3, "iou_50": 2 / 3, "iou_75": 1 / 3, "accuracy": 2 / 3, "localization_accuracy": 1 / 3}
    assert judgement.scores == pytest.approx(expected)
    assert judgement.left_out == {"all metrics, for 1 of 4 images": "they have no object"}
    # 1 - IoU, and 1 more for a wrong class.
    assert judgement.rows["loss"].tolist() == pytest.approx([0, 1.4, 0.75, 0])
    assert [task.caption(row) for _, row in judgement.rows.iterrows()][1:] == [
        "dog → cat, IoU 0.60",
        "dog → dog, IoU 0.25",
        "(nothing)",
    ]
    drawn = [[(one.kind, one.corners, one.label) for one in task.drawings(row)] for _, row in judgement.rows.iterrows()]
    assert drawn[0] == [("found", (0, 0, 1, 1), "cat"), ("truth", (0, 0, 1, 1), "cat")]
    assert drawn[1] == [("false", (0, 0, 1, 0.6), "cat"), ("truth", (0, 0, 1, 1), "dog")]
    assert drawn[3] == []
    weighted = judgement.weighted_scores(np.array([0, 1]), np.array([[3.0], [1.0]]))
    assert weighted["mean_iou"][0] == pytest.approx((3 * 1 + 0.6) / 4)


def test_images_without_any_object_cannot_be_judged():
    with pytest.raises(DataError, match="none of these images has one"):
        make_task(c.Localization(), NAMES).judge(
            ids=["a"], truth=np.full((1, 5), np.nan), predictions={"box": np.zeros((1, 4), np.float32)}
        )


def test_network_builds_answers_and_is_placed_back():
    from kerasvision.ops.places import Places

    task = make_task(c.Localization(), NAMES)
    model = c.Model(name="localizer", options={"backbone": "lenet5"})
    network = task.build(model, image_shape=(28, 28, 1))
    found = task.predictor(network)(tf.zeros((2, 28, 28, 1)))
    assert {name: part.shape[:1] == (2,) for name, part in found.items()} == dict.fromkeys(found, True)
    assert set(found) | {"image_size"} == set(task.output_descriptions())
    np.testing.assert_allclose(found["class_scores"].numpy().sum(axis=1), 1, rtol=1e-6)
    assert (found["box"].numpy() >= 0).all()
    # The image is the upper half of what the network saw.
    places = Places(tf.ones((2, 2)), tf.zeros((2, 2)), tf.constant([[14, 28]] * 2), frame=(28, 28))
    placed = task.placed_back({**found, "box": tf.constant([[0.0, 0, 0.25, 1]] * 2)}, places)
    np.testing.assert_allclose(placed["box"].numpy()[0], [0, 0, 0.5, 1])


def test_other_networks_are_refused_with_the_way_out():
    with pytest.raises(ConfigError, match="localization requires a network that returns 'box'"):
        make_task(c.Localization(), NAMES).build(c.Model(name="lenet5"), image_shape=(28, 28, 1))
    settings = {"name": "one", "source": c.Shapes(), "transform": c.Transform(image_size=(64, 64))}
    with pytest.raises(ConfigError, match="model.options.backbone='resnet18'"):
        c.Experiment(**settings, task=c.Localization(), model=c.Model(name="resnet18"))
