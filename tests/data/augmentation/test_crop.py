"""A random part of the undecoded image: its position is distributed as stated, and pixels, boxes and masks match it."""

import io

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kerasvision import config as c
from kerasvision.config.augmentation import IouCrop, RandomResizedCrop
from kerasvision.data.augmentation import make_augmentation
from kerasvision.data.augmentation.crop import iou_crop, overlapping_part, random_part, random_resized_crop
from kerasvision.ops.images import decode_image
from kerasvision.ops.random import uniform_rows

DEFAULT = RandomResizedCrop()


def part(size, *numbers, crop=DEFAULT):
    return random_part(tf.constant(size), numbers=tf.constant(numbers, tf.float32), settings=crop).numpy().tolist()


def parts(size, count, crop=DEFAULT):
    @tf.function(autograph=False)
    def draw(rows):
        def one(numbers):
            return random_part(tf.constant(size), numbers=numbers, settings=crop)

        return tf.map_fn(one, rows, fn_output_signature=tf.int32)

    return draw(uniform_rows(0, 0, rows=count, columns=4)).numpy()


def cropped(data, numbers, *, crop=DEFAULT, image_size=(12, 10), color_mode="rgb", **example):
    return random_resized_crop(
        {"image": tf.constant(data), **example},
        numbers=tf.constant(numbers, tf.float32),
        settings=crop,
        transform=c.Transform(image_size=image_size, color_mode=color_mode),
    )


UNIT = st.floats(0, 1, exclude_max=True, width=32)


@settings(max_examples=150)
@given(st.tuples(st.integers(1, 3000), st.integers(1, 3000)), st.tuples(UNIT, UNIT, UNIT, UNIT))
def test_a_part_lies_in_the_image(size, numbers):
    y, x, height, width = part(size, *numbers)
    assert height >= 1 and width >= 1 and y >= 0 and x >= 0
    assert y + height <= size[0] and x + width <= size[1]


@settings(max_examples=100)
@given(st.tuples(st.integers(300, 900), st.integers(300, 900)), st.tuples(UNIT, UNIT, UNIT, UNIT))
def test_area_and_ratio_are_those_asked_for(size, numbers):
    _, _, height, width = part(size, *numbers)
    # A side of at least 70 pixels, rounded: 1 % each.
    assert 0.98 * 3 / 4 <= width / height <= 1.02 * 4 / 3
    assert 0.98 * 0.08 <= height * width / (size[0] * size[1]) <= 1.0


def test_area_is_even_and_ratio_even_in_its_logarithm():
    _, _, height, width = parts((4000, 4000), 3000).T.astype(float)
    area = height * width / 4000**2
    # In a square, every ratio from 3:4 to 4:3 fits if the area is at most 3/4: so both are uniform there.
    small = area < 0.75
    for values, low, high in (
        (area, 0.08, 1.0),
        (np.log(width / height)[small], np.log(3 / 4), np.log(4 / 3)),
    ):
        shares = np.histogram(values, bins=10, range=(low, high))[0] / len(values)
        # 2,000 or more draws: a tenth each, deviation sqrt(0.1 * 0.9 / 2000) = 0.0067.
        np.testing.assert_allclose(shares, 0.1, atol=4 * 0.0067)


def test_every_place_is_as_likely():
    crop = RandomResizedCrop(area=(0.25, 0.25), ratio=(1.0, 1.0))
    y, x, height, width = parts((4, 6), 1200, RandomResizedCrop(area=(1 / 6, 1 / 6), ratio=(1.0, 1.0))).T
    assert set(height) == set(width) == {2}
    counts = np.bincount(y * 5 + x, minlength=15)
    # 1,200 draws of 3 x 5 places: 80 each, deviation sqrt(1200 / 15 * 14 / 15) = 8.6.
    assert np.abs(counts - 80).max() < 4 * 8.6
    assert (parts((4, 4), 20, crop)[:, 2:] == 2).all()


