"""Pooling of regions, against loops over integer bins and samples, torchvision's numbers, and numeric gradients."""

import json
import math
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision.ops.regions import position_sensitive_pool, pyramid_roi_align, roi_align, roi_max_pool

HEIGHT, WIDTH, STRIDE = 7, 10, 4
RANDOM = np.random.default_rng(0)
MAPS = RANDOM.normal(size=(2, HEIGHT, WIDTH, 3)).astype("float32")


def random_boxes(count, *, images=2, beyond=6.0):
    """Boxes of all sizes, some of which reach beyond the image of 28 x 40 pixels, and the last of which is a point."""
    random = np.random.default_rng(1)
    far = np.array([HEIGHT * STRIDE, WIDTH * STRIDE]) + 2 * beyond
    corners = np.sort(random.uniform(size=(images, count, 2, 2)) * far - beyond, axis=2)
    boxes = corners.reshape(images, count, 4).astype("float32")
    boxes[:, -1] = 8.0
    return boxes


BOXES = random_boxes(40)


def bins_of_girshick(low, high, size, length):
    """The cells of each bin of one axis, by the code of Fast R-CNN in whole numbers."""
    first, last = math.floor(low / STRIDE + 0.5), math.floor(high / STRIDE + 0.5)
    count = max(last - first + 1, 1)
    edges = [(first + i * count // size, first - (-(i + 1) * count // size)) for i in range(size)]
    return [slice(min(max(start, 0), length), min(max(end, 0), length)) for start, end in edges]


def pooled_by_loops(x, boxes, size, reduce):
    """(N, P, size, size, C): `reduce` of the cells (h, w, C) of each bin, given the bin's number; 0 without cells."""
    found = np.zeros((*boxes.shape[:2], size, size, reduce(x[0], 0).shape[-1]), "float32")
    for n, p in np.ndindex(*boxes.shape[:2]):
        top, left, bottom, right = boxes[n, p].astype(float)
        for i, rows in enumerate(bins_of_girshick(top, bottom, size, HEIGHT)):
            for j, columns in enumerate(bins_of_girshick(left, right, size, WIDTH)):
                cells = x[n, rows, columns]
                if cells.size:
                    found[n, p, i, j] = reduce(cells, i * size + j)
    return found


def bilinear(x, y_place, x_place):
    """One sample of a map (H, W, C), by the four cells around it."""
    if not (-1 <= y_place <= HEIGHT and -1 <= x_place <= WIDTH):
        return np.zeros(x.shape[-1])
    y_place, x_place = min(max(y_place, 0), HEIGHT - 1), min(max(x_place, 0), WIDTH - 1)
    y, left = math.floor(y_place), math.floor(x_place)
    down, right = min(y + 1, HEIGHT - 1), min(left + 1, WIDTH - 1)
    b, a = y_place - y, x_place - left
    return (1 - b) * ((1 - a) * x[y, left] + a * x[y, right]) + b * ((1 - a) * x[down, left] + a * x[down, right])


def aligned_by_loops(x, boxes, size, samples, aligned):
    found = np.zeros((*boxes.shape[:2], size, size, x.shape[-1]))
    for n, p, i, j in np.ndindex(*boxes.shape[:2], size, size):
        top, left, bottom, right = boxes[n, p].astype(float) / STRIDE - 0.5 * aligned
        height, width = (bottom - top, right - left) if aligned else (max(bottom - top, 1), max(right - left, 1))
        places = [
            (top + (i + (a + 0.5) / samples) * height / size, left + (j + (b + 0.5) / samples) * width / size)
            for a, b in np.ndindex(samples, samples)
        ]
        found[n, p, i, j] = np.mean([bilinear(x[n].astype(float), *place) for place in places], axis=0)
    return found


@pytest.mark.parametrize("size", [1, 3, 7])
def test_max_pooling_takes_the_largest_value_of_the_integer_bins_of_fast_rcnn(size):
    expected = pooled_by_loops(MAPS, BOXES, size, lambda cells, _: cells.max((0, 1)))
    np.testing.assert_array_equal(roi_max_pool(MAPS, BOXES, stride=STRIDE, size=size), expected)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize(("size", "samples"), [(3, 2), (2, 1), (7, 3)])
def test_align_is_the_mean_of_bilinear_samples(aligned, size, samples):
    boxes = BOXES[:, -12:]
    found = roi_align(MAPS, boxes, stride=STRIDE, size=size, samples=samples, aligned=aligned)
    np.testing.assert_allclose(found, aligned_by_loops(MAPS, boxes, size, samples, aligned), atol=1e-5)


def test_boxes_are_pooled_as_by_torchvision():
    """The file names their version."""
    theirs = json.loads(Path(__file__).with_name("torchvision_regions.json").read_text())
    rows, columns = np.indices((HEIGHT, WIDTH))
    x = np.sin(rows * 1.3 + columns**2 * 0.7).astype("float32")[None, :, :, None]
    boxes, options = np.array([theirs["boxes"]], "float32"), {"stride": STRIDE, "size": 2}
    found = {
        "max": roi_max_pool(x, boxes, **options),
        "align": roi_align(x, boxes, **options),
        "aligned": roi_align(x, boxes, aligned=True, **options),
    }
    for name, pooled in found.items():
        np.testing.assert_allclose(pooled[0, :, :, :, 0], np.array(theirs[name])[:, 0], atol=1e-5, err_msg=name)


@pytest.mark.parametrize("size", [2, 3])
def test_every_bin_of_position_sensitive_pooling_is_the_mean_of_its_own_channels(size):
    x = np.random.default_rng(2).normal(size=(2, HEIGHT, WIDTH, size * size * 2)).astype("float32")

    def mean(cells, number):
        return cells.mean((0, 1))[2 * number : 2 * number + 2]

    found = position_sensitive_pool(x, BOXES, stride=STRIDE, size=size)
    np.testing.assert_allclose(found, pooled_by_loops(x, BOXES, size, mean), atol=1e-5)


def test_a_box_is_pooled_from_the_level_of_its_size():
    """A side of 224 pixels belongs to level 4, half of it to level 3, and all smaller ones to the finest level."""
    maps = {level: np.full((1, 1024 >> level, 1024 >> level, 1), float(level), "float32") for level in (3, 4, 5)}
    sides = np.array([10.0, 111.9, 112.0, 223.9, 224.0, 447.9, 448.0, 1000.0], "float32")
    boxes = np.stack([0 * sides, 0 * sides, sides, sides], axis=-1)[None]
    found = pyramid_roi_align(maps, boxes, image_size=(1024, 1024), size=1)
    np.testing.assert_allclose(np.ravel(found), [3, 3, 3, 3, 4, 4, 5, 5], atol=1e-4)


def test_a_level_that_no_box_can_reach_is_not_read():
    maps = {3: np.ones((1, 12, 12, 1), "float32"), 4: np.full((1, 6, 6, 1), np.nan, "float32")}
    boxes = np.array([[[0.0, 0.0, 96.0, 96.0]]], "float32")
    assert np.ravel(pyramid_roi_align(maps, boxes, image_size=(96, 96), size=1)) == [1.0]


@pytest.mark.parametrize(
    ("pool", "channels"),
    [
        (lambda x, boxes: roi_max_pool(x, boxes, stride=STRIDE, size=3), 2),
        (lambda x, boxes: roi_align(x, boxes, stride=STRIDE, size=3), 2),
        (lambda x, boxes: position_sensitive_pool(x, boxes, stride=STRIDE, size=3), 9),
    ],
    ids=["max", "align", "position_sensitive"],
)
def test_gradients_equal_numeric_ones_and_none_flows_to_the_boxes(pool, channels):
    """Along random directions of the map, for a random weighting of the answers."""
    random, shape = np.random.default_rng(3), (1, HEIGHT, WIDTH, channels)
    # Values that differ by more than the step: no maximum changes its place.
    x = tf.constant(random.permutation(math.prod(shape)).reshape(shape), tf.float32)
    boxes = tf.constant(BOXES[:1, -6:])
    with tf.GradientTape() as tape:
        tape.watch([x, boxes])
        answers = pool(x, boxes)
        weights = random.normal(size=answers.shape)
        total = tf.reduce_sum(answers * weights)
    gradient, of_boxes = tape.gradient(total, [x, boxes])
    assert of_boxes is None
    for _ in range(3):
        direction = random.uniform(-1, 1, size=shape)
        ahead, behind = (pool(x + sign * 0.4 * direction, boxes).numpy().astype(float) for sign in (1, -1))
        numeric = ((ahead - behind) * weights).sum() / 0.8
        assert (gradient.numpy() * direction).sum() == pytest.approx(numeric, rel=1e-3, abs=2e-3)


def all_pooled(x, boxes):
    return {
        "largest": roi_max_pool(x, boxes, stride=STRIDE, size=3),
        "aligned": roi_align(x, boxes, stride=STRIDE, size=3),
        "sensitive": position_sensitive_pool(keras.ops.concatenate([x] * 3, axis=-1), boxes, stride=STRIDE, size=3),
    }


@pytest.fixture(scope="module")
def functional():
    """A functional model of all three, which needs nothing but Keras."""
    x, boxes = keras.Input(MAPS.shape[1:], name="x"), keras.Input(BOXES.shape[1:], name="boxes")
    return keras.Model([x, boxes], all_pooled(x, boxes))


def test_in_a_saved_model_of_keras_they_compute_the_same(functional, tmp_path):
    functional.save(tmp_path / "pooling.keras")
    loaded = keras.models.load_model(tmp_path / "pooling.keras")
    for name, expected in all_pooled(MAPS, BOXES).items():
        np.testing.assert_allclose(loaded([MAPS, BOXES])[name], expected, atol=1e-6)


@pytest.fixture(scope="module")
def served(functional):
    specs = [tf.TensorSpec([None, *MAPS.shape[1:]], name="x"), tf.TensorSpec([None, *BOXES.shape[1:]], name="boxes")]
    return tf.function(lambda x, boxes: functional([x, boxes]), input_signature=specs, autograph=False)


@pytest.mark.slow
def test_they_convert_to_litert(served):
    from ai_edge_litert.interpreter import Interpreter

    module = tf.Module()
    module.serve = served
    model = tf.lite.TFLiteConverter.from_concrete_functions([served.get_concrete_function()], module).convert()
    answer = Interpreter(model_content=model).get_signature_runner("serving_default")(x=MAPS[:1], boxes=BOXES[:1])
    for name, expected in all_pooled(MAPS[:1], BOXES[:1]).items():
        np.testing.assert_allclose(answer[name], expected, atol=1e-5)


@pytest.mark.slow
def test_they_convert_to_onnx(served, tmp_path):
    import onnxruntime
    import tf2onnx

    file = tmp_path / "pooling.onnx"
    tf2onnx.convert.from_function(served, input_signature=served.input_signature, opset=17, output_path=str(file))
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    answer = dict(zip(names, session.run(names, {"x": MAPS, "boxes": BOXES}), strict=True))
    for name, expected in all_pooled(MAPS, BOXES).items():
        np.testing.assert_allclose(answer[name], expected, atol=1e-5)


@pytest.mark.parametrize("pool", [roi_max_pool, roi_align])
def test_sixteen_bits_are_kept_and_the_boxes_are_not_rounded_to_them(pool):
    """A box at 1,000 pixels would move by up to 4 in bfloat16."""
    x = np.tile(np.arange(256, dtype="float32")[:, None, None], (1, 2, 1))[None]
    boxes = np.array([[[1001.0, 0.0, 1002.0, 8.0]]], "float32")
    found = pool(tf.cast(x, tf.bfloat16), boxes, stride=4, size=1)
    assert found.dtype == "bfloat16"
    assert tf.cast(found, tf.float32).numpy().item() == pytest.approx(250.5, abs=1.0)
