"""Which classes a detector tells apart: those of the objects, in the order of their numbers in the data set."""

from kerasvision.config.detection import ObjectClasses
from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TRAIN
from kerasvision.errors import DataError
from kerasvision.lookup import did_you_mean


def object_classes(settings: ObjectClasses, examples: ExampleSet) -> tuple[str, ...]:
    """All class names of the objects. So the number of a class in an example is also its number in `labels.txt`.

    Raises:
        DataError: no training image has an object, or none has an object of a class that the settings name.
    """
    names = examples.object_classes
    counts = dict.fromkeys(range(len(names)), 0)
    for example in examples.dataset(TRAIN).as_numpy_iterator() if names and examples.count(TRAIN) else ():
        for number in example["objects"]["label"].tolist():
            counts[number] += 1
    present = {names[number] for number, count in counts.items() if count}
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
    return names