def test_the_first_number_is_the_area_the_second_the_ratio_and_the_others_the_place():
    assert part((100, 100), 0, 0.5, 0, 0) == [0, 0, 28, 28]  # the root of 8 % of 10,000, at the middle ratio, 1
    assert part((100, 100), 0.9, 0.5, 0, 0) == [0, 0, 95, 95]  # the root of 90.8 %
    assert part((100, 100), 0, 0.5, 0.9999, 0.9999) == [72, 72, 28, 28]
    assert part((100, 100), 0, 0.9999, 0, 0) == [0, 0, 24, 33]  # 4:3


def test_of_a_very_long_image_it_takes_the_largest_part_of_the_nearest_ratio():
    for _, _, height, width in parts((10, 1000), 20):
        assert height == 10 and width == 13  # 4:3


def jpeg(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95, **options)
    return file.getvalue()


COARSE = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
SMOOTH = np.asarray(Image.fromarray(COARSE).resize((80, 60), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("color_mode", ["rgb", "grayscale"])
@pytest.mark.parametrize("kind", ["png", "jpeg", "turned"])
@pytest.mark.parametrize("numbers", [(0.3, 0.2, 0.5, 0.7), (0.9, 0.6, 0.2, 0.1)])
def test_pixels_are_those_that_pillow_cuts_out_and_resizes(kind, numbers, color_mode):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = {"png": tf.io.encode_png(SMOOTH).numpy(), "jpeg": jpeg(SMOOTH), "turned": jpeg(SMOOTH, exif=exif)}[kind]
    whole = decode_image(data, color_mode=color_mode).numpy().astype(np.float32)
    y, x, height, width = part(whole.shape[:2], *numbers)
    box = (x, y, x + width, y + height)
    expected = np.stack(
        [
            np.asarray(Image.fromarray(channel, "F").crop(box).resize((10, 12), Image.Resampling.BILINEAR))
            for channel in np.moveaxis(whole, -1, 0)
        ],
        axis=-1,
    )
    ours = cropped(data, numbers, color_mode=color_mode)["image"].numpy()
    # A JPEG decoder that reads only the part rounds the colour of its outermost columns differently, by a few levels.
    np.testing.assert_allclose(ours, expected, atol=0.01 if kind != "jpeg" else 3)


def test_boxes_and_masks_follow():
    image = np.zeros((40, 40, 3), np.uint8)
    image[10:20, 20:32] = 255
    mask = tf.io.encode_png(image[..., :1])
    numbers, crop = (0.0, 0.5, 0.2, 0.9), RandomResizedCrop(area=(0.25, 0.25), ratio=(1.0, 1.0))
    assert part((40, 40), *numbers, crop=crop) == [4, 18, 20, 20]
    objects = {
        "bbox": tf.constant([[10 / 40, 20 / 40, 20 / 40, 32 / 40], [0, 0, 0.1, 0.1]]),
        "label": tf.constant([3, 1], tf.int64),
        "crowd": tf.constant([True, True]),
        "area": tf.constant([120.0, 16.0]),
        "mask": tf.stack([mask, mask]),
    }
    out = cropped(tf.io.encode_png(image).numpy(), numbers, crop=crop, image_size=(20, 20), objects=objects)
    np.testing.assert_allclose(out["objects"]["bbox"], [[6 / 20, 2 / 20, 16 / 20, 14 / 20], [0, 0, 0, 0]], atol=1e-6)
    assert out["objects"]["label"].numpy().tolist() == [3, -1]
    # The area stays that in the whole image.
    assert out["objects"]["crowd"].numpy().tolist() == [True, False]
    assert out["objects"]["area"].numpy().tolist() == [120, 0]
    first, second = out["objects"]["mask"].numpy()
    np.testing.assert_array_equal(first, out["image"][..., 0].numpy() > 127)
    assert first.sum() == 120 and second.sum() == 0


def test_an_image_without_objects_has_none_afterwards():
    objects = {"bbox": tf.zeros((0, 4)), "label": tf.zeros(0, tf.int64), "mask": tf.constant([], tf.string)}
    out = cropped(tf.io.encode_png(SMOOTH).numpy(), (0.5,) * 4, objects=objects)["objects"]
    assert out["bbox"].shape == (0, 4) and out["mask"].shape == (0, 12, 10)


# --- The crop that keeps boxes by their overlap

QUARTER = IouCrop(overlaps=(0.3,), area=(0.2, 0.4), tries=40)
PAINTED = tf.constant([[0.25, 0.25, 0.75, 0.625], [0.0, 0.8, 0.2, 1.0]])


def painted_example(boxes=PAINTED, **parts):
    """A black image of 40 x 40 with white rectangles, and its objects."""
    image = np.zeros((40, 40, 3), np.uint8)
    for box in np.round(np.array(boxes) * 40).astype(int).reshape(-1, 4):
        image[box[0] : box[2], box[1] : box[3]] = 255
    count = len(boxes)
    objects = {
        "bbox": tf.reshape(tf.cast(boxes, tf.float32), [-1, 4]),
        "label": tf.range(count, dtype=tf.int64),
        "crowd": tf.zeros(count, tf.bool),
        "area": tf.ones(count),
        **parts,
    }
    return {"image": tf.io.encode_png(image), "objects": objects}


def iou_cropped(example, numbers, config=QUARTER):
    return iou_crop(example, numbers=tf.constant(numbers), settings=config, transform=c.Transform(image_size=(48, 48)))


def numbers_for(config, seed, first):
    return np.concatenate([[first], np.random.default_rng(seed).random(config.draws - 1)]).astype(np.float32)


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_the_part_overlaps_enough_with_an_object_or_is_the_whole(seed):
    # The third of three choices is the overlap of 0.3.
    size, objects = tf.constant([40, 40]), {"bbox": PAINTED, "label": tf.constant([0, 1], tf.int64)}
    y, x, height, width = overlapping_part(
        size, objects, numbers=tf.constant(numbers_for(QUARTER, seed, 0.9)), settings=QUARTER
    ).numpy()

    def iou(box):
        top, left, bottom, right = np.array(box) * 40
        shared = max(min(bottom, y + height) - max(top, y), 0) * max(min(right, x + width) - max(left, x), 0)
        return shared / (height * width + (bottom - top) * (right - left) - shared)

    assert (height, width) == (40, 40) or max(map(iou, PAINTED.numpy())) >= 0.3 - 1e-5


@pytest.mark.parametrize(("first", "whole"), [(0.1, True), (0.5, False)])
def test_the_first_choice_is_the_whole_image_and_the_second_any_part(first, whole):
    size, objects = tf.constant([40, 40]), {"bbox": PAINTED, "label": tf.constant([0, 1], tf.int64)}
    numbers = tf.constant(numbers_for(QUARTER, 0, first))
    found = overlapping_part(size, objects, numbers=numbers, settings=QUARTER).numpy().tolist()
    first_part = random_part(size, numbers=numbers[1:5], settings=QUARTER).numpy().tolist()
    assert found == ([0, 0, 40, 40] if whole else first_part)


def test_a_crowd_does_not_count_as_an_object_to_overlap_with():
    # Half of the image overlaps by 0.5 with the crowd that fills it, and by nothing with the object in the corner.
    half = IouCrop(overlaps=(0.4,), area=(0.5, 0.5), ratio=(0.5, 2.0), tries=5)
    objects = {"bbox": tf.constant([[0.0, 0, 1, 1], [0.0, 0, 0.02, 0.02]]), "label": tf.constant([0, 1], tf.int64)}
    numbers = tf.constant(numbers_for(half, 0, 0.9))
    for crowd, whole in (((False, False), False), ((True, False), True)):
        part = overlapping_part(
            tf.constant([40, 40]), {**objects, "crowd": tf.constant(crowd)}, numbers=numbers, settings=half
        )
        assert (part.numpy().tolist() == [0, 0, 40, 40]) == whole


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.5, 0.9]))
def test_boxes_of_the_part_lie_within_a_pixel_of_the_painted_pixels(seed, first):
    result = iou_cropped(painted_example(), numbers_for(QUARTER, seed, first))
    white = result["image"].numpy()[..., 0] > 127
    boxes, labels = result["objects"]["bbox"].numpy() * 48, result["objects"]["label"].numpy()
    for (top, left, bottom, right), label in zip(boxes, labels, strict=True):
        if label == -1:
            assert not np.any([top, left, bottom, right])
            continue
        # Two rectangles that do not touch: what is white in the box and around it is this object.
        inner = white[round(top) + 1 : round(bottom) - 1, round(left) + 1 : round(right) - 1]
        assert inner.all()
        around = np.zeros_like(white)
        around[max(round(top) - 1, 0) : round(bottom) + 1, max(round(left) - 1, 0) : round(right) + 1] = True
        assert np.count_nonzero(white & around) <= (bottom - top + 2) * (right - left + 2)


