"""What nobody reads is neither decoded nor padded nor kept, and a task may reduce what it reads."""

from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config import Augmentation, MixUp, RandomFlip, RandomResizedCrop
from kerasvision.config.example_parts import EVERYTHING
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.feeding.batches import evaluation_batches, training_batches
from kerasvision.data.feeding.in_memory import cached_split, held_gb
from kerasvision.data.feeding.inputs import ReducingTransform, Reduction
from kerasvision.data.feeding.padding import largest_shapes
from kerasvision.data.feeding.reading import ReadExamples
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError

TRANSFORM = ImageTransform(c.Transform(image_size=(6, 5)), (0.5,) * 3, (2.0,) * 3)
BOXES = [(0.0, 0.0, 0.5, 1.0), (0.5, 0.5, 1.0, 1.0), (0.2, 0.2, 0.4, 0.4)]
# GB. The examples take some kB.
MEMORY, DISK = 4.0, 1e-9
WAYS = pytest.mark.parametrize(
    "budget", [pytest.param(MEMORY, id="decoded"), pytest.param(DISK, id="disk", marks=pytest.mark.slow)]
)


def scenes(make_examples, folder, mask):
    rows = [
        (
            f"s{k}",
            np.full((6, 5, 3), 40 * k, np.uint8),
            "ab"[k % 2],
            [f"caption {n}" for n in range(k)],
            [{"bbox": box, "label": "x", **mask} for box in BOXES[:k]],
        )
        for k in range(4)
    ]
    return make_examples(folder, train=rows, validation=rows)


@pytest.fixture(scope="module")
def example_set(make_examples, tmp_path_factory):
    """Four labelled images; image k has k captions and k objects with masks."""
    mask = {"mask": encode_png(np.full((6, 5), 255, np.uint8))}
    return scenes(make_examples, tmp_path_factory.mktemp("scenes") / "data", mask)


def parts_of(example_set, **options):
    """The parts of the batches of training and validation, with those of the objects, by their names."""
    seen = []

    def encode(batch):
        # Its place in the training is no part of an example.
        seen.append(sorted({*batch} - {"place"}) + sorted(f"objects/{part}" for part in batch.get("objects", ())))
        return batch["image"], batch["id"]

    augment = options.pop("augment", ())
    settings = {"transform": TRANSFORM, "encode": encode, "batch_size": 2, "memory_budget_gb": MEMORY, **options}
    training_batches(example_set, epochs=1, seed=0, augment=augment, **settings)
    evaluation_batches(example_set, split="validation", **settings)
    training, validation = seen
    return training, validation


def test_everything_is_read_unless_something_else_is_said(example_set):
    parts = ["captions", "id", "image", "label", "objects"]
    objects = [f"objects/{part}" for part in ("area", "bbox", "crowd", "label", "mask")]
    assert parts_of(example_set) == (parts + objects,) * 2


@WAYS
@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        ({"label"}, ["id", "image", "label"]),
        pytest.param({"captions"}, ["captions", "id", "image"], marks=pytest.mark.slow),
        pytest.param({"mask"}, ["id", "image"], marks=pytest.mark.slow),  # a part of the objects
        ({"objects"}, ["id", "image", "objects", *(f"objects/{part}" for part in ("area", "bbox", "crowd", "label"))]),
    ],
)
def test_only_what_is_read_is_in_the_batches(example_set, budget, reads, expected):
    assert parts_of(example_set, reads=reads, memory_budget_gb=budget) == (expected, expected)


@WAYS
@pytest.mark.parametrize(
    ("reads", "expected"), [({"label_map"}, ["id", "image", "label_map"]), ({"label"}, ["id", "image"])]
)
def test_label_maps_are_in_the_batches_of_a_task_that_reads_them(make_examples, tmp_path, budget, reads, expected):
    rows = [(f"m{k}", np.zeros((6, 5)), "", (), (), np.full((6, 5), k)) for k in range(4)]
    mapped = make_examples(tmp_path / "data", map_classes=tuple("abcd"), train=rows, validation=rows)
    assert parts_of(mapped, reads=reads, memory_budget_gb=budget) == (expected, expected)


