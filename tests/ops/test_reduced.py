"""A large JPEG decoded at a part of its size gives nearly the pixels of the whole, in the same place, however turned."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasvision import config as c
from kerasvision.data.transform import ImageTransform
from kerasvision.ops.images import open_image
from kerasvision.ops.reduced import place_part
from kerasvision.ops.resize import cut_out, fitted, needed_part

# Not divisible by 8, so that the reduced pictures have a last row and column of their own.
HEIGHT, WIDTH = 413, 603
SIZE = (24, 32)
# Of 255. Each way of decoding rounds colours in its own way, by up to one level over whole areas.
ON_AVERAGE = 1.5


def picture():
    """Smooth colours with an edge, uint8 (HEIGHT, WIDTH, 3)."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    red = 127 + 90 * np.sin(x / 60) * np.cos(y / 50)
    green = np.where(x + y > 500, 200.0, 60.0)
    return np.stack([red, green, 255 * y / HEIGHT], axis=-1).astype(np.uint8)


def jpeg(orientation=1):
    """The picture as a JPEG that its EXIF data turn."""
    file, exif = io.BytesIO(), Image.Exif()
    if orientation > 1:
        exif[0x0112] = orientation
    Image.fromarray(picture()).save(file, "JPEG", quality=95, subsampling=0, exif=exif)
    return file.getvalue()


def placed(file, *, fit="stretch", part=None, reduced_from=0, color_mode="rgb"):
    image = open_image(tf.constant(file), color_mode=color_mode, reduced_from=reduced_from)
    placement = fitted(image.size, image_size=SIZE, fit=fit) if part is None else cut_out(part, image_size=SIZE)
    needed = needed_part(image.size, placement, image_size=SIZE) if part is None else tf.constant(part)
    return place_part(image, needed, placement, image_size=SIZE).numpy()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_lies_where_the_whole_one_does(orientation):
    """A shift by a quarter of a pixel would move the edge, of 140 grey levels, by 35 of them."""
    file = jpeg(orientation)
    apart = np.abs(placed(file) - placed(file, reduced_from=None))
    assert apart.max() < 8
    assert apart.mean() < ON_AVERAGE


@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_every_fit_reads_the_part_that_it_needs(fit):
    assert np.abs(placed(jpeg(), fit=fit) - placed(jpeg(), fit=fit, reduced_from=None)).mean() < ON_AVERAGE


@pytest.mark.parametrize("part", [[13, 27, 201, 303], [HEIGHT - 199, WIDTH - 299, 199, 299], [5, 5, 60, 70]])
def test_a_part_has_the_pixels_of_that_part(part):
    apart = np.abs(placed(jpeg(), part=part) - placed(jpeg(), part=part, reduced_from=None))
    assert apart.mean() < ON_AVERAGE
    assert apart.max() < 16


def decoded_at(monkeypatch, **settings):
    """The ratio at which the decoder was asked; none if it was asked for the whole."""
    asked = []
    decode = tf.io.decode_and_crop_jpeg

    def recorded(contents, window, channels, ratio=1):
        asked.append(ratio)
        return decode(contents, window, channels=channels, ratio=ratio)

    monkeypatch.setattr(tf.io, "decode_and_crop_jpeg", recorded)
    placed(jpeg(), **settings)
    return asked


@pytest.mark.parametrize(
    ("part", "ratio"),
    [
        # 413 and 603 pixels for 24 and 32: 17.2 and 18.8 for each, 8 times two.
        ([0, 0, HEIGHT, WIDTH], 8),
        ([0, 0, 8 * 24, 8 * 32], 4),
        ([0, 0, 4 * 24, 4 * 32], 2),
        # Two pixels for each would not remain along the height.
        ([0, 0, 95, 8 * 32], 1),
    ],
)
def test_two_pixels_remain_for_each_of_the_result(part, ratio, monkeypatch):
    assert decoded_at(monkeypatch, part=part) == [ratio]


def test_smaller_files_and_other_kinds_are_decoded_whole():
    file = jpeg()
    np.testing.assert_array_equal(placed(file, reduced_from=HEIGHT * WIDTH + 1), placed(file, reduced_from=None))
    assert (placed(file, reduced_from=HEIGHT * WIDTH) != placed(file, reduced_from=None)).any()
    png = io.BytesIO()
    Image.fromarray(picture()).save(png, "PNG")
    np.testing.assert_array_equal(placed(png.getvalue()), placed(png.getvalue(), reduced_from=None))


def test_more_pixels_than_an_int32_counts_are_a_large_file():
    """The header alone says so: 50,000 x 50,000 pixels are 2.5e9, and an int32 ends at 2.1e9."""
    file = jpeg()
    sides = file.index(HEIGHT.to_bytes(2, "big") + WIDTH.to_bytes(2, "big"))
    file = file[:sides] + 2 * (50_000).to_bytes(2, "big") + file[sides + 4 :]
    image = open_image(tf.constant(file), color_mode="rgb", reduced_from=10**6)
    assert image.size.numpy().tolist() == [50_000, 50_000]
    assert image.orientation == 1


def test_grey_is_the_luma_of_the_reduced_colours():
    colours, grey = placed(jpeg()), placed(jpeg(), color_mode="grayscale")
    assert grey.shape == (*SIZE, 1)
    assert np.abs(colours @ [0.299, 0.587, 0.114] - grey[..., 0]).max() < 1


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_the_setting_reaches_the_transform(fit, monkeypatch):
    monkeypatch.setattr("kerasvision.config.preparing.REDUCED_FROM", HEIGHT * WIDTH)
    file = tf.constant(jpeg())

    def pixels(**settings):
        return ImageTransform(c.Transform(image_size=SIZE, fit=fit, **settings), (0.0,) * 3, (1.0,) * 3).pixels(file)

    apart = np.abs(pixels(reduced_decoding=True) - pixels())
    assert 0 < apart.mean() < ON_AVERAGE
