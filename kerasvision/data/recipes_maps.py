"""Chooses the settings of a first pipeline that gives each pixel a class, and says why, a sentence for each choice.

    the folder holds                                  the recipe trains
    photos, and ImageNet weights are installed        FCN-8s on EfficientNet-Lite, which begins with these weights
    anything else                                     a quarter of U-Net, from nothing

The first network is that of the pipeline coco_segmentation.
"""

from kerasvision.data.maps_look import MapsLook
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
from kerasvision.errors import DataError

# The side of the network's image: at least the first, and without weights at most the second.
LEAST_SIDE, PLAIN_SIDE = 32, 192
# How far above the score of the simplest answer the first gate is.
ABOVE = 0.05


def choose_for_maps(look: MapsLook, *, network: str | None, epochs: int | None = None) -> Recipe:
    """The recipe for a folder of images with label maps.

    Args:
        look: what the folder holds.
        network: a network whose ImageNet weights are installed; None if there are none.
        epochs: how long to train; None: the recipe's own number.

    Raises:
        DataError: only one class, or no image would be left to train on, or to judge by.
    """
    if len(look.counts) < 2:
        raise _too_few_classes(look)
    plan = planned(look, network=network, epochs=epochs, usual=_epochs)
    return Recipe(
        summary=_summary(plan),
        reason=reason(plan),
        expected=plan.expected,
        epochs=plan.epochs,
        is_final=False,
        choices=(
            splits_choice(plan),
            _transform(plan),
            augmentation_choice(plan, annotations="Maps"),
            _task(plan),
            _model(plan),
            training_choice(plan, plain_rate="2e-3", plain_decay="1e-4"),
            _gate(plan),
        ),
    )


def _too_few_classes(look: MapsLook) -> DataError:
    """The error for maps of one class. Maps of an object often have 255 inside it, a number that is ignored."""
    ignored = ", ".join(map(str, sorted(look.ignored)))
    return DataError(
        "at least two classes of pixels are required",
        received=", ".join(look.counts) + (f"; pixels of {ignored} are ignored" if ignored else ""),
        hint=f"if {ignored} is a class, name all numbers in a CSV file in {look.images}, with the columns id and name"
        if ignored
        else "add maps",
    )


def _side(plan: Plan[MapsLook]) -> int:
    return plan.side(least=LEAST_SIDE, plain=PLAIN_SIDE)


def _epochs(train: int) -> int:
    """Few images are seen more often."""
    return next((epochs for most, epochs in ((300, 100), (FEW_IMAGES, 40), (10_000, 20)) if train < most), 10)


def _summary(plan: Plan[MapsLook]) -> str:
    network = (
        f"FCN-8s on {plan.network}, which begins with ImageNet weights,"
        if plan.network
        else "a quarter of U-Net, from nothing,"
    )
    side = _side(plan)
    return f"{network} at {side} x {side} pixels"


def _transform(plan: Plan[MapsLook]) -> Choice:
    side = _side(plan)
    share = min(1.0, side / plan.look.median_side)
    why = (
        f"Padding keeps the whole image and its proportions; the network sees {share:.0%} of a typical side. Answers come "
        "back in the size of the original. A larger image_size gives finer borders, and takes longer."
    )
    return transform_choice(plan, side=side, why=why)


def _task(plan: Plan[MapsLook]) -> Choice:
    rarest = min(plan.look.shares, key=plan.look.shares.__getitem__)
    why = (
        f"{plan.look.commonest} has {plan.look.shares[plan.look.commonest]:.0%} of the pixels and {rarest} "
        f'{plan.look.shares[rarest]:.1%}. If rare classes are missed, try loss="dice".'
    )
    if all(name.isdecimal() for name in plan.look.counts):
        why += " The classes have the numbers of the maps as names; class_names or table in the source gives others."
    return Choice("task", "c.Segmentation()", why)


def _model(plan: Plan[MapsLook]) -> Choice:
    if plan.network:
        code = f"""c.Model(
        name="fcn8s",
        weights="imagenet",
        options={{"backbone": "{plan.network}", "dropout": 0.0}},
    )"""
        return Choice(
            "model", code, "Maps with strides of 8, 16 and 32 pixels are enlarged and added to one of the image's size."
        )
    code = 'c.Model(name="unet", options={"width": 16, "batch_norm": True, "dropout": 0.0})'
    return Choice("model", code, "It is small. Each level of its way up also sees the map of the same size on its way down.")


def _gate(plan: Plan[MapsLook]) -> Choice:
    simplest = plan.look.shares[plan.look.commonest] / len(plan.look.counts)
    why = (
        f"A network that answers every pixel with {plan.look.commonest} has about {simplest:.2f}, and 1 is perfect. Raise "
        "the bound to what your use requires."
    )
    return Choice("gate", f'c.Gate(c.AtLeast("mean_iou", {min(0.95, simplest + ABOVE):.2f}))', why)
