"""Decoding, turning and resizing agree with Pillow, and give the same eagerly, in tf.data and in serving."""

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from kerasvision.errors import ConfigError
from kerasvision.ops.images import apply_orientation, decode_image, decode_part, open_image
from kerasvision.ops.resize import cut_out, fitted, moved, needed_part, place_image, place_masks, resize_image

ORIENTATIONS = range(1, 9)
FITS = ("stretch", "crop", "pad")


def pillow_rgb(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def decoded(data, color_mode="rgb"):
    return decode_image(data, color_mode=color_mode).numpy()


def resized(image, image_size, fit):
    return resize_image(np.asarray(image, np.float32)[..., np.newaxis], image_size=image_size, fit=fit)[..., 0].numpy()


@pytest.mark.parametrize("byte_order", ("big", "little"))
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_rotated_jpeg_is_turned_as_pillow_turns_it(make_images, orientation, byte_order):
    data = make_images.exif_rotated(orientation, byte_order)
    stored = Image.fromarray(tf.io.decode_image(data, channels=3).numpy())
    with Image.open(io.BytesIO(data)) as image:
        stored.getexif()[0x0112] = image.getexif()[0x0112]
    np.testing.assert_array_equal(decoded(data), ImageOps.exif_transpose(stored))


@pytest.mark.parametrize("orientation", [0, *ORIENTATIONS, 9])
def test_every_orientation_is_applied_as_pillow_applies_it(orientation):
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    np.testing.assert_array_equal(apply_orientation(pixels, orientation), ImageOps.exif_transpose(image))


def test_six_is_a_quarter_turn_clockwise():
    lying = [[[1], [2], [3]], [[4], [5], [6]]]
    assert apply_orientation(lying, 6)[..., 0].numpy().tolist() == [[4, 1], [5, 2], [6, 3]]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_a_png_of_any_mode_is_decoded_exactly(make_images, mode):
    data = make_images.encoded(make_images.picture(mode), "PNG")
    np.testing.assert_array_equal(decoded(data), pillow_rgb(data))


@pytest.mark.parametrize(
    ("image_format", "options"),
    [("GIF", {}), ("BMP", {}), ("WEBP", {"lossless": True}), ("WEBP", {}), ("JPEG", {"quality": 95}), ("PNG", {})],
)
def test_a_file_of_any_format_is_decoded_as_pillow_decodes_it(make_images, image_format, options):
    data = make_images.encoded(make_images.picture(), image_format, **options)
    # TensorFlow decodes JPEG with libjpeg's fast transform, Pillow with its accurate one.
    tolerance = {"JPEG": 16, "WEBP": 0 if options else 2}.get(image_format, 0)
    assert np.abs(decoded(data).astype(int) - pillow_rgb(data)).max() <= tolerance


def test_transparent_pixels_show_the_colour_under_them(make_images):
    image = decoded(make_images.rgba())
    assert image.shape[-1] == 3 and image[0, 0].tolist() == [255, 0, 0]


def test_sixteen_bits_become_their_upper_eight(make_images):
    assert decoded(make_images.sixteen_bit(), "grayscale").ravel().tolist() == list(range(256))


# (bits, value) -> grey level: the upper 8 of the bits that are used; larger values are white.
@pytest.mark.parametrize(
    ("bits", "value", "level"),
    [
        (12, 0, 0),
        (12, 15, 0),
        (12, 16, 1),
        (12, 2048, 128),
        (12, 4095, 255),
        (12, 4096, 255),
        (12, 65_535, 255),
        (14, 4095, 63),
        (10, 1023, 255),
        (8, 200, 200),
        (8, 300, 255),
        (16, 4095, 15),
        (16, 65_535, 255),
        (15, 32_767, 255),
    ],
)
def test_the_bits_that_are_used_fill_the_range(bits, value, level):
    for channels in (1, 2, 3, 4):
        data = tf.io.encode_png(np.full((2, 3, channels), value, np.uint16))
        for mode in ("grayscale", "rgb"):
            pixels = decode_image(data, color_mode=mode, significant_bits=bits).numpy()
            assert pixels.shape == (2, 3, 1 if mode == "grayscale" else 3) and (pixels == level).all()
            opened = open_image(data, color_mode=mode, significant_bits=bits)
            assert (decode_part(opened, (0, 0, 2, 2)).numpy() == level).all()


def test_the_bits_that_are_used_change_files_of_16_bits_only(make_images):
    files = [getattr(make_images, name)() for name in ("grey", "rgba", "palette", "cmyk", "animated_gif", "wrong_extension")]
    for data in [*files, make_images.exif_rotated(6), make_images.encoded(make_images.picture(), "BMP")]:
        np.testing.assert_array_equal(decode_image(data, color_mode="rgb", significant_bits=12), decoded(data))


def test_cmyk_becomes_the_rgb_that_pillow_makes_of_it(make_images):
    data = make_images.cmyk()
    assert np.abs(decoded(data).astype(int) - pillow_rgb(data)).max() <= 16


def test_an_animation_becomes_its_first_frame(make_images):
    data = make_images.animated_gif()
    np.testing.assert_array_equal(decoded(data), pillow_rgb(data))


def test_all_256_greys_keep_their_values(make_images):
    greys = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for mode in ("L", "RGB"):
        data = make_images.encoded(Image.fromarray(greys).convert(mode), "PNG")
        np.testing.assert_array_equal(decoded(data, "grayscale")[..., 0], greys)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_grey_is_the_luma_that_pillow_computes(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    data = tf.io.encode_png(pixels)
    np.testing.assert_array_equal(decoded(data, "grayscale")[..., 0], Image.fromarray(pixels).convert("L"))


def test_a_rotated_jpeg_becomes_grey_too(make_images):
    assert decoded(make_images.exif_rotated(6), "grayscale").shape == (20, 12, 1)


@pytest.mark.parametrize("bad", ["zero_byte", "text_named_jpg", "truncated_jpeg", "giant_header_png", "tiff"])
def test_what_is_no_image_raises(make_images, bad):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decoded(getattr(make_images, bad)())


def test_an_unknown_choice_is_refused_with_the_way_out(make_images):
    with pytest.raises(ConfigError, match="color_mode must be 'rgb' or 'grayscale'; received 'grey'"):
        decode_image(make_images.grey(), color_mode="grey")
    with pytest.raises(ConfigError, match="no fit is named 'stretched'; did you mean 'stretch'"):
        resize_image([[[0.0]]], image_size=(1, 1), fit="stretched")
    for size in ((0, 1), (2,), (2.0, 2)):
        with pytest.raises(ConfigError, match="two positive whole numbers"):
            resize_image([[[0.0]]], image_size=size, fit="pad")


@pytest.mark.parametrize("kind", ["JPEG", "progressive", "grey", "cmyk", "turned", "PNG", "GIF", "WEBP"])
@pytest.mark.parametrize("color_mode", ["rgb", "grayscale"])
def test_a_part_is_what_is_cut_out_of_the_whole(make_images, kind, color_mode):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)).resize((90, 70))
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"progressive": {"progressive": True}, "turned": {"exif": exif}}.get(kind, {})
    picture = picture.convert({"grey": "L", "cmyk": "CMYK"}.get(kind, "RGB"))
    data = make_images.encoded(picture, kind if kind.isupper() and kind != "CMYK" else "JPEG", **options)
    whole = decoded(data, color_mode)
    for y, x, height, width in [(0, 0, *whole.shape[:2]), (10, 7, 30, 41), (33, 16, 1, 1), (5, 40, 60, 30)]:
        image = open_image(data, color_mode=color_mode)
        assert image.size.numpy().tolist() == list(whole.shape[:2])
        part = decode_part(image, [y, x, height, width])
        off = np.abs(part.numpy().astype(int) - whole[y : y + height, x : x + width])
        # A JPEG shares the colour of the outermost columns with pixels that are not decoded, so these may be off.
        assert off[:, 1:-1].max(initial=0) == 0 and off.max() <= 30


