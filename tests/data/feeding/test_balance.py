"""Balanced sampling: each class equally often per epoch, decided by seed and epoch alone."""

from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasvision import config as c
from kerasvision.data.feeding.balance import Balance
from kerasvision.data.feeding.batches import training_batches
from kerasvision.data.feeding.order import Order
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError

LABELS = np.array([0] * 9 + [1] * 4 + [3] * 1 + [4] * 2)


def epoch(balance, number, seed=0):
    return balance.rows_of_epoch(seed, tf.constant(number, tf.int64)).numpy()


@settings(max_examples=25)
@given(labels=st.lists(st.integers(0, 5), min_size=1, max_size=40), draws=st.integers(1, 40), number=st.integers(0, 9))
def test_classes_and_the_images_of_a_class_are_used_equally_often_or_once_more(labels, draws, number):
    rows = epoch(Balance.of_labels(np.array(labels), draws=draws), number)
    assert len(rows) == draws
    of_class = Counter(labels[row] for row in rows)
    counts = [of_class[label] for label in set(labels)]
    assert max(counts) - min(counts) <= 1
    of_row = Counter(rows.tolist())
    for label in set(labels):
        uses = [of_row[row] for row, its in enumerate(labels) if its == label]
        assert max(uses) - min(uses) <= 1


def test_every_class_gets_the_draw_more_in_turn_and_every_image_gets_its_turn():
    balance = Balance.of_labels(LABELS, draws=10)
    rows = np.concatenate([epoch(balance, number) for number in range(40)])
    assert Counter(LABELS[rows].tolist()) == {0: 100, 1: 100, 3: 100, 4: 100}
    uses = np.bincount(rows, minlength=len(LABELS))
    # 100 draws of 9 images: 2 or 3 different ones in each epoch.
    assert (uses > 0).all()
    assert uses[:9].max() < 2.5 * uses[:9].min()


def test_seed_and_epoch_decide_the_order():
    balance = Balance.of_labels(LABELS, draws=16)
    again = Balance.of_labels(LABELS, draws=16)
    assert (epoch(balance, 3) == epoch(again, 3)).all()
    assert (epoch(balance, 3) != epoch(balance, 4)).any()
    assert (epoch(balance, 3) != epoch(balance, 3, seed=1)).any()


def rows_of(first_step=0, shard=(0, 1)):
    balance = Balance.of_labels(LABELS, draws=16)
    order = Order(16, 8, seed=5, first_step=first_step, last_step=6, shard=shard, balance=balance)
    return [rows.numpy().tolist() for _, rows in order.batches()]


def test_training_begins_at_any_step_and_is_divided_among_workers_without_a_change():
    whole = rows_of()
    assert len(whole) == 6
    assert rows_of(first_step=3) == whole[3:]
    first, second = rows_of(shard=(0, 2)), rows_of(shard=(1, 2))
    assert [one + other for one, other in zip(first, second, strict=True)] == whole


@pytest.fixture(scope="module")
def uneven(make_examples, tmp_path_factory):
    pixels = np.zeros((4, 4, 3), np.uint8)
    rows = [
        (f"{label}{number}", pixels, label) for label, count in (("a", 9), ("b", 2), ("c", 1)) for number in range(count)
    ]
    return make_examples(tmp_path_factory.mktemp("uneven") / "data", train=rows)


def batches(examples, *, encode, budget=1.0, augment=()):
    found, _ = training_batches(
        examples,
        transform=ImageTransform(c.Transform(image_size=(4, 4)), (0.5,) * 3, (2.0,) * 3),
        encode=encode,
        augment=augment,
        batch_size=3,
        epochs=2,
        seed=0,
        memory_budget_gb=budget,
        sampling="balanced",
    )
    return found


@pytest.mark.parametrize("augment", [(), (c.RandomResizedCrop(),)], ids=["decoded", "encoded"])
def test_batches_have_each_class_equally_often(uneven, augment, capsys):
    labels = np.concatenate([one for _, one in batches(uneven, augment=augment, encode=lambda b: (b["image"], b["label"]))])
    for one in (labels[:12], labels[12:]):
        assert Counter(one.tolist()) == {0: 4, 1: 4, 2: 4}
    said = "balanced sampling: 4 images of each class per epoch; 'c' has 1, and each of them is used up to 4 times"
    assert said in capsys.readouterr().err


def test_balanced_sampling_requires_labels_and_memory(uneven, make_examples, tmp_path):
    with pytest.raises(ConfigError, match=r"requires the training images in memory.* Set training\.memory_budget_gb"):
        batches(uneven, encode=lambda b: (b["image"], b["label"]), budget=1e-9)
    bare = make_examples(tmp_path / "data", train=[(f"t{number}", np.zeros((4, 4, 3), np.uint8)) for number in range(4)])
    with pytest.raises(ConfigError, match="requires a label for every image"):
        batches(bare, encode=lambda b: (b["image"], b["id"]))
