"""The picture of augmented images shows the boxes, masks and classes that the training reads."""

from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.feeding.preview import draw_augmented
from kerasvision.data.png import encode_png
from kerasvision.data.transform import ImageTransform

# matplotlib's first two colours, and the first one as a mask of 35 % on black.
BLUE, ORANGE, BLUE_ON_BLACK = (31, 119, 180), (255, 127, 14), (11, 42, 63)


@pytest.fixture(scope="module")
def scenes(make_examples, tmp_path_factory):
    """Four black images, each with an object of class `a` that has a mask, and a crowd of class `b$`."""
    half = np.zeros((40, 40), np.uint8)
    half[5:20, 5:20] = 255
    objects = [
        {"bbox": (0.125, 0.125, 0.5, 0.5), "label": "a", "crowd": False, "area": 225.0, "mask": encode_png(half)},
        {"bbox": (0.6, 0.5, 0.9, 0.9), "label": "b$", "crowd": True, "area": 9.0, "mask": encode_png(0 * half)},
    ]
    rows = [(f"s{number}", np.zeros((40, 40, 3), np.uint8), "", [], objects) for number in range(4)]
    return make_examples(tmp_path_factory.mktemp("scenes") / "data", train=rows, validation=rows)


def picture(scenes, tmp_path, *augment, task=None):
    settings = TrainerSettings(
        task=task or c.Detection(),
        model=c.Model(name="my_networks:detector"),
        training=c.Training(),
        augment=augment,
    )
    transform = ImageTransform(c.Transform(image_size=(40, 40)), (0.0,) * 3, (255.0,) * 3)
    file = tmp_path / "augmented.png"
    draw_augmented(settings=settings, examples=scenes, transform=transform, file=file)
    with Image.open(file) as drawn:
        return np.asarray(drawn.convert("RGB")).astype(int)


def count(pixels, colour):
    return int((np.abs(pixels - colour).max(axis=-1) <= 3).sum())


def test_boxes_have_the_colours_of_the_legend(scenes, tmp_path):
    drawn = picture(scenes, tmp_path, c.RandomFlip())
    # Four boxes of 15 x 15 pixels, each drawn at over 200 / 40 of its size; a crowd's border is dashed.
    assert count(drawn, BLUE) > 4 * 4 * 15 * 5
    assert 0 < count(drawn, ORANGE) < count(drawn, BLUE)
    assert count(drawn, BLUE_ON_BLACK) == 0


@pytest.mark.slow
def test_masks_are_drawn_if_something_reads_them(scenes, tmp_path):
    drawn = picture(scenes, tmp_path, c.RandomFlip(), c.VisibleObjects(tight=True))
    assert count(drawn, BLUE_ON_BLACK) > 4 * (14 * 5) ** 2


@pytest.mark.slow
def test_mosaics_are_drawn_with_all_their_objects(scenes, tmp_path):
    once, mixed = picture(scenes, tmp_path, c.RandomFlip()), picture(scenes, tmp_path, c.Mosaic(scale=(0.5, 0.5)))
    assert count(mixed, BLUE) > count(once, BLUE)


def test_a_task_that_reads_no_objects_gets_none_drawn(scenes, tmp_path):
    drawn = picture(scenes, tmp_path, c.RandomFlip(), task=c.Captioning())
    assert count(drawn, BLUE) == count(drawn, ORANGE) == 0


class PixelTask(c.Task):
    """A task that reads label maps."""

    implementation: ClassVar[str] = "kerasvision.tasks.classification.task:ClassificationTask"
    reads: ClassVar[frozenset[str]] = frozenset({"label_map"})


@pytest.mark.slow
def test_the_classes_of_label_maps_are_painted_and_named(make_examples, tmp_path):
    numbers = np.zeros((40, 40), np.uint8)
    numbers[:, 20:], numbers[20:] = 1, 255
    rows = [(f"m{k}", np.full((40, 40, 3), 100, np.uint8), "", [], [], numbers) for k in range(4)]
    mapped = make_examples(tmp_path / "data", ("sky", "road", "never"), train=rows)
    drawn = picture(mapped, tmp_path, c.RandomFlip(), task=PixelTask())
    # A quarter of each of the four images, drawn at over 200 / 40 of its size; half of the grey, half of #1d4f91 or #a4271b.
    for colour in ((64, 90, 122), (132, 70, 64)):
        assert count(drawn, colour) > 4 * (19 * 5) ** 2
    # In full, the colours are in the legend alone; the colour of the class that no image shows is nowhere.
    assert count(drawn, (29, 79, 145)) > 20
    assert count(drawn, (164, 39, 27)) > 20
    assert count(drawn, (23, 111, 44)) == 0
