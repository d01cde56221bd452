"""Batches come in an order that depends on seed and epoch only, with each image at most once per epoch."""

import functools
import itertools
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config import Augmentation, ColorJitter, CutMix, MixUp, PadCrop, RandomFlip, RandomResizedCrop
from kerasvision.data.feeding import stream
from kerasvision.data.feeding.batches import evaluation_batches, training_batches
from kerasvision.data.feeding.in_memory import training_examples
from kerasvision.data.feeding.inputs import ReducingTransform
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError

COUNT = 11
RANDOM = np.random.default_rng(0)
PIXELS = {f"t{number:02d}": RANDOM.integers(0, 256, (6, 5, 3), np.uint8) for number in range(COUNT)}
OTHERS = {f"v{number}": RANDOM.integers(0, 256, (6, 5, 3), np.uint8) for number in range(5)}
TRANSFORM = ImageTransform(c.Transform(image_size=(6, 5)), (0.5,) * 3, (2.0,) * 3)

# GB. The encoded images take 2.1 kB, decoded they take 4.0.
MEMORY, ENCODED, DISK = 4.0, 3e-6, 1e-9


def encode(batch):
    """Uses the id as the target, so that the tests see which image a row is."""
    return batch["image"], {"id": batch["id"], "label": batch["label"]}


@pytest.fixture(scope="module")
def example_set(make_examples, tmp_path_factory):
    return make_examples(
        tmp_path_factory.mktemp("examples") / "data",
        train=[(name, pixels, "ab"[int(name[1:]) % 2]) for name, pixels in PIXELS.items()],
        validation=[(name, pixels, "b") for name, pixels in OTHERS.items()],
    )


def make(example_set, *, budget, batch_size=3, epochs=2, seed=0, augment=(), encode=encode, transform=TRANSFORM, **options):
    return training_batches(
        example_set,
        transform=transform,
        encode=encode,
        augment=augment,
        batch_size=batch_size,
        epochs=epochs,
        seed=seed,
        memory_budget_gb=budget,
        **options,
    )


def epochs_of(example_set, **options):
    """Per epoch, the ids in their order."""
    batches, steps = make(example_set, **options)
    ids = [targets["id"].numpy().tolist() for _, targets in batches]
    assert len(ids) == steps * options.get("epochs", 2)
    return [[name.decode() for name in itertools.chain(*ids[i : i + steps])] for i in range(0, len(ids), steps)]


# Encoded images go through the same functions as those on disk, and come in the order of the decoded ones; one test compares
# their pixels, labels and order with those of the decoded ones. The other tests of encoded images are slow.
SLOW_ENCODED = pytest.param(ENCODED, id="encoded", marks=pytest.mark.slow)
ways = pytest.mark.parametrize("budget", [pytest.param(MEMORY, id="decoded"), SLOW_ENCODED, pytest.param(DISK, id="disk")])


@ways
def test_an_epoch_is_a_permutation_of_the_training_images(budget, three_single_epochs):
    ids = [names for _, names, _ in three_single_epochs(budget)]
    assert [len(names) for names in ids] == [1] * 33
    for first in (0, 11, 22):
        assert sorted(itertools.chain(*ids[first : first + 11])) == sorted(PIXELS)


@ways
def test_an_epoch_drops_what_does_not_fill_a_batch(budget, example_set):
    epochs = epochs_of(example_set, budget=budget, batch_size=3, epochs=20)
    assert all(len(set(epoch)) == 9 for epoch in epochs)
    # 20 epochs that all left out the same two images would be one in 55**19.
    assert set(itertools.chain(*epochs)) == set(PIXELS)


@pytest.fixture(scope="module")
def three_epochs(example_set):
    """The order of the ids in three epochs, by the budget and the seed; found once."""

    def found(budget, seed):
        tf.random.set_seed(1)
        return epochs_of(example_set, budget=budget, epochs=3, seed=seed)

    return functools.cache(found)


