"""Every bad image gets a fault, images that claim too many pixels are not decoded, and odd images note what they lose."""

import io
import itertools
import threading
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kerasvision.data.inspecting import inspection
from kerasvision.data.inspecting.inspection import ImageFacts, inspect_image, inspect_images
from kerasvision.ops.images import decode_image

LIMIT = 100_000_000

FAULTS = {
    "zero_byte": "the file is empty",
    "text_named_jpg": "not an image in a known format: a page of HTML; download the image again",
    "truncated_jpeg": "truncated or corrupt JPEG",
    "truncated_png": "truncated or corrupt PNG",
    "header_only_jpeg": "truncated or corrupt JPEG",
    "giant_header_png": "the header claims 50,000 x 50,000 = 2,500,000,000 pixels, over the limit of 100,000,000",
    "giant_header_jpeg": "the header claims 50,000 x 50,000 = 2,500,000,000 pixels, over the limit of 100,000,000",
    "tiff": "TIFF cannot be read by TensorFlow: convert it to PNG or JPEG",
    "palette_bmp": "a BMP with a palette is misread by TensorFlow: convert it to PNG",
    "animated_webp": "a WEBP with transparency or several frames cannot be read by TensorFlow: convert it to PNG",
}

ODD = {
    "one_by_one": ("PNG", "RGB", 1, 1, ()),
    "grey": ("PNG", "L", 20, 12, ()),
    "rgba": ("PNG", "RGBA", 20, 12, ("alpha channel dropped",)),
    "palette": ("PNG", "P", 20, 12, ()),
    "cmyk": ("JPEG", "CMYK", 20, 12, ("CMYK converted to RGB",)),
    "sixteen_bit": ("PNG", "I;16", 16, 16, ("16 bits per channel reduced to 8",)),
    "animated_gif": ("GIF", "P", 20, 12, ("first frame of an animation",)),
    "wrong_extension": ("PNG", "RGB", 20, 12, ()),
}


def inspect(data, max_pixels=LIMIT):
    return inspect_image(data, max_pixels=max_pixels)


@pytest.mark.parametrize("name", FAULTS)
def test_a_bad_image_is_named(make_images, name):
    facts = inspect(getattr(make_images, name)())
    assert (facts.fault, facts.notes) == (FAULTS[name], ())


@pytest.mark.parametrize("name", ODD)
def test_an_odd_image_is_usable_and_says_what_it_loses(make_images, name):
    facts = inspect(getattr(make_images, name)())
    assert facts.fault is None
    assert (facts.format, facts.mode, facts.width, facts.height, facts.notes) == ODD[name]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_the_one_that_one_sees(make_images, orientation):
    facts = inspect(make_images.exif_rotated(orientation))
    assert (facts.width, facts.height) == ((12, 20) if orientation >= 5 else (20, 12))
    assert facts.notes == (() if orientation == 1 else (f"rotated by EXIF orientation {orientation}",))


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "PNG, packed", "WebP", "PNG, text of ImageMagick"])
def test_an_orientation_outside_the_exif_header_is_noted(image_kinds, kind, orientation):
    data = image_kinds.turned_elsewhere(orientation)[kind]
    turned_by_pillow = image_kinds.pillow_pixels(data).shape[:2] == (40, 24)
    facts = inspect(data)
    note = "orientation 6 is stored in XMP or in a text chunk, and is not applied"
    assert turned_by_pillow == (orientation == 6)
    assert (facts.width, facts.height, facts.notes) == (40, 24, (note,) if orientation == 6 else ())


def test_colour_of_sixteen_bits_is_noted_though_pillow_calls_it_rgb(make_images):
    data = tf.io.encode_png(np.zeros((2, 3, 3), np.uint16)).numpy()
    facts = inspect(data)
    assert (facts.mode, facts.notes) == ("RGB", ("16 bits per channel reduced to 8",))