@pytest.mark.parametrize("crop_fraction", [1.0, 0.875])
@pytest.mark.parametrize("size", [(375, 500), (500, 375), (100, 90), (31, 400)])
def test_the_needed_part_gives_the_pixels_of_the_whole(size, crop_fraction):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    placement = fitted(tf.constant(size), image_size=(64, 60), fit="crop", crop_fraction=crop_fraction)
    box = needed_part(tf.constant(size), placement, image_size=(64, 60))
    y, x, height, width = box.numpy()
    assert height * width <= size[0] * size[1] * (1.0 if size == (100, 90) else 0.9)
    part = place_image(tf.constant(image[y : y + height, x : x + width]), moved(placement, box), image_size=(64, 60))
    np.testing.assert_allclose(part, place_image(tf.constant(image), placement, image_size=(64, 60)), atol=0.01)


def test_the_usual_evaluation_crop_is_224_out_of_256():
    image = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    large = _in_two_steps(image, image_size=(256, 256), fit="crop")
    ours = resize_image(image, image_size=(224, 224), fit="crop", crop_fraction=0.875)
    # Positions of some hundred pixels are rounded to 1/65536 of a pixel, which is 0.01 of 255 levels at most.
    np.testing.assert_allclose(ours, large[16:240, 16:240], atol=0.01)