def test_an_object_whose_center_is_outside_is_removed_and_a_crowd_stays():
    # The only part is the upper half. The center of both boxes is in row 24 of 40, and their first row is 16.
    half = IouCrop(overlaps=(), area=(0.5, 0.5), ratio=(2.0, 2.0), tries=1)
    boxes = tf.constant([[0.4, 0.0, 0.8, 0.4], [0.4, 0.5, 0.8, 0.9]])
    example = painted_example(boxes, crowd=tf.constant([False, True]))
    out = iou_cropped(example, np.float32([0.9, 0.5, 0.5, 0.0, 0.0]), half)["objects"]
    assert out["label"].numpy().tolist() == [-1, 1]
    np.testing.assert_allclose(out["bbox"], [[0, 0, 0, 0], [0.8, 0.5, 1, 0.9]], atol=1e-6)
    assert (out["crowd"].numpy().tolist(), out["area"].numpy().tolist()) == ([False, True], [0, 1])


def test_a_box_in_a_part_ends_where_its_mask_ends():
    # An L: its foot is below the part, and the rest of it is narrow.
    mask = np.zeros((40, 40, 1), np.uint8)
    mask[4:36, 4:8], mask[30:36, 4:30] = 1, 1
    half = IouCrop(overlaps=(), area=(0.5, 0.5), ratio=(2.0, 2.0), tries=1)
    example = painted_example(tf.constant([[0.1, 0.1, 0.9, 0.75]]), mask=tf.io.encode_png(mask * 255)[None])
    example["objects"]["crowd"] = tf.constant([True])
    out = iou_cropped(example, np.float32([0.9, 0.5, 0.5, 0.0, 0.0]), half)["objects"]
    np.testing.assert_allclose(out["bbox"], [[0.2, 0.1, 1, 0.2]], atol=0.5 / 48)


