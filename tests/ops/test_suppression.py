"""The best boxes of an image, compared with TensorFlow's own operation for one class."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasvision.errors import ConfigError
from kerasvision.ops.suppression import best_boxes

A, C, COUNT = 7, 3, 5
LEAST = 0.25

# Few different numbers: equal boxes, equal scores, boxes of no area and overlaps at the threshold are common.
coordinates = st.integers(0, 4)
corners = st.tuples(coordinates, coordinates, coordinates, coordinates).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)
some_boxes = st.lists(corners, min_size=A, max_size=A).map(lambda rows: np.array(rows, np.float32))
some_scores = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.5, 0.75, 1.0]), min_size=A * C, max_size=A * C).map(
    lambda scores: np.array(scores, np.float32).reshape(A, C)
)


def graph(**options):
    """`best_boxes` as a graph for batches of any size."""
    settings = {"count": COUNT, "least_score": LEAST, "overlap": 0.5, **options}
    # An ONNX graph has one namespace for inputs and outputs.
    shapes = [tf.TensorSpec([None, A, 4], name="all_boxes"), tf.TensorSpec([None, A, C], name="all_scores")]
    return tf.function(
        lambda all_boxes, all_scores: best_boxes(all_boxes, all_scores, **settings)._asdict(), input_signature=shapes
    )


CHOOSE = graph()


def of_tensorflow(boxes, scores, *, overlap=0.5, count=COUNT):
    """(boxes, scores, class numbers) of one image, by tf.image.non_max_suppression for each class."""
    found = []
    for number in range(scores.shape[1]):
        kept = tf.image.non_max_suppression(boxes, scores[:, number], len(boxes), overlap, LEAST).numpy()
        found += [(-scores[box, number], box, number) for box in kept]
    found = sorted(found)[:count]
    return (
        [boxes[box].tolist() for _, box, _ in found],
        [-score for score, _, _ in found],
        [number for _, _, number in found],
    )


def is_as_tensorflow(best, row, boxes, scores, **options):
    theirs_boxes, theirs_scores, theirs_classes = of_tensorflow(boxes, scores, **options)
    count = int(best["count"][row])
    assert count == len(theirs_boxes)
    assert best["boxes"][row, :count].numpy().tolist() == theirs_boxes
    assert best["scores"][row, :count].numpy().tolist() == theirs_scores
    assert best["class_numbers"][row, :count].numpy().tolist() == theirs_classes
    assert not any(np.any(best[name][row, count:]) for name in ("boxes", "scores", "class_numbers"))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(some_boxes, some_scores), min_size=2, max_size=2))
def test_each_image_gets_the_boxes_of_tensorflows_suppression_for_each_class(images):
    best = CHOOSE(*(np.stack(part) for part in zip(*images, strict=True)))
    for row, (boxes, scores) in enumerate(images):
        is_as_tensorflow(best, row, boxes, scores)


def crowded(count=2, boxes=400, classes=4):
    """Boxes that overlap in long chains: float32 (N, A, 4) and (N, A, C)."""
    random = np.random.default_rng(0)
    begins = random.uniform(0, 1, (count, boxes, 2))
    found = np.concatenate([begins, begins + random.uniform(0.1, 0.4, (count, boxes, 2))], axis=-1)
    return found.astype("float32"), random.uniform(0, 1, (count, boxes, classes)).astype("float32")


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.9])
def test_long_chains_of_overlaps_are_settled_as_tensorflow_does(overlap):
    boxes, scores = crowded()
    best = best_boxes(boxes, scores, count=100, candidates=1600, least_score=LEAST, overlap=overlap)._asdict()
    for row in range(len(boxes)):
        is_as_tensorflow(best, row, boxes[row], scores[row], overlap=overlap, count=100)


def test_across_classes_one_place_has_one_class():
    boxes, scores = crowded(count=1)
    best = best_boxes(boxes, scores, count=100, candidates=1600, least_score=0.0, overlap=0.5, across_classes=True)
    # TensorFlow's operation, for a box with each of its classes as a box of its own.
    kept = tf.image.non_max_suppression(np.repeat(boxes[0], 4, axis=0), scores[0].reshape(-1), 100, 0.5, 0.0).numpy()
    np.testing.assert_array_equal(best.class_numbers[0, : len(kept)], kept % 4)
    np.testing.assert_array_equal(best.scores[0, : len(kept)], scores[0].reshape(-1)[kept])


def test_only_the_candidates_with_the_highest_scores_are_considered():
    apart = np.array([[[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]]], np.float32)
    best = best_boxes(apart, [[[0.3], [0.9], [0.6]]], count=2, candidates=2, least_score=0.0, overlap=0.5)
    np.testing.assert_allclose(best.scores, [[0.9, 0.6]])


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_no_score_above_the_least_one_gives_zeros(rows):
    best = CHOOSE(np.ones((rows, A, 4), np.float32), np.full((rows, A, C), LEAST, np.float32))
    assert best["count"].numpy().tolist() == [0] * rows
    assert {name: value.shape.as_list() for name, value in best.items()} == {
        "boxes": [rows, COUNT, 4],
        "scores": [rows, COUNT],
        "class_numbers": [rows, COUNT],
        "count": [rows],
    }
    assert not any(np.any(value) for value in best.values())


def test_a_score_that_is_not_a_number_is_not_chosen():
    best = best_boxes([[[0.0, 0, 1, 1], [2.0, 2, 3, 3]]], [[[np.nan], [0.5]]], count=2, least_score=0.0, overlap=0.5)
    assert best.scores.numpy().tolist() == [[0.5, 0.0]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_a_box_that_is_not_finite_drops_no_other(value):
    boxes = [[[0.0, 0.0, value, 1.0], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.9]]]
    best = best_boxes(boxes, [[[0.9], [0.8], [0.7]]], count=3, least_score=0.0, overlap=0.5)
    np.testing.assert_allclose(best.scores, [[0.9, 0.8, 0.0]])


def test_every_image_of_a_batch_has_the_answer_that_it_has_alone():
    boxes, scores = crowded(count=5)
    # Other numbers of candidates: none, few, and all.
    scores *= np.array([0.0, 0.3, 0.5, 1.0, 1.0], np.float32)[:, None, None]
    settings = {"count": 50, "candidates": 200, "least_score": LEAST, "overlap": 0.4}
    best = best_boxes(boxes, scores, **settings)
    for row in range(5):
        for together, alone in zip(best, best_boxes(boxes[row : row + 1], scores[row : row + 1], **settings), strict=True):
            np.testing.assert_array_equal(together[row], alone[0])


def test_a_graph_for_a_batch_of_one_size_gives_the_same_answer():
    boxes, scores = (part[:, :A, : part.shape[-1]] for part in crowded(count=2, classes=C))
    fixed = CHOOSE.python_function
    shapes = [tf.TensorSpec([2, A, 4]), tf.TensorSpec([2, A, C])]
    for name, ours in tf.function(fixed, input_signature=shapes)(boxes, scores).items():
        np.testing.assert_array_equal(ours, CHOOSE(boxes, scores)[name])


def test_images_of_any_size_with_fewer_boxes_than_asked_for():
    shapes = [tf.TensorSpec([None, None, 4]), tf.TensorSpec([None, None, 1])]
    choose = tf.function(lambda b, s: best_boxes(b, s, count=3, least_score=0.1, overlap=0.5), input_signature=shapes)
    best = choose([[[0.0, 0, 1, 1]]], [[[0.5]]])
    assert best.boxes.numpy().tolist() == [[[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]]
    assert (best.scores.numpy().tolist(), best.count.numpy().tolist()) == ([[0.5, 0.0, 0.0]], [1])
    boxes, scores = crowded(boxes=50, classes=1)
    best = choose(boxes, scores)
    for row in range(2):
        np.testing.assert_array_equal(best.boxes[row], of_tensorflow(boxes[row], scores[row], count=3)[0])


def test_best_boxes_convert_to_litert():
    from ai_edge_litert.interpreter import Interpreter

    boxes, scores = (part[:, :A, : part.shape[-1]] for part in crowded(count=1, classes=C))
    module, concrete = tf.Module(), CHOOSE.get_concrete_function()
    module.serve = CHOOSE
    model = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert()
    answer = Interpreter(model_content=model).get_signature_runner("serving_default")(all_boxes=boxes, all_scores=scores)
    for name, ours in CHOOSE(boxes, scores).items():
        np.testing.assert_array_equal(answer[name], ours)


@pytest.mark.slow
def test_best_boxes_convert_to_onnx(tmp_path):
    import onnxruntime
    import tf2onnx

    boxes, scores = (part[:, :A, : part.shape[-1]] for part in crowded(count=3, classes=C))
    file = tmp_path / "best.onnx"
    tf2onnx.convert.from_function(CHOOSE, input_signature=CHOOSE.input_signature, opset=17, output_path=str(file))
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    answer = dict(zip(names, session.run(names, {"all_boxes": boxes, "all_scores": scores}), strict=True))
    for name, ours in CHOOSE(boxes, scores).items():
        np.testing.assert_array_equal(answer[name], ours)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, r"count must lie in \[1, candidates\]"),
        ({"count": 301}, "count=301, candidates=300"),
        ({"least_score": -0.1}, r"least_score must lie in \[0, 1\)"),
        ({"overlap": 1.5}, r"overlap must lie in \[0, 1\]"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        best_boxes([[[0, 0, 1, 1]]], [[[1.0]]], **{"count": 1, "least_score": 0.0, "overlap": 0.5, **options})