@pytest.mark.parametrize(("crop_fraction", "fit"), [(0.0, "crop"), (1.1, "crop"), (0.5, "stretch"), (0.5, "pad")])
def test_a_crop_fraction_needs_a_crop(crop_fraction, fit):
    with pytest.raises(ConfigError, match="crop_fraction must lie in"):
        resize_image([[[0.0]]], image_size=(1, 1), fit=fit, crop_fraction=crop_fraction)


def test_masks_take_the_nearest_pixel_and_nothing_from_outside():
    masks = tf.constant([[[1, 2], [3, 4]]], tf.uint8)
    doubled = place_masks(masks, cut_out([0, 0, 2, 2], image_size=(4, 4)), image_size=(4, 4))[0]
    assert doubled.numpy().tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    shifted = place_masks(masks, cut_out([1, -1, 2, 2], image_size=(2, 2)), image_size=(2, 2))[0]
    assert shifted.numpy().tolist() == [[0, 3], [0, 0]]


def test_halving_averages_with_the_triangle_of_pillows_bilinear():
    # Twice as wide as for enlarging: weights 3 3 1 0 (of 7) for the first pixel, 0 1 3 3 for the second.
    assert resized([[0, 70, 0, 0]], (1, 2), "stretch")[0].tolist() == pytest.approx([30.0, 10.0], abs=1e-4)


def test_doubling_interpolates_between_pixel_centres():
    assert resized([[0, 100]], (1, 4), "stretch").tolist() == [[0.0, 25.0, 75.0, 100.0]]


def test_stretch_scales_each_side_by_itself():
    assert resized([[10, 20]], (2, 1), "stretch").tolist() == [[15.0], [15.0]]


@pytest.mark.parametrize("fit", FITS)
def test_a_picture_of_the_results_size_keeps_its_values(fit):
    image = np.random.default_rng(2).integers(0, 256, (5, 4, 3)).astype(np.uint8)
    pictures = tf.data.Dataset.from_tensors(image).map(lambda one: resize_image(one, image_size=(5, 4), fit=fit))
    assert pictures.element_spec == tf.TensorSpec((5, 4, 3), tf.float32)
    np.testing.assert_array_equal(pictures.get_single_element(), image)


def test_a_picture_of_the_results_size_is_still_moved_and_scaled():
    image = tf.constant([[[1.0], [2.0]], [[3.0], [4.0]]])
    raised = place_image(image, cut_out([1, 0, 2, 2], image_size=(2, 2)), image_size=(2, 2))[..., 0]
    assert raised.numpy().tolist() == [[3, 4], [0, 0]]
    lower_half = place_image(image, cut_out([1, 0, 1, 2], image_size=(2, 2)), image_size=(2, 2))[..., 0]
    assert lower_half.numpy().tolist() == [[2.5, 3.5], [3, 4]]  # 1.25 lies between the middles 0.5 and 1.5


def test_crop_keeps_the_middle_and_drops_an_odd_pixel_at_the_end():
    assert resized([[1, 2, 3, 4, 5]], (1, 1), "crop").tolist() == [[3.0]]
    assert resized([[1, 2, 3, 4]], (1, 1), "crop").tolist() == [[2.0]]
    assert resized([[1], [2], [3], [4]], (2, 1), "crop").tolist() == [[2.0], [3.0]]


def test_pad_keeps_all_and_puts_it_in_the_middle_of_black():
    assert resized([[1, 2]], (3, 2), "pad").tolist() == [[0, 0], [1, 2], [0, 0]]
    assert resized([[1, 2]], (2, 2), "pad").tolist() == [[1, 2], [0, 0]]
    assert resized([[7]], (2, 4), "pad").tolist() == [[0, 7, 7, 0], [0, 7, 7, 0]]


def test_a_thread_of_an_image_neither_vanishes_nor_explodes():
    assert resized(np.full((1000, 1), 9), (10, 10), "pad").max() == pytest.approx(9)
    assert resized(np.full((1, 100_000), 9), (224, 224), "crop") == pytest.approx(np.full((224, 224), 9.0))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (31, 17), (17, 31), (64, 48)])
