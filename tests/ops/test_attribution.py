"""The three methods, against formulas by hand, against NumPy, and on generated shapes, whose places are known."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.sources.shape_scenes import make_scene
from kerasvision.errors import ConfigError
from kerasvision.models.inside import inside, last_maps
from kerasvision.ops.attribution import MOST_STEPS, TOLERANCE, grad_cam, integrated_gradients, occlusion


def pooled_network(seed, *, dtype="float32"):
    """Two convolutions, the mean over all places, and three numbers: for it Grad-CAM is CAM (Zhou et al., 2016)."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((8, 6, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", dtype=dtype)(image)
    x = keras.layers.Conv2D(5, 3, padding="same", activation="relu", name="maps", dtype=dtype)(x)
    x = keras.layers.GlobalAveragePooling2D(dtype=dtype)(x)
    return keras.Model(image, keras.layers.Dense(3, name="logits", dtype="float32")(x))


def looked_into(model, layer):
    both = inside(model, layer)
    return lambda images: both(images, training=False)


def test_grad_cam_of_a_network_with_global_pooling_is_the_class_activation_map():
    """The weight of a map is then its weight in the dense layer, divided by the number of places."""
    model = pooled_network(0)
    images = np.random.default_rng(0).normal(size=(3, 8, 6, 3)).astype(np.float32)
    maps = looked_into(model, "maps")(images)[0].numpy()
    weights = model.get_layer("logits").get_weights()[0]
    expected = np.stack([np.maximum(one @ weights[:, number], 0) / 48 for one, number in zip(maps, (2, 0, 1), strict=True)])
    np.testing.assert_allclose(grad_cam(looked_into(model, "maps"), images, [2, 0, 1]), expected, rtol=1e-5, atol=1e-7)


def test_grad_cam_in_bfloat16_is_that_of_float32_but_for_rounding():
    images = np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype(np.float32)
    exact, rounded = (grad_cam(looked_into(pooled_network(0, dtype=kind), "maps"), images, [2, 0]) for kind in PRECISIONS)
    assert rounded.dtype == np.float32
    np.testing.assert_allclose(rounded, exact, rtol=0, atol=0.03 * exact.max())


PRECISIONS = ("float32", "mixed_bfloat16")


def test_grad_cam_of_one_image_does_not_depend_on_the_others():
    model, images = pooled_network(0), np.random.default_rng(1).normal(size=(4, 8, 6, 3)).astype(np.float32)
    together = grad_cam(looked_into(model, "maps"), images, [0, 1, 2, 0])
    alone = [grad_cam(looked_into(model, "maps"), images[n : n + 1], [number])[0] for n, number in enumerate((0, 1, 2, 0))]
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-7)


def softmax_score(model, number):
    return lambda images: tf.nn.softmax(model(images, training=False))[:, number]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_integrated_gradients_sum_to_the_difference_of_the_scores(seed):
    """Completeness, for a network with kinks and a softmax; the error is the one that is stated."""
    model = pooled_network(seed)
    model.get_layer("logits").set_weights([30 * weights for weights in model.get_layer("logits").get_weights()])
    image = np.random.default_rng(seed).uniform(0, 2, size=(8, 6, 3)).astype(np.float32)
    score = softmax_score(model, 1)
    found = integrated_gradients(score, image)
    difference = float(score(tf.constant(image[None]))[0] - score(tf.zeros((1, 8, 6, 3)))[0])
    assert found.difference == pytest.approx(difference, abs=1e-6)
    assert found.values.shape == (8, 6)
    assert abs(found.values.sum() - difference) <= TOLERANCE
    assert found.error == pytest.approx(abs(found.values.sum() - difference), abs=1e-5)


def test_integrated_gradients_equal_the_integral_by_hand():
    """For x0 * x1 from (0, 0): the gradient at t is (t x1, t x0), so both get x0 * x1 / 2 (midpoints are exact)."""
    found = integrated_gradients(lambda x: x[:, 0, 0, 0] * x[:, 0, 1, 0], np.array([[[3.0], [5.0]]], np.float32))
    np.testing.assert_allclose(found.values, [[7.5, 7.5]], rtol=1e-6)


def test_a_pixel_that_the_score_ignores_adds_nothing_and_another_baseline_counts():
    def score(images):
        return 2 * images[:, 0, 0, 0]

    image, baseline = np.array([[[3.0], [5.0]]], np.float32), np.array([[[1.0], [9.0]]], np.float32)
    assert integrated_gradients(score, image).values.tolist() == [[6.0, 0.0]]
    assert integrated_gradients(score, image, baseline=baseline).values.tolist() == [[4.0, 0.0]]


def test_a_steep_score_gets_more_steps_and_one_that_jumps_states_its_error():
    steep = integrated_gradients(lambda x: tf.sigmoid(400 * (x[:, 0, 0, 0] - 0.53)), np.ones((1, 1, 1), np.float32))
    assert 32 < steep.steps <= MOST_STEPS and steep.error <= TOLERANCE
    # The gradient of a step is 0 wherever it is measured, though the score grows by 1.
    jump = integrated_gradients(lambda x: x[:, 0, 0, 0] * 0 + tf.round(x[:, 0, 0, 0]), np.ones((1, 1, 1), np.float32))
    assert (jump.steps, jump.total, jump.difference, jump.error) == (MOST_STEPS, 0.0, 1.0, 1.0)


