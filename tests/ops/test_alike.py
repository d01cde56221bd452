"""Small files of one size that are decoded together have the pixels that they have alone."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasvision.data.png import encode_png
from kerasvision.ops.alike import are_alike, decode_alike
from kerasvision.ops.images import decode_image
from kerasvision.ops.resize import resize_image

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (6, 5, 7, 3), np.uint8)


def file(pixels, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, options.pop("kind", "PNG"), **options)
    return buffer.getvalue()


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return file(PIXELS[0], exif=exif)


@pytest.mark.parametrize("color_mode", ["rgb", "grayscale"])
@pytest.mark.parametrize("images", [PIXELS, PIXELS[..., 0], np.dstack([PIXELS[0], PIXELS[1, :, :, :1]])[np.newaxis]])
def test_pixels_are_those_of_single_files(images, color_mode):
    files = [encode_png(image) for image in images]
    assert bool(are_alike(files, most_pixels=35 * len(files)))
    alone = [decode_image(one, color_mode=color_mode).numpy() for one in files]
    np.testing.assert_array_equal(decode_alike(files, color_mode=color_mode), alone)


@pytest.mark.parametrize(
    "other",
    [
        encode_png(PIXELS[0, :4]),
        encode_png(PIXELS[0, ..., 0]),
        encode_png(np.zeros((5, 7), np.uint16)),
        file(PIXELS[0], kind="JPEG"),
        turned(),
        b"\x89PNG\r\n\x1a\n",
        b"",
    ],
    ids=["another size", "grey", "16 bits", "JPEG", "turned", "cut off", "empty"],
)
def test_other_files_are_not_decoded_together(other):
    assert not are_alike([encode_png(PIXELS[0]), other], most_pixels=10**6)
    assert not are_alike([other, encode_png(PIXELS[0])], most_pixels=10**6)


@pytest.mark.parametrize("other", [encode_png(np.zeros((5, 7), np.uint16)), file(PIXELS[0], kind="JPEG"), turned(), b""])
def test_files_of_these_kinds_are_never_decoded_together(other):
    assert not are_alike([other, other], most_pixels=10**6)


def test_the_pixels_of_all_files_count():
    files = [encode_png(image) for image in PIXELS]
    assert bool(are_alike(files, most_pixels=6 * 35))
    assert not are_alike(files, most_pixels=6 * 35 - 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("size", "image_size", "options"),
    [
        ((28, 28), (32, 32), {"fit": "stretch"}),
        ((40, 31), (8, 32), {"fit": "stretch"}),
        ((30, 20), (24, 24), {"fit": "crop", "crop_fraction": 0.875}),
        ((20, 31), (33, 17), {"fit": "pad"}),
        ((9, 9), (9, 9), {"fit": "crop"}),
    ],
)
def test_a_batch_is_resized_as_its_pictures_are(size, image_size, options, channels):
    images = RANDOM.integers(0, 256, (3, *size, channels), np.uint8)
    alone = [resize_image(image, image_size=image_size, **options).numpy() for image in images]
    graph = tf.function(lambda batch: resize_image(batch, image_size=image_size, **options), autograph=False)
    np.testing.assert_array_equal(graph(images), alone)