@pytest.mark.parametrize("image_size", [(1, 1), (16, 16), (20, 33)])
def test_the_one_operation_equals_resizing_and_then_cutting_or_padding(shape, image_size, fit):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    expected = _in_two_steps(image, image_size=image_size, fit=fit)
    np.testing.assert_allclose(resize_image(image, image_size=image_size, fit=fit), expected, atol=2e-3)


def _in_two_steps(image, *, image_size, fit):
    ratios = [target / side for target, side in zip(image_size, image.shape, strict=False)]
    ratio = {"stretch": None, "crop": max(ratios), "pad": min(ratios)}[fit]
    size = image_size if ratio is None else [max(1, round(side * ratio)) for side in image.shape[:2]]
    scaled = tf.cast(tf.image.resize(image, size, method="bilinear", antialias=True), tf.float32)
    top, left = (abs(a - b) // 2 for a, b in zip(size, image_size, strict=True))
    if fit == "crop":
        return scaled[top : top + image_size[0], left : left + image_size[1]]
    return tf.image.pad_to_bounding_box(scaled, top, left, *image_size)


@pytest.mark.parametrize("shape", [(40, 30), (9, 50)])
def test_stretch_is_pillows_bilinear_resize(shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    expected = Image.fromarray(pixels.astype(np.float32), "F").resize((16, 12), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(resized(pixels, (12, 16), "stretch"), np.asarray(expected), atol=1e-3)


SIDES = st.tuples(st.integers(1, 40), st.integers(1, 40))


@settings(max_examples=30)
@given(SIDES, SIDES, st.sampled_from(FITS), st.integers(0, 255))
def test_one_colour_stays_that_colour_and_in_range(sides, image_size, fit, grey):
    out = resize_image(np.full((*sides, 1), grey, np.uint8), image_size=image_size, fit=fit).numpy()
    assert out.shape == (*image_size, 1) and out.dtype == np.float32
    assert out.min() >= 0 and out.max() <= 255
    coloured = out if fit != "pad" else out[out > 0]
    np.testing.assert_allclose(coloured, grey, atol=1e-3)


def serve(image_bytes, fit="crop", color_mode="rgb"):
    return resize_image(decode_image(image_bytes, color_mode=color_mode), image_size=(12, 10), fit=fit)


@pytest.fixture
def batch(make_images):
    turned = [make_images.exif_rotated(orientation) for orientation in ORIENTATIONS]
    return [*turned, make_images.grey(), make_images.cmyk(), make_images.animated_gif(), make_images.one_by_one()]


# Each fit and each colour mode once; they are independent.
@pytest.mark.parametrize(
    ("fit", "color_mode"),
    [
        ("crop", "rgb"),
        ("pad", "grayscale"),
        ("stretch", "grayscale"),
        pytest.param("crop", "grayscale", marks=pytest.mark.slow),
        pytest.param("pad", "rgb", marks=pytest.mark.slow),
        pytest.param("stretch", "rgb", marks=pytest.mark.slow),
    ],
)
def test_eager_dataset_and_map_fn_give_the_same(batch, fit, color_mode):
    def one(image_bytes):
        return serve(image_bytes, fit, color_mode)

    eager = np.stack([one(data) for data in batch])
    dataset = tf.data.Dataset.from_tensor_slices(batch).map(one, num_parallel_calls=2)
    channels = 3 if color_mode == "rgb" else 1
    assert dataset.element_spec.shape == (12, 10, channels)
    in_graph = tf.function(lambda texts: tf.map_fn(one, texts, fn_output_signature=tf.float32))
    np.testing.assert_array_equal(np.stack(list(dataset.as_numpy_iterator())), eager)
    np.testing.assert_array_equal(in_graph(tf.constant(batch)), eager)


class Server(tf.Module):
    """Decode and resize over a batch of files, as an exported model does it."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def serving_default(self, image_bytes):
        spec = tf.TensorSpec([12, 10, 3], tf.float32)
        return {"images": tf.map_fn(serve, image_bytes, fn_output_signature=spec)}


def test_a_saved_model_gives_the_same(tmp_path, batch):
    server = Server()
    tf.saved_model.save(server, str(tmp_path), signatures={"serving_default": server.serving_default})
    loaded = tf.saved_model.load(str(tmp_path))
    answer = loaded.signatures["serving_default"](image_bytes=tf.constant(batch))["images"]
    assert answer.shape == (len(batch), 12, 10, 3)
    np.testing.assert_array_equal(answer, np.stack([serve(data) for data in batch]))
