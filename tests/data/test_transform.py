"""One function from bytes to input, fitted on the training images only."""

import functools
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.decomposition import PCA

from kerasvision import config as c
from kerasvision.config.augmentation import RandomResizedCrop
from kerasvision.config.stages import TransformSettings
from kerasvision.data import by_batches
from kerasvision.data.augmentation.crop import random_resized_crop
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.data.validating.anomalies import save_anomalies
from kerasvision.errors import ConfigError, DataError
from kerasvision.export.writing.rows import decoded_rows
from kerasvision.pipeline.stages.transform import transform as transform_stage

RANDOM = np.random.default_rng(0)
# 300 images, more than one batch of the sums; each of its own brightness.
COLOUR = [RANDOM.integers(0, 60 + number // 2, (5, 4, 3), np.uint8) for number in range(300)]
UNIT = np.stack(COLOUR) / 255.0


def settings(scale, *, color_mode="rgb", image_size=(5, 4), **options):
    return c.Transform(image_size=image_size, scale=scale, color_mode=color_mode, **options)


@pytest.mark.parametrize(
    ("color_mode", "options"),
    [
        pytest.param("rgb", {"image_size": (5, 4)}, marks=pytest.mark.slow),
        pytest.param("grayscale", {"image_size": (8, 8), "fit": "pad"}, marks=pytest.mark.slow),
        ("rgb", {"image_size": (3, 3), "fit": "crop", "crop_fraction": 0.75}),
    ],
)
def test_statistics_of_many_small_images_are_those_of_single_ones(color_mode, options, monkeypatch):
    alone = fit("whiten", COLOUR, color_mode=color_mode, **options)
    monkeypatch.setattr(by_batches, "FEWEST", len(COLOUR))
    together = fit("whiten", COLOUR, color_mode=color_mode, **options)
    for part in ("offset", "divisor", "axes"):
        np.testing.assert_allclose(getattr(together, part), getattr(alone, part), rtol=1e-9)


def transformed(transform, images):
    """float64 (N, H, W, C): what it makes of them, in tf.data, which takes far less time than one after the other."""
    encoded = tf.data.Dataset.from_tensor_slices([encode_png(image) for image in images])
    return np.stack(list(encoded.map(transform).as_numpy_iterator())).astype(np.float64)


@functools.cache
def fit_to_colour(scale):
    """The transform of `scale`, fitted once to `COLOUR`."""
    return fit(scale, COLOUR)


@functools.cache
def fit_to_mixed():
    """The transform that whitens, fitted once to `MIXED`."""
    return fit("whiten", MIXED)


def fit(scale, images, **options):
    encoded = tf.data.Dataset.from_tensor_slices([encode_png(image) for image in images])
    return ImageTransform.fit(settings(scale, **options), encoded)


def test_mean_and_deviation_are_numpys_over_all_pixels():
    fitted = fit_to_colour("standardize")
    np.testing.assert_allclose(fitted.offset, UNIT.mean(axis=(0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(fitted.divisor, UNIT.std(axis=(0, 1, 2)), rtol=1e-6)


def test_grayscale_has_one_mean_and_one_deviation():
    grey = [image[..., 0] for image in COLOUR]
    fitted = fit("standardize", grey, color_mode="grayscale")
    np.testing.assert_allclose(fitted.offset, [UNIT[..., 0].mean()], rtol=1e-9)
    np.testing.assert_allclose(fitted.divisor, [UNIT[..., 0].std()], rtol=1e-6)
    assert fitted(encode_png(grey[0])).shape == (5, 4, 1)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        ("zero_to_one", UNIT[7]),
        ("minus_one_to_one", 2 * UNIT[7] - 1),
        ("zero_mean", UNIT[7] - UNIT.mean(axis=(0, 1, 2))),
        ("standardize", (UNIT[7] - UNIT.mean(axis=(0, 1, 2))) / UNIT.std(axis=(0, 1, 2))),
    ],
)
def test_every_scale_equals_its_formula(scale, expected):
    np.testing.assert_allclose(fit_to_colour(scale)(encode_png(COLOUR[7])), expected, rtol=1e-5, atol=1e-6)


def test_standardized_training_images_have_mean_zero_and_deviation_one():
    fitted = fit_to_colour("standardize")
    inputs = transformed(fitted, COLOUR)
    np.testing.assert_allclose(inputs.mean(axis=(0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(inputs.std(axis=(0, 1, 2)), 1, atol=1e-6)


@pytest.mark.parametrize("scale", ["zero_to_one", "minus_one_to_one", "zero_mean", "standardize", "whiten"])
def test_every_scale_can_be_undone(scale):
    transform, pixels = fit_to_colour(scale), np.stack(COLOUR[:3]).astype(np.float32)
    np.testing.assert_allclose(transform.unscaled(transform.scaled(pixels)), pixels, atol=1e-3)


def test_a_red_image_turns_into_its_luma():
    red = np.zeros((5, 4, 3), np.uint8)
    red[..., 0] = 255
    grey = fit("zero_to_one", COLOUR[:1], color_mode="grayscale")(encode_png(red))
    np.testing.assert_allclose(grey, np.full((5, 4, 1), 76 / 255), atol=1e-6)  # 0.299 * 255 = 76.2, a whole grey level


def test_pixels_are_resized_and_not_yet_scaled():
    white = np.full((9, 31, 3), 255, np.uint8)
    pixels = fit("standardize", COLOUR[:5], image_size=(6, 8)).pixels(encode_png(white))
    np.testing.assert_allclose(pixels, np.full((6, 8, 3), 255.0), rtol=1e-6)


def test_the_two_halves_are_the_whole():
    fitted = fit_to_colour("standardize")
    data = encode_png(COLOUR[3])
    np.testing.assert_array_equal(fitted.scaled(fitted.pixels(data)), fitted(data))


def test_it_is_the_same_in_tf_data_as_alone():
    fitted = fit_to_colour("standardize")
    encoded = [encode_png(image) for image in COLOUR[:5]]
    mapped = tf.data.Dataset.from_tensor_slices(encoded).map(fitted)
    assert mapped.element_spec == tf.TensorSpec((5, 4, 3), tf.float32)
    for alone, inside in zip(map(fitted, encoded), mapped, strict=True):
        np.testing.assert_allclose(alone, inside, rtol=1e-6, atol=1e-6)


# Red and green are correlated, so that the axes of colour are not those of the channels.
MIXED = [np.stack([image[..., 0], image[..., 0] // 2 + image[..., 1] // 2, image[..., 2] // 4], axis=-1) for image in COLOUR]


def test_whitened_colours_are_scikit_learns():
    colours = (np.stack(MIXED) / 255.0).reshape(-1, 3)
    expected = PCA(whiten=True).fit(colours).transform(colours[:20])
    ours = fit_to_mixed()(encode_png(MIXED[0])).numpy().reshape(-1, 3)
    # An axis has no direction: scikit-learn's may point the other way. It divides by n - 1.
    np.testing.assert_allclose(ours * np.sign(ours[0]) * np.sign(expected[0]), expected, rtol=1e-3, atol=1e-4)


def test_whitened_training_images_are_uncorrelated_with_deviation_one():
    fitted = fit_to_mixed()
    inputs = transformed(fitted, MIXED).reshape(-1, 3)
    np.testing.assert_allclose(inputs.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.cov(inputs.T, bias=True), np.eye(3), atol=1e-5)


def test_the_axes_of_colour_are_unit_vectors_from_the_most_to_the_least():
    fitted = fit_to_mixed()
    np.testing.assert_allclose(np.array(fitted.axes) @ np.array(fitted.axes).T, np.eye(3), atol=1e-12)
    assert list(fitted.divisor) == sorted(fitted.divisor, reverse=True)
    assert all(max(axis, key=abs) > 0 for axis in fitted.axes)


def test_whitened_grey_is_standardized_grey():
    grey = [image[..., 0] for image in COLOUR]
    whitened, standardized = (fit(scale, grey, color_mode="grayscale") for scale in ("whiten", "standardize"))
    np.testing.assert_array_equal(whitened(encode_png(grey[0])), standardized(encode_png(grey[0])))


def test_grey_pictures_in_three_channels_cannot_be_whitened():
    grey = [np.repeat(image[..., :1], 3, axis=-1) for image in COLOUR]
    with pytest.raises(DataError, match=r"whiten divides by .* every principal axis of colour; .* Use zero_mean."):
        fit("whiten", grey)


def test_a_transform_of_before_whitening_still_loads(tmp_path):
    old = {"settings": {"image_size": [5, 4], "scale": "standardize"}, "offset": [0.1] * 3, "divisor": [0.2] * 3}
    (tmp_path / "transform.json").write_text(json.dumps(old))
    expected = ImageTransform(settings("standardize"), (0.1,) * 3, (0.2,) * 3)
    assert ImageTransform.load(tmp_path / "transform.json") == expected


# 12-bit grey in 16 bits, all pixels of one value: 3,200 is 200 of 255, by hand.
TWELVE_BITS = encode_png(np.full((8, 10), 3200, np.uint16))


@pytest.mark.parametrize("fit_name", ["stretch", *(pytest.param(fit, marks=pytest.mark.slow) for fit in ("crop", "pad"))])
def test_twelve_bits_fill_the_range_in_training_and_serving_alike(fit_name, tmp_path):
    asked = settings("zero_to_one", color_mode="grayscale", image_size=(4, 5), fit=fit_name, significant_bits=12)
    transform = ImageTransform.fit(asked, None)
    np.testing.assert_allclose(transform.pixels(TWELVE_BITS), 200.0, rtol=1e-5)
    transform.save(tmp_path / "transform.json")
    loaded = ImageTransform.load(tmp_path / "transform.json")
    data = tf.constant([TWELVE_BITS, b"no image"])
    served, valid, places = decoded_rows(data, loaded.placed, shape=(4, 5, 1), max_pixels=1000)
    assert valid.numpy().tolist() == [True, False]
    np.testing.assert_allclose(served[0], 200.0, rtol=1e-5)
    # Both sides are halved, whatever the fit. A row without an image has no place.
    assert (places.scale.numpy().tolist(), places.translation.numpy().tolist()) == ([[0.5, 0.5], [1, 1]], [[0, 0]] * 2)
    assert (places.size.numpy().tolist(), places.frame) == ([[8, 10], [0, 0]], (4, 5))


def test_twelve_bits_fill_the_range_in_a_random_crop():
    asked = settings("zero_to_one", color_mode="grayscale", image_size=(4, 5), significant_bits=12)
    numbers, crop = tf.fill([4], 0.5), RandomResizedCrop()
    cropped = random_resized_crop({"image": TWELVE_BITS}, numbers=numbers, settings=crop, transform=asked)
    np.testing.assert_allclose(cropped["image"], 200.0, rtol=1e-5)


def test_statistics_of_twelve_bits_are_those_of_the_range_that_is_used():
    grey = [RANDOM.integers(0, 4096, (5, 4)).astype(np.uint16) for _ in range(20)]
    fitted = fit("standardize", grey, color_mode="grayscale", significant_bits=12)
    np.testing.assert_allclose(fitted.offset, [(np.stack(grey) // 16).mean() / 255], rtol=1e-6)


@pytest.mark.parametrize("bits", [7, 17])
def test_the_bits_of_a_file_are_8_to_16(bits):
    with pytest.raises(ConfigError, match="significant_bits"):
        settings("zero_to_one", significant_bits=bits)


def test_a_crop_keeps_the_middle_share_of_each_side():
    image = np.zeros((16, 16, 3), np.uint8)
    image[1:15, 1:15] = 200  # 14 of 16: 0.875
    for crop_fraction, darkest in ((0.875, 200), (1.0, 6)):  # at 1, 3/36 of the corner's pixel is not black
        options = {"image_size": (14, 14), "fit": "crop", "crop_fraction": crop_fraction}
        cropped = ImageTransform(settings("zero_to_one", **options), (), ())
        assert cropped.pixels(encode_png(image)).numpy().min() == pytest.approx(darkest, abs=0.6)


@pytest.mark.parametrize("fit_name", ["stretch", "crop", "pad"])
def test_objects_are_where_their_pixels_are(fit_name):
    image = np.zeros((20, 40, 3), np.uint8)
    image[4:12, 10:30] = 255
    objects = {
        "bbox": tf.constant([[4 / 20, 10 / 40, 12 / 20, 30 / 40]]),
        "label": tf.constant([2], tf.int64),
        "crowd": tf.constant([True]),
        "area": tf.constant([150.0]),
        "mask": tf.constant([encode_png(image[..., 0])]),
    }
    transform = ImageTransform(c.Transform(image_size=(20, 20), fit=fit_name), (0.0,) * 3, (1.0,) * 3)
    out = transform.prepared({"image": tf.constant(encode_png(image)), "objects": objects})
    inside = out["image"][..., 0].numpy() > 127
    np.testing.assert_array_equal(out["objects"]["mask"][0], inside)
    rows, columns = np.nonzero(inside)
    corners = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
    np.testing.assert_allclose(out["objects"]["bbox"][0] * 20, corners, atol=1e-5)
    assert (out["objects"]["crowd"].numpy().tolist(), out["objects"]["area"].numpy().tolist()) == ([True], [150.0])


@pytest.mark.parametrize("fit_name", ["stretch", "crop", "pad"])
def test_a_label_map_is_where_its_pixels_are(fit_name):
    numbers = np.full((20, 40), 7, np.uint8)
    numbers[4:12, 10:30] = 200
    transform = ImageTransform(c.Transform(image_size=(20, 20), fit=fit_name), (0.0,) * 3, (1.0,) * 3)
    png = tf.constant(encode_png(numbers))
    out = transform.prepared({"image": png, "label_map": png})
    assert (out["label_map"].dtype, out["label_map"].shape) == (tf.uint8, (20, 20))
    pixels = out["image"][..., 0].numpy()
    inside = pixels >= 7  # the letterbox is black
    np.testing.assert_array_equal(out["label_map"] == 255, ~inside)
    # Nothing between the numbers of the map: where the image is mixed, the map has the number of the nearer pixel.
    np.testing.assert_array_equal(out["label_map"].numpy()[inside], np.where(pixels > 103.5, 200, 7)[inside])


def test_a_label_map_of_an_image_that_exif_turns_is_that_of_the_upright_image():
    numbers = np.repeat([[0, 50], [100, 150], [200, 250]], 8, axis=0).repeat(8, axis=1).astype(np.uint8)
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # the stored picture is a quarter turn to the left of the upright one
    Image.fromarray(np.rot90(numbers)).save(turned, "PNG", exif=exif)
    transform = ImageTransform(c.Transform(image_size=(24, 16)), (0.0,) * 3, (1.0,) * 3)
    out = transform.prepared({"image": tf.constant(turned.getvalue()), "label_map": tf.constant(encode_png(numbers))})
    np.testing.assert_array_equal(out["label_map"], out["image"][..., 0])


@pytest.mark.parametrize("scale", ["zero_to_one", "minus_one_to_one", "zero_mean", "standardize", "whiten"])
def test_a_saved_transform_is_equal_when_loaded(scale, tmp_path):
    fitted = fit_to_colour(scale)
    fitted.save(tmp_path / "transform.json")
    assert ImageTransform.load(tmp_path / "transform.json") == fitted


# At 40 the rounding of the sums leaves a variance above 0; so does resizing.
@pytest.mark.parametrize(("level", "image_size"), [(0, (5, 4)), (40, (5, 4)), (255, (5, 4)), (40, (9, 31)), (7, (9, 31))])
def test_constant_images_cannot_be_standardized(level, image_size):
    same = [np.full((5, 4, 3), level, np.uint8)] * 3
    with pytest.raises(DataError, match=r"standardize divides by the deviation of every channel; .* Use zero_mean."):
        fit("standardize", same, image_size=image_size)


def test_one_constant_channel_cannot_be_standardized():
    without_blue = [image * np.array([1, 1, 0], np.uint8) + np.array([0, 0, 41], np.uint8) for image in COLOUR]
    with pytest.raises(DataError, match="standardize divides by the deviation of every channel"):
        fit("standardize", without_blue)


def test_constant_images_can_be_centred():
    np.testing.assert_allclose(fit("zero_mean", [np.full((5, 4), 51, np.uint8)] * 3).offset, [0.2] * 3, rtol=1e-12)


# --- The stage, which must see the training split alone


def fitted_by_stage(example_set_folder, folder, *, anomalies=()):
    folder.mkdir(exist_ok=True)
    save_anomalies(list(anomalies), folder / "anomalies.json")
    transform_stage(
        examples=SimpleNamespace(data=example_set_folder, manifest=None),
        schema=None,
        anomalies=SimpleNamespace(file=folder / "anomalies.json"),
        transform_graph=SimpleNamespace(file=folder / "transform.json"),
        settings=TransformSettings(transform=settings("standardize")),
    )
    return json.loads((folder / "transform.json").read_text())


def rows(images, *, prefix):
    return [(f"{prefix}{number}", image, "ab"[number % 2]) for number, image in enumerate(images)]


def test_other_test_and_validation_images_change_nothing(make_examples, tmp_path):
    train, others, fewer = COLOUR[:20], COLOUR[200:220], COLOUR[250:253]
    make_examples(tmp_path / "one", train=rows(train, prefix="t"), test=rows(others, prefix="e"))
    make_examples(
        tmp_path / "two", train=rows(train, prefix="t"), validation=rows(others, prefix="v"), test=rows(fewer, prefix="e")
    )
    make_examples(tmp_path / "three", train=rows(others, prefix="t"), test=rows(train, prefix="e"))
    one, two, three = (fitted_by_stage(tmp_path / name, tmp_path / f"{name}_fitted") for name in ("one", "two", "three"))
    assert one == two
    np.testing.assert_allclose(one["offset"], np.mean(np.stack(train) / 255, axis=(0, 1, 2)), rtol=1e-9)
    assert one["offset"] != three["offset"]