@pytest.fixture(scope="module")
def two_epochs_again(example_set):
    """The order of the ids in two epochs of seed 0, by the budget: the same again, but for another seed of TensorFlow."""

    def found(budget):
        tf.random.set_seed(2)
        return epochs_of(example_set, budget=budget, epochs=2, seed=0)

    return functools.cache(found)


@pytest.fixture(scope="module")
def three_single_epochs(example_set):
    """Images, ids and labels of three epochs in batches of one, by the budget; found once."""

    def found(budget):
        batches, _ = make(example_set, budget=budget, batch_size=1, epochs=3)
        return [
            (images, [name.decode() for name in targets["id"].numpy()], targets["label"].numpy().tolist())
            for images, targets in batches
        ]

    return functools.cache(found)


@ways
def test_epochs_and_seeds_differ(budget, three_epochs):
    first = three_epochs(budget, 1)
    assert len({tuple(epoch) for epoch in first}) == 3
    assert three_epochs(budget, 0) != first


@ways
def test_the_same_seed_gives_the_same_in_a_shorter_training_whatever_tensorflows_own_seed(
    budget, three_epochs, two_epochs_again
):
    assert len(two_epochs_again(budget)) == 2
    assert three_epochs(budget, 0)[:2] == two_epochs_again(budget)


@ways
def test_no_epoch_of_one_seed_is_an_epoch_of_another(budget, three_epochs):
    orders = [tuple(epoch) for seed in range(2) for epoch in three_epochs(budget, seed)]
    assert len(set(orders)) == 6


@ways
def test_pixels_and_labels_are_those_of_the_image(budget, three_single_epochs):
    for images, names, labels in three_single_epochs(budget):
        for image, name, label in zip(images, names, labels, strict=True):
            expected = (PIXELS[name] / 255 - 0.5) / 2
            np.testing.assert_allclose(image, expected, rtol=1e-6, atol=1e-6)
            assert label == int(name[1:]) % 2


@ways
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


def forgets_the_image(batch, *, numbers, settings):
    return batch["image"]


class Forgetful(Augmentation):
    implementation: ClassVar[str] = f"{__name__}:forgets_the_image"


def test_what_an_own_augmentation_gets_wrong_is_said_as_it_is(example_set):
    with pytest.raises(ConfigError, match="forgets_the_image must return a batch"):
        make(example_set, budget=MEMORY, augment=(Forgetful(),))


@ways
def test_the_network_sees_the_shape_of_an_image(budget, example_set):
    batches, _ = make(example_set, budget=budget)
    assert batches.element_spec[0].shape.as_list()[1:] == [6, 5, 3]


def test_a_batch_may_hold_the_whole_split_and_no_more(example_set):
    assert make(example_set, budget=MEMORY, batch_size=COUNT)[1] == 1
    with pytest.raises(ConfigError, match="must not exceed the number of training images, 11; received 12"):
        make(example_set, budget=MEMORY, batch_size=COUNT + 1)


def test_images_are_kept_decoded_else_encoded_else_not_at_all(example_set):
    def source(budget, augment=()):
        return training_examples(example_set, ReducingTransform(TRANSFORM), augment=augment, memory_budget_gb=budget)

    assert [(source(b).decoded, not source(b).cached) for b in (MEMORY, ENCODED, DISK)] == [
        (True, False),
        (False, False),
        (False, True),
    ]
    assert not source(MEMORY, (RandomResizedCrop(),)).decoded


def test_decoded_and_encoded_images_are_the_same_in_the_same_order(three_single_epochs):
    decoded, encoded = three_single_epochs(MEMORY), three_single_epochs(ENCODED)
    assert [names_and_labels for _, *names_and_labels in decoded] == [names_and_labels for _, *names_and_labels in encoded]
    for (one, *_), (other, *_) in zip(decoded, encoded, strict=True):
        np.testing.assert_array_equal(one, other)


# --- Resuming in the middle, sharding, the last epochs

# One for each image and one for each batch. ColorJitter takes as long to build as the two, and is added in the slow tests.
AUGMENT = (RandomResizedCrop(area=(0.3, 1.0)), RandomFlip())


