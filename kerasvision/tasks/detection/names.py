"""Which classes a detector tells apart: those of the objects, in the order of their numbers in the data set."""

from collections.abc import Iterator

from kerasvision.config.detection import ObjectClasses
from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TRAIN
from kerasvision.errors import ConfigError, DataError
from kerasvision.lookup import did_you_mean


def object_classes(settings: ObjectClasses, examples: ExampleSet) -> tuple[str, ...]:
    """All class names of the objects. So the number of a class in an example is also its number in `labels.txt`.

    Raises:
        DataError: no training image has an object, or none has an object of a class that the settings name.
        ConfigError: a training image has more objects than the task may answer with.
    """
    names, most = examples.object_classes, 0
    present: set[str] = set()
    for labels in _labels(examples) if names and examples.count(TRAIN) else ():
        present |= {names[number] for number in labels}
        wanted = [number for number in labels if settings.classes is None or names[number] in settings.classes]
        most = max(most, len(wanted))
    if not present:
        raise DataError(
            "detection requires training images with objects; these images have none",
            hint="choose a source with boxes (Coco, Yolo, Voc, TfRecord or Shapes), or another task",
        )
    for name in settings.classes or ():
        if name not in present:
            raise DataError(
                f"task.classes: no training image has an object of class {name!r}; {did_you_mean(name, present)}"
            )
    if most > settings.boxes:
        raise ConfigError(
            f"task.boxes must be at least the number of objects in every training image, {most}", received=settings.boxes
        )
    return names


def _labels(examples: ExampleSet) -> Iterator[list[int]]:
    """The class numbers of the objects of each training image, without decoding anything."""
    for labels in examples.dataset(TRAIN).map(lambda example: example["objects"]["label"]).as_numpy_iterator():
        yield labels.tolist()
