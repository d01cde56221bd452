"""Which classes a detector gets from its training images, and what is refused."""

import numpy as np
import pytest

from kerasvision.config.detection import ObjectClasses
from kerasvision.data.examples import Example, ExampleSet, write_examples
from kerasvision.data.png import encode_png
from kerasvision.errors import ConfigError, DataError
from kerasvision.tasks.detection.names import object_classes


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """Two training images, one with three cats and one without objects; and a test image with a dog."""

    def rows(split):
        for number, labels in enumerate([["cat"] * 3, []] if split == "train" else [["dog"]]):
            objects = [{"bbox": (0.0, 0.0, 1.0, 1.0), "label": one, "crowd": False, "area": 4.0} for one in labels]
            yield Example(f"{split}{number}", encode_png(np.zeros((2, 2, 3), np.uint8)), objects=objects)

    folder = tmp_path_factory.mktemp("objects") / "data"
    write_examples(rows, splits=("train", "test"), classes=(), object_classes=("cat", "dog"), folder=folder)
    return ExampleSet(folder)


def test_names_are_those_of_the_data_set_by_number(examples):
    assert object_classes(ObjectClasses(), examples) == ("cat", "dog")


def test_class_without_training_objects_is_refused(examples):
    with pytest.raises(DataError, match="no training image has an object of class 'dog'"):
        object_classes(ObjectClasses(classes=("dog",)), examples)


def test_fewer_answers_than_objects_of_a_training_image_are_refused_with_their_number(examples):
    assert object_classes(ObjectClasses(boxes=3), examples)
    with pytest.raises(ConfigError, match="at least the number of objects in every training image, 3; received 2"):
        object_classes(ObjectClasses(boxes=2), examples)


def test_images_without_objects_are_refused_with_the_way_out(tmp_path):
    def rows(split):
        yield Example("one", encode_png(np.zeros((2, 2, 3), np.uint8)))

    write_examples(rows, splits=("train",), classes=(), folder=tmp_path / "data")
    with pytest.raises(DataError, match="Choose a source with boxes"):
        object_classes(ObjectClasses(), ExampleSet(tmp_path / "data"))
