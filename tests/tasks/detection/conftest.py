"""Small networks' outputs, and answers of a detector, for the tests of detection."""

import numpy as np
import pytest

from kerasvision.tasks.detection.truth import ImageObjects


@pytest.fixture(scope="session")
def point_maps():
    """`point_maps(random, shapes={3: (3, 4)}, images=2, classes=3)`: outputs of a network of points, drawn at random."""
    import tensorflow as tf

    def maps(random, *, shapes, images, classes):
        found = {}
        for level, (height, width) in shapes.items():
            shape = (images, height, width)
            found[f"p{level}_class_logits"] = tf.constant(random.normal(size=(*shape, classes)), tf.float32)
            found[f"p{level}_distances"] = tf.constant(random.uniform(0.1, 4, size=(*shape, 4)), tf.float32)
            found[f"p{level}_centerness"] = tf.constant(random.normal(size=(*shape, 1)), tf.float32)
        return found

    return maps


@pytest.fixture(scope="session")
def answered():
    """`answered([[(box, class number, score), ...], ...], size=(100, 100), names=...)`: predictions for images of this size.

    Boxes are in pixels.
    """

    def predictions(images, *, names=("cat", "dog"), size=(100, 100)):
        most = max(1, *map(len, images))
        found = {
            "boxes": np.zeros((len(images), most, 4), np.float32),
            "scores": np.zeros((len(images), most), np.float32),
            "class_numbers": np.zeros((len(images), most), np.int32),
            "classes": np.full((len(images), most), b"", object),
            "count": np.array([len(one) for one in images], np.int32),
            "image_size": np.tile(np.array([size], np.int32), (len(images), 1)),
        }
        for row, answers in enumerate(images):
            for place, (box, number, score) in enumerate(answers):
                found["boxes"][row, place] = np.array(box) / np.tile(size, 2)
                found["scores"][row, place], found["class_numbers"][row, place] = score, number
                found["classes"][row, place] = names[number].encode()
        return found

    return predictions


@pytest.fixture(scope="session")
def objects_of():
    """`objects_of([[(box, class number), ...], ...], size=(100, 100))`: the truth for images of this size."""

    def truth(images, *, size=(100, 100), crowds=()):
        found = np.empty(len(images), object)
        for row, things in enumerate(images):
            boxes = np.array([box for box, _ in things], float).reshape(-1, 4)
            found[row] = ImageObjects(
                boxes / np.tile(size, 2),
                np.array([number for _, number in things], np.int64),
                np.array([(row, place) in crowds for place in range(len(things))], bool),
                (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]),
            )
        return found

    return truth
