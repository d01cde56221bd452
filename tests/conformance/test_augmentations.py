"""What every augmentation promises, one row each; every row passes every check."""

import functools
import inspect
from dataclasses import dataclass

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as a
from kerasvision.config.augmentation import check_data
from kerasvision.data.augmentation import make_augmentation
from kerasvision.errors import ConfigError

COUNT, HEIGHT, WIDTH, CLASSES = 4, 20, 26, 4
# The class numbers of the label maps.
NUMBERS = (0, 3, 200)


@dataclass(frozen=True)
class Row:
    """An augmentation as the checks run it.

    `grey`: it takes images with one channel, too. `exact`: an image alone and in a batch agree to the last bit, and not only
    to a thousandth of a brightness. `boxes`: what becomes of them: they "move", "stay", or go "under" what covers the image;
    "none": no image with boxes may go through it; "mix": they are those of several images. `slow`: it applies those of other
    rows, so its checks are slow.
    """

    settings: a.Augmentation
    grey: bool = True
    exact: bool = True
    boxes: str = "stay"
    slow: bool = False

    def __str__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self.settings, name)}" for name in sorted(self.settings.model_fields_set))
        return f"{type(self.settings).__name__}({fields})"

    @property
    def mixes(self) -> bool:
        return isinstance(self.settings, a.Mixing)


ROWS = [
    Row(a.PadCrop(pad=3), boxes="move"),
    Row(a.RandomFlip(), boxes="move"),
    Row(a.RandomFlip(direction="vertical"), boxes="move"),
    Row(a.RandomFlip(direction="both"), boxes="move"),
    Row(a.Rotate(), boxes="move"),
    Row(a.Translate(), boxes="move"),
    Row(a.Zoom(), boxes="move"),
    Row(a.ScaleJitter(), boxes="move"),
    Row(a.ColorJitter(hue=0.1), exact=False),
    Row(a.Lighting(), grey=False),
    Row(a.Grayscale(probability=0.5), grey=False),
    Row(a.GaussianBlur()),
    Row(a.RandomErasing(), boxes="under"),
    Row(a.RandomErasing(fill=100), boxes="under"),
    Row(a.Cutout(size=9), boxes="under"),
    Row(a.RandAugment(operations=2, magnitude=15, strongest=30), boxes="move", slow=True),
    Row(a.AugMix(severity=10, width=2, depth=2), boxes="none", slow=True),
    Row(a.MixUp(), boxes="none"),
    Row(a.CutMix(probability=0.7), boxes="none"),
    Row(a.Mosaic(probability=0.7), boxes="mix"),
]
ONE_BY_ONE = [row for row in ROWS if not row.mixes]


def rows(some):
    marked = [pytest.param(row, id=str(row), marks=[pytest.mark.slow] if row.slow else []) for row in some]
    return pytest.mark.parametrize("row", marked)


def examples(row, *, channels=3):
    """A batch with labels, and with boxes, masks and label maps if the row accepts them, as NumPy arrays."""
    random = np.random.default_rng(0)
    batch = {
        "image": random.uniform(0, 255, (COUNT, HEIGHT, WIDTH, channels)).astype(np.float32),
        "label": np.arange(COUNT) % CLASSES,
        "id": np.array([f"{number}.png" for number in range(COUNT)]),
    }
    if row.settings.keeps_pixels_apart:
        batch["label_map"] = random.choice(np.uint8([*NUMBERS, 255]), (COUNT, HEIGHT, WIDTH))
    if row.boxes != "none":
        corners = np.sort(random.uniform(0, 1, (COUNT, 3, 2, 2)).astype(np.float32), axis=2).reshape(COUNT, 3, 4)
        label = np.tile([1, 0, -1], (COUNT, 1))
        there = label >= 0
        masks = random.integers(0, 2, (COUNT, 3, HEIGHT, WIDTH)).astype(np.uint8) * there[..., None, None]
        batch["objects"] = {
            "bbox": corners * there[..., None],
            "label": label,
            "crowd": there & (label == 0),
            "area": np.float32(50) * there,
            "mask": masks.astype(np.uint8),
        }
    return batch


def random_numbers(row, seed=0):
    return np.random.default_rng(seed).random((COUNT, row.settings.draws), np.float32)


