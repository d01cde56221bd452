"""The EXIF orientation is found where cameras and programs put it, and nowhere else. No bytes make the reader fail."""

import io
import struct

import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from kerasvision.ops.exif import exif_orientation, may_be_turned

BYTE_ORDERS = ("big", "little")


def orientation_of(data):
    return int(exif_orientation(data))


def pillow_orientation(data):
    with Image.open(io.BytesIO(data)) as image:
        return image.getexif().get(0x0112, 1)


def directory(entries, byte_order="big", start=8):
    """A TIFF directory at `start` with (tag, type, count, four value bytes) entries."""
    mark, prefix = (b"MM", ">") if byte_order == "big" else (b"II", "<")
    body = b"".join(struct.pack(prefix + "HHI4s", *entry) for entry in entries)
    gap = b"\xaa" * (start - 8)
    return mark + struct.pack(prefix + "HI", 42, start) + gap + struct.pack(prefix + "H", len(entries)) + body


def entry(value, byte_order="big", tag=0x0112):
    return tag, 3, 1, struct.pack((">" if byte_order == "big" else "<") + "HH", value, 0)


@pytest.fixture
def jpeg_with(make_images):
    """Bytes of a JPEG with the given segments after SOI."""
    plain = make_images.encoded(make_images.picture(), "JPEG")
    return lambda *segments: plain[:2] + b"".join(segments) + plain[2:]


@pytest.mark.parametrize("byte_order", BYTE_ORDERS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_read_in_both_byte_orders(make_images, orientation, byte_order):
    data = make_images.exif_rotated(orientation, byte_order)
    assert orientation_of(data) == orientation == pillow_orientation(data)


@pytest.mark.parametrize("byte_order", BYTE_ORDERS)
def test_a_long_is_read_as_a_short_is(make_images, jpeg_with, byte_order):
    data = jpeg_with(make_images.exif_segment(6, byte_order, kind=4))
    assert orientation_of(data) == 6 == pillow_orientation(data)


@pytest.mark.parametrize("kind", (3, 4))
@pytest.mark.parametrize("byte_order", BYTE_ORDERS)
def test_the_cheap_test_lets_every_turn_pass_and_spares_the_upright(make_images, jpeg_with, byte_order, kind):
    for orientation in range(1, 9):
        data = jpeg_with(make_images.exif_segment(orientation, byte_order, kind))
        assert bool(may_be_turned(data)) == (orientation_of(data) != 1)


def test_the_header_may_follow_jfif_comments_profiles_and_filling(make_images, jpeg_with):
    before = [make_images.segment(0xFE, b"comment"), make_images.segment(0xE2, b"ICC_PROFILE\0" + b"x" * 3000)]
    exif = make_images.exif_segment(8)
    assert orientation_of(jpeg_with(*before, b"\xff\xff\xff" + exif)) == 8
    plain = jpeg_with()
    after_jfif = plain[:20] + exif + plain[20:]
    assert plain[6:10] == b"JFIF" and orientation_of(after_jfif) == 8


def test_pillows_own_exif_is_read(make_images):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0132] = 5, "A camera with a long name", "2024:01:01 00:00:00"
    data = make_images.encoded(make_images.picture(), "JPEG", exif=exif, comment=b"hello", icc_profile=b"i" * 500)
    assert orientation_of(data) == 5


@pytest.mark.parametrize("byte_order", BYTE_ORDERS)
def test_the_directory_may_start_anywhere_in_its_segment(make_images, jpeg_with, byte_order):
    body = directory([entry(1, byte_order, tag=0x0100), entry(7, byte_order)], byte_order, start=301)
    assert orientation_of(jpeg_with(make_images.segment(0xE1, b"Exif\0\0" + body))) == 7


