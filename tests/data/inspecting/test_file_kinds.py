"""A file that is not an image, or has another format, gets its kind as the fault, with a way out."""

import struct
import zlib

import pytest
from PIL import Image

from kerasvision.data.inspecting.inspection import has_wrong_suffix, inspect_image

CONVERT = "cannot be read by TensorFlow: convert it to PNG or JPEG"
NONE = "not an image in a known format"
FTYP = b"\0\0\0\x18ftyp"


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (FTYP + b"heic\0\0\0\0mif1heic", f"HEIC {CONVERT}"),
        (FTYP + b"mif1\0\0\0\0mif1heic", f"HEIC {CONVERT}"),
        (FTYP + b"isom\0\0\0\0mp42", f"{NONE}: a film; save its frames as images"),
        (b"RIFF\x10\0\0\0AVI LIST", f"{NONE}: a film; save its frames as images"),
        (b"\xff\x0a\x00", f"JPEG XL {CONVERT}"),
        (b"8BPS\0\1" + bytes(20), f"PSD {CONVERT}"),
        (b"<?xml version='1.0'?>\n<!-- drawn -->\n<svg width='1'>", f"SVG {CONVERT}"),
        (b"\xef\xbb\xbf\n <!DOCTYPE HTML><title>404", f"{NONE}: a page of HTML; download the image again"),
        (b"<?xml version='1.0'?><Error>AccessDenied", f"{NONE}: a page of XML; download the image again"),
        (b"%PDF-1.7", f"{NONE}: a PDF document; save its pages as PNG"),
        (b"PK\x03\x04", f"{NONE}: a ZIP archive; unpack it"),
        (b"version https://git-lfs.github.com/spec/v1\n", f"{NONE}: a pointer of Git LFS; run `git lfs pull`"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "truncated or corrupt WEBP"),
        (bytes(100), NONE),
    ],
)
def test_what_is_no_readable_image_is_named(data, fault):
    assert inspect_image(data, max_pixels=10**6).fault == fault


@pytest.mark.parametrize(("name", "fault"), [("ICO", "ICO"), ("AVIF", "AVIF"), ("JPEG2000", "JPEG2000"), ("PPM", "PPM")])
def test_image_formats_that_the_decoder_lacks_are_named(make_images, name, fault):
    data = make_images.encoded(make_images.picture(width=64, height=64), name)
    assert inspect_image(data, max_pixels=10**6).fault == f"{fault} {CONVERT}"


def with_header(png, *, width, height, checksum=None):
    """A PNG that claims another size."""
    body = b"IHDR" + struct.pack(">II", width, height) + png[24:29]
    return png[:12] + body + struct.pack(">I", zlib.crc32(body) if checksum is None else checksum) + png[33:]


def test_a_png_that_lacks_rows_or_has_a_wrong_check_sum_is_corrupt(make_images):
    png = make_images.encoded(make_images.picture(), "PNG")
    assert inspect_image(with_header(png, width=20, height=12), max_pixels=10**6).fault is None
    for broken in (
        with_header(png, width=20, height=13),
        with_header(png, width=0, height=12),
        with_header(png, width=20, height=12, checksum=1),
        png[:-20] + bytes([png[-20] ^ 1]) + png[-19:],
        png[:-12],
    ):
        assert inspect_image(broken, max_pixels=10**6).fault == "truncated or corrupt PNG"


def test_harmless_oddities_are_no_faults(make_images):
    jpeg = make_images.encoded(make_images.picture(), "JPEG", progressive=True)
    for data in (jpeg, jpeg + b"more behind the end"):
        assert inspect_image(data, max_pixels=10**6).fault is None
    for mode in ("1", "LA"):
        assert inspect_image(make_images.encoded(make_images.picture(mode), "PNG"), max_pixels=10**6).fault is None


@pytest.mark.parametrize("missing", [2, 40])
def test_a_jpeg_without_its_end_is_corrupt(make_images, missing):
    jpeg = make_images.encoded(Image.effect_noise((64, 64), 80), "JPEG")
    assert inspect_image(jpeg[:-missing], max_pixels=10**6).fault == "truncated or corrupt JPEG"


def test_a_download_that_stopped_and_was_filled_up_with_zeros_is_corrupt(make_images):
    jpeg = make_images.encoded(Image.effect_noise((64, 64), 80), "JPEG")
    half = jpeg[: len(jpeg) // 2]
    assert inspect_image(half + bytes(len(jpeg) - len(half)), max_pixels=10**6).fault == "truncated or corrupt JPEG"


@pytest.mark.parametrize(
    ("name", "image_format", "wrong"),
    [
        ("a.jpg", "JPEG", False),
        ("a.JPEG", "MPO", False),
        ("a.jfif", "JPEG", False),
        ("a.png", "JPEG", True),
        ("a.txt", "PNG", True),
        ("a", "PNG", False),
        ("a.b/c", "GIF", False),
        ("a.tif", "TIFF", False),
    ],
)
def test_a_name_that_ends_otherwise_than_its_format_is_seen(tmp_path, name, image_format, wrong):
    assert has_wrong_suffix(tmp_path / name, image_format) is wrong
