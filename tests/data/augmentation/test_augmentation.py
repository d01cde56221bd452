"""Random changes depend on their numbers only, and equal their definitions in NumPy, Pillow or SciPy."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy import ndimage

from kerasvision import config as a
from kerasvision.config.augmentation import check_data
from kerasvision.data.augmentation import make_augmentation
from kerasvision.errors import ConfigError

IMAGES = np.random.default_rng(0).uniform(0, 255, (64, 7, 9, 3)).astype(np.float32)


def random_numbers(rows, columns, seed=1):
    return np.random.default_rng(seed).random((rows, columns), np.float32)


def augmented(*augment, images=IMAGES, numbers=None, seed=1):
    augmenter = make_augmentation(augment)
    numbers = random_numbers(len(images), augmenter.draws, seed) if numbers is None else np.asarray(numbers, np.float32)
    return augmenter({"image": tf.constant(images, tf.float32)}, tf.constant(numbers))["image"].numpy()


def crops(image, pad):
    """(dy, dx) -> the image padded by `np.pad` with its border pixels and cropped there."""
    height, width, _ = image.shape
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    places = [(dy, dx) for dy in range(2 * pad + 1) for dx in range(2 * pad + 1)]
    return {(dy, dx): padded[dy : dy + height, dx : dx + width] for dy, dx in places}


def places(images, moved, pad):
    """For each image, every place at which its crop equals the result."""
    return [
        [place for place, crop in crops(image, pad).items() if np.array_equal(crop, result)]
        for image, result in zip(images, moved, strict=True)
    ]


@pytest.mark.parametrize("pad", [1, 2, 4])
def test_pad_crop_equals_numpys_pad_and_a_crop(pad):
    found = places(IMAGES, augmented(a.PadCrop(pad=pad)), pad)
    assert {len(hits) for hits in found} == {1}
    assert len({hits[0] for hits in found}) > 5


def test_pad_crop_draws_each_place_as_often():
    images = np.tile(IMAGES[:1], (1800, 1, 1, 1))
    found = places(images, augmented(a.PadCrop(pad=1), images=images), 1)
    counts = np.array([found.count([(dy, dx)]) for dy in range(3) for dx in range(3)])
    # 1800 draws of 9 places: 200 each, deviation sqrt(1800 * 1/9 * 8/9) = 13.3.
    assert np.abs(counts - 200).max() < 4 * 13.3


def test_pad_crop_may_pad_by_more_than_the_image():
    images = IMAGES[:, :2, :2]
    assert all(places(images, augmented(a.PadCrop(pad=3), images=images), 3))


@pytest.mark.parametrize(
    ("direction", "mirrored"),
    [
        ("horizontal", lambda image, across, down: image[:, ::-1] if across else image),
        ("vertical", lambda image, across, down: image[::-1] if down else image),
        ("both", lambda image, across, down: image[:: -1 if down else 1, :: -1 if across else 1]),
    ],
)
def test_random_flip_equals_numpys_flip(direction, mirrored):
    numbers = np.array([[0.0, 0.0], [0.49, 0.5], [0.5, 0.49], [0.99, 0.99]])
    results = augmented(a.RandomFlip(direction=direction), images=IMAGES[:4], numbers=numbers)
    for image, (across, down), result in zip(IMAGES[:4], numbers < 0.5, results, strict=True):
        np.testing.assert_array_equal(result, mirrored(image, across, down))


def scipys(image, matrix, shift, fill):
    """Linear between pixels, `fill` beyond the border; matrix and shift in (y, x) from result to image, about the middle."""
    middle = (np.array(image.shape[:2]) - 1) / 2
    offset = shift + middle - matrix @ middle
    channels = [
        ndimage.affine_transform(channel, matrix, offset, order=1, mode="grid-constant", cval=fill, prefilter=False)
        for channel in image.astype(np.float64).transpose(2, 0, 1)
    ]
    return np.stack(channels, axis=-1)


@pytest.mark.parametrize("number", [0.0, 0.2, 0.7, 0.999])
def test_rotate_equals_scipys_affine_transform(number):
    angle = np.radians(-40 + 80 * number)  # clockwise, with y down
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    result = augmented(a.Rotate(degrees=40, fill=20), images=IMAGES[:1], numbers=[[number]])[0]
    np.testing.assert_allclose(result, scipys(IMAGES[0], matrix, 0, 20), atol=0.01)


def test_rotate_by_a_quarter_turns_clockwise():
    square = IMAGES[:1, :7, :7]
    result = augmented(a.Rotate(degrees=90), images=square, numbers=[[0.99999994]])[0]
    np.testing.assert_allclose(result, np.rot90(square[0], k=-1), atol=0.01)


@pytest.mark.parametrize("numbers", [(0.0, 0.5), (0.5, 0.9), (0.3, 0.1)])
def test_translate_equals_scipys_affine_transform(numbers):
    shift = -np.array([(-0.3 + 0.6 * numbers[0]) * 7, (-0.5 + 1.0 * numbers[1]) * 9])
    result = augmented(a.Translate(height=0.3, width=0.5, fill=9), images=IMAGES[:1], numbers=[numbers])[0]
    np.testing.assert_allclose(result, scipys(IMAGES[0], np.eye(2), shift, 9), atol=0.01)


@pytest.mark.parametrize("number", [0.0, 0.4, 0.9])
def test_zoom_equals_scipys_affine_transform(number):
    factor = 0.5 + 1.5 * number
    result = augmented(a.Zoom(factor=(0.5, 2.0), fill=0), images=IMAGES[:1], numbers=[[number]])[0]
    np.testing.assert_allclose(result, scipys(IMAGES[0], np.eye(2) / factor, 0, 0), atol=0.01)


def test_grayscale_equals_pillows_conversion():
    images = np.floor(IMAGES)
    result = augmented(a.Grayscale(probability=0.5), images=images, numbers=np.arange(64)[:, None] / 64)
    for image, grey in zip(images[:32], result[:32], strict=True):
        expected = np.asarray(Image.fromarray(image.astype(np.uint8)).convert("L"))[..., None]
        np.testing.assert_array_equal(np.floor(grey + 0.5), np.repeat(expected, 3, axis=-1))
    np.testing.assert_array_equal(result[32:], images[32:])


def test_lighting_adds_the_axes_by_their_eigenvalues():
    # 0.841344746 and 0.022750132 are the normal distribution up to 1 and up to -2 deviations.
    axes = ((1, 0, 0), (0, 0.6, 0.8), (0, 0.8, -0.6))
    settings = a.Lighting(deviation=0.1, eigenvalues=(0.5, 0.2, 0.1), eigenvectors=axes)
    result = augmented(settings, images=np.full((1, 2, 2, 3), 100), numbers=[[0.841344746, 0.022750132, 0.5]])
    red, along = 255 * 0.1 * 0.5 * 1, 255 * 0.1 * 0.2 * -2
    np.testing.assert_allclose(result[0, 0, 0], [100 + red, 100 + 0.6 * along, 100 + 0.8 * along], atol=1e-3)


@pytest.mark.parametrize("settings", [a.Lighting(), a.Grayscale()])
def test_what_changes_colours_refuses_grey_images(settings):
    with pytest.raises(ConfigError, match=f"{type(settings).__name__} .* 3 channels; received 1. Remove it from augment"):
        augmented(settings, images=IMAGES[..., :1])


@pytest.mark.parametrize(("sigma", "side"), [(0.7, 24), (2.0, 24), (2.0, 4)])
def test_gaussian_blur_equals_scipys_filter(sigma, side):
    image = np.random.default_rng(3).uniform(0, 255, (1, side, side + 3, 3)).astype(np.float32)
    settings = a.GaussianBlur(sigma=(0.5, 2.0), probability=0.5)
    result = augmented(settings, images=image, numbers=[[0.49, (sigma - 0.5) / 1.5]])[0]
    expected = ndimage.gaussian_filter(image[0].astype(np.float64), (sigma, sigma, 0), mode="reflect", radius=6)
    np.testing.assert_allclose(result, expected, atol=0.01)
    np.testing.assert_array_equal(augmented(settings, images=image, numbers=[[0.5, 0.9]]), image)


def covered(image, result):
    """Rows and columns (first, last + 1) of the rectangle in which two images differ."""
    changed = np.any(image != result, axis=-1)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    top, left, bottom, right = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
    assert changed[top:bottom, left:right].all()
    return top, left, bottom, right


def test_random_erasing_covers_the_rectangle_that_its_numbers_say():
    image = np.full((1, 20, 30, 3), 255.5 - 100)
    settings = a.RandomErasing(probability=0.5, area=(0.1, 0.3), ratio=(0.5, 2.5), fill=7)
    # Area 0.2 * 600 = 120, ratio 1.5: 13.4 high, 8.9 wide; 8 places for the top, 22 for the left side.
    result = augmented(settings, images=image, numbers=[[0.3, 0.5, 0.5, 0.99, 0.5, 0.0]])[0]
    assert covered(image[0], result) == (7, 11, 20, 20)
    assert (result[7:20, 11:20] == 7).all()
    np.testing.assert_array_equal(augmented(settings, images=image, numbers=[[0.5] * 6]), image)


def test_random_erasing_fills_with_uniform_noise_of_its_own_for_every_image():
    images = np.full((2, 60, 60, 3), -1.0)
    numbers = [[0.0, 0.999, 0.3, 0.5, 0.5, number] for number in (0.25, 0.75)]
    first, second = (result[result >= 0] for result in augmented(a.RandomErasing(), images=images, numbers=numbers))
    assert len(first) == len(second) > 3000
    assert np.abs(np.quantile(first, [0.25, 0.5, 0.75]) - [63.75, 127.5, 191.25]).max() < 10
    assert np.abs(np.corrcoef(first, second)[0, 1]) < 0.06  # 4 deviations of 1 / sqrt(count)


def test_cutout_covers_a_square_that_the_border_may_cut():
    image = IMAGES[:1]
    result = augmented(a.Cutout(size=4, fill=0), images=image, numbers=[[0.5, 0.0]])[0]  # the middle: row 3, column 0
    assert covered(image[0], result) == (1, 0, 5, 2)


def test_two_augmentations_draw_independently():
    # With the same numbers for both, the second flip would always undo the first.
    images = np.tile(IMAGES[:1], (400, 1, 1, 1))
    same = np.all(augmented(a.RandomFlip(), a.RandomFlip(), images=images) == images, axis=(1, 2, 3)).sum()
    assert abs(same - 200) < 40


def test_augmentations_follow_in_their_order():
    numbers = random_numbers(64, 4)
    flipped = augmented(a.RandomFlip(), numbers=numbers[:, :2])
    both = augmented(a.RandomFlip(), a.PadCrop(pad=2), numbers=numbers)
    np.testing.assert_array_equal(both, augmented(a.PadCrop(pad=2), images=flipped, numbers=numbers[:, 2:]))


def test_no_augmentation_changes_nothing():
    np.testing.assert_array_equal(augmented(), IMAGES)


def test_the_chain_says_what_is_applied_elsewhere():
    crop, mix, cut = a.RandomResizedCrop(), a.MixUp(), a.CutMix()
    chain = make_augmentation((crop, a.RandomFlip(), mix, cut))
    assert (chain.draws, chain.replaces_resize, chain.mixing, chain.per_image) == (4 + 2 + 3 + 5, crop, (mix, cut), False)
    assert make_augmentation((a.RandAugment(operations=3),)).per_image
    assert make_augmentation((a.RandAugment(operations=3),)).draws == 6
    assert make_augmentation(()).draws == 0


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        (
            (a.RandomFlip(), a.RandomResizedCrop()),
            "must come first in augment; received .*'RandomFlip', 'RandomResizedCrop'",
        ),
        ((a.MixUp(), a.RandomFlip()), "must come last in augment; .* Put MixUp after RandomFlip"),
    ],
)
def test_an_order_that_cannot_be_is_refused(augment, message):
    with pytest.raises(ConfigError, match=message):
        make_augmentation(augment)


def forgets_the_image(batch, *, numbers, settings):
    return batch["image"]


def test_an_own_augmentation_that_returns_no_batch_is_named(monkeypatch):
    class Own(a.Augmentation):
        implementation = "own_augmentation_of_a_test:forgets_the_image"

    module = type(np)("own_augmentation_of_a_test")
    module.forgets_the_image = forgets_the_image
    monkeypatch.setitem(__import__("sys").modules, module.__name__, module)
    with pytest.raises(ConfigError, match="own_augmentation_of_a_test:forgets_the_image must return a batch"):
        augmented(Own())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: a.Zoom(factor=(2.0, 1.0)), "factor must be .*smallest, largest"),
        (lambda: a.GaussianBlur(sigma=(0.0, 1.0)), "sigma must be .*received"),
        (lambda: a.RandomErasing(area=(0.0, 0.4)), "area and ratio .* above 0"),
        (lambda: a.Lighting(eigenvectors=((1, 1, 0), (0, 1, 0), (0, 0, 1))), "length 1; received .*1.414"),
        (lambda: a.RandAugment(magnitude=11), "must not exceed strongest; received magnitude=11.0, strongest=10"),
        (lambda: a.MixUp(alpha=0), "MixUp.alpha: input should be greater than 0"),
        (lambda: a.Rotate(degrees=0), "Rotate.degrees: input should be greater than 0"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_mixing_needs_labels_and_no_objects():
    check_data((a.RandAugment(), a.PadCrop()), labelled=False, has_objects=True)
    check_data((a.MixUp(), a.AugMix()), labelled=True, has_objects=False)
    with pytest.raises(ConfigError, match="MixUp mixes labels, but these examples have none. Remove MixUp from augment"):
        check_data((a.MixUp(),), labelled=False, has_objects=False)
    for settings in (a.AugMix(), a.CutMix()):
        with pytest.raises(ConfigError, match="overlays images, which boxes and masks cannot follow"):
            check_data((settings,), labelled=True, has_objects=True)
