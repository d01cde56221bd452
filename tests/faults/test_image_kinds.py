"""A file of every kind is decoded to Pillow's pixels or rejected: in ingest, `predict`, `serve` and the exported graph."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from kerasvision.config.inference import Listed
from kerasvision.data.inspecting.inspection import inspect_image
from kerasvision.export.asking.predict import ImagePredictor
from kerasvision.export.writing.rows import decoded_rows
from kerasvision.ops.images import decode_image, decode_part, open_image
from kerasvision.ops.readable import CMYK, NO_IMAGE, OTHER_BMP, PALETTE_BMP, SMALL_GIF, misread
from kerasvision.ops.resize import Placement
from kerasvision.serving.headers import NOT_DECODABLE, pixels_to_decode

LIMIT = 10**6

# The faults that ingest reports for kinds that TensorFlow misreads. All kinds not named here or below are read correctly.
MISREAD = {
    "JPEG, CMYK without Adobe's marker": CMYK,
    "GIF, frame smaller than the canvas": SMALL_GIF,
    "GIF, frame of the canvas' size beside it": SMALL_GIF,
    "BMP, 24 bits, OS/2 header": OTHER_BMP,
    "BMP, 32 bits, other masks": OTHER_BMP,
    "BMP, 16 bits, 555": OTHER_BMP,
    "BMP, 16 bits, 565": OTHER_BMP,
    "BMP, 8 bits, palette": PALETTE_BMP,
    "BMP, 8 bits, grey palette turned around": PALETTE_BMP,
    "BMP, 8 bits, OS/2 header": OTHER_BMP,
    "BMP, 4 bits, palette": PALETTE_BMP,
    "BMP, 1 bit": PALETTE_BMP,
    "BMP, 8 bits, RLE": PALETTE_BMP,
    "BMP, 4 bits, RLE": PALETTE_BMP,
}
# Kinds that TensorFlow itself rejects.
FAULTS = {
    "JPEG, cut off": "truncated or corrupt JPEG",
    "JPEG, 12 bits": "truncated or corrupt JPEG",
    "JPEG, lossless": "truncated or corrupt JPEG",
    "PNG, cut off": "truncated or corrupt PNG",
    "GIF, cut off": "truncated or corrupt GIF",
    "BMP, 24 bits, trailing garbage": "truncated or corrupt BMP",
    "BMP, 24 bits, cut off": "truncated or corrupt BMP",
    "WebP, lossless, alpha": "a WEBP with transparency",
    "WebP, lossy, alpha": "a WEBP with transparency",
    "WebP, animated": "a WEBP with transparency",
    "WebP, cut off": "truncated or corrupt WEBP",
    **dict.fromkeys(("TIFF", "TIFF, turned"), "TIFF cannot be read"),
    **dict.fromkeys(("ICO", "ICO of BMP"), "ICO cannot be read"),
    **{name: f"{name.replace(' 2', '2')} cannot be read" for name in ("AVIF", "JPEG 2000", "PPM")},
    **dict.fromkeys(("TGA", "PCX", "QOI", "SGI"), "not an image in a known format"),
}
REFUSED = {**MISREAD, **FAULTS}
# libjpeg's fast transform against its accurate one; everything else is decoded equally, to the last bit.
TOLERANCE = 10


@pytest.fixture(scope="module")
def files(image_kinds):
    return image_kinds.kinds()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A saved model whose answer is the decoded image itself, as the exporter's signature decodes it."""
    shape = (64, 64, 3)

    def pixels(data):
        image = decode_image(data, color_mode="rgb")
        space = tf.constant(shape) - tf.shape(image)
        padded = tf.cast(tf.pad(image, tf.stack([tf.zeros_like(space), space], axis=1)), tf.float32)
        return padded, Placement(tf.ones(2), tf.zeros(2)), tf.shape(image)[:2]

    class Decoder(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def answer(self, image_bytes):
            images, valid, _ = decoded_rows(image_bytes, pixels, shape=shape, max_pixels=LIMIT)
            return {"images": images, "valid": valid}

    module, folder = Decoder(), tmp_path_factory.mktemp("decoder")
    tf.saved_model.save(module, str(folder), {"serving_default": module.answer})
    return ImagePredictor(folder)


def assert_equal(found, data, image_kinds):
    right = image_kinds.pillow_pixels(data)
    assert right is not None and found.shape == right.shape
    assert np.abs(found.astype(int) - right).max() <= (TOLERANCE if data[:2] == b"\xff\xd8" else 0)


def test_every_refusal_is_of_a_kind_that_is_tried(files):
    assert set(files) >= set(REFUSED)


def test_ingest_agrees_with_pillow_or_refuses(files, image_kinds):
    for name, data in files.items():
        facts = inspect_image(data, max_pixels=LIMIT)
        if name in REFUSED:
            assert facts.fault and facts.fault.startswith(REFUSED[name]), name
            assert name in FAULTS or misread(data).numpy().decode() == facts.fault
        else:
            assert facts.fault is None, name
            found = decode_image(data, color_mode="rgb").numpy()
            assert_equal(found, data, image_kinds)
            assert (facts.height, facts.width) == found.shape[:2]


def test_a_part_is_cut_out_of_the_same_pixels(files, image_kinds):
    for name in set(files) - set(REFUSED):
        part = decode_part(open_image(files[name], color_mode="rgb"), (0, 0, 24, 24)).numpy()
        # The last columns may differ, because the decoder reads only this part.
        assert np.abs(part[:, :20].astype(int) - image_kinds.pillow_pixels(files[name])[:24, :20]).max() <= TOLERANCE


def test_the_exported_graph_agrees_with_pillow_or_calls_the_image_invalid(files, model, image_kinds):
    answers = model._signature(image_bytes=tf.constant(list(files.values())))
    assert {n for n, valid in zip(files, answers["valid"].numpy(), strict=True) if not valid} == set(REFUSED)
    for (name, data), image in zip(files.items(), answers["images"].numpy(), strict=True):
        if name not in REFUSED:
            height, width, _ = image_kinds.pillow_pixels(data).shape
            assert_equal(image[:height, :width], data, image_kinds)


def test_predict_agrees_with_pillow_or_names_the_fault(files, model, image_kinds, tmp_path):
    listed = []
    for number, (name, data) in enumerate(files.items()):
        (tmp_path / str(number)).write_bytes(data)
        listed.append(Listed(name, tmp_path / str(number)))
    for row in model.rows(listed):
        name = row.image.name
        assert row.fault.startswith(REFUSED.get(name, "")) and bool(row.fault) == (name in REFUSED), name
        if not row.fault:
            height, width, _ = image_kinds.pillow_pixels(files[name]).shape
            assert_equal(row.outputs["images"][:height, :width], files[name], image_kinds)


def test_serve_hands_the_model_nothing_that_it_would_misread(files, image_kinds):
    for name, data in files.items():
        if name in MISREAD:
            assert pixels_to_decode(data, max_pixels=LIMIT) == NOT_DECODABLE, name
        elif name not in REFUSED:
            height, width, _ = image_kinds.pillow_pixels(data).shape
            assert pixels_to_decode(data, max_pixels=LIMIT) >= height * width


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_file_is_turned_as_pillow_turns_it(orientation, image_kinds, model):
    turned = image_kinds.turned(orientation)
    answers = model._signature(image_bytes=tf.constant(list(turned.values())))
    assert answers["valid"].numpy().all()
    note = (f"rotated by EXIF orientation {orientation}",) if orientation > 1 else ()
    for (name, data), image in zip(turned.items(), answers["images"].numpy(), strict=True):
        height, width, _ = image_kinds.pillow_pixels(data).shape
        assert (height, width) == ((40, 24) if orientation >= 5 else (24, 40))
        assert_equal(image[:height, :width], data, image_kinds)
        assert_equal(decode_image(data, color_mode="rgb").numpy(), data, image_kinds)
        facts = inspect_image(data, max_pixels=LIMIT)
        assert (facts.width, facts.height, facts.fault) == (width, height, None)
        assert tuple(n for n in facts.notes if n.startswith("rotated")) == note, name


@pytest.mark.parametrize("data", [b"\xff\x0a\xfa\x1f\x01", b"\0\0\0\x0cJXL \r\n\x87\n", b"hello", b"", b"RIFF\0\0\0\0AVI "])
def test_only_the_five_formats_are_handed_to_the_decoder(data):
    """TensorFlow 2.21 also decodes JPEG XL, which the rest of this package does not know."""
    assert misread(data).numpy().decode() == NO_IMAGE


def test_a_grey_bmp_of_fewer_colours_is_right_as_long_as_they_are_their_indices(image_kinds):
    pixels = np.arange(96, dtype=np.uint8).reshape(8, 12) % 16
    data = image_kinds.bmp(pixels, bits=8, palette=[(grey, grey, grey) for grey in range(16)])
    assert_equal(decode_image(data, color_mode="rgb").numpy(), data, image_kinds)
    data = image_kinds.bmp(pixels, bits=8, palette=[(17 * grey,) * 3 for grey in range(16)])
    assert inspect_image(data, max_pixels=LIMIT).fault == PALETTE_BMP


def test_the_walk_to_a_gifs_first_frame_is_bounded(image_kinds):
    frame = image_kinds.kinds()["GIF"]
    start = frame.index(b"\x2c", 13 + 3 * 2 ** ((frame[10] & 7) + 1))
    for blocks, fault in ((4000, ""), (5000, SMALL_GIF)):
        comment = b"\x21\xfe" + blocks * b"\x01." + b"\0"
        assert misread(frame[:start] + comment + frame[start:]).numpy().decode() == fault


def test_no_damage_makes_the_reader_of_headers_fail(files):
    """Headers truncated at any byte, or with any byte changed; for a JPEG without a size the decoder raises an error."""
    chosen = ("GIF, animated", "BMP, 8 bits, palette", "BMP, 32 bits, masks", "WebP, lossy")
    for name, (cut, value) in itertools.product(chosen, zip(range(2, 60), itertools.cycle((0, 255, 128)))):
        data = files[name]
        for damaged in (data[:cut], data[:cut] + bytes([value]) + data[cut + 1 :]):
            assert misread(damaged).numpy().decode() in ("", NO_IMAGE, PALETTE_BMP, OTHER_BMP, SMALL_GIF)
