"""A label map follows the pixels of its image through every augmentation, and its numbers are never mixed.

The images here show their own maps: each class has a colour of its own. So wherever an augmentation did not blend two
pixels, the colours of its result must be those of the map of its result.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasvision import config as c
from kerasvision.config.augmentation import check_data
from kerasvision.data.augmentation import make_augmentation
from kerasvision.data.feeding.batches import training_batches
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError

SIZE = (24, 32)
CLASSES, IGNORED = (40, 200), 255
# Red, green and black: none of them is a mixture of the others.
FILL = 0
COLOURS = {40: (250, 0, 0), 200: (0, 250, 0), IGNORED: (FILL,) * 3}
UNIT = st.floats(0, 1, exclude_max=True, width=32)
SEEDS = st.integers(0, 10_000)


def drawn_maps(seed, count=1):
    """uint8 (N, 24, 32) of blocks of 4 x 4 pixels, each of class 40 or 200."""
    blocks = np.random.default_rng(seed).choice(np.uint8(CLASSES), (count, SIZE[0] // 4, SIZE[1] // 4))
    return blocks.repeat(4, axis=1).repeat(4, axis=2)


def own_maps(seed, count=1):
    """A batch of images that show their own maps."""
    maps = drawn_maps(seed, count)
    return {"image": tf.constant(coloured(maps), tf.float32), "label_map": tf.constant(maps)}


def coloured(maps):
    """uint8 (..., H, W, 3): the colour of each pixel's class."""
    table = np.zeros((256, 3), np.uint8)
    for number, colour in COLOURS.items():
        table[number] = colour
    return table[maps]


@functools.cache
def in_a_graph(config):
    augmenter = make_augmentation((config,))

    def changed(batch, numbers):
        return augmenter.mix(augmenter(batch, numbers), numbers, 0)

    return tf.function(changed, autograph=False)


def check_agreement(image, label_map):
    """Where the image has the colour of one class, or that of the fill, the map says so; elsewhere it says one of these."""
    assert label_map.dtype == np.uint8
    assert set(np.unique(label_map)) <= {*CLASSES, IGNORED}
    for number, colour in COLOURS.items():
        where = (np.abs(image - np.float32(colour)) < 1e-2).all(axis=-1)
        assert (label_map[where] == number).all(), (number, np.unique(label_map[where]))


MOVING = [
    c.RandomFlip(direction="both"),
    c.Rotate(degrees=180, fill=FILL),
    c.Translate(height=0.6, width=0.6, fill=FILL),
    c.Zoom(factor=(0.4, 2.5), fill=FILL),
    c.ScaleJitter(factor=(0.4, 2.5), fill=FILL),
    c.RandomErasing(probability=1.0, fill=FILL),
    c.Cutout(size=9, fill=FILL),
]


@pytest.mark.parametrize("config", MOVING, ids=lambda config: config.kind.rpartition(":")[2])
@settings(max_examples=12)
@given(seed=SEEDS, numbers=st.lists(UNIT, min_size=6, max_size=6))
def test_a_map_moves_with_its_pixels(config, seed, numbers):
    result = in_a_graph(config)(own_maps(seed), tf.constant([numbers[: config.draws]], tf.float32))
    check_agreement(result["image"].numpy(), result["label_map"].numpy())


@pytest.mark.parametrize("config", [c.CutMix(), c.Mosaic()], ids=["CutMix", "Mosaic"])
@settings(max_examples=12)
@given(seed=SEEDS)
def test_parts_of_other_images_bring_their_maps(config, seed):
    numbers = np.random.default_rng(seed).random((4, config.draws), np.float32)
    result = in_a_graph(config)(own_maps(seed, count=4), tf.constant(numbers))
    check_agreement(result["image"].numpy(), result["label_map"].numpy())
    assert (result["label_map"].numpy() != IGNORED).all()


def test_a_mosaic_that_is_not_chosen_keeps_its_map():
    batch = own_maps(0, count=4)
    result = in_a_graph(c.Mosaic(probability=0.0))(batch, tf.random.stateless_uniform((4, 18), (0, 0)))
    np.testing.assert_array_equal(result["label_map"], batch["label_map"])


