"""Classifiers as fully convolutional networks: equal at their own size, and equal to the classifier on parts of an image."""

import keras
import numpy as np
import pytest
from keras import layers

from kerasvision.errors import ConfigError
from kerasvision.models import build, fully_convolutional
from kerasvision.models.converting import without_weights

SMALL_VGG = {"width": 1 / 16, "dropout": 0.5}


def images(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")


def classifier(*, padding, pooled):
    """Two convolutions and a pooling: 12 x 12 pixels become 3 x 3 cells of stride 2, or with padding 6 x 6."""
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 3), name="image")
    x = layers.Conv2D(4, 3, padding=padding, activation="relu", name="conv1")(image)
    x = layers.MaxPooling2D(2, name="pool")(x)
    x = layers.Conv2D(5, 3, padding=padding, name="conv2")(x)
    x = layers.BatchNormalization(name="norm")(x)
    if pooled:
        x = layers.GlobalAveragePooling2D(name="mean")(x)
    else:
        x = layers.Dense(6, activation="relu", name="hidden")(layers.Flatten(name="flatten")(x))
    x = layers.Dropout(0.5, name="dropout")(x)
    return keras.Model(image, layers.Dense(7, name="logits")(x), name="small")


@pytest.mark.usefixtures("shapes_only")
def test_vgg_16_has_as_many_weights_both_ways():
    vgg16 = build("vgg16", image_shape=(224, 224, 3), num_classes=1000)
    names = {"hidden1_dense": (7, 7, 512, 4096), "hidden2_dense": (1, 1, 4096, 4096), "logits": (1, 1, 4096, 1000)}
    converted = without_weights(vgg16)
    assert converted.count_params() == vgg16.count_params() == 138_357_544
    assert {name: converted.get_layer(name).kernel.shape for name in names} == names


