"""What the recipes for images with objects and for images with label maps have in common."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from kerasvision.config.preparing import Splits
from kerasvision.data.recipe import Choice
from kerasvision.data.splits import TEST, TRAIN, VALIDATION
from kerasvision.errors import DataError

# Images whose longer side has at most this many pixels are used at their own size; larger ones are photos.
SMALL_SIDE = 128
# The sides of the network's image are multiples of this: so the maps of all levels fit together.
STEP = 32
FEW_IMAGES = 2_000
# The longest side of the network's image with weights. Without them a step must be cheaper.
PRETRAINED_SIDE = 320


class AnnotatedLook(Protocol):
    """What both know about the images of a folder: `ObjectsLook` and `MapsLook`."""

    @property
    def median_side(self) -> int: ...
    @property
    def is_grey(self) -> bool: ...
    @property
    def given(self) -> Mapping[str, object]: ...
    @property
    def total(self) -> int: ...
    def expected(self, splits: Splits) -> Mapping[str, Counter[str]]: ...


Look = TypeVar("Look", bound=AnnotatedLook)


@dataclass(frozen=True)
class Plan(Generic[Look]):
    """What the choices depend on: the images, the shares that are held back, the network with weights, and the time."""

    look: Look
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

    def side(self, *, least: int, plain: int) -> int:
        """The side of the network's image: about that of the photos, but not more than a step can afford.

        Args:
            least: the smallest side.
            plain: the largest side without weights.
        """
        most = PRETRAINED_SIDE if self.network else plain
        return min(most, max(least, STEP * -(-self.look.median_side // STEP)))


def planned(look: Look, *, network: str | None, epochs: int | None, usual: Callable[[int], int]) -> Plan[Look]:
    """The plan for these images.

    Args:
        look: what the folder holds.
        network: a network whose ImageNet weights are installed; None if there are none.
        epochs: how long to train; None: `usual` of the number of training images.

    Raises:
        DataError: no image would be left to train on, or to judge by.
    """
    splits = Splits(validation=0.1, test=0.15 if look.total < FEW_IMAGES else 0.1)
    expected = look.expected(splits)
    network = network if look.median_side > SMALL_SIDE else None
    plan = Plan(look, splits, expected, network, epochs or usual(expected[TRAIN].total()))
    if not plan.train or not plan.test:
        received = ", ".join(f"{split} {of.total()}" for split, of in expected.items())
        raise DataError(
            "a network requires images to train on, and images to judge by", received=received, hint="add images"
        )
    return plan


def reason(plan: Plan[Look]) -> str:
    """Why the plan has this network."""
    if plan.network:
        return "its weights are installed, and they know more than a network can learn from these images alone"
    if plan.look.median_side <= SMALL_SIDE:
        return f"the longer side has at most {SMALL_SIDE} pixels, too few for networks made for photos"
    return "no ImageNet weights are installed; with the extra `pretrained`, few images give better scores"


def splits_choice(plan: Plan[Look]) -> Choice:
    """Which images are held back."""
    own = [name for name in (VALIDATION, TEST) if name in plan.look.given]
    kept = f"The folder's own {' and '.join(own)} images are kept. " if own else ""
    code = f"c.Splits(validation={plan.splits.validation:g}, test={plan.splits.test:g})"
    return Choice("splits", code, f"{kept}{plan.test:,} test images judge the network, and it never learns from them.")


def transform_choice(plan: Plan[Look], *, side: int, why: str) -> Choice:
    """Padded images of this side."""
    mode = "grayscale" if plan.look.is_grey and not plan.network else "rgb"
    scale = "" if plan.network else ', scale="standardize"'
    return Choice("transform", f'c.Transform(image_size=({side}, {side}), fit="pad", color_mode="{mode}"{scale})', why)


def augmentation_choice(plan: Plan[Look], *, annotations: str) -> Choice:
    """Mirror images, and in colour a little change of it. `annotations` names what moves with the image."""
    moved = f"{annotations} are mirrored with the image"
    if plan.look.is_grey:
        return Choice("augment", "(c.RandomFlip(),)", f"{moved}. Remove it if left and right matter.")
    code = "(c.RandomFlip(), c.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.2))"
    return Choice("augment", code, f"{moved}; colours change a little. Remove RandomFlip if left and right matter.")


def training_choice(plan: Plan[Look], *, plain_rate: str, plain_decay: str) -> Choice:
    """How long and how fast to train; without weights at the given rate and decay."""
    # Weights that know something already change with smaller steps.
    rate, decay, size, clip = (
        ("1e-3", "0.05", 8, "\n        clip_norm=10.0,") if plan.network else (plain_rate, plain_decay, 16, "")
    )
    code = f"""c.Training(
        epochs={plan.epochs},
        batch_size={min(size, plan.train)},
        optimizer=c.AdamW(learning_rate={rate}, weight_decay={decay}),
        schedule="cosine",
        warmup_epochs=1,{clip}
    )"""
    return Choice("training", code, f"Each of the {plan.train:,} training images is seen about {plan.epochs} times.")