def applied(row, batch, numbers):
    """The batch as tensors, after the row's augmentation; inside tf.data too."""
    augmenter = make_augmentation((row.settings,))
    batch = augmenter(tf.nest.map_structure(tf.convert_to_tensor, batch), tf.convert_to_tensor(numbers))
    return augmenter.mix(batch, numbers, CLASSES) if row.mixes else batch


@functools.cache
def graph(row, channels=3):
    """The same, compiled for batches of any size: one trace serves all tests of a row."""

    def of_any_size(array):
        return tf.TensorSpec((None, *array.shape[1:]), tf.convert_to_tensor(array).dtype)

    signature = tf.nest.map_structure(of_any_size, (examples(row, channels=channels), random_numbers(row)))
    return tf.function(lambda batch, numbers: applied(row, batch, numbers), input_signature=signature, autograph=False)


def assert_same(first, second, *, tolerance=0):
    def compare(one, other):
        if tolerance and one.dtype == tf.float32:
            np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)
        else:
            np.testing.assert_array_equal(one, other)

    tf.nest.map_structure(compare, first, second)


def part(batch, number):
    return tf.nest.map_structure(lambda value: value[number : number + 1], batch)


def test_every_augmentation_has_a_row():
    offered = {
        cls
        for _, cls in inspect.getmembers(a, inspect.isclass)
        if issubclass(cls, a.Augmentation) and cls not in (a.Augmentation, a.EncodedCrop, a.Mixing)
    }
    # The crops take undecoded images, and VisibleObjects changes no image; they have their own tests.
    assert offered == {type(row.settings) for row in ROWS} | {a.RandomResizedCrop, a.RandomCrop, a.IouCrop, a.VisibleObjects}


@rows(ROWS)
def test_the_numbers_alone_decide(row):
    batch = examples(row)
    tf.random.set_seed(1)
    first = graph(row)(batch, random_numbers(row))
    tf.random.set_seed(2)
    assert_same(first, graph(row)(batch, random_numbers(row)))
    assert not np.array_equal(first["image"], graph(row)(batch, random_numbers(row, seed=1))["image"])


@rows(ROWS)
def test_it_is_the_same_in_tf_data_as_eagerly(row):
    batch, numbers = examples(row), random_numbers(row)
    # Batches of 3 and 1: the size is not fixed.
    data = tf.data.Dataset.from_tensor_slices((batch, numbers)).batch(3)
    inside = data.map(graph(row), num_parallel_calls=2)
    assert inside.element_spec["image"].shape.as_list() == [None, HEIGHT, WIDTH, 3]
    for (some, their_numbers), result in zip(data, inside, strict=True):
        assert_same(applied(row, some, their_numbers), result)


@rows(ONE_BY_ONE)
def test_an_image_comes_out_the_same_alone_and_in_a_batch(row):
    batch, numbers = examples(row), random_numbers(row)
    together = graph(row)(batch, numbers)
    for number in range(COUNT):
        alone = graph(row)(part(batch, number), part(numbers, number))
        assert_same(part(together, number), alone, tolerance=0 if row.exact else 1e-3)


@rows(ROWS)
def test_it_changes_images_and_nothing_that_it_does_not_know(row):
    batch = examples(row)
    result = graph(row)(batch, random_numbers(row))
    assert (result["image"].dtype, result["image"].shape) == (tf.float32, batch["image"].shape)
    assert_same(result["id"].numpy().astype(str), batch["id"])
    if row.boxes == "mix":  # no single label fits parts of several images
        assert set(result) == set(batch) - {"label"}
    else:
        assert_same(result["label"].numpy(), batch["label"])
        assert set(result) == set(batch) | ({"label_shares"} if row.mixes else set())


@rows(ROWS)
def test_most_images_change_now_and_then(row):
    batch = examples(row)
    changed = [graph(row)(batch, random_numbers(row, seed))["image"] != batch["image"] for seed in range(10)]
    # The rarest change half of the images: 20 of 40, deviation 3.2. MixUp does not change an image mixed with itself.
    assert np.any(changed, axis=(2, 3, 4)).sum() > 20 - 3 * 3.2


