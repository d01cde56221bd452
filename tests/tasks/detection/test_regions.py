"""Two-stage outputs as regions, their loss by hand and by another implementation, and the recall of proposals."""

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.ops.suppression import best_boxes
from kerasvision.tasks.detection.assigning import Truth
from kerasvision.tasks.detection.proposal_recall import covered_objects
from kerasvision.tasks.detection.region_losses import parts_of_region_loss
from kerasvision.tasks.detection.regions import has_regions, read_regions

K, P, A = 3, 6, 10
RANDOM = np.random.default_rng(0)


def boxes(count, images=2):
    low = RANDOM.uniform(0, 20, size=(images, count, 2))
    return np.concatenate([low, low + RANDOM.uniform(4, 16, size=(images, count, 2))], -1).astype("float32")


def outputs(**changes):
    found = {
        "proposals": boxes(P),
        "class_logits": RANDOM.normal(size=(2, P, K + 1)),
        "region_deltas": RANDOM.normal(size=(2, P, 4 * (K + 1))),
        "anchors": np.repeat(boxes(A, images=1), 2, axis=0),
        "objectness": RANDOM.normal(size=(2, A)),
        "anchor_deltas": RANDOM.normal(size=(2, A, 4)),
        **changes,
    }
    return {name: tf.constant(value, tf.float32) for name, value in found.items() if value is not None}


def test_scores_are_the_softmax_without_background_and_empty_rows_have_none():
    proposals = boxes(P)
    proposals[1, -1] = 0
    made = outputs(proposals=proposals)
    scores = read_regions(made, num_classes=K).scores().numpy()
    logits = made["class_logits"].numpy().astype(float)
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    expected[1, -1] = 0
    np.testing.assert_allclose(scores, expected[..., :K], atol=1e-6)


def test_each_class_moves_the_region_by_its_own_deltas_in_their_units():
    deltas = np.zeros((2, P, K + 1, 4))
    deltas[:, :, 1] = [1.0, -2.0, 5 * np.log(2), 0.0]
    made = outputs(
        proposals=np.tile(np.array([10.0, 10, 20, 30], "float32"), (2, P, 1)), region_deltas=deltas.reshape(2, P, -1)
    )
    found = read_regions(made, num_classes=K)
    # A tenth of the height down, a fifth of the width to the left, twice as high.
    np.testing.assert_allclose(found.boxes().numpy()[0, 0], [[10, 10, 20, 30], [6, 6, 26, 26], [10, 10, 20, 30]], atol=1e-4)
    back = found.encoded(tf.constant([[6.0, 6, 26, 26]] * P)[None])
    np.testing.assert_allclose(back[0, 0], deltas[0, 0, 1], atol=1e-5)


def test_deltas_for_all_classes_move_all_of_them():
    found = read_regions(outputs(region_deltas=RANDOM.normal(size=(2, P, 4))), num_classes=K)
    np.testing.assert_array_equal(found.boxes()[:, :, 0], found.boxes()[:, :, K - 1])


def test_best_boxes_takes_the_box_of_its_class():
    of_classes = np.zeros((1, 2, 2, 4), "float32")
    of_classes[0, 0] = [[0, 0, 1, 1], [0, 2, 1, 3]]
    of_classes[0, 1] = [[0, 0, 1, 0.9], [0, 4, 1, 5]]
    best = best_boxes(of_classes, [[[0.9, 0.2], [0.8, 0.6]]], count=4, least_score=0.1, overlap=0.5)
    assert best.count.numpy() == [3]
    assert best.boxes.numpy()[0, :3].tolist() == [[0, 0, 1, 1], [0, 4, 1, 5], [0, 2, 1, 3]]
    assert best.class_numbers.numpy()[0, :3].tolist() == [0, 1, 1]


def test_other_outputs_are_refused_with_what_is_missing():
    assert not has_regions({"p3_class_logits": None})
    with pytest.raises(ConfigError, match="must also return class_logits"):
        read_regions(outputs(class_logits=None), num_classes=K)
    with pytest.raises(ConfigError, match="must also return objectness"):
        read_regions(outputs(objectness=None), num_classes=K)
    with pytest.raises(ConfigError, match="with 5 classes, class_logits must have 6 numbers for each region"):
        read_regions(outputs(), num_classes=5)


# --- The loss


def truth_of(objects, classes):
    return Truth(tf.constant(objects, tf.float32), tf.constant(classes, tf.int32), tf.zeros(np.shape(classes), tf.bool))


def smooth_l1(apart, beta):
    apart = np.abs(apart)
    return np.where(apart < beta, apart**2 / (2 * beta), apart - beta / 2).sum(-1)


def overlap(a, b):
    shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared)


def encoded(anchor, box):
    size, other = anchor[2:] - anchor[:2], box[2:] - box[:2]
    return np.concatenate([((box[2:] + box[:2]) - (anchor[2:] + anchor[:2])) / 2 / size, np.log(other / size)])