def recorded(example_set, **options):
    batches, _ = make(example_set, **options)
    return [(images.numpy(), targets["id"].numpy().tolist()) for images, targets in batches]


def assert_same(one, other):
    assert [ids for _, ids in one] == [ids for _, ids in other]
    for (images, _), (expected, _) in zip(one, other, strict=True):
        np.testing.assert_array_equal(images, expected)


ORDINARY = {"epochs": 3, "plain_epochs": 1, "batch_size": 4}


def augmented(*, disk):
    """Each budget and augmentation; `disk` marks the training from disk, and all others but that in memory are slow."""
    return pytest.mark.parametrize(
        ("budget", "augment"),
        [
            pytest.param(MEMORY, AUGMENT[1:], id="decoded"),
            pytest.param(DISK, AUGMENT, id="disk", marks=disk),
            pytest.param(MEMORY, (*AUGMENT[1:], ColorJitter()), id="decoded-color", marks=pytest.mark.slow),
            pytest.param(ENCODED, (*AUGMENT, ColorJitter()), id="encoded-color", marks=pytest.mark.slow),
            pytest.param(DISK, (*AUGMENT, ColorJitter()), id="disk-color", marks=pytest.mark.slow),
        ],
    )


@pytest.fixture(scope="module")
def whole_training(example_set):
    """All six batches of a training of three epochs, the last of them plain, by budget and augmentation; found once."""
    return functools.cache(lambda budget, augment: recorded(example_set, budget=budget, augment=augment, **ORDINARY))


@augmented(disk=pytest.mark.slow)
def test_augmentation_depends_on_the_seed_alone(budget, augment, example_set, whole_training):
    options = {"budget": budget, "augment": augment, "batch_size": 4}
    whole = whole_training(budget, augment)
    assert_same(recorded(example_set, epochs=2, **options), whole[:4])
    (one, _), *_ = recorded(example_set, epochs=1, seed=1, **options)
    assert not np.array_equal(one, whole[0][0])


@augmented(disk=())
def test_a_training_goes_on_where_it_stopped(budget, augment, example_set, whole_training):
    whole = whole_training(budget, augment)
    assert len(whole) == 6
    # In the middle of an augmented epoch, and of the plain one. The plain one does not depend on the augmentation.
    for start in (3, 5) if budget == MEMORY else (3,):
        rest = recorded(example_set, budget=budget, augment=augment, start_step=start, **ORDINARY)
        assert_same(rest, whole[start:])


def test_a_training_that_stopped_after_its_last_step_has_no_batch_left(example_set):
    assert recorded(example_set, budget=MEMORY, start_step=6, **ORDINARY) == []


@augmented(disk=pytest.mark.slow)
def test_workers_share_every_batch(budget, augment, example_set, whole_training):
    options = {"budget": budget, "augment": augment, **ORDINARY}
    parts = zip(*(recorded(example_set, shard=(number, 2), **options) for number in range(2)), strict=True)
    together = [(np.concatenate([a, b]), ids + more) for (a, ids), (b, more) in parts]
    assert_same(together, whole_training(budget, augment))


@pytest.mark.parametrize(
    "augment",
    [
        pytest.param((MixUp(),), id="mixed"),
        pytest.param((RandomFlip(), MixUp(), CutMix()), id="flipped-mixed-cut", marks=pytest.mark.slow),
    ],
)
def test_workers_share_every_batch_of_mixed_images(augment, example_set):
    options = {"budget": MEMORY, "augment": augment, "batch_size": 4, "epochs": 1}
    alone = recorded(example_set, **options)
    parts = zip(*(recorded(example_set, shard=(number, 2), **options) for number in range(2)), strict=True)
    assert_same([(np.concatenate([a, b]), ids + more) for (a, ids), (b, more) in parts], alone)