def test_a_header_in_other_data_is_no_header(make_images, jpeg_with):
    hidden = make_images.exif_segment(6)
    assert may_be_turned(jpeg_with(make_images.segment(0xFE, hidden)))
    for carrier in (0xFE, 0xE1, 0xED):
        assert orientation_of(jpeg_with(make_images.segment(carrier, b"text " + hidden))) == 1
    assert orientation_of(jpeg_with() + hidden) == 1
    assert orientation_of(b"\x89PNG" + hidden) == 1
    assert orientation_of(make_images.grey() + make_images.exif_rotated(6)) == 1


def test_an_orientation_outside_the_first_directory_does_not_count(make_images, jpeg_with):
    body = directory([entry(3, tag=0x0100)]) + directory([entry(6)])
    assert orientation_of(jpeg_with(make_images.segment(0xE1, b"Exif\0\0" + body))) == 1
    cut_short = make_images.segment(0xE1, b"Exif\0\0" + directory([entry(6)])[:-6]) + b"\0\1\0\6\0\0"
    assert orientation_of(b"\xff\xd8" + cut_short) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"MM",
        directory([entry(0)]),
        directory([entry(9)]),
        directory([entry(65535)]),
        directory([(0x0112, 3, 2, b"\0\6\0\0")]),
        directory([(0x0112, 2, 1, b"\0\6\0\0")]),
        directory([]),
        b"MM\0+" + directory([entry(6)])[4:],
        b"IM" + directory([entry(6)])[2:],
        b"MM\0*\xff\xff\xff\xff" + directory([entry(6)])[8:],
        b"MM\0*\x80\0\0\0" + directory([entry(6)])[8:],
        b"MM\0*\0\0\0\0" + directory([entry(6)])[8:],
    ],
)
def test_a_malformed_directory_means_upright(make_images, jpeg_with, body):
    assert orientation_of(jpeg_with(make_images.segment(0xE1, b"Exif\0\0" + body))) == 1


def test_a_directory_that_claims_more_entries_than_there_are_is_read_to_its_end(make_images, jpeg_with):
    body = bytearray(directory([entry(6)]))
    body[8:10] = b"\xff\xff"
    assert orientation_of(jpeg_with(make_images.segment(0xE1, b"Exif\0\0" + bytes(body)))) == 6


def test_the_walk_is_bounded(make_images, jpeg_with):
    comment, exif = make_images.segment(0xFE, b""), make_images.exif_segment(6)
    assert orientation_of(jpeg_with(*[comment] * 255, exif)) == 6
    assert orientation_of(jpeg_with(*[comment] * 257, exif)) == 1


# A segment has at most 65,533 bytes of content: a printer's profile of about 550 kB takes nine segments.
@pytest.mark.parametrize("before", [65_533 - 30, 65_533 - 16, 65_533 - 12, 65_533, 9 * 65_533, 30 * 65_533])
def test_the_header_may_lie_behind_a_large_profile(make_images, jpeg_with, before):
    profile = [make_images.segment(0xE2, bytes(min(65_533, before - start))) for start in range(0, before, 65_533)]
    for orientation in (1, 6):
        data = jpeg_with(*profile, make_images.exif_segment(orientation))
        assert orientation_of(data) == orientation == pillow_orientation(data)
        assert may_be_turned(data) or orientation == 1


@pytest.mark.parametrize("byte_order", BYTE_ORDERS)
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_png_and_webp_are_read_as_pillow_reads_them(make_images, image_format, orientation, byte_order):
    body = directory([entry(orientation, byte_order)], byte_order) + bytes(4)
    for payload in (body, b"Exif\0\0" + body):
        data = make_images.encoded(make_images.picture(), image_format, exif=payload)
        assert orientation_of(data) == orientation == pillow_orientation(data)
        assert may_be_turned(data)