@pytest.mark.parametrize(
    ("name", "image_shape", "options"),
    [
        ("lenet5", (28, 28, 1), {}),
        ("vgg11", (64, 96, 3), SMALL_VGG),
        pytest.param("nin", (67, 80, 3), {}, marks=pytest.mark.slow),
        pytest.param("resnet20", (32, 32, 3), {}, marks=pytest.mark.slow),
        ("resnet9", (32, 32, 3), {"width": 0.125}),
    ],
)
def test_logits_at_its_own_size_are_those_of_the_classifier(name, image_shape, options):
    model = build(name, image_shape=image_shape, num_classes=10, **options)
    converted = fully_convolutional(model)
    assert converted.count_params() == model.count_params()
    image = images(2, *image_shape)
    expected = model(image).numpy()
    found = converted(image).numpy()
    assert found.shape == (2, 1, 1, 10)
    np.testing.assert_allclose(found[:, 0, 0], expected, rtol=0, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.slow
def test_vgg_16_itself_has_equal_logits_at_224_and_6_x_6_of_them_at_384():
    keras.utils.set_random_seed(0)
    vgg16 = build("vgg16", image_shape=(224, 224, 3), num_classes=1000)
    converted = fully_convolutional(vgg16)
    image = images(1, 224, 224, 3)
    expected = vgg16(image).numpy()[0]
    np.testing.assert_allclose(converted(image)[0, 0, 0], expected, rtol=0, atol=1e-5 * np.abs(expected).max())

    # The dense layers read windows of 7 x 7 cells of the last map. So a cell of the answer is what they say about the window
    # that begins there. Only the convolutions below them read zeros where a part is cut out of the image.
    image = images(1, 384, 384, 3)
    last = keras.Model(converted.input, converted.get_layer("hidden1_dense").input)(image)[0].numpy()
    head = keras.Model(vgg16.get_layer("flatten").output, vgg16.output)
    windows = np.stack([last[y : y + 7, x : x + 7].ravel() for y in range(6) for x in range(6)])
    expected = head(windows).numpy()
    found = converted(image).numpy()
    assert last.shape == (12, 12, 512)
    assert found.shape == (1, 6, 6, 1000)
    np.testing.assert_allclose(found.reshape(36, 1000), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("pooled", [False, True])
def test_without_padding_every_cell_equals_the_classifier_on_its_part(pooled):
    model = classifier(padding="valid", pooled=pooled)
    image = images(1, 20, 24, 3)
    logits = fully_convolutional(model)(image)
    # 12 pixels have 3 cells of stride 2; 8 and 12 pixels more have 4 and 6 cells more.
    assert logits.shape == (1, 5, 7, 7)
    parts = [image[0, 2 * i : 2 * i + 12, 2 * j : 2 * j + 12] for i in range(5) for j in range(7)]
    np.testing.assert_allclose(np.reshape(logits, (35, 7)), model(np.stack(parts)), rtol=0, atol=1e-5)


def test_with_padding_a_part_differs_where_its_convolutions_read_zeros_instead_of_pixels():
    model = classifier(padding="same", pooled=False)
    features = keras.Model(model.input, model.get_layer("norm").output)
    converted = fully_convolutional(model)
    of_whole = keras.Model(converted.input, converted.get_layer("norm").output)
    image = images(1, 20, 20, 3)
    part = features(image[:, 4:16, 4:16])[0].numpy()
    same_place = of_whole(image)[0, 2:8, 2:8].numpy()
    # conv2 reads one cell of zeros, and conv1 a pixel of the cell next to it: two cells at each side.
    np.testing.assert_allclose(part[2:-2, 2:-2], same_place[2:-2, 2:-2], rtol=0, atol=1e-6)
    assert np.abs(part[0] - same_place[0]).max() > 1e-3
    assert np.abs(part[1] - same_place[1]).max() < np.abs(part[0] - same_place[0]).max()


def test_with_padding_a_corner_of_the_image_sees_zeros_in_both():
    model = classifier(padding="same", pooled=False)
    image = images(1, 20, 20, 3)
    converted = fully_convolutional(model)
    of_whole = keras.Model(converted.input, converted.get_layer("norm").output)
    of_part = keras.Model(model.input, model.get_layer("norm").output)
    np.testing.assert_allclose(of_part(image[:, :12, :12])[0, :4, :4], of_whole(image)[0, :4, :4], rtol=0, atol=1e-6)


def test_the_weights_are_copies():
    model = classifier(padding="valid", pooled=True)
    converted = fully_convolutional(model)
    converted.get_layer("logits").bias.assign_add(np.ones(7))
    assert not np.any(model.get_layer("logits").bias)


def reading_a_map(make):
    image = keras.Input((8, 8, 3), name="image")
    return keras.Model(image, make(image), name="ours")


def squeezed(x):
    scale = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    return layers.Multiply()([x, scale])


def flat(make):
    """A function that makes a head of the flattened map that `make` makes."""
    return lambda x: layers.Dense(2)(layers.Flatten()(make(x)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (flat(layers.Lambda(lambda x: x, name="own")), r"its layer 'own' \(Lambda\) may depend on the whole image"),
        (flat(layers.Permute((2, 1, 3), name="turn")), r"its layer 'turn' \(Permute\) may depend on the whole image"),
        (flat(layers.GroupNormalization(1, name="norm")), r"its layer 'norm' \(GroupNormalization\) may depend"),
        (flat(layers.BatchNormalization(axis=1, name="rows")), r"'rows' \(BatchNormalization\) works on another axis"),
        (flat(squeezed), r"its layer 'squeeze' \(GlobalAveragePooling2D\) keeps its axes"),
        (flat(keras.ops.relu), "is not a layer of Keras"),
        (lambda x: layers.Dense(2)(layers.Reshape((192,), name="row")(x)), r"its layer 'row' \(Reshape\) may depend"),
        (layers.Conv2D(2, 1), r"only a functional classifier.*received 'ours with \(None, 8, 8, 3\), \(None, 8, 8, 2\)'"),
    ],
)
def test_a_layer_without_a_counterpart_is_named_with_the_reason(make, message):
    with pytest.raises(ConfigError, match=message):
        fully_convolutional(reading_a_map(make))


def test_several_outputs_maps_and_any_size_are_refused_with_the_way_out():
    several = build("localizer", image_shape=(32, 32, 3), num_classes=2, backbone="resnet9", width=0.125)
    with pytest.raises(ConfigError, match="Of several outputs, choose one"):
        fully_convolutional(several)
    with pytest.raises(ConfigError, match="A network that returns a map needs no conversion"):
        fully_convolutional(build("unet", image_shape=(16, 16, 3), num_classes=2, width=2))
    with pytest.raises(ConfigError, match="Build it with height and width"):
        fully_convolutional(build("resnet9", image_shape=(None, None, 3), num_classes=2, width=0.125))