def test_a_shard_that_does_not_exist_is_refused(example_set):
    with pytest.raises(ConfigError, match="number of the worker from 0, number of workers"):
        make(example_set, budget=MEMORY, shard=(2, 2))


@augmented(disk=())
def test_the_last_epochs_see_the_images_as_evaluation_does(budget, augment, example_set, whole_training):
    unchanged = []
    for images, ids in whole_training(budget, augment):
        expected = np.stack([(PIXELS[name.decode()] / 255 - 0.5) / 2 for name in ids])
        unchanged.append(np.allclose(images, expected, atol=1e-6))
    # An epoch has two batches.
    assert [all(epoch) for epoch in zip(unchanged[::2], unchanged[1::2], strict=True)] == [False, False, True]
    # And in the order of a training without augmentation.
    usual = epochs_of(example_set, budget=budget, epochs=3, batch_size=4)
    batches = [[name.decode() for name in ids] for _, ids in whole_training(budget, augment)]
    assert [first + second for first, second in zip(batches[::2], batches[1::2], strict=True)] == usual


@pytest.mark.parametrize("budget", [pytest.param(MEMORY, id="decoded"), SLOW_ENCODED])
def test_one_image_at_a_time_and_a_batch_at_a_time_are_the_same(budget, example_set, monkeypatch):
    augment = (RandomFlip(direction="both"), ColorJitter(hue=0.1), PadCrop(pad=2))
    in_batches = recorded(example_set, budget=budget, augment=augment)
    monkeypatch.setattr(stream, "LARGE_IMAGE", 1)
    assert_same(recorded(example_set, budget=budget, augment=augment), in_batches)


def test_mixed_labels_are_shares_of_the_classes(example_set):
    batches, _ = make(
        example_set, budget=MEMORY, augment=(MixUp(),), encode=lambda batch: (batch["image"], batch["label_shares"])
    )
    for _, shares in batches:
        assert shares.shape == (3, 2)
        np.testing.assert_allclose(np.sum(shares, axis=1), 1, rtol=1e-6)


def test_mixed_epochs_and_plain_ones_make_one_training_of_whole_targets(example_set):
    from kerasvision.tasks.base import make_task

    task = make_task(c.Classification(), ("a", "b"))
    batches, steps = make(
        example_set,
        budget=MEMORY,
        augment=(MixUp(alpha=1.0),),
        epochs=2,
        plain_epochs=1,
        batch_size=COUNT,
        encode=task.encode,
    )
    shares = np.stack([targets for _, targets in batches])
    np.testing.assert_allclose(shares.sum(axis=-1), 1.0, rtol=1e-6)
    assert not np.isin(shares[:steps], (0, 1)).all()
    assert np.isin(shares[steps:], (0, 1)).all()


def test_mixing_without_labels_is_refused(make_examples, tmp_path):
    unlabelled = make_examples(tmp_path / "data", train=[(name, pixels, "") for name, pixels in PIXELS.items()])
    with pytest.raises(ConfigError, match="MixUp mixes labels, but these examples have none"):
        make(unlabelled, budget=MEMORY, augment=(MixUp(),))


# --- Evaluation


def evaluated(example_set, batch_size, *, split="validation", budget=0.0):
    batches = evaluation_batches(
        example_set, split=split, transform=TRANSFORM, encode=encode, batch_size=batch_size, memory_budget_gb=budget
    )
    return [(images.numpy(), targets["id"].numpy().tolist(), weights.numpy()) for images, targets, weights in batches]


@pytest.fixture(scope="module")
def validated(example_set):
    """The batches of the validation split by their size; found once."""
    return functools.cache(lambda batch_size: evaluated(example_set, batch_size))


@pytest.mark.parametrize(
    ("batch_size", "weights"), [(5, [[1] * 5]), (2, [[1, 1], [1, 1], [1, 0]]), (8, [[1, 1, 1, 1, 1, 0, 0, 0]])]
)
def test_the_last_batch_is_filled_up_at_weight_zero(batch_size, weights, validated):
    batches = validated(batch_size)
    assert [batch[2].tolist() for batch in batches] == weights
    assert all(len(images) == len(ids) == batch_size for images, ids, _ in batches)


