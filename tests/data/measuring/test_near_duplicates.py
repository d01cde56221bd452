"""Files that show the same picture are found after every change; different pictures are not grouped."""

import io

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageEnhance
from sklearn.datasets import load_digits

from kerasvision.data.measuring.near_duplicates import MOST_BITS, WINDOW, _candidates, fingerprints, near_duplicate_groups

RANDOM = np.random.default_rng(0)


def photo():
    """A picture with structure at several sizes, as photos have."""
    layers = [RANDOM.integers(0, 256, (side, side, 3), np.uint8) for side in (3, 6, 12)]
    large = [np.asarray(Image.fromarray(layer).resize((200, 150), Image.Resampling.BICUBIC)) for layer in layers]
    return Image.fromarray(np.average(large, axis=0, weights=(0.5, 0.3, 0.2)).astype(np.uint8))


def jpeg(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


PHOTOS = [photo() for _ in range(60)]
CHANGES = {
    "JPEG of low quality": lambda image: jpeg(image, 30),
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "stretched to a square": lambda image: image.resize((150, 150)),
    "lighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.8),
    "1 % trimmed on every side": lambda image: image.crop((2, 2, 198, 148)),
}


def stretched(images):
    return np.stack([np.asarray(image.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)) for image in images])


def groups(images, contents=None):
    contents = np.arange(len(images)) if contents is None else np.asarray(contents)
    return near_duplicate_groups(*fingerprints(stretched(images)), contents=contents).tolist()


def plain(level):
    return Image.new("RGB", (40, 40), (level, level, level))


FLAT = np.broadcast_to(np.arange(0, 256, 15, dtype=np.uint8)[:, None, None, None], (18, 32, 32, 3))
STRIPES = np.broadcast_to(RANDOM.integers(0, 256, (50, 1, 32, 3), np.uint8), (50, 32, 32, 3))


@pytest.mark.parametrize("images", [stretched(PHOTOS), RANDOM.integers(0, 256, (50, 32, 32, 3), np.uint8), STRIPES, FLAT])
def test_hashes_are_those_of_imagehash(images):
    theirs = [imagehash.phash(Image.fromarray(image)) for image in images]
    # `str` of their hash writes the bits row by row, as a number in base 16.
    bits = [int(str(one), 16) for one in theirs]
    assert fingerprints(images)[0].byteswap().tolist() == bits


def test_different_pictures_are_no_copies():
    assert groups(PHOTOS) == [-1] * len(PHOTOS)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_copy_is_grouped_with_its_original_and_with_nothing_else(change):
    found = groups([*PHOTOS, *(change(image) for image in PHOTOS[:20])])
    assert found[:20] == found[60:] == list(range(20))
    assert set(found[20:60]) == {-1}


def test_a_mirrored_picture_is_another():
    assert set(groups([*PHOTOS, PHOTOS[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT)])) == {-1}


def test_the_same_shape_in_another_colour_is_another_picture():
    shapes = [Image.new("RGB", (64, 64)) for _ in range(2)]
    for image, colour in zip(shapes, ("red", "blue"), strict=True):
        image.paste(colour, (20, 10, 50, 40))
    assert groups(shapes) == [-1, -1]


def test_files_with_the_same_bytes_alone_are_no_near_copies():
    assert groups([PHOTOS[0], PHOTOS[0], PHOTOS[1]], contents=[7, 7, 8]) == [-1, -1, -1]


def test_a_group_holds_exact_copies_too_where_one_file_differs():
    assert groups([PHOTOS[0], PHOTOS[0], jpeg(PHOTOS[0], 60)], contents=[7, 7, 8]) == [0, 0, 0]


def test_plain_pictures_are_alike_only_where_they_are_equal():
    assert groups([plain(40), plain(41), plain(200), plain(41)]) == [-1, 0, -1, 0]


def test_groups_join_and_are_numbered_by_their_first_image():
    first, second = PHOTOS[:2]
    assert groups([first, second, jpeg(second, 50), jpeg(first, 50), second.resize((90, 70))]) == [0, 1, 1, 0, 1]


def test_among_pictures_that_are_alike_by_nature_only_nearly_equal_ones_are_copies():
    digits = [Image.fromarray((image * 15).astype(np.uint8)) for image in load_digits().images]
    assert set(groups(digits)) == {-1}
    found = groups([*digits, ImageEnhance.Brightness(digits[5]).enhance(0.8)])
    assert found[5] == found[-1] == 0
    assert sum(number >= 0 for number in found) == 2


@pytest.mark.parametrize("count", [0, 1, 2])
def test_so_few_images_are_no_trouble(count):
    empty = np.zeros(count, np.uint64), np.zeros((count, 768), np.uint8)
    assert near_duplicate_groups(*empty, contents=np.zeros(count, np.int64)).tolist() == [-1] * count


def test_every_pair_of_hashes_within_6_bits_is_proposed_once_and_none_beyond_the_bound():
    hashes = RANDOM.integers(0, 2**64, 400, np.uint64)
    copies = hashes.copy()
    for _ in range(6):
        copies ^= np.uint64(1) << RANDOM.integers(0, 64, 400, np.uint64)
    every = np.concatenate([hashes, copies])
    proposed = [tuple(sorted(pair)) for pairs in _candidates(every) for pair in np.stack(pairs, axis=1).tolist()]
    assert len(set(proposed)) == len(proposed)
    assert set(proposed) >= {(number, number + 400) for number in range(400)}
    assert max(int(every[a] ^ every[b]).bit_count() for a, b in proposed) <= MOST_BITS


def test_images_that_all_share_a_hash_cost_no_more_than_linear_time():
    count = 3_000
    assert sum(len(first) for first, _ in _candidates(np.zeros(count, np.uint64))) <= WINDOW * count
