"""Batches in an order that seed and epoch alone decide, each image at most once per epoch."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.batches import evaluation_batches, training_batches
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError

COUNT = 11
RANDOM = np.random.default_rng(0)
PIXELS = {f"t{number:02d}": RANDOM.integers(0, 256, (6, 5, 3), np.uint8) for number in range(COUNT)}
OTHERS = {f"v{number}": RANDOM.integers(0, 256, (6, 5, 3), np.uint8) for number in range(5)}
TRANSFORM = ImageTransform(c.Transform(image_size=(6, 5)), (0.5,) * 3, (2.0,) * 3)

MEMORY, DISK = 4.0, 1e-9


def encode(batch):
    """The id goes along as the target, so that the tests see which image a row is."""
    return batch["image"], {"id": batch["id"], "label": batch["label"]}


@pytest.fixture(scope="module")
def example_set(make_examples, tmp_path_factory):
    return make_examples(
        tmp_path_factory.mktemp("examples") / "data",
        train=[(name, pixels, "ab"[int(name[1:]) % 2]) for name, pixels in PIXELS.items()],
        validation=[(name, pixels, "b") for name, pixels in OTHERS.items()],
    )


def make(example_set, *, budget, batch_size=3, epochs=2, seed=0, augment=()):
    return training_batches(
        example_set, transform=TRANSFORM, encode=encode, augment=augment, batch_size=batch_size, epochs=epochs,
        seed=seed, memory_budget_gb=budget,
    )  # fmt: skip


def epochs_of(example_set, **options):
    """Per epoch, the ids in their order."""
    batches, steps = make(example_set, **options)
    ids = [targets["id"].numpy().tolist() for _, targets in batches]
    assert len(ids) == steps * options.get("epochs", 2)
    return [[name.decode() for name in itertools.chain(*ids[i : i + steps])] for i in range(0, len(ids), steps)]


both = pytest.mark.parametrize("budget", [MEMORY, DISK], ids=["memory", "disk"])


@both
def test_an_epoch_is_a_permutation_of_the_training_images(budget, example_set):
    for epoch in epochs_of(example_set, budget=budget, batch_size=1, epochs=3):
        assert sorted(epoch) == sorted(PIXELS)


@both
def test_an_epoch_drops_what_does_not_fill_a_batch(budget, example_set):
    epochs = epochs_of(example_set, budget=budget, batch_size=3, epochs=20)
    assert all(len(set(epoch)) == 9 for epoch in epochs)
    # 20 epochs that all left out the same two images would be one in 55**19.
    assert set(itertools.chain(*epochs)) == set(PIXELS)


@both
def test_epochs_differ_and_the_same_seed_gives_the_same(budget, example_set):
    first = epochs_of(example_set, budget=budget, epochs=3, seed=1)
    assert len({tuple(epoch) for epoch in first}) == 3
    assert epochs_of(example_set, budget=budget, epochs=3, seed=1) == first
    assert epochs_of(example_set, budget=budget, epochs=3, seed=2) != first


@both
def test_a_longer_training_begins_like_a_shorter_one(budget, example_set):
    assert epochs_of(example_set, budget=budget, epochs=4)[:2] == epochs_of(example_set, budget=budget, epochs=2)


@both
def test_no_epoch_of_one_seed_is_an_epoch_of_another(budget, example_set):
    orders = [tuple(epoch) for seed in range(3) for epoch in epochs_of(example_set, budget=budget, epochs=3, seed=seed)]
    assert len(set(orders)) == 9


@both
def test_tensorflows_own_seed_does_not_matter(budget, example_set):
    tf.random.set_seed(1)
    first = epochs_of(example_set, budget=budget)
    tf.random.set_seed(2)
    assert epochs_of(example_set, budget=budget) == first


@both
def test_pixels_and_labels_are_those_of_the_image(budget, example_set):
    batches, _ = make(example_set, budget=budget)
    for images, targets in batches:
        for image, name, label in zip(images, targets["id"].numpy(), targets["label"], strict=True):
            expected = (PIXELS[name.decode()] / 255 - 0.5) / 2
            np.testing.assert_allclose(image, expected, rtol=1e-6, atol=1e-6)
            assert label == int(name[1:]) % 2


@both
def test_every_batch_and_epoch_is_augmented_anew(budget, example_set):
    batches, steps = make(example_set, budget=budget, augment=(c.RandomFlip(),), batch_size=COUNT, epochs=4)
    assert steps == 1
    flips = []
    for images, targets in batches:
        by_name = dict(zip(targets["id"].numpy(), np.asarray(images), strict=True))
        plain = {name: (PIXELS[name.decode()] / 255 - 0.5) / 2 for name in by_name}
        for name, image in by_name.items():
            assert np.allclose(image, plain[name], atol=1e-6) or np.allclose(image, plain[name][:, ::-1], atol=1e-6)
        flips.append(tuple(np.allclose(by_name[name], plain[name], atol=1e-6) for name in sorted(by_name)))
    assert len(set(flips)) == 4


@both
def test_augmentation_is_the_same_for_the_same_seed(budget, example_set):
    def images(seed):
        batches, _ = make(example_set, budget=budget, augment=(c.PadCrop(pad=2), c.RandomFlip()), seed=seed)
        return np.stack([np.asarray(images) for images, _ in batches])

    np.testing.assert_array_equal(images(1), images(1))
    assert not np.array_equal(images(1), images(2))


@both
def test_the_network_sees_the_shape_of_an_image(budget, example_set):
    batches, _ = make(example_set, budget=budget)
    assert batches.element_spec[0].shape.as_list()[1:] == [6, 5, 3]


def test_a_batch_may_hold_the_whole_split_and_no_more(example_set):
    assert make(example_set, budget=MEMORY, batch_size=COUNT)[1] == 1
    with pytest.raises(ConfigError, match="must not exceed the number of training images, 11; received 12"):
        make(example_set, budget=MEMORY, batch_size=COUNT + 1)


# --- Evaluation


def evaluated(example_set, batch_size, *, split="validation"):
    batches = evaluation_batches(example_set, split=split, transform=TRANSFORM, encode=encode, batch_size=batch_size)
    return [(images.numpy(), targets["id"].numpy().tolist(), weights.numpy()) for images, targets, weights in batches]


@pytest.mark.parametrize(
    ("batch_size", "weights"), [(5, [[1] * 5]), (2, [[1, 1], [1, 1], [1, 0]]), (8, [[1, 1, 1, 1, 1, 0, 0, 0]])]
)
def test_the_last_batch_is_filled_up_at_weight_zero(batch_size, weights, example_set):
    batches = evaluated(example_set, batch_size)
    assert [batch[2].tolist() for batch in batches] == weights
    assert all(len(images) == len(ids) == batch_size for images, ids, _ in batches)


def test_every_image_counts_once_and_is_the_right_one(example_set):
    counted = []
    for images, ids, weights in evaluated(example_set, 3):
        for image, name, weight in zip(images, ids, weights, strict=True):
            np.testing.assert_allclose(image, (OTHERS[name.decode()] / 255 - 0.5) / 2, rtol=1e-6, atol=1e-6)
            counted += [name.decode()] * int(weight)
    assert sorted(counted) == sorted(OTHERS)


def test_what_fills_up_is_the_batchs_first_image(example_set):
    _, ids, weights = evaluated(example_set, 4)[-1]
    assert weights.tolist() == [1, 0, 0, 0]
    assert ids == [ids[0]] * 4


def test_evaluation_has_the_same_order_every_time(example_set):
    first, second = evaluated(example_set, 2, split="train"), evaluated(example_set, 2, split="train")
    assert [ids for _, ids, _ in first] == [ids for _, ids, _ in second]