def test_every_image_counts_once_and_is_the_right_one(validated):
    counted = []
    for images, ids, weights in validated(2):
        for image, name, weight in zip(images, ids, weights, strict=True):
            np.testing.assert_allclose(image, (OTHERS[name.decode()] / 255 - 0.5) / 2, rtol=1e-6, atol=1e-6)
            counted += [name.decode()] * int(weight)
    assert sorted(counted) == sorted(OTHERS)


def test_what_fills_up_is_the_batchs_first_image(validated):
    ((_, ids, weights),) = validated(8)
    assert weights.tolist() == [1, 1, 1, 1, 1, 0, 0, 0]
    assert ids[5:] == [ids[0]] * 3


@pytest.mark.parametrize("batch_size", [2, 5, 8])
def test_images_kept_in_memory_are_evaluated_as_those_that_are_read(batch_size, example_set, validated):
    for read, kept in zip(validated(batch_size), evaluated(example_set, batch_size, budget=1.0), strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, read, kept)


def test_who_trains_again_on_the_same_open_examples_reads_nothing_again(example_set, monkeypatch):
    def train_and_evaluate():
        batches, _ = make(example_set, budget=MEMORY, batch_size=2)
        return [images.numpy() for images, _ in batches], evaluated(example_set, 2, budget=1.0)

    before = train_and_evaluate()
    monkeypatch.setattr(ImageTransform, "prepared", None)
    tf.nest.map_structure(np.testing.assert_array_equal, before, train_and_evaluate())


def test_evaluation_has_the_same_order_every_time(example_set):
    first, second = evaluated(example_set, 2, split="train"), evaluated(example_set, 2, split="train")
    assert [ids for _, ids, _ in first] == [ids for _, ids, _ in second]


# --- Images without labels, with captions, with objects


def mask(height, width):
    return encode_png(np.full((height, width), 255, np.uint8))


@pytest.fixture(scope="module")
def scenes(make_examples, tmp_path_factory):
    """Five images without labels; image k has k captions and k objects, the first of which fills the upper half."""
    boxes = [(0.0, 0.0, 0.5, 1.0), (0.5, 0.5, 1.0, 1.0), (0.2, 0.2, 0.4, 0.4), (0.1, 0.1, 0.9, 0.9)]
    rows = [
        (
            f"s{k}",
            RANDOM.integers(0, 256, (6, 5, 3), np.uint8),
            "",
            [f"caption {n}" for n in range(k)],
            [
                {"bbox": box, "label": "xy"[n % 2], "crowd": n == 1, "area": n + 0.5, "mask": mask(6, 5)}
                for n, box in enumerate(boxes[:k])
            ],
        )
        for k in range(5)
    ]
    return make_examples(tmp_path_factory.mktemp("scenes") / "data", train=rows, validation=rows)


def check_scene(name, captions, objects):
    k = int(name.decode()[1:])
    assert captions.numpy().tolist() == [f"caption {n}".encode() for n in range(k)] + [b""] * (4 - k)
    assert objects["label"].numpy().tolist() == [n % 2 for n in range(k)] + [-1] * (4 - k)
    assert objects["bbox"].shape == (4, 4) and not np.any(objects["bbox"][k:])
    assert objects["crowd"].numpy().tolist() == [n == 1 for n in range(k)] + [False] * (4 - k)
    assert objects["area"].numpy().tolist() == [n + 0.5 for n in range(k)] + [0.0] * (4 - k)
    assert objects["mask"].shape == (4, 6, 5)
    assert np.all(objects["mask"][:k] == 1) and not np.any(objects["mask"][k:])
    if k:
        np.testing.assert_allclose(objects["bbox"][0], [0, 0, 0.5, 1])


def everything(batch):
    assert "label" not in batch
    return batch["image"], {key: batch[key] for key in ("id", "captions", "objects")}