@pytest.mark.parametrize(
    ("low", "high", "levels", "way_out"),
    [
        (0, 2**8, 1, "transform.significant_bits can keep more"),  # 8 bits stored in 16: black
        (0, 2**12, 16, "transform.significant_bits can keep more"),
        (0, 2**14, 64, "transform.significant_bits can keep more"),
        (31_744, 34_816, 16, "convert it to 8 bits to keep more"),  # a CT, its zero at 32,768: 12 levels, rounded up
    ],
)
def test_an_image_of_16_bits_that_uses_few_of_them_says_how_many_levels_are_left(make_images, low, high, levels, way_out):
    values = np.random.default_rng(0).integers(low, high, (64, 64)).astype(np.uint16)
    noun = "grey level" if levels == 1 else "grey levels"
    note = f"reducing 16 bits per channel to 8 leaves at most {levels} {noun} ({way_out})"
    assert inspect(make_images.encoded(Image.fromarray(values), "PNG")).notes == (note,)
    colours = tf.io.encode_png(np.stack([values] * 3, axis=-1)).numpy()
    assert inspect(colours).notes == (note,)


@pytest.mark.parametrize("values", [np.arange(4096) * 5, np.arange(4096) % 2 * 65_535, np.arange(4096) % 16 * 4096])
def test_an_image_of_16_bits_that_keeps_its_levels_or_had_few_of_them_is_no_warning(make_images, values):
    data = make_images.encoded(Image.fromarray(values.reshape(64, 64).astype(np.uint16)), "PNG")
    assert inspect(data).notes == ("16 bits per channel reduced to 8",)


def test_transparency_of_a_palette_is_noted(make_images):
    data = make_images.encoded(make_images.picture("P"), "PNG", transparency=0)
    assert inspect(data).notes == ("alpha channel dropped",)


def test_a_webp_with_transparency_is_refused_because_the_decoder_cannot_read_it(make_images):
    image = make_images.picture("RGBA")
    image.putalpha(Image.new("L", image.size, 7))
    assert inspect(make_images.encoded(image, "WEBP")).fault.startswith("a WEBP with transparency")
    assert inspect(make_images.encoded(make_images.picture(), "WEBP")).fault is None


def test_a_phones_jpeg_with_several_pictures_is_a_jpeg(make_images):
    first, second = make_images.picture(seed=1), make_images.picture(seed=2)
    facts = inspect(make_images.encoded(first, "MPO", save_all=True, append_images=[second]))
    assert (facts.format, facts.fault, facts.notes) == ("MPO", None, ("first of several pictures",))


def test_a_gif_whose_frame_leaves_some_of_its_canvas_empty_is_refused_because_the_decoder_gives_the_frame_alone(make_images):
    data = bytearray(make_images.encoded(make_images.picture("P"), "GIF"))
    data[6:10] = b"\x40\x00\x30\x00"  # a canvas of 64 x 48 around a frame of 20 x 12
    assert inspect(bytes(data)).fault.startswith("a GIF whose first frame does not fill its canvas")


@pytest.mark.parametrize("name", ["giant_header_png", "giant_header_jpeg"])
def test_a_giant_header_is_refused_before_any_pixel_is_decoded(make_images, name, monkeypatch):
    monkeypatch.setattr(inspection, "_decoded", lambda *_: pytest.fail("decoded"))
    tracemalloc.start()
    facts = inspect(getattr(make_images, name)())
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    assert (facts.width, facts.height) == (50_000, 50_000)


def test_the_limit_is_the_callers_to_the_pixel(make_images):
    assert inspect(make_images.grey(), max_pixels=20 * 12).fault is None
    assert inspect(make_images.grey(), max_pixels=20 * 12 - 1).fault.endswith("240 pixels, over the limit of 239")


def test_a_side_too_long_for_the_decoder_is_refused(make_images):
    fault = inspect(make_images.giant_header_png(width=70_000, height=1)).fault
    assert fault == "the header claims 70,000 x 1 = 70,000 pixels, with a side over the limit of 65,535"


def test_pillows_limit_and_warnings_stay_as_they_were(make_images):
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    files = [getattr(make_images, name)() for name in FAULTS] + [make_images.giant_header_png(12_000, 12_000)]
    with ThreadPoolExecutor(8) as pool:
        assert all(facts.fault for facts in pool.map(inspect, files * 50))
    assert (Image.MAX_IMAGE_PIXELS, warnings.filters) == (limit, filters)


