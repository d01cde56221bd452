"""Which classes a network of pixels tells apart: those of the maps, or the background and those of the objects."""

from collections.abc import Sequence

from kerasvision.config.example_parts import IGNORED
from kerasvision.config.segmentation import PixelClasses
from kerasvision.data.examples import ExampleSet
from kerasvision.errors import DataError


def pixel_classes(settings: PixelClasses, examples: ExampleSet) -> tuple[str, ...]:
    """The class names in the order of their numbers in a map.

    Raises:
        DataError: the images have neither maps nor objects with masks, an object has the name of the background, or there
            are too few or too many classes.
    """
    names = examples.map_classes if examples.has_label_maps else _painted_classes(settings, examples)
    if not 2 <= len(names) <= IGNORED:
        raise DataError(
            f"segmentation requires 2 to {IGNORED} classes, the background included",
            received=len(names),
            hint=_way_out(names),
        )
    return names


def _painted_classes(settings: PixelClasses, examples: ExampleSet) -> tuple[str, ...]:
    if not examples.has_masks:
        raise DataError(
            "segmentation requires images with label maps, or with objects that have masks; these images have neither",
            hint="choose a source with maps or masks (Masks, Coco or Shapes), or another task",
        )
    if settings.background in examples.object_classes:
        raise DataError(
            f"objects and the background must have different names; received {settings.background!r} for both",
            hint="set task.background to another name",
        )
    return (settings.background, *examples.object_classes)


def _way_out(names: Sequence[str]) -> str:
    if len(names) > IGNORED:
        return "give several classes one name"
    return "name the others in the source, and check that its maps show them" if names else "name the classes in the source"