def each_scene(targets):
    for number, name in enumerate(targets["id"].numpy()):
        objects = {key: part[number] for key, part in targets["objects"].items()}
        yield name, targets["captions"][number], objects


# The test after this one reads them from the disk.
@pytest.mark.parametrize(
    "budget", [pytest.param(MEMORY, id="decoded"), SLOW_ENCODED, pytest.param(DISK, id="disk", marks=pytest.mark.slow)]
)
def test_captions_and_objects_are_filled_up_in_training(budget, scenes):
    batches, _ = make(scenes, budget=budget, batch_size=2, encode=everything)
    for _, targets in batches:
        for name, captions, objects in each_scene(targets):
            check_scene(name, captions, objects)


def test_captions_and_objects_are_filled_up_in_evaluation(scenes):
    names = []
    for _, targets, weights in evaluation_batches(
        scenes, split="validation", transform=TRANSFORM, encode=everything, batch_size=2
    ):
        for (name, captions, objects), weight in zip(each_scene(targets), weights, strict=True):
            check_scene(name, captions, objects)
            names += [name] * int(weight)
    assert sorted(names) == [b"s0", b"s1", b"s2", b"s3", b"s4"]


def test_objects_follow_a_flip(scenes):
    flip = RandomFlip(direction="vertical")
    batches, _ = make(scenes, budget=MEMORY, batch_size=5, epochs=1, encode=everything, augment=(flip,))
    upper = {tuple(targets["objects"]["bbox"][n, 0].numpy()) for _, targets in batches for n in range(5)} - {(0, 0, 0, 0)}
    assert upper <= {(0, 0, 0.5, 1), (0.5, 0, 1, 1)}


# --- Mosaic: images of one batch share their objects

MOSAIC = (RandomFlip(), c.Mosaic(center=(0.5, 0.5)), c.VisibleObjects(least=0.2))


def mosaics(scenes, **keywords):
    """Images, and flat objects, of every batch: four batches of two in two epochs, of which the last is plain."""
    defaults = {"budget": MEMORY, "augment": MOSAIC, "epochs": 2, "plain_epochs": 1, "batch_size": 2, "encode": everything}
    batches, _ = make(scenes, **defaults | keywords)
    return [
        (images.numpy(), {name: part.numpy() for name, part in targets["objects"].items()}) for images, targets in batches
    ]


def test_mosaics_and_plain_epochs_have_objects_in_one_shape(scenes):
    batches = mosaics(scenes)
    # Image k has k objects, so 4 rows, which become 16.
    assert {objects["label"].shape for _, objects in batches} == {(2, 16)}
    assert {objects["mask"].shape for _, objects in batches} == {(2, 16, 6, 5)}
    assert {tuple(sorted(objects)) for _, objects in batches} == {("area", "bbox", "crowd", "label", "mask")}
    # A plain image has the objects that its annotations have; those of a mosaic lie around its middle too.
    for _, objects in batches[2:]:
        assert (objects["label"][:, 4:] == -1).all()


# In the default suite, workers share mixed images above, and mosaics have objects in one shape.
@pytest.mark.slow
@pytest.mark.parametrize("budget", [pytest.param(MEMORY, id="decoded"), SLOW_ENCODED])
def test_mosaics_are_the_same_one_by_one_from_any_step_and_for_any_worker(budget, scenes, monkeypatch):
    whole = mosaics(scenes, budget=budget)
    later = mosaics(scenes, budget=budget, start_step=1)
    parts = [mosaics(scenes, budget=budget, shard=(worker, 2)) for worker in range(2)]
    monkeypatch.setattr(stream, "LARGE_IMAGE", 1)
    alone = mosaics(scenes, budget=budget)
    joined = [tf.nest.map_structure(lambda *rows: np.concatenate(rows), *pair) for pair in zip(*parts, strict=True)]
    for other, first in ((alone, 0), (later, 1), (joined, 0)):
        for one, two in zip(whole[first:], other, strict=True):
            tf.nest.map_structure(np.testing.assert_array_equal, one, two)
