"""The first step to a working size: whole grey levels of the average, the same for a copy of its result."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasvision import config as c
from kerasvision.data.reduced_copies import bitmap
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.ops.images import decode_image
from kerasvision.ops.working import open_working

HEIGHT, WIDTH, SIDE, SIZE = 96, 144, 48, (24, 32)


def jpeg(orientation=1):
    """Smooth colours, and EXIF data that turn them."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    colours = np.stack([127 + 90 * np.sin(x / 19), 255 * y / HEIGHT, np.full(x.shape, 90)], axis=-1)
    Image.fromarray(colours.astype(np.uint8)).save(file, "JPEG", quality=95, subsampling=0, exif=exif)
    return file.getvalue()


def transform(**settings):
    return ImageTransform(c.Transform(image_size=SIZE, **settings), (0.0,) * 3, (1.0,) * 3)


def test_the_picture_is_the_mean_of_what_it_replaces():
    """Pillow is the judge: its triangle filter has the same width. It rounds after each axis."""
    picture = open_working(tf.constant(jpeg()), color_mode="rgb", working_side=SIDE)
    whole = Image.fromarray(decode_image(jpeg(), color_mode="rgb").numpy())
    expected = np.asarray(whole.resize((WIDTH // 2, SIDE), Image.Resampling.BILINEAR), np.int16)
    assert picture.size.numpy().tolist() == [SIDE, WIDTH // 2]
    assert picture.whole.dtype == tf.uint8
    assert np.abs(picture.whole.numpy() - expected).max() <= 1


@pytest.mark.parametrize("side", [HEIGHT, 500])
def test_an_image_that_is_not_larger_stays_as_it_is(side):
    image = open_working(tf.constant(jpeg()), color_mode="rgb", working_side=side)
    assert image.size.numpy().tolist() == [HEIGHT, WIDTH]
    assert bool(image.is_upright_jpeg)  # so a crop decodes its part alone
    np.testing.assert_array_equal(transform(working_side=side).pixels(jpeg()), transform().pixels(jpeg()))


@pytest.mark.parametrize(
    ("settings", "orientation"),
    [
        ({"fit": "stretch"}, 1),
        ({"fit": "crop", "reduced_decoding": True}, 1),
        ({"fit": "pad", "color_mode": "grayscale"}, 6),
    ],
)
def test_a_copy_without_loss_gives_the_same_pixels_bit_for_bit(settings, orientation, monkeypatch):
    monkeypatch.setattr("kerasvision.config.preparing.REDUCED_FROM", HEIGHT * WIDTH)
    step, file = transform(working_side=SIDE, **settings), tf.constant(jpeg(orientation))
    copy = tf.constant(bitmap(open_working(file, **step.settings.opening).whole.numpy()))
    np.testing.assert_array_equal(step.pixels(copy), step.pixels(file))
    again = open_working(copy, **step.settings.opening)
    assert again.size.numpy().tolist() == again.file_size.numpy().tolist()


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_pixels_hardly_change_and_answers_are_about_the_whole_image(fit):
    pixels, placement, size = transform(working_side=SIDE, fit=fit).placed(tf.constant(jpeg()))
    directly, expected, whole = transform(fit=fit).placed(tf.constant(jpeg()))
    assert np.abs(pixels - directly).mean() < 0.5
    assert size.numpy().tolist() == whole.numpy().tolist() == [HEIGHT, WIDTH]
    np.testing.assert_allclose(placement.scale, expected.scale, rtol=1e-6)
    np.testing.assert_allclose(placement.translation, expected.translation)


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("channels", [1, 3])
def test_bitmaps_of_any_width_are_read_as_they_were_written(width, channels):
    """Three bytes for each pixel, and rows of a multiple of four."""
    pixels = np.random.default_rng(width).integers(0, 256, (3, width, channels), np.uint8)
    mode = "rgb" if channels == 3 else "grayscale"
    np.testing.assert_array_equal(decode_image(bitmap(pixels), color_mode=mode), pixels)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(bitmap(pixels)))), np.broadcast_to(pixels, (3, width, 3)))


def test_a_side_that_the_network_would_enlarge_again_or_copies_without_one_are_refused():
    with pytest.raises(ConfigError, match="at least the longer side of image_size, 32"):
        transform(working_side=31)
    with pytest.raises(ConfigError, match=r"image_size / crop_fraction, 40"):
        transform(working_side=39, fit="crop", crop_fraction=0.8)
    with pytest.raises(
        ConfigError, match="keep_copies requires working_side; received keep_copies=False, working_side=None"
    ):
        transform(keep_copies=False)
    assert transform(working_side=40, fit="crop", crop_fraction=0.8).settings.working_side == 40


def test_settings_without_a_working_side_are_those_of_before():
    """Otherwise all results of earlier versions would be made again."""
    assert not {"working_side", "keep_copies"} & set(c.Transform(image_size=SIZE).to_data())
    assert {"working_side", "keep_copies"} < set(c.Transform(image_size=SIZE, working_side=48).to_data())
