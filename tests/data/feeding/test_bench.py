"""The bench measures every step, and names the one that takes longest."""

import time

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision import lookup
from kerasvision.config.augmentation import Augmentation, RandomFlip, RandomResizedCrop
from kerasvision.data.feeding import bench
from kerasvision.data.feeding.bench import TimedStep, bench_input, cores_to_feed, slowest_step
from kerasvision.data.transform import ImageTransform

TRANSFORM = ImageTransform(c.Transform(image_size=(16, 16)), (0.5,) * 3, (2.0,) * 3)


class Slow(Augmentation):
    """Two milliseconds of processor time for each image, on any machine."""

    implementation = f"{__name__}:slow"


def slow(batch, *, numbers, settings):
    def wait(images):
        until = time.thread_time() + 0.002 * len(images)
        while time.thread_time() < until:
            pass
        return images

    return {**batch, "image": tf.ensure_shape(tf.py_function(wait, [batch["image"]], tf.float32), batch["image"].shape)}


@pytest.fixture(scope="module")
def example_set(make_examples, tmp_path_factory):
    random = np.random.default_rng(0)
    rows = [(f"{k}", random.integers(0, 256, (20, 20, 3), np.uint8), "a") for k in range(12)]
    return make_examples(tmp_path_factory.mktemp("examples") / "data", train=rows)


# By default, tests below measure the steps of another input briefly, and subtract times that were written by hand.
@pytest.mark.slow
def test_the_slowest_step_is_named(example_set, monkeypatch):
    monkeypatch.setattr(lookup, "load", lambda path, load=lookup.load: slow if path == Slow.implementation else load(path))
    steps = bench_input(example_set, transform=TRANSFORM, augment=(RandomFlip(), Slow()), batch_size=4, seconds=1)
    assert [step.name for step in steps] == [
        "reading",
        "decoding, resizing",
        "batching",
        "1. RandomFlip",
        "2. Slow",
        "scaling",
    ]
    assert slowest_step(steps).name == "2. Slow"
    assert 1.5 < slowest_step(steps).milliseconds < 6
    assert all(step.milliseconds >= 0 and step.images_per_second > 0 for step in steps)


@pytest.mark.slow
def test_a_random_crop_is_part_of_decoding(example_set, monkeypatch):
    monkeypatch.setattr(bench, "_SAMPLE", 12)
    monkeypatch.setattr(bench, "_ROUNDS", 1)
    augment = (RandomResizedCrop(), RandomFlip())
    steps = bench_input(example_set, transform=TRANSFORM, augment=augment, batch_size=20, seconds=0.01)
    assert [step.name for step in steps] == ["reading", "decoding, random crop", "batching", "2. RandomFlip", "scaling"]
    assert all(step.milliseconds >= 0 and step.images_per_second > 0 for step in steps)


def test_the_cost_of_a_step_is_what_it_adds_to_the_median_of_those_before_it():
    # Three rounds of (milliseconds of the processors, milliseconds elapsed) per image.
    rounds = {
        "reading": [(9.0, 1.0), (9.0, 2.0), (9.0, 9.0)],
        "decoding": [(4.0, 5.0), (3.0, 4.0), (90.0, 50.0)],
        "1. Slow": [(11.0, 10.0), (10.0, 8.0), (10.5, 9.0)],
        "scaling": [(10.0, 10.0), (10.0, 10.0), (10.0, 10.0)],
    }
    steps = bench._steps(rounds)
    # Reading is elapsed time; a step that seems to save time costs 0.
    assert {step.name: step.milliseconds for step in steps} == {
        "reading": 2.0,
        "decoding": 4.0,
        "1. Slow": 6.5,
        "scaling": 0.0,
    }
    assert slowest_step(steps).name == "1. Slow"


def test_the_cores_that_feed_an_accelerator_follow_from_the_sum():
    steps = [TimedStep("reading", 0.2, 5000.0), TimedStep("decoding", 0.8, 1000.0), TimedStep("scaling", 0.5, 700.0)]
    assert cores_to_feed(steps) == pytest.approx(4.5)  # 1.5 ms of a core each, 3,000 times per second
    assert cores_to_feed(steps, images_per_second=100) == pytest.approx(0.15)


def test_copies_and_photos_are_measured_in_turns_by_processor_time(example_set, monkeypatch):
    """Of three rounds, the medians of reading and of decoding are added."""
    rounds = iter([1, 10, 2, 100, 3, 30, 4, 300, 2, 20, 9, 200])
    monkeypatch.setattr(bench, "_passes", lambda _, seconds: 1)
    monkeypatch.setattr(bench, "_measured", lambda *_, passes, images: (float(next(rounds)), 1e9))
    sets = {"copies": example_set, "photos": example_set}
    took = bench.bench_opening(sets, transform=TRANSFORM, augment=(RandomResizedCrop(),), seconds=0.1)
    assert took == {"copies": 2 + 20, "photos": 4 + 200}
    assert next(rounds, None) is None


def test_the_start_of_a_pipeline_is_not_counted(monkeypatch):
    """A pipeline that starts in 100 s, and takes 2 s of the processors and 1 s on the clock for a pass of ten images."""
    monkeypatch.setattr(bench, "_taken", lambda _, passes: (100 + 2.0 * passes, 100 + 1.0 * passes))
    assert bench._passes(None, seconds=105) == 8
    assert bench._measured(None, passes=8, images=10) == (pytest.approx(200), pytest.approx(100))


def test_a_difference_below_zero_counts_as_almost_nothing(monkeypatch):
    monkeypatch.setattr(bench, "_taken", lambda _, passes: (1.0 / passes, 1.0 / passes))
    assert bench._measured(None, passes=8, images=10) == (0.001, 0.001)


@pytest.mark.slow
def test_reading_and_decoding_of_each_set_is_measured(example_set, monkeypatch):
    monkeypatch.setattr(bench, "_FEW", 12)
    took = bench.bench_opening({"copies": example_set, "photos": example_set}, transform=TRANSFORM, seconds=0.01)
    assert took.keys() == {"copies", "photos"}
    assert min(took.values()) > 0