@settings(max_examples=12)
@given(seed=SEEDS, numbers=st.tuples(UNIT, UNIT))
def test_pixels_that_repeat_the_border_say_nothing(seed, numbers):
    result = in_a_graph(c.PadCrop(pad=5))(own_maps(seed), tf.constant([numbers], tf.float32))
    image, label_map = result["image"].numpy()[0], result["label_map"].numpy()[0]
    down, across = (min(int(number * np.float32(11)), 10) - 5 for number in np.float32(numbers))
    known = label_map != IGNORED
    assert known.sum() == (SIZE[0] - abs(down)) * (SIZE[1] - abs(across))
    np.testing.assert_array_equal(image[known], coloured(label_map)[known])


@pytest.mark.parametrize(("first", "second"), [(9, 10), (10, 13), (13, 9)])
def test_a_map_follows_every_step_of_rand_augment(first, second):
    # The first number of each pair chooses: rotate, shear_x and translate_y are operations 9, 10 and 13 of 14.
    numbers = tf.constant([[(first + 0.5) / 14, 0.7, (second + 0.5) / 14, 0.2]])
    result = make_augmentation((c.RandAugment(operations=2, fill=FILL),))(own_maps(3), numbers)
    label_map = result["label_map"].numpy()
    assert (label_map == IGNORED).any()
    np.testing.assert_array_equal(result["image"], coloured(label_map))


CROPS = [c.RandomResizedCrop(area=(0.2, 0.9)), c.IouCrop(tries=3), c.RandomCrop(shorter_side=(24, 60))]


@pytest.mark.parametrize("config", CROPS, ids=["any", "iou", "resized"])
@settings(max_examples=10)
@given(seed=SEEDS, numbers=st.lists(UNIT, min_size=13, max_size=13))
def test_the_map_of_a_crop_is_that_of_its_part(config, seed, numbers):
    label_map = drawn_maps(seed)[0]
    example = {"image": tf.constant(encode_png(coloured(label_map))), "label_map": tf.constant(encode_png(label_map))}
    transform = c.Transform(image_size=(16, 20))
    crop = make_augmentation((config,))
    result = crop.cropped(example, tf.constant(numbers[: config.draws], tf.float32), transform)
    assert result["label_map"].shape == (16, 20)
    check_agreement(result["image"].numpy(), result["label_map"].numpy())


@pytest.mark.parametrize("config", [c.MixUp(), c.AugMix()])
def test_an_augmentation_that_blends_images_is_refused(config):
    with pytest.raises(ConfigError, match="blends the pixels of several images, which a label map cannot follow"):
        check_data((config,), labelled=True, has_objects=False, has_label_maps=True)


def test_cut_mix_and_mosaic_need_no_labels_if_there_are_maps():
    check_data((c.CutMix(), c.Mosaic()), labelled=False, has_objects=False, has_label_maps=True)


@pytest.mark.parametrize("budget", [pytest.param(4.0, id="decoded"), pytest.param(1e-9, id="disk", marks=pytest.mark.slow)])
def test_batches_of_a_training_have_maps_that_follow_the_images(make_examples, tmp_path, budget):
    rows = [(f"m{k}", coloured(numbers), "", (), (), numbers) for k, numbers in enumerate(drawn_maps(1, count=8))]
    examples = make_examples(tmp_path / "data", map_classes=tuple(map(str, range(201))), train=rows)
    transform = ImageTransform(c.Transform(image_size=SIZE), (0.0,) * 3, (1 / 255,) * 3)
    batches, _ = training_batches(
        examples,
        transform=transform,
        encode=lambda batch: (batch["image"], batch["label_map"]),
        augment=(c.RandomFlip(direction="both"), c.Rotate(fill=FILL), c.CutMix(), c.Mosaic()),
        batch_size=4,
        epochs=1,
        seed=0,
        memory_budget_gb=budget,
        reads={"label_map"},
    )
    for image, label_map in batches.as_numpy_iterator():
        assert label_map.shape == (4, *SIZE)
        check_agreement(image, label_map)
