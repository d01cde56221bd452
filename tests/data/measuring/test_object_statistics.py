"""Boxes are counted by split, place, aspect ratio and image; the same box twice is found."""

import numpy as np
import pandas as pd

from kerasvision.data.measuring.object_statistics import ASPECT_NAMES, Boxes, object_statistics

IMAGES = pd.DataFrame(
    {"id": ["a", "b", "c", "d"], "split": ["train", "train", "test", "test"], "width": [100, 100, 200, 50], "height": 100}
)


def statistics(*objects, classes=("cat", "dog")):
    """Of objects given as (number of the image, number of the class, y_min, x_min, y_max, x_max)."""
    rows = np.array(objects, np.float64).reshape(-1, 6)
    boxes = Boxes(rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64), rows[:, 2:].astype(np.float32))
    return object_statistics(boxes, IMAGES, classes=classes)


def test_objects_are_counted_by_split_and_images_without_them_too():
    found = statistics((0, 0, 0, 0, 1, 1), (0, 1, 0, 0, 0.5, 1), (2, 1, 0, 0, 1, 1))
    assert found["by_split"] == {"train": {"cat": 1, "dog": 1}, "test": {"cat": 0, "dog": 1}}
    assert found["without"] == {"train": 1, "test": 1}
    assert (found["most"], found["most_in"]) == (2, "a")


def test_aspects_are_those_in_pixels():
    # In images of 100 x 100, 200 x 100 and 50 x 100: width over height of 1, 2, 0.5, 4 and 0.2.
    found = statistics(
        (0, 0, 0, 0, 1, 1), (2, 0, 0, 0, 1, 1), (3, 0, 0, 0, 1, 1), (2, 0, 0, 0, 0.5, 1), (0, 0, 0, 0, 1, 0.2)
    )
    assert found["aspects"] == dict(zip(ASPECT_NAMES, (1, 1, 1, 1, 1), strict=True))


def test_places_are_those_of_the_centers():
    # Centers in the middle, which is the first field after four, in the last corner, and in the first one twice.
    found = statistics(
        (0, 0, 0.4, 0.4, 0.6, 0.62), (1, 0, 0.99, 0.99, 1, 1), (0, 0, 0, 0, 0.1, 0.2), (2, 1, 0, 0.1, 0.2, 0.1)
    )
    places = np.array(found["places"])
    assert (places[4, 4], places[7, 7], places[0, 0], places.sum()) == (1, 1, 2, 4)


def test_only_the_same_box_of_the_same_class_in_the_same_image_is_repeated():
    box = (0.1, 0.2, 0.5, 0.6)
    found = statistics((0, 0, *box), (0, 1, *box), (1, 0, *box), (1, 0, 0.1, 0.2, 0.5, 0.61), (2, 1, *box), (2, 1, *box))
    assert found["repeated"] == ["c"]


def test_images_without_any_object_have_statistics():
    found = statistics(classes=("cat",))
    assert (found["most"], found["repeated"], found["without"]) == (0, [], {"train": 2, "test": 2})
    assert sum(map(sum, found["places"])) == 0