@rows(ROWS)
@pytest.mark.parametrize("number", [0.0, np.float32(1 - 2**-24)])
def test_the_ends_of_the_range_of_numbers_give_pixels_in_their_range(row, number):
    batch = examples(row)
    batch["image"] = np.where(batch["image"] < 128, 0, 255).astype(np.float32)
    image = graph(row)(batch, np.full((COUNT, row.settings.draws), number, np.float32))["image"]
    assert np.isfinite(image).all()
    assert 0 <= np.min(image) <= np.max(image) <= 255


@rows(ROWS)
def test_pixels_stay_in_their_range(row):
    for seed in range(10):
        image = graph(row)(examples(row), random_numbers(row, seed))["image"]
        assert 0 <= np.min(image) <= np.max(image) <= 255


@rows([row for row in ROWS if row.grey])
def test_a_grey_image_comes_out_as_the_three_channels_of_grey_do(row):
    batch, numbers = examples(row, channels=1), random_numbers(row, seed=3)
    grey = graph(row, channels=1)(batch, numbers)["image"]
    three = graph(row)({**batch, "image": np.repeat(batch["image"], 3, axis=-1)}, numbers)["image"]
    assert grey.shape == (COUNT, HEIGHT, WIDTH, 1)
    assert np.any(grey != batch["image"])
    if getattr(row.settings, "fill", None) != "noise":
        np.testing.assert_allclose(np.repeat(grey, 3, axis=-1), three, atol=1e-3)


@rows([row for row in ROWS if not row.grey])
def test_what_needs_colour_refuses_grey(row):
    with pytest.raises(ConfigError, match="3 channels; received 1"):
        applied(row, examples(row, channels=1), random_numbers(row))


@rows([row for row in ROWS if row.boxes not in ("none", "mix")])
def test_boxes_stay_in_the_image_and_go_only_where_their_label_goes(row):
    batch = examples(row)
    before, after = batch["objects"], graph(row)(batch, random_numbers(row, seed=2))["objects"]
    after = {name: value.numpy() for name, value in after.items()}
    assert {name: (value.shape, value.dtype) for name, value in after.items()} == {
        name: (value.shape, value.dtype) for name, value in before.items()
    }
    gone = after["label"] == -1
    assert (gone | (after["label"] == before["label"])).all()
    assert not after["bbox"][gone].any()
    assert not any(after[part][gone].any() for part in ("crowd", "area", "mask"))
    assert (after["crowd"] == before["crowd"])[~gone].all()
    assert (after["area"] == before["area"])[~gone].all()
    assert (after["bbox"] >= 0).all()
    assert (after["bbox"] <= 1).all()
    assert (after["bbox"][~gone][:, 2:] > after["bbox"][~gone][:, :2]).all()
    assert np.any(after["bbox"][~gone] != before["bbox"][~gone]) == (row.boxes == "move")
    if row.boxes == "stay":
        assert_same(before, after)


@rows([row for row in ROWS if row.settings.keeps_pixels_apart])
def test_label_maps_keep_their_form_and_get_no_new_number(row):
    batch = examples(row)
    result = graph(row)(batch, random_numbers(row, seed=2))["label_map"].numpy()
    assert (result.dtype, result.shape) == (np.uint8, (COUNT, HEIGHT, WIDTH))
    assert set(np.unique(result)) <= {*NUMBERS, 255}
    # Only what changes colours alone leaves the maps as they are.
    assert np.array_equal(result, batch["label_map"]) == (row.boxes == "stay")


@rows([row for row in ROWS if not row.settings.keeps_pixels_apart])
def test_what_label_maps_cannot_follow_is_refused_for_examples_with_maps(row):
    with pytest.raises(ConfigError, match=f"{type(row.settings).__name__} blends the pixels of several images"):
        check_data((row.settings,), labelled=True, has_objects=False, has_label_maps=True)


@rows([row for row in ROWS if row.boxes == "none"])
def test_what_boxes_cannot_follow_is_refused_for_examples_with_boxes(row):
    with pytest.raises(ConfigError, match=f"{type(row.settings).__name__} overlays images"):
        check_data((row.settings,), labelled=True, has_objects=True)


@rows(ROWS)
def test_settings_come_back_from_their_data(row):
    assert type(row.settings).parse({key: v for key, v in row.settings.to_data().items() if key != "kind"}) == row.settings