@settings(max_examples=40)
@given(st.sampled_from(sorted(ODD)), st.data())
def test_no_damage_raises_and_what_passes_can_be_decoded(make_images, name, data):
    damaged = bytearray(getattr(make_images, name)())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(damaged[: data.draw(st.integers(1, len(damaged)))])
    facts = inspect(damaged, max_pixels=1_000_000)
    if facts.fault is None:
        assert decode_image(damaged, color_mode="rgb").shape == (facts.height, facts.width, 3)
    else:
        assert "\n" not in facts.fault and len(facts.fault) < 120


@pytest.fixture
def mixed(make_images):
    """Small and large, good and bad files, so that some are inspected by threads and some are not."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (150, 150, 3), dtype=np.uint8))
    large = make_images.encoded(noise, "PNG")
    assert len(large) > inspection.WORTH_A_THREAD_BYTES
    names = [*FAULTS, *ODD]
    small = {name: getattr(make_images, name)() for name in names}
    return [*small.items(), ("large", large), ("cut", large[:20_000]), *small.items(), *[("large", large)] * 20]


def test_many_give_the_same_as_one_by_one_and_in_order(mixed):
    assert list(inspect_images(mixed, max_pixels=LIMIT, workers=3)) == [(k, data, inspect(data)) for k, data in mixed]
    faults = {key: facts.fault for key, _, facts in inspect_images(mixed, max_pixels=LIMIT)}
    assert faults["large"] is None and faults["cut"] == "truncated or corrupt PNG"


@pytest.mark.parametrize("size", [1, 2, 5, 64])
def test_small_files_decoded_together_have_the_facts_of_single_ones(mixed, size, monkeypatch):
    monkeypatch.setattr(inspection, "FIRST_GROUPS", 0)
    monkeypatch.setattr(inspection, "GROUP_FILES", size)
    sound = [(f"sound {key}", data) for key, data in mixed if not inspect(data).fault]
    items = [*sound, *mixed, *sound]  # groups without a damaged file, and groups with one
    assert list(inspect_images(items, max_pixels=LIMIT)) == [(key, data, inspect(data)) for key, data in items]


def test_no_more_than_a_few_are_held_at_once(mixed):
    read = itertools.count()
    data = dict(mixed)["large"]
    taken = -1

    def items():
        for _ in range(200):
            taken_from_source = next(read)
            assert taken_from_source - taken <= 4 * 2 + 1
            yield taken_from_source, data

    for key, _, facts in inspect_images(items(), max_pixels=LIMIT, workers=2):
        assert facts == ImageFacts("PNG", "RGB", 150, 150)
        taken = key
    assert taken == 199


def test_an_abandoned_inspection_leaves_no_thread(mixed):
    before = set(threading.enumerate())
    running = inspect_images([(0, dict(mixed)["large"])] * 50, max_pixels=LIMIT, workers=2)
    next(running)
    running.close()
    assert set(threading.enumerate()) == before


def test_a_class_folder_is_learnable_distinct_and_repeatable(make_images, tmp_path):
    choices = {"classes": ("cat", "dog", "eel"), "per_class": 5, "splits": ("train", "val")}
    root, again = (make_images.class_folder(tmp_path / name, **choices) for name in ("a", "b"))
    files = sorted(path.relative_to(root) for path in root.rglob("*.jpg"))
    assert len(files) == 30 and len({(root / file).read_bytes() for file in files}) == 30
    assert all((root / file).read_bytes() == (again / file).read_bytes() for file in files)
    means = {file: np.asarray(Image.open(io.BytesIO((root / file).read_bytes()))).mean((0, 1)) for file in files}
    assert inspect((root / files[0]).read_bytes()) == ImageFacts("JPEG", "RGB", 32, 40)
    centres = {name: np.mean([means[f] for f in files if f.parent.name == name], 0) for name in ("cat", "dog", "eel")}
    for file, mean in means.items():
        assert min(centres, key=lambda name: np.abs(centres[name] - mean).sum()) == file.parent.name
