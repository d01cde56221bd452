"""Detection from a batch to answers: which objects are learned, and that answers come back to their places."""

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import ConfigError, DataError
from kerasvision.ops.places import Places
from kerasvision.tasks.base import make_task
from kerasvision.tasks.detection.answers import placed_back
from kerasvision.tasks.detection.classes import Classes
from kerasvision.tasks.detection.readings import read
from kerasvision.tasks.detection.truth import all_answers

NAMES = ("cat", "cow", "dog")


def batch(boxes, labels, **changes):
    labels = np.array(labels, np.int64)
    objects = {
        "bbox": tf.constant(boxes, tf.float32),
        "label": tf.constant(labels),
        "crowd": tf.zeros(labels.shape, bool),
        "area": tf.ones(labels.shape),
    }
    return {"image": tf.zeros((len(labels), 32, 64, 3)), "objects": objects, **changes}


def test_boxes_are_learned_in_pixels_and_other_classes_are_background():
    task = make_task(c.Detection(classes=("dog", "cat")), NAMES)
    _, targets = task.encode(batch([[[0.25, 0.5, 0.5, 1.0], [0, 0, 1, 1], [0, 0, 0, 0]]], [[2, 1, -1]]))
    assert targets["boxes"].numpy()[0, 0].tolist() == [8, 32, 16, 64]
    # Outputs are in the order of the class numbers: cat, dog.
    assert targets["classes"].numpy().tolist() == [[1, -1, -1]]


def test_truth_has_the_objects_to_find_without_padding():
    task = make_task(c.Detection(classes=("dog", "cat")), NAMES)
    whole, none, part = task.truth(batch([[[0, 0, 0.5, 1], [0, 0, 1, 1]]] * 3, [[2, 0], [-1, -1], [1, 0]]))
    assert (whole.classes.tolist(), none.classes.tolist(), part.classes.tolist()) == ([2, 0], [], [0])
    assert part.boxes.tolist() == [[0, 0, 1, 1]]


def test_ragged_and_padded_objects_give_the_same_truth():
    dense = batch([[[0, 0, 0.5, 1], [0, 0, 0, 0]], [[0, 0, 1, 1], [0.5, 0, 1, 1]]], [[2, -1], [0, 1]])
    kept = dense["objects"]["label"] >= 0
    ragged = {"objects": {name: tf.ragged.boolean_mask(part, kept) for name, part in dense["objects"].items()}}
    task = make_task(c.Detection(), NAMES)
    for one, other in zip(task.truth(dense), task.truth(ragged), strict=True):
        assert all(np.array_equal(*pair) for pair in zip(one, other, strict=True))


def test_images_without_objects_are_refused_with_the_way_out():
    with pytest.raises(DataError, match="Choose a source with boxes"):
        make_task(c.Detection(), NAMES).encode({"image": tf.zeros((1, 8, 8, 3))})


def test_class_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'cow'"):
        make_task(c.Detection(classes=("cou",)), NAMES)


def exact_outputs(boxes, numbers, *, size, stride=8, classes=3):
    """Outputs of a network of points that answers these boxes: the point nearest to the centre of each is sure of it."""
    shape = (1, size[0] // stride, size[1] // stride)
    logits, sides = np.full((*shape, classes), -20.0), np.ones((*shape, 4))
    for (top, left, bottom, right), number in zip(boxes, numbers, strict=True):
        y, x = int((top + bottom) / 2 / stride), int((left + right) / 2 / stride)
        point = (np.array([y, x]) + 0.5) * stride
        logits[0, y, x, number] = 20.0
        sides[0, y, x] = np.concatenate([point - [top, left], [bottom, right] - point]) / stride
    return {
        "p3_class_logits": tf.constant(logits, tf.float32),
        "p3_distances": tf.constant(sides, tf.float32),
        "p3_centerness": tf.fill((*shape, 1), 20.0),
    }


class Fixed:
    """A network with these outputs."""

    def __init__(self, outputs):
        self.output = outputs

    def __call__(self, images, training):
        return self.output


def test_answers_are_the_boxes_that_the_network_is_sure_of():
    boxes = [[4.0, 6.0, 20.0, 40.0], [17.0, 33.0, 30.0, 60.0]]
    task = make_task(c.Detection(boxes=5, classes=("dog", "cat")), NAMES)
    predict = task.predictor(Fixed(exact_outputs(boxes, [1, 0], size=(32, 64), classes=2)))
    found = {name: value.numpy() for name, value in predict(tf.zeros((1, 32, 64, 3))).items()}
    order = np.argsort(found["boxes"][0, :2, 0])
    assert found["count"].tolist() == [2]
    np.testing.assert_allclose(found["boxes"][0, :2][order] * [32, 64, 32, 64], boxes, atol=1e-4)
    assert found["classes"][0, :2][order].tolist() == [b"dog", b"cat"]
    assert found["class_numbers"][0, :2][order].tolist() == [2, 0]
    assert not found["boxes"][0, 2:].any()
    assert found["classes"][0, 2:].tolist() == [b""] * 3


def test_candidates_are_all_points_with_all_scores():
    task = make_task(c.Detection(), NAMES)
    outputs = exact_outputs([[4.0, 6.0, 20.0, 40.0]], [1], size=(32, 64))
    found = task.extra_signatures(Fixed(outputs))["candidates"].answer(tf.zeros((1, 32, 64, 3)))
    assert (found["boxes"].shape, found["scores"].shape) == ((1, 32, 4), (1, 32, 3))
    assert found["scores"].numpy().max() == pytest.approx(1.0)


def test_answers_for_a_data_set_are_in_pixels_of_each_image(answered):
    found = all_answers(answered([[((10, 20, 30, 40), 0, 0.9)], []], size=(50, 200)))
    assert found.images.tolist() == [0]
    np.testing.assert_allclose(found.boxes, [[10, 20, 30, 40]], rtol=1e-6)


def test_a_network_without_boxes_is_refused_with_the_way_out():
    with pytest.raises(ConfigError, match="maps named p3_class_logits") as refused:
        read({"logits": tf.zeros((1, 4))}, num_classes=3)
    assert "set model.name='fcos', 'retinanet', 'ssd' or 'yolo'" in str(refused.value).lower()


def test_levels_are_read_from_fine_to_coarse_whatever_their_order(point_maps):
    maps = point_maps(np.random.default_rng(0), shapes={10: (1, 1), 9: (2, 2)}, images=1, classes=3)
    assert read(maps, num_classes=3).grid.strides.tolist() == [512] * 4 + [1024]


def test_numbers_of_classes_count_all_classes_of_the_data_set():
    assert Classes.of(NAMES, found=("dog",)).found == ("dog",)
    assert Classes.of(NAMES, found=("dog",)).numbers == (2,)


def test_empty_rows_of_proposals_stay_zeros_where_an_image_was_moved():
    places = Places(tf.fill((1, 2), 2.0), tf.constant([[-2.0, -4.0]]), tf.constant([[8, 8]]), frame=(8, 8))
    proposals = tf.constant([[[0.25, 0.0, 0.5, 1.0], [0.0, 0.0, 0.0, 0.0]]])
    found = placed_back({"proposals": proposals}, places)["proposals"].numpy()[0]
    # Pixels 2 to 4 and 0 to 8 are 2 to 3 and 2 to 6 of the original image of 8 x 8.
    assert found.tolist() == [[0.25, 0.25, 0.375, 0.75], [0.0, 0.0, 0.0, 0.0]]
