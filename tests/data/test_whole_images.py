"""Scales with numbers of their own for each pixel: fitted as NumPy and scikit-learn say, the same in serving."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from kerasvision import config as c
from kerasvision.config.stages import TransformSettings
from kerasvision.data import by_batches
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError, DataError
from kerasvision.export.writing.formats.converter import Exported
from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.models import build
from kerasvision.tasks.base import make_task

SHAPE = (4, 3, 3)
RANDOM = np.random.default_rng(0)
# 200 images whose pixels are correlated, as those of photographs are, and one value that is the same in all of them.
MIXING = RANDOM.normal(size=(36, 36)) * np.linspace(1, 20, 36)[:, None]
IMAGES = np.clip(128 + RANDOM.normal(size=(200, 36)) @ MIXING / 6, 0, 255).astype(np.uint8)
IMAGES[:, 5] = 77
UNIT = IMAGES / 255.0
WITHOUT = np.delete(UNIT, 5, axis=1)


def encoded(images=IMAGES, shape=SHAPE):
    return [encode_png(image.reshape(shape)) for image in images]


@functools.cache
def fitted(scale):
    settings = c.Transform(image_size=SHAPE[:2], scale=scale)
    return ImageTransform.fit(settings, tf.data.Dataset.from_tensor_slices(encoded()))


def transformed(scale):
    """float64 (200, 36), by tf.data as in training."""
    images = tf.data.Dataset.from_tensor_slices(encoded()).map(fitted(scale)).batch(64)
    return np.concatenate(list(images.as_numpy_iterator())).reshape(200, 36).astype(np.float64)


def test_mean_image_is_numpys():
    np.testing.assert_allclose(fitted("mean_image").whole.mean.ravel(), UNIT.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(transformed("mean_image"), UNIT - UNIT.mean(axis=0), atol=1e-6)


def test_per_pixel_is_scikit_learns_scaler_which_only_centres_what_never_varies():
    np.testing.assert_allclose(transformed("per_pixel"), StandardScaler().fit_transform(UNIT), atol=1e-5)
    assert fitted("per_pixel").whole.divisor.ravel()[5] == 1


def test_per_image_is_the_image_less_its_mean_over_its_deviation():
    expected = (UNIT - UNIT.mean(axis=1, keepdims=True)) / UNIT.std(axis=1, keepdims=True)
    np.testing.assert_allclose(transformed("per_image"), expected, atol=1e-5)
    flat = np.full(SHAPE, 9, np.uint8)
    np.testing.assert_array_equal(fitted("per_image")(encode_png(flat)), np.zeros(SHAPE))


def test_pca_whitening_is_scikit_learns():
    scale = c.PcaWhitening(components=10, epsilon=0.0)
    expected = PCA(10, whiten=True, svd_solver="full").fit_transform(UNIT) * np.sqrt(200 / 199)  # it divides by n - 1
    ours = transformed(scale)
    # An axis has no direction.
    np.testing.assert_allclose(ours[:, :10] * np.sign(ours[0, :10] * expected[0]), expected, atol=2e-4)
    assert not ours[:, 10:].any()


def test_pca_whitened_images_are_uncorrelated_and_their_variance_is_one():
    scale = c.PcaWhitening(components=35, epsilon=0.0)
    np.testing.assert_allclose(np.cov(transformed(scale)[:, :35].T, bias=True), np.eye(35), atol=1e-3)


def test_zca_whitening_is_the_inverse_root_of_the_covariance():
    values, vectors = np.linalg.eigh(np.cov(UNIT.T, bias=True))
    expected = (UNIT - UNIT.mean(axis=0)) @ vectors @ np.diag((values.clip(0) + 1e-3) ** -0.5) @ vectors.T
    np.testing.assert_allclose(transformed(c.ZcaWhitening(epsilon=1e-3)), expected, atol=1e-4)


def test_a_name_means_the_defaults_of_a_whitening():
    assert c.Transform(image_size=(4, 3), scale="zca_whitening").scale == c.ZcaWhitening(epsilon=1e-5, components=None)


def test_facts_say_how_many_images_and_how_much_variance():
    facts = fitted(c.ZcaWhitening(components=3)).whole.facts
    share = PCA(3).fit(UNIT).explained_variance_ratio_.sum()
    assert facts == {"images": 200, "components": 3, "variance_kept": pytest.approx(share, abs=1e-6)}


@pytest.mark.slow
def test_images_of_small_deviation_far_from_zero_are_still_fitted_precisely():
    images = np.full((3000, 36), 200, np.uint8)
    images[0, 0] = 201
    settings = c.Transform(image_size=SHAPE[:2], scale="per_pixel")
    divisor = ImageTransform.fit(settings, tf.data.Dataset.from_tensor_slices(encoded(images))).whole.divisor.ravel()
    share = 1 / 3000
    np.testing.assert_allclose(divisor, [(share * (1 - share)) ** 0.5 / 255, *[1] * 35], rtol=1e-9)


def test_numbers_of_many_small_images_are_those_of_single_ones(monkeypatch):
    alone = fitted("per_pixel").whole
    monkeypatch.setattr(by_batches, "FEWEST", 200)
    settings = c.Transform(image_size=SHAPE[:2], scale="per_pixel")
    together = ImageTransform.fit(settings, tf.data.Dataset.from_tensor_slices(encoded())).whole
    np.testing.assert_allclose(together.mean, alone.mean, rtol=1e-12)
    np.testing.assert_allclose(together.divisor, alone.divisor, rtol=1e-9)


ALL = ["mean_image", "per_pixel", "per_image", c.PcaWhitening(components=7), c.ZcaWhitening(components=30)]


@pytest.mark.parametrize("scale", ALL, ids=str)
def test_a_saved_transform_is_equal_when_loaded(scale, tmp_path):
    fitted(scale).save(tmp_path / "transform.json")
    loaded = ImageTransform.load(tmp_path / "transform.json")
    assert loaded == fitted(scale)
    assert hash(loaded) == hash(fitted(scale))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    loaded.save(tmp_path / "transform.json")
    assert before == {file.name: file.read_bytes() for file in tmp_path.iterdir()}


@pytest.mark.parametrize("scale", ALL, ids=str)
def test_unscaled_images_are_pixels_in_zero_to_one_whatever_the_scale(scale):
    np.testing.assert_allclose(fitted(scale).without_scale()(encoded()[0]), UNIT[0].reshape(SHAPE), atol=1e-6)


def test_other_numbers_are_another_transform():
    assert fitted("mean_image") != fitted("per_pixel")
    assert fitted(c.ZcaWhitening(components=30)) != fitted(c.ZcaWhitening(components=29))


def test_missing_or_damaged_numbers_are_said(tmp_path):
    fitted("mean_image").save(tmp_path / "transform.json")
    (tmp_path / "transform.npz").write_bytes(b"PK damaged")
    with pytest.raises(DataError, match=r"transform.npz does not contain the numbers of whole images"):
        ImageTransform.load(tmp_path / "transform.json")


# --- The same in serving


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    keras.utils.set_random_seed(0)
    transform = fitted(c.ZcaWhitening())
    network = build("mlp", image_shape=SHAPE, num_classes=3, hidden=8)
    folder = tmp_path_factory.mktemp("served") / "Format-Serving"
    task = make_task(c.Classification(), ("ant", "bee", "cow"))
    export_saved_model(network, task=task, transform=transform, folder=folder)
    predict = task.predictor(network)
    pixels = IMAGES[:8].reshape(8, *SHAPE).astype("float32")
    return folder, predict, pixels, predict(transform.scaled(pixels))["scores"].numpy()


def test_a_saved_model_answers_as_the_network_does(served):
    folder, _, pixels, expected = served
    model = tf.saved_model.load(str(folder))
    of_bytes = model.signatures["serving_default"](image_bytes=tf.constant(encoded(IMAGES[:8])))["scores"]
    np.testing.assert_allclose(of_bytes, expected, atol=1e-6)
    of_pixels = model.signatures["serve_tensor"](image=tf.constant(pixels))["scores"]
    np.testing.assert_allclose(of_pixels, expected, atol=1e-6)
    assert ImageTransform.load(folder / "assets.extra" / "transform.json") == fitted(c.ZcaWhitening())


@pytest.mark.parametrize("kind", ["litert", "onnx"])
def test_other_formats_answer_as_the_network_does(kind, served, tmp_path):
    folder, predict, pixels, expected = served
    transform = fitted(c.ZcaWhitening())
    settings = c.Export(formats=(kind,)).formats[0]
    exported = Exported(
        lambda image: {"scores": predict(transform.scaled(image))["scores"]}, SHAPE, folder, lambda count: iter(pixels)
    )
    from kerasvision.export.writing.formats.converter import make_converter

    converter = make_converter(settings)
    converter.write(exported, tmp_path / "model")
    np.testing.assert_allclose(converter.load(tmp_path / "model")(pixels)["scores"], expected, atol=settings.max_difference)


# --- What cannot be


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scale": "zca"}, "no scale is named 'zca'; did you mean|no scale is named 'zca'; choose from"),
        ({"scale": 3}, "no scale is named 3; choose from mean_image, "),
        ({"scale": "mean_imag"}, "no scale is named 'mean_imag'; did you mean 'mean_image'"),
        (
            {"scale": c.ZcaWhitening(components=37)},
            "has 36 principal axes; received 'components=37'. Set components to at most",
        ),
        (
            {"scale": "zca_whitening", "image_size": (224, 224)},
            r"with 150,528 numbers it takes 181.3 GB, and at most 4,096 numbers are allowed.*Choose smaller images",
        ),
        ({"scale": {"kind": "zca_whitening", "epsilon": -1}}, "epsilon"),
    ],
)
def test_an_impossible_scale_is_refused_when_the_file_is_read(settings, message):
    with pytest.raises(ConfigError, match=message):
        c.Transform(**{"image_size": SHAPE[:2], **settings})


@pytest.mark.slow
def test_more_axes_than_images_are_refused_with_the_number_that_is_possible():
    images = tf.data.Dataset.from_tensor_slices(encoded(IMAGES[:20]))
    for scale in (c.ZcaWhitening(), c.PcaWhitening(components=20)):
        with pytest.raises(DataError, match=r"requires more than .* training images.*Set components to at most 19"):
            ImageTransform.fit(c.Transform(image_size=SHAPE[:2], scale=scale), images)
    fine = c.PcaWhitening(components=19)
    assert ImageTransform.fit(c.Transform(image_size=SHAPE[:2], scale=fine), images).whole.facts["components"] == 19


def test_an_axis_without_variance_requires_epsilon():
    with pytest.raises(DataError, match=r"1 of 36 axes have none. Set epsilon above 0, or components to at most 35"):
        fitted(c.ZcaWhitening(epsilon=0.0))


def test_numbers_of_one_size_do_not_fit_another():
    whole = fitted("mean_image").whole
    with pytest.raises(ConfigError, match=r"mean_image was fitted to images of the shape \(4, 3, 3\)"):
        ImageTransform(c.Transform(image_size=(8, 6), scale="mean_image"), (), (), whole=whole)


def test_pca_whitening_requires_a_network_that_flattens():
    def experiment(name, scale):
        transform = c.Transform(image_size=(28, 28), color_mode="grayscale", scale=scale)
        return c.Experiment(
            name="any", source=c.Digits(), transform=transform, task=c.Classification(), model=c.Model(name=name)
        )

    assert experiment("mlp", "pca_whitening")
    assert experiment("lenet5", "zca_whitening")
    with pytest.raises(ConfigError, match="pca_whitening leaves no neighbouring pixels, which lenet5 requires"):
        experiment("lenet5", "pca_whitening")


def test_settings_of_a_whitening_are_part_of_the_cache_key():
    def key(scale):
        return TransformSettings(transform=c.Transform(image_size=SHAPE[:2], scale=scale)).identity()

    assert key("zca_whitening") == key(c.ZcaWhitening()) != key(c.ZcaWhitening(epsilon=0.1))
