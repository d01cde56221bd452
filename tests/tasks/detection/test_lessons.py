"""Which level learns which object, counted by hand, and the picture of it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.tasks.base import make_task
from kerasvision.tasks.detection.lessons import lessons, level_table, points_by_level
from kerasvision.tasks.detection.readings import grid

# Four points of stride 8, and one of stride 16.
POINTS = grid({"p3": (2, 2), "p4": (1, 1)})


def test_objects_and_points_are_counted_by_level():
    """Two points of level 3 and that of level 4 learn object 0, one of level 3 learns object 1, nothing learns object 2."""
    counts = points_by_level(np.array([[0, 0, 1, -1, 0]]), POINTS, objects=3)
    assert counts.tolist() == [[[2, 1], [1, 0], [0, 0]]]
    table = level_table(counts, np.array([[True, True, True]]), POINTS, noun="points")
    assert table.reset_index().values.tolist() == [["p3", "8", 2, 3], ["p4", "16", 1, 1], ["(none)", "", 1, 0]]


def test_rows_without_an_object_do_not_count_as_objects_without_points():
    table = level_table(np.zeros((1, 2, 2), int), np.array([[True, False]]), POINTS, noun="points")
    assert table["objects"].tolist() == [0, 0, 1]


@pytest.fixture
def network():
    """Points of strides 8 and 16 in an image of 32 x 32."""
    image = keras.Input((32, 32, 1))
    found = {}
    for level in (3, 4):
        small = keras.layers.AveragePooling2D(2**level)(image)
        found[f"p{level}_class_logits"] = keras.layers.Conv2D(2, 1)(small)
        found[f"p{level}_distances"] = keras.layers.Conv2D(4, 1)(small)
    return keras.Model(image, found)


def taught(network, boxes, classes):
    """The lessons of images of 32 x 32 with these boxes in pixels."""
    targets = {
        "boxes": tf.constant(boxes, tf.float32),
        "classes": tf.constant(classes),
        "crowd": tf.zeros(np.shape(classes), bool),
    }
    pixels = np.full((len(boxes), 32, 32, 1), 200, np.float32)
    return lessons(network, pixels, tf.constant(pixels / 255), targets, settings=c.Detection(), num_classes=2)


def test_picture_is_of_the_image_whose_objects_are_learned_on_the_most_levels(network):
    # The large one is cut by the frame: its centre is the point of level 4 at 8, 8, and its sides are 88 pixels away.
    small, large, nothing = [8, 8, 16, 16], [-80, -80, 96, 96], [0, 0, 0, 0]
    found = taught(network, [[small, nothing], [small, large]], [[0, -1], [0, 1]])
    ((title, figure),) = found.figures.items()
    assert title == "The points that learn each object of a training image, by level"
    # Two boxes, and a legend of both levels.
    axes = figure.axes[0]
    assert [patch.get_bbox().extents.tolist() for patch in axes.patches] == [[8, 8, 16, 16], [-80, -80, 96, 96]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["p3, stride 8", "p4, stride 16"]
    # x and y of the dots of the small object: all points within 1.5 strides of its centre at 12, and inside it.
    assert axes.collections[0].get_offsets().tolist() == [[12.0, 12.0]]
    table = found.tables["learned_by_level"]
    assert table["objects"].tolist() == [2, 1, 0]


def test_images_without_objects_teach_nothing(network):
    found = taught(network, [[[0, 0, 0, 0]]], [[-1]])
    assert not found.figures and not found.tables


def test_a_detector_has_lessons_and_a_localizer_has_none():
    assert make_task(c.Detection(), ("cat", "dog")).lessons() is not None
    assert make_task(c.Localization(), ("cat", "dog")).lessons() is None