def test_masks_that_nobody_reads_are_not_decoded(make_examples, tmp_path):
    broken = scenes(make_examples, tmp_path / "data", {"mask": b"no PNG"})
    settings = {"transform": TRANSFORM, "encode": lambda batch: (batch["objects"]["bbox"], ()), "batch_size": 2}
    (boxes, _, _), *_ = evaluation_batches(broken, split="validation", reads={"objects"}, **settings)
    assert boxes.shape == (2, 3, 4)
    with pytest.raises(tf.errors.InvalidArgumentError, match="PNG"):
        list(evaluation_batches(broken, split="validation", reads={"objects", "mask"}, **settings))


@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        # 6 x 5 x 3 float32 and the label's 8 bytes; for each of 3 objects 16 + 8 + 1 + 4 bytes, and 6 x 5 of its mask.
        (EVERYTHING, 360 + 8 + 3 * (29 + 30)),
        ({"objects"}, 360 + 3 * 29),
        ({"label"}, 360 + 8),
    ],
)
def test_the_memory_is_that_of_what_is_read(example_set, reads, expected):
    known = ReadExamples(example_set, reads)
    encoded = known.dataset("train")
    found = held_gb(encoded.map(TRANSFORM.prepared), largest_shapes(encoded), count=4)
    assert found * 1e9 == pytest.approx(4 * expected)
    kept = cached_split(known, "train", ReducingTransform(TRANSFORM))
    numbers = [part.numpy() for part in tf.nest.flatten(kept) if part.dtype != tf.string]
    assert sum(part.nbytes for part in numbers) == 4 * expected


def test_tasks_with_other_parts_do_not_share_what_is_in_memory(example_set):
    for reads in ({"label"}, {"objects"}, {"label"}):
        kept = cached_split(ReadExamples(example_set, reads), "train", ReducingTransform(TRANSFORM))
        assert set(kept) == {"id", "image", *reads}


# --- What the settings read


class Own(Augmentation):
    implementation: ClassVar[str] = "my_module:own"


class Tightening(Augmentation):
    implementation: ClassVar[str] = "my_module:tighten"
    reads: ClassVar[frozenset[str]] = frozenset({"mask"})


@pytest.mark.parametrize(
    ("augment", "expected"),
    [
        ((), {"label"}),
        ((RandomFlip(),), {"label"}),
        ((Tightening(), RandomFlip()), {"label", "mask"}),
        ((Own(),), EVERYTHING),  # it may read what it wants, unless it says less
    ],
)
def test_a_training_reads_what_its_task_and_its_augmentations_read(augment, expected):
    settings = TrainerSettings(task=c.Classification(), model=c.Model(name="lenet5"), training=c.Training(), augment=augment)
    assert settings.reads == expected


def test_mixing_reads_the_labels_that_it_mixes():
    assert MixUp().reads == {"label"}
    assert c.Captioning.reads == {"captions"}
    assert c.MeasuredTask.reads == EVERYTHING  # of a task of one's own


def test_objects_that_nobody_reads_do_not_forbid_an_augmentation(example_set):
    overlaid = {"augment": (c.AugMix(),), "reads": {"label"}}
    assert parts_of(example_set, **overlaid)[0] == ["id", "image", "label"]
    with pytest.raises(ConfigError, match="AugMix overlays images"):
        parts_of(example_set, **{**overlaid, "reads": {"objects"}})


# --- What a task makes of an example


def counted(example):
    """The number of objects, and no objects."""
    count = tf.reduce_sum(tf.cast(example["objects"]["label"] >= 0, tf.int32))
    return {"image": example["image"], "id": example["id"], "count": count}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("budget", "augment"),
    [(MEMORY, ()), (MEMORY, (RandomFlip(),)), (1e-5, ()), (DISK, (RandomResizedCrop(area=(1.0, 1.0)),))],
)
def test_an_example_is_reduced_in_training_and_in_the_validation(example_set, budget, augment):
    settings = {
        "transform": TRANSFORM,
        "encode": lambda batch: (batch["image"], {key: part for key, part in batch.items() if key != "image"}),
        "batch_size": 2,
        "memory_budget_gb": budget,
        "reduction": Reduction("counted", counted),
    }
    training, _ = training_batches(example_set, epochs=1, seed=0, augment=augment, **settings)
    validation = evaluation_batches(example_set, split="validation", **settings)
    for batches in (training, validation):
        found = {}
        for _, targets, *_ in batches:
            assert set(targets) - {"place"} == {"id", "count"}
            found |= dict(zip(targets["id"].numpy().tolist(), targets["count"].numpy().tolist(), strict=True))
        assert found == {b"s0": 0, b"s1": 1, b"s2": 2, b"s3": 3}