def losses_by_loops(made, objects, classes, weight):
    """All parts for one image, if every anchor and region may learn."""
    made = {name: value.numpy()[0].astype(float) for name, value in made.items()}
    iou = np.array([[overlap(anchor, one) for one in objects] for anchor in made["anchors"]])
    positive = (iou.max(1) >= 0.7) | ((iou == iou.max(0)) & (iou.max(0) > 0)).any(1)
    counted = positive | (iou.max(1) < 0.3)
    probability = 1 / (1 + np.exp(-made["objectness"]))
    entropy = -np.where(positive, np.log(probability), np.log(1 - probability))
    goals = np.array(
        [encoded(anchor, objects[number]) for anchor, number in zip(made["anchors"], iou.argmax(1), strict=True)]
    )
    found = {
        "objectness": (entropy * counted).sum() / counted.sum(),
        "anchors": weight * (smooth_l1(made["anchor_deltas"] - goals, 1 / 9) * positive).sum() / counted.sum(),
    }
    iou = np.array([[overlap(region, one) for one in objects] for region in made["proposals"]])
    own = np.where(iou.max(1) >= 0.5, np.array(classes)[iou.argmax(1)], K)
    logits = made["class_logits"] - np.log(np.exp(made["class_logits"]).sum(-1, keepdims=True))
    box = 0.0
    for region, label, number, deltas in zip(made["proposals"], own, iou.argmax(1), made["region_deltas"], strict=True):
        if label < K:
            goal = encoded(region, objects[number]) / [0.1, 0.1, 0.2, 0.2]
            box += smooth_l1(deltas.reshape(K + 1, 4)[label] - goal, 1.0)
    return found | {"classes": -logits[np.arange(P), own].mean(), "box": weight * box / P}


# So many that nothing is left out: a quarter of 64 regions are more than P, and half of 256 anchors more than A.
EVERY = c.Detection(sampled_regions=64, box_weight=2.0)
NUMBERS = tf.constant([[0.25, 0.5], [0.75, 0.125]])


@pytest.mark.parametrize("seed", range(4))
def test_all_parts_equal_those_of_loops(seed):
    random = np.random.default_rng(seed)
    objects, classes = boxes(2)[0], [2, 0]
    near = objects + random.uniform(-0.5, 0.5, size=(2, 4)).astype("float32")
    made = outputs()
    for name in ("proposals", "anchors"):
        made[name] = tf.concat([tf.tile(near[None], [2, 1, 1]), made[name][:, 2:]], axis=1)
    regions = read_regions(made, num_classes=K)
    found = parts_of_region_loss(regions, truth_of([objects] * 2, [classes] * 2), NUMBERS, EVERY)
    expected = losses_by_loops(made, objects.astype(float), classes, 2.0)
    assert expected["box"] > 0
    assert {name: value.numpy()[0] for name, value in found.items()} == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("learns", "parts", "still"),
    [
        ("both", {"objectness", "anchors", "classes", "box"}, set()),
        ("proposals", {"objectness", "anchors"}, {"class_logits", "region_deltas"}),
        ("regions", {"classes", "box"}, {"objectness", "anchor_deltas"}),
    ],
)
def test_of_a_stage_that_does_not_learn_no_output_has_a_gradient(learns, parts, still):
    made = {name: tf.Variable(value) for name, value in outputs().items()}
    truth = truth_of(made["proposals"].numpy()[:, :2] + 1, [[0, 2]] * 2)
    with tf.GradientTape() as tape:
        regions = read_regions(made, num_classes=K)
        both = parts_of_region_loss(regions, truth, NUMBERS, c.Detection())
        found = parts_of_region_loss(regions, truth, NUMBERS, c.Detection(learns=learns))
        total = tf.reduce_sum(sum(found.values()))
    assert set(found) == parts
    for name, part in found.items():
        np.testing.assert_array_equal(part, both[name], err_msg=name)
    stages = ("class_logits", "region_deltas", "objectness", "anchor_deltas")
    slopes = dict(zip(stages, tape.gradient(total, [made[name] for name in stages]), strict=True))
    assert {name for name, slope in slopes.items() if slope is None} == still


def test_proposals_cannot_learn_where_there_are_only_windows():
    made = outputs(anchors=None, objectness=None, anchor_deltas=None)
    truth = truth_of(made["proposals"].numpy()[:, :1], [[0]] * 2)
    with pytest.raises(ConfigError, match="requires a network that proposes its regions itself"):
        parts_of_region_loss(read_regions(made, num_classes=K), truth, NUMBERS, c.Detection(learns="proposals"))


def test_an_image_without_objects_learns_background_and_nothing_else():
    made = outputs()
    found = parts_of_region_loss(
        read_regions(made, num_classes=K), truth_of(np.zeros((2, 1, 4)), [[-1], [-1]]), NUMBERS, EVERY
    )
    assert found["box"].numpy().tolist() == found["anchors"].numpy().tolist() == [0, 0]
    logits = tf.nn.log_softmax(made["class_logits"])
    np.testing.assert_allclose(found["classes"], -tf.reduce_mean(logits[..., K], axis=1), rtol=1e-5)


def test_gradients_are_finite_with_empty_rows_and_objects_without_area():
    made = outputs(proposals=np.zeros((2, P, 4)))
    objects = np.array([[[3, 3, 3, 9], [4, 4, 12, 12]]] * 2)
    with tf.GradientTape() as tape:
        tape.watch(made)
        parts = parts_of_region_loss(read_regions(made, num_classes=K), truth_of(objects, [[0, 1]] * 2), NUMBERS, EVERY)
        total = tf.add_n([tf.reduce_sum(part) for part in parts.values()])
    gradients = tape.gradient(total, made)
    assert all(np.isfinite(gradient).all() for gradient in gradients.values() if gradient is not None)
    assert np.abs(gradients["objectness"]).max() > 0


def test_an_object_is_covered_from_an_iou_of_a_half_and_crowds_do_not_count(objects_of):
    """Of three objects, one of them a crowd, the proposals cover the first."""
    truth = objects_of([[([0, 0, 50, 50], 0), ([50, 50, 100, 100], 1), ([0, 50, 50, 100], 0)]], crowds={(0, 2)})
    proposals = np.array([[[0, 0, 0.5, 0.3], [0.6, 0.6, 0.8, 0.8], [0, 0.5, 0.5, 1], [0, 0, 0, 0]]])
    assert covered_objects(truth, proposals).tolist() == [1.0]
