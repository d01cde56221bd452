"""Mosaic: four parts of images fill each image, and boxes and masks stay on the pixels of their objects."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasvision import config as c
from kerasvision.config.augmentation import check_data
from kerasvision.data.augmentation import make_augmentation
from kerasvision.data.augmentation.mosaic import make_tiles
from kerasvision.errors import ConfigError

COUNT, HEIGHT, WIDTH, PIXELS = 4, 40, 56, np.array([40, 56, 40, 56])
BRIGHT = 60.0


def rectangles(random, count):
    """int (count, 4): top, left, bottom, right of rectangles that do not touch each other, 8 x 8 pixels or larger."""
    cells = random.permutation(6)[:count]
    tops, lefts = cells // 3 * 20 + random.integers(0, 8, count), cells % 3 * 18 + random.integers(0, 7, count)
    return np.stack([tops, lefts, tops + random.integers(8, 13, count), lefts + random.integers(8, 12, count)], axis=1)


def scenes(seed=0, *, objects=2, rows=3, channels=3, masks=True):
    """Four black images. Object k of image i is a solid rectangle of brightness 60 + 10 k + 40 i, and has class 10 i + k."""
    random = np.random.default_rng(seed)
    image = np.zeros((COUNT, HEIGHT, WIDTH, channels), np.float32)
    label = np.full((COUNT, rows), -1)
    box, mask = np.zeros((COUNT, rows, 4), np.float32), np.zeros((COUNT, rows, HEIGHT, WIDTH), np.uint8)
    for i in range(COUNT):
        for k, (top, left, bottom, right) in enumerate(rectangles(random, objects)):
            image[i, top:bottom, left:right] = BRIGHT + 10 * k + 40 * i
            mask[i, k, top:bottom, left:right] = 1
            box[i, k] = np.array([top, left, bottom, right]) / PIXELS
            label[i, k] = 10 * i + k
    is_there = label >= 0
    parts = {"bbox": box, "label": label, "crowd": label % 10 == 1, "area": np.float32(label + 7) * is_there}
    parts = parts | ({"mask": mask} if masks else {})
    return {"image": image, "id": np.arange(COUNT).astype(str), "objects": parts}


@functools.cache
def in_a_graph(config):
    augmenter = make_augmentation((config,))
    return tf.function(lambda batch, numbers: augmenter.mix(batch, numbers, 0), autograph=False)


def mixed(batch, config=c.Mosaic(), seed=0, numbers=None):  # noqa: B008 - settings do not change
    numbers = np.random.default_rng(seed).random((len(batch["image"]), 18), np.float32) if numbers is None else numbers
    return tf.nest.map_structure(lambda part: part.numpy(), in_a_graph(config)(batch, numbers))


def extent(seen):
    """The smallest box around the true values, in pixels."""
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    return np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])


def objects_of(result, image):
    """For each object of an image: its label, its box in pixels, and its other parts."""
    for k in np.flatnonzero(result["objects"]["label"][image] >= 0):
        yield {name: part[image, k] for name, part in result["objects"].items()}


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_boxes_and_masks_lie_within_a_pixel_of_the_painted_pixels(seed):
    result = mixed(scenes(seed), seed=seed)
    for image in range(COUNT):
        for thing in objects_of(result, image):
            # A pixel next to a border is darker, so it may fall below or above the half.
            mask, box = thing["mask"] > 0, thing["bbox"] * PIXELS
            if mask.any():
                assert np.abs(extent(mask) - box).max() <= 1
            inner = np.zeros((HEIGHT, WIDTH), bool)
            top, left, bottom, right = np.round(box).astype(int)
            inner[top + 2 : max(bottom - 2, 0), left + 2 : max(right - 2, 0)] = True
            i, k = divmod(int(thing["label"]), 10)
            np.testing.assert_allclose(result["image"][image, ..., 0][inner], BRIGHT + 10 * k + 40 * i, atol=1e-2)
            assert (thing["crowd"], thing["area"]) == (k == 1, thing["label"] + 7)


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_every_painted_pixel_is_in_a_box(seed):
    result = mixed(scenes(seed), seed=seed)
    for image in range(COUNT):
        painted = result["image"][image, ..., 0] > 0
        for thing in objects_of(result, image):
            top, left, bottom, right = (thing["bbox"] * PIXELS).astype(int)
            painted[max(top - 1, 0) : bottom + 2, max(left - 1, 0) : right + 2] = False
        assert not painted.any()


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_an_object_appears_at_most_once_for_each_part_and_none_is_new(seed):
    batch = scenes(seed)
    labels = mixed(batch, seed=seed)["objects"]["label"]
    known = set(batch["objects"]["label"].ravel().tolist())
    assert set(labels.ravel().tolist()) <= known
    # Four parts of at most 2 objects; each image is in the mosaics of a batch four times.
    assert ((labels >= 0).sum(axis=1) <= 8).all()
    assert all((labels == label).sum() <= 4 for label in known - {-1})


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_the_four_parts_fill_the_image_and_lie_in_theirs(seed):
    config = c.Mosaic(center=(0.0, 1.0), scale=(0.05, 1.0))
    numbers = np.random.default_rng(seed).random((COUNT, 18), np.float32)
    tiles = make_tiles(tf.constant([HEIGHT, WIDTH]), tf.constant(numbers), config)
    covered = np.zeros((HEIGHT, WIDTH), int)
    for tile in tiles:
        (top, left), (height, width) = tile.corner.numpy(), tile.size.numpy()
        assert height > 0 and width > 0
        covered[top : top + height, left : left + width] += 1
        assert sorted(tile.other.numpy()) == list(range(COUNT))
        end = tile.start.numpy() + np.array([height, width]) / tile.scale.numpy()
        assert (tile.start.numpy() >= 0).all() and (end <= [HEIGHT + 1e-3, WIDTH + 1e-3]).all()
        assert (tile.scale.numpy() <= 1).all()
    assert (covered == 1).all()
    # No black line where a part ends at the border of its image.
    bright = {"image": np.full((COUNT, HEIGHT, WIDTH, 1), 200, np.float32)}
    np.testing.assert_allclose(mixed(bright, config, numbers=numbers)["image"], 200, atol=1e-3)


def test_at_scale_1_a_part_has_the_pixels_of_its_image():
    # All places are 0: every part is the top left of its image. The middle is at half of each side, 20 and 28.
    numbers = np.zeros((COUNT, 18), np.float32)
    numbers[0, :2] = 0.5
    numbers[:, 2:5] = np.array([[0.1, 0.4, 0.4], [0.2, 0.3, 0.2], [0.3, 0.2, 0.1], [0.4, 0.1, 0.3]])
    batch = {"image": np.random.default_rng(0).uniform(0, 255, (COUNT, HEIGHT, WIDTH, 3)).astype(np.float32)}
    result = mixed(batch, c.Mosaic(scale=(1.0, 1.0)), numbers=numbers)["image"]
    # The partners are the orders of the three columns: 0 1 2 3, 3 2 1 0 and 2 1 3 0.
    for image, others in enumerate(zip(range(4), (0, 1, 2, 3), (3, 2, 1, 0), (2, 1, 3, 0), strict=True)):
        parts = [batch["image"][other, :20, :28] for other in others]
        np.testing.assert_allclose(result[image, :20, :28], parts[0], atol=0.1)
        np.testing.assert_allclose(result[image, :20, 28:], parts[1], atol=0.1)
        np.testing.assert_allclose(result[image, 20:, :28], parts[2], atol=0.1)
        np.testing.assert_allclose(result[image, 20:, 28:], parts[3], atol=0.1)


def test_with_too_many_objects_an_image_stays_as_it_is(monkeypatch):
    monkeypatch.setattr("kerasvision.config.augmentation_mixing.LEAST_ROWS", 1)
    # Two rows become four, but four parts of images with two objects each may show eight.
    batch = scenes(3, rows=2)
    result = mixed(batch, c.Mosaic(scale=(0.5, 0.5), center=(0.5, 0.5)), seed=1)
    assert result["objects"]["label"].shape == (COUNT, 4)
    stayed = [np.array_equal(one, other) for one, other in zip(result["image"], batch["image"], strict=True)]
    assert any(stayed)
    for image in np.flatnonzero(stayed):
        assert result["objects"]["label"][image].tolist() == [10 * image, 10 * image + 1, -1, -1]
        np.testing.assert_array_equal(result["objects"]["bbox"][image, :2], batch["objects"]["bbox"][image])


def test_images_without_objects_and_grey_ones_are_mixed():
    result = mixed(scenes(objects=0, rows=0, channels=1))
    assert result["image"].shape == (COUNT, HEIGHT, WIDTH, 1)
    assert result["objects"]["bbox"].shape == (COUNT, 0, 4)
    assert result["objects"]["mask"].shape == (COUNT, 0, HEIGHT, WIDTH)


def test_an_image_that_is_not_chosen_stays_and_gets_rows():
    batch = scenes(masks=False)
    result = mixed(batch, c.Mosaic(probability=0.0))
    np.testing.assert_array_equal(result["image"], batch["image"])
    assert result["objects"]["label"].shape == (COUNT, 12)
    np.testing.assert_array_equal(result["objects"]["label"][:, :3], batch["objects"]["label"])
    assert (result["objects"]["label"][:, 3:] == -1).all() and not result["objects"]["area"][:, 3:].any()


def test_objects_without_masks_are_where_those_with_masks_are():
    with_masks, without = mixed(scenes(5), seed=2), mixed(scenes(5, masks=False), seed=2)
    np.testing.assert_array_equal(with_masks["objects"]["label"], without["objects"]["label"])
    # Solid rectangles fill their boxes, so their masks move a side by less than two pixels.
    assert np.abs((with_masks["objects"]["bbox"] - without["objects"]["bbox"]) * PIXELS).max() < 2


@pytest.mark.parametrize(("rows", "expected"), [(0, 0), (4, 16), (16, 64), (20, 64), (40, 80), (100, 200)])
def test_rows_for_objects_grow_fourfold_but_to_64_or_twice_as_many_at_most(rows, expected):
    assert make_augmentation((c.RandomFlip(), c.Mosaic())).rows_of_objects(rows) == expected


def test_mosaics_of_images_with_one_label_are_refused():
    check_data((c.Mosaic(),), labelled=True, has_objects=True)
    with pytest.raises(ConfigError, match="Mosaic shows parts of several images, which no single label fits"):
        check_data((c.Mosaic(),), labelled=True, has_objects=False)
    with pytest.raises(ConfigError, match=r"no single label fits\. Remove Mosaic from augment, or use MixUp or CutMix"):
        c.Experiment(
            name="digits",
            source=c.Digits(),
            transform=c.Transform(image_size=(32, 32)),
            augment=(c.Mosaic(),),
            task=c.Classification(),
            model=c.Model(name="lenet5"),
        )


@pytest.mark.parametrize("fields", [{"scale": (0.5, 1.5)}, {"scale": (0.0, 1.0)}, {"center": (0.7, 0.3)}])
def test_impossible_ranges_are_refused(fields):
    with pytest.raises(ConfigError, match=r"scale must be .* in \(0, 1\], and center"):
        c.Mosaic(**fields)