def test_a_png_may_keep_its_header_behind_its_pixels(make_images):
    plain = make_images.encoded(make_images.picture(), "PNG")
    header = make_images.png_chunk(b"eXIf", directory([entry(8)]) + bytes(4))
    assert orientation_of(plain[:-12] + header + plain[-12:]) == 8 == pillow_orientation(plain[:-12] + header + plain[-12:])
    assert orientation_of(plain + header) == 1 == pillow_orientation(plain + header)
    text = make_images.png_chunk(b"tEXt", b"Comment\0" + header)
    assert orientation_of(plain[:33] + text + plain[33:]) == 1 == pillow_orientation(plain[:33] + text + plain[33:])


def test_a_webp_that_does_not_announce_its_header_has_none(make_images):
    data = bytearray(make_images.encoded(make_images.picture(), "WEBP", exif=directory([entry(6)]) + bytes(4)))
    assert data[12:16] == b"VP8X" and orientation_of(bytes(data)) == 6
    data[20] &= ~0x08
    assert orientation_of(bytes(data)) == 1 == pillow_orientation(bytes(data))


def test_the_walk_over_chunks_is_bounded(make_images):
    plain = make_images.encoded(make_images.picture(), "PNG")
    header, filling = make_images.png_chunk(b"eXIf", directory([entry(8)])), make_images.png_chunk(b"tEXt", b"")
    assert orientation_of(plain[:33] + 4094 * filling + header + plain[33:]) == 8
    assert orientation_of(plain[:33] + 4097 * filling + header + plain[33:]) == 1


# Random bytes alone would never reach the parser, so the drawn bytes contain "Exif" and other marks.
PIECES = st.sampled_from(
    [b"\xff\xd8", b"\xff\xe1", b"\0\x22", b"Exif\0\0", b"MM\0*", b"II*\0", b"\0\0\0\x08", b"\x01\x12\0\x03\0\0\0\x01"]
)
PNG, WEBP = b"\x89PNG\r\n\x1a\n", b"RIFF\xff\xff\0\0WEBPVP8X\x0a\0\0\0\x08" + bytes(9)
OTHER_ENTRIES = st.tuples(st.integers(0x0100, 0x0111), st.just(3), st.just(1), st.binary(min_size=4, max_size=4))


@settings(max_examples=50)
@given(st.lists(PIECES | st.binary(max_size=9)).map(b"".join))
@example(b"")
@example(b"\xff")
@example(b"\xff\xd8\xff\xe1\xff\xffExif\0\0")
@example(b"\xff\xd8" + b"\xff" * 100)
@example(b"\xff\xd8" + b"\xff\xe1\0\0" * 100)
def test_no_bytes_make_the_reader_fail(data):
    starts = (b"", b"\xff\xd8\xff\xe1\0\xf0Exif\0\0", PNG, PNG + b"\0\0\0\x26eXIf", WEBP, WEBP + b"EXIF\x26\0\0\0")
    for given_bytes in (start + data for start in starts):
        assert 1 <= orientation_of(given_bytes) <= 8
        assert may_be_turned(given_bytes) or orientation_of(given_bytes) == 1


@settings(max_examples=50)
@given(st.lists(OTHER_ENTRIES, max_size=20), st.integers(1, 8), st.sampled_from(BYTE_ORDERS))
def test_the_reader_agrees_with_pillow_whatever_else_the_directory_holds(entries, orientation, byte_order):
    body = directory([*sorted(entries), entry(orientation, byte_order)], byte_order)
    payload = b"Exif\0\0" + body + b"\0\0\0\0"
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=payload)
    data = file.getvalue()
    assert orientation_of(data) == pillow_orientation(data) == orientation


def test_eager_dataset_and_map_fn_agree(make_images):
    batch = [make_images.exif_rotated(3), b"", make_images.exif_rotated(6, "little"), make_images.grey()]
    dataset = tf.data.Dataset.from_tensor_slices(batch).map(exif_orientation)
    in_graph = tf.function(lambda texts: tf.map_fn(exif_orientation, texts, fn_output_signature=tf.int32))
    assert [int(value) for value in dataset] == in_graph(tf.constant(batch)).numpy().tolist() == [3, 1, 6, 1]
