"""Random changes to training images, in the order in which they are applied. Evaluation and serving never see them."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from kerasvision.config.base import Component
from kerasvision.config.example_parts import EVERYTHING, ExamplePart
from kerasvision.errors import ConfigError

Share = Annotated[float, Field(ge=0, le=1)]
Grey = Annotated[float, Field(ge=0, le=255, description="brightness of the area that was outside the image")]
# AutoAugment and RandAugment fill with this value.
MIDDLE_GREY = 128.0


class Augmentation(Component):
    """Base class of all augmentations, including a user's own.

    `implementation` is a function (batch, *, numbers, settings) -> batch. The batch is a dict of tensors. It has
    "image", float32 (N, H, W, C) in [0, 255]. If the data have objects, it also has "objects", whose boxes and masks must
    follow the pixels (see `kerasvision.data.augmentation`). `numbers`, float32 (N, draws) in [0, 1), is the only source of
    randomness.
    """

    # Whether running it on one image at a time, in parallel, is much faster than on a whole batch.
    per_image: ClassVar[bool] = False
    # Whether it overlays images that were moved differently, so that no box can mark where an object is.
    blends: ClassVar[bool] = False

    @property
    def reads(self) -> frozenset[ExamplePart]:
        """What it reads of an example in addition to the image, and to the objects where the task reads them.

        Everything, for a user's own. Write `reads: ClassVar[frozenset[str]] = frozenset({"mask"})` for one that reads less.
        The masks of the objects are decoded only if the task or an augmentation reads them.
        """
        return frozenset() if self.implementation.startswith("kerasvision.") else EVERYTHING

    @property
    def draws(self) -> int:
        """How many random numbers each image needs. Write `draws: ClassVar[int] = 2` if it does not depend on the fields."""
        return 1


class PadCrop(Augmentation):
    """Pad every side by `pad` pixels with the values of the image's border, then crop to the old size at a random place.

    Source: the CIFAR-10 recipe of He et al., 2015, section 4.2 (pad 4), which pads with zeros.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.geometry:pad_crop"
    draws: ClassVar[int] = 2

    pad: int = Field(default=4, ge=1, le=64, description="pixels added on each side before the crop")


class RandomFlip(Augmentation):
    """Flip left and right, upside down, or both independently, each with probability one half."""

    implementation: ClassVar[str] = "kerasvision.data.augmentation.geometry:random_flip"
    draws: ClassVar[int] = 2

    direction: Literal["horizontal", "vertical", "both"] = Field(
        default="horizontal", description="horizontal: left and right; vertical: top and bottom; both: each independently"
    )


class Rotate(Augmentation):
    """Rotate about the center by up to `degrees` in either direction, with linear interpolation."""

    implementation: ClassVar[str] = "kerasvision.data.augmentation.geometry:rotate"

    degrees: float = Field(default=15.0, gt=0, le=180, description="largest angle, in degrees, in either direction")
    fill: Grey = MIDDLE_GREY


class Translate(Augmentation):
    """Move by up to a share of the image's height and width in each direction, with linear interpolation."""

    implementation: ClassVar[str] = "kerasvision.data.augmentation.geometry:translate"
    draws: ClassVar[int] = 2

    height: Share = Field(default=0.1, description="largest move up or down, as a share of the image's height")
    width: Share = Field(default=0.1, description="largest move left or right, as a share of the image's width")
    fill: Grey = MIDDLE_GREY


class Zoom(Augmentation):
    """Make the image smaller or larger about its center, with linear interpolation."""

    implementation: ClassVar[str] = "kerasvision.data.augmentation.geometry:zoom"

    factor: tuple[float, float] = Field(
        default=(0.8, 1.25), description="smallest and largest, in [0.05, 20]; above 1, things get larger"
    )
    fill: Grey = MIDDLE_GREY

    @model_validator(mode="after")
    def _range(self) -> "Zoom":
        if not 0.05 <= self.factor[0] <= self.factor[1] <= 20:
            raise ValueError(f"factor must be (smallest, largest), both in [0.05, 20]; received {self.factor}")
        return self


class RandomResizedCrop(Augmentation):
    """Crop a random part of the encoded image, and resize it to the network's input size.

    It replaces the transform's own resizing, so it must come first in the list.

    Source: Szegedy et al., 2014, https://arxiv.org/abs/1409.4842, section 6: 8 % to 100 % of the area, sides 3:4 to 4:3.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.crop:random_resized_crop"
    draws: ClassVar[int] = 4

    area: tuple[Share, Share] = Field(default=(0.08, 1.0), description="smallest and largest share of the image's area")
    ratio: tuple[float, float] = Field(default=(3 / 4, 4 / 3), description="smallest and largest width over height")

    @model_validator(mode="after")
    def _ranges(self) -> "RandomResizedCrop":
        if not 0 < self.area[0] <= self.area[1] or not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError(f"area and ratio must be (smallest, largest), above 0; received {self.area} and {self.ratio}")
        return self


class Mixing(Augmentation):
    """Base class of augmentations that mix the images of a batch and their labels. They come last, after batching.

    `implementation` mixes "image" and "label_shares", float32 (N, classes), in the same proportions.
    """

    blends: ClassVar[bool] = True

    @property
    def reads(self) -> frozenset[ExamplePart]:
        """The label that it mixes, and what else a user's own reads."""
        return super().reads | {"label"}


def check_data(augment: Sequence[Augmentation], *, labelled: bool, has_objects: bool) -> None:
    """Raises ConfigError for mixing without labels, and for overlaying images that have objects."""
    for settings in augment:
        name = type(settings).__name__
        if isinstance(settings, Mixing) and not labelled:
            raise ConfigError(f"{name} mixes labels, but these examples have none", hint=f"remove {name} from augment")
        if settings.blends and has_objects:
            raise ConfigError(
                f"{name} overlays images, which boxes and masks cannot follow",
                hint=f"remove {name} from augment",
            )


def check_order(augment: Sequence[Augmentation]) -> None:
    """Raises ConfigError if a crop that replaces resizing is not first, or if an augmentation that mixes is not last."""
    for number, (settings, following) in enumerate(zip(augment, [*augment, None][1:], strict=True)):
        if isinstance(settings, RandomResizedCrop) and number > 0:
            raise ConfigError(
                "RandomResizedCrop crops the encoded image, so it must come first in augment",
                received=[type(member).__name__ for member in augment],
            )
        if isinstance(settings, Mixing) and following is not None and not isinstance(following, Mixing):
            raise ConfigError(
                "augmentations that mix the images of a batch must come last in augment",
                received=[type(member).__name__ for member in augment],
                hint=f"put {type(settings).__name__} after {type(following).__name__}",
            )
