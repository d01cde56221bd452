"""Measured in batches, small images give what they give one by one, in the same order; also if some are of another size."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from kerasvision.data import by_batches as module
from kerasvision.data.by_batches import by_batches
from kerasvision.data.png import encode_png
from kerasvision.ops.alike import decode_alike
from kerasvision.ops.images import decode_image

RANDOM = np.random.default_rng(0)
SAME = [RANDOM.integers(0, 256, (5, 4, 3), np.uint8) for _ in range(40)]
# The twentieth is in the third batch of 8.
MIXED = [*SAME[:20], RANDOM.integers(0, 256, (9, 2, 3), np.uint8), *SAME[20:]]


@pytest.fixture(autouse=True)
def _few_images_are_enough(monkeypatch):
    monkeypatch.setattr(module, "FEWEST", 1)


def means(images, *, traced):
    """What is measured of the images: (names, means), and how often each way of decoding was traced."""
    names = [str(number) for number in range(len(images))]
    files = [encode_png(image) for image in images]

    def counted(name, decode, files):
        traced[name] = traced.get(name, 0) + 1
        return decode(files, color_mode="rgb")

    batches = by_batches(
        tf.data.Dataset.from_tensor_slices({"id": names, "image": files, "unused": names}),
        parts=lambda example: {"id": example["id"], "image": example["image"]},
        decode=partial(counted, "alone", decode_image),
        decode_alike=partial(counted, "together", decode_alike),
        measure=lambda pixels: {"mean": tf.reduce_mean(tf.cast(pixels, tf.float64), axis=(1, 2, 3))},
        batch_size=8,
    )
    found = list(batches.as_numpy_iterator())
    assert all(set(batch) == {"id", "mean"} for batch in found)
    assert [len(batch["id"]) for batch in found][:-1] == [8] * (len(found) - 1)
    return [int(name) for batch in found for name in batch["id"]], np.concatenate([batch["mean"] for batch in found])


@pytest.mark.parametrize("images", [SAME, MIXED, MIXED[20:], MIXED[::-1]], ids=["same", "one other", "other first", "back"])
def test_every_image_is_measured_in_order(images):
    names, found = means(images, traced={})
    assert names == list(range(len(images)))
    np.testing.assert_allclose(found, [image.mean() for image in images], rtol=1e-12)


def test_images_of_one_size_are_decoded_together_and_others_alone():
    traced = {}
    means(SAME, traced=traced)
    assert traced["together"] > 0
    traced = {}
    means(MIXED[20:], traced=traced)
    assert set(traced) == {"alone"}


def test_few_images_are_decoded_alone(monkeypatch):
    monkeypatch.setattr(module, "FEWEST", 41)
    traced = {}
    means(SAME, traced=traced)
    assert set(traced) == {"alone"}


def test_images_that_would_fill_the_memory_as_a_batch_are_decoded_alone(monkeypatch):
    monkeypatch.setattr(module, "MOST_PIXELS", 8 * 20 - 1)  # a batch of 8 images of 5 x 4 has one pixel more
    traced = {}
    means(SAME, traced=traced)
    assert set(traced) == {"alone"}