def test_a_score_without_a_gradient_is_refused_with_the_way_out():
    with pytest.raises(ConfigError, match=r"the score has no gradient with respect to the image. Use occlusion."):
        integrated_gradients(lambda x: tf.cast(x[:, 0, 0, 0] > 1, tf.float32), np.ones((2, 2, 1), np.float32))


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (3, 2), (4, 4), (5, 1)])
def test_occlusion_equals_a_loop_over_all_squares(window, stride):
    random = np.random.default_rng(window)
    image, weights = random.normal(size=(5, 7, 2)).astype(np.float32), random.normal(size=(5, 7, 2))

    def score(images):
        return tf.tanh(tf.reduce_sum(images * weights.astype(np.float32), axis=(1, 2, 3)) / 9)

    by_pixel = [[[] for _ in range(7)] for _ in range(5)]
    tops = sorted({min(top, 5 - window) for top in range(0, 5, stride)})
    lefts = sorted({min(left, 7 - window) for left in range(0, 7, stride)})
    for top in tops:
        for left in lefts:
            covered = image.astype(np.float64)
            covered[top : top + window, left : left + window] = image.mean(axis=(0, 1))
            fall = np.tanh((image * weights).sum() / 9) - np.tanh((covered * weights).sum() / 9)
            for y in range(top, top + window):
                for x in range(left, left + window):
                    by_pixel[y][x].append(fall)
    expected = np.array([[np.mean(falls) for falls in row] for row in by_pixel])
    np.testing.assert_allclose(occlusion(score, image, window=window, stride=stride), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("window", "stride", "message"),
    [
        (6, 1, "the occlusion window must be 1 to 5 pixels wide, the shorter side of the images that the network sees"),
        (0, 1, "the occlusion window must be 1 to 5 pixels wide"),
        (2, 3, r"the stride must lie in \[1, 2\], so that every pixel is covered; received 3"),
    ],
)
def test_a_square_that_does_not_fit_is_refused(window, stride, message):
    with pytest.raises(ConfigError, match=message):
        occlusion(lambda images: images[:, 0, 0, 0], np.zeros((5, 7, 1), np.float32), window=window, stride=stride)


# --- On scenes of shapes. The mask of the named shape is known.

SHAPES = c.Shapes(count=1400, image_size=(48, 48), classes=("circle", "square", "triangle", "cross"), max_objects=2)
# A map of 6 x 6 places cannot be three times as dense on a shape that covers a third of the image.
MOST_AREA = 0.12


def shapes_network():
    keras.utils.set_random_seed(0)
    image = x = keras.Input((48, 48, 3))
    for width, is_smaller in ((16, True), (32, True), (64, True), (64, False)):
        x = keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
        x = keras.layers.MaxPooling2D()(x) if is_smaller else x
    return keras.Model(image, keras.layers.Dense(len(SHAPES.classes))(keras.layers.GlobalAveragePooling2D()(x)))


def density(heat, shape):
    """The share of the map that lies on the shape, divided by the share of the image that the shape covers."""
    return heat[shape].sum() / heat.sum() / shape.mean() if heat.any() else 1.0


@pytest.mark.slow
def test_maps_lie_on_the_named_shape_if_the_network_is_trained_and_not_if_it_is_random():
    """The second half is the check of Adebayo et al., 2018, https://arxiv.org/abs/1810.03292: weights must matter."""
    scenes = [make_scene(SHAPES, number) for number in range(SHAPES.count)]
    images = np.stack([scene.pixels for scene in scenes]).astype(np.float32) / 255
    labels = np.array([SHAPES.classes.index(scene.shapes[0].name) for scene in scenes])
    network, random = shapes_network(), shapes_network()
    network.compile(keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    network.fit(images[:1200], labels[:1200], epochs=12, batch_size=32, verbose=0)
    shown = [n for n in range(1200, 1400) if scenes[n].shapes[0].visible.mean() <= MOST_AREA]
    assert len(shown) >= 80

    def densities(model):
        heats = grad_cam(looked_into(model, last_maps(model)), images[shown], labels[shown])
        large = tf.image.resize(heats[..., np.newaxis], (48, 48)).numpy()[..., 0]
        pixels = [np.abs(integrated_gradients(softmax_score(model, labels[n]), images[n]).values) for n in shown[:20]]
        of_maps = [density(heat, scenes[n].shapes[0].visible) for heat, n in zip(large, shown, strict=True)]
        of_pixels = [density(heat, scenes[n].shapes[0].visible) for heat, n in zip(pixels, shown[:20], strict=True)]
        return np.mean(of_maps), np.mean(of_pixels)

    trained, untrained = densities(network), densities(random)
    print(
        f"Grad-CAM {trained[0]:.2f}, untrained {untrained[0]:.2f}; gradients {trained[1]:.2f}, untrained {untrained[1]:.2f}"
    )
    assert min(trained) >= 3.0, trained
    assert max(untrained) < 3.0, untrained