def test_an_image_without_objects_is_cropped():
    example = painted_example(tf.zeros((0, 4)))
    out = iou_cropped(example, numbers_for(QUARTER, 0, 0.9))
    assert out["image"].shape == (48, 48, 3) and out["objects"]["bbox"].shape == (0, 4)
    part = overlapping_part(
        tf.constant([40, 40]), example["objects"], numbers=tf.constant(numbers_for(QUARTER, 0, 0.9)), settings=QUARTER
    )
    assert part.numpy().tolist() != [0, 0, 40, 40]


def test_the_visible_share_counts_from_the_encoded_image():
    # Of the object, rows 16 to 20 of 16 to 24 are in the upper half: one half.
    half = IouCrop(overlaps=(), area=(0.5, 0.5), ratio=(2.0, 2.0), tries=1)
    example = painted_example(tf.constant([[0.4, 0.0, 0.6, 0.4]]))
    for least, crowd in ((0.49, False), (0.51, True)):
        chain = make_augmentation((half, c.VisibleObjects(least=least)))
        numbers = tf.constant([0.9, 0.5, 0.5, 0.0, 0.0])
        out = chain.cropped(example, numbers, c.Transform(image_size=(48, 48)))
        batch = tf.nest.map_structure(lambda part: part[None], out)
        assert chain(batch, numbers[None])["objects"]["crowd"].numpy().tolist() == [[crowd]]
