"""The random numbers of a task belong to an example of an epoch, however the training begins, is shared out, or reads."""

import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet
from kerasvision.data.feeding.batches import evaluation_batches, training_batches
from kerasvision.data.transform import ImageTransform


@pytest.fixture(scope="module")
def numbers_of(stripes):
    def numbers(*, budget=1.0, take=4, **options):
        batches, _ = training_batches(
            ExampleSet(stripes.examples),
            transform=ImageTransform.load(stripes.transform),
            encode=lambda batch: (batch["id"], batch["numbers"]),
            batch_size=8,
            epochs=2,
            seed=3,
            memory_budget_gb=budget,
            draws=3,
            **options,
        )
        return {(place, name): row for place, (ids, rows) in enumerate(batches.take(take)) for name, row in _rows(ids, rows)}

    return numbers


def _rows(ids, rows):
    return zip((name.decode() for name in ids.numpy()), map(tuple, rows.numpy()), strict=True)


@pytest.mark.slow
def test_a_later_start_and_a_part_of_the_batches_have_the_same_numbers(numbers_of):
    whole = numbers_of()
    assert len(set(whole.values())) == len(whole)
    assert all(0 <= number < 1 for row in whole.values() for number in row)
    later = numbers_of(start_step=2, take=2)
    assert {(place + 2, name): row for (place, name), row in later.items()}.items() <= whole.items()
    parts = numbers_of(shard=(0, 2)) | numbers_of(shard=(1, 2))
    assert parts == whole


def test_augmentations_do_not_take_them(numbers_of):
    assert numbers_of(augment=(c.RandomFlip(),)) == numbers_of()


def test_an_evaluation_has_the_same_numbers_each_time(stripes):
    def numbers(size):
        batches = evaluation_batches(
            ExampleSet(stripes.examples),
            split="validation",
            transform=ImageTransform.load(stripes.transform),
            encode=lambda batch: (batch["id"], batch["numbers"]),
            batch_size=size,
            draws=2,
        )
        return {name: row for ids, rows, _ in batches for name, row in _rows(ids, rows)}

    first = numbers(4)
    assert first == numbers(4)
    # Copies at the end of the last batch have the numbers of its first example, and no others.
    assert first == numbers(3)
    assert len(set(first.values())) == len(first)
    assert {np.shape(row) for row in first.values()} == {(2,)}
