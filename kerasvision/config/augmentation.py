"""Random changes to training images, in the order in which they are applied. Evaluation and serving never see them."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

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
    "image", float32 (N, H, W, C) in [0, 255]. If the task reads them, it also has "objects" and "label_map", which must
    follow the pixels (see `kerasvision.data.augmentation`). `numbers`, float32 (N, draws) in [0, 1), is the only source of
    randomness.
    """

    # Whether running it on one image at a time, in parallel, is much faster than on a whole batch.
    per_image: ClassVar[bool] = False
    # Whether it overlays images that were moved differently, so that no box can mark where an object is.
    blends: ClassVar[bool] = False
    # Whether every pixel of the result still comes from one image, so that a label map can follow it.
    keeps_pixels_apart: ClassVar[bool] = True
    # Whether things are in other places afterwards, or have another size: numbers about an image do not follow.
    moves_things: ClassVar[bool] = False
    resizes_things: ClassVar[bool] = False

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

    Pixels that repeat the border belong to no object, and a label map says nothing about them.

    Source: the CIFAR-10 recipe of He et al., 2015, section 4.2 (pad 4), which pads with zeros.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.geometry:pad_crop"
    moves_things: ClassVar[bool] = True
    draws: ClassVar[int] = 2

    pad: int = Field(default=4, ge=1, le=64, description="pixels added on each side before the crop")


class RandomFlip(Augmentation):
    """Flip left and right, upside down, or both independently, each with probability one half."""

    implementation: ClassVar[str] = "kerasvision.data.augmentation.geometry:random_flip"
    moves_things: ClassVar[bool] = True
    draws: ClassVar[int] = 2

    direction: Literal["horizontal", "vertical", "both"] = Field(
        default="horizontal", description="horizontal: left and right; vertical: top and bottom; both: each independently"
    )


class Rotate(Augmentation):
    """Rotate about the center by up to `degrees` in either direction, with linear interpolation."""

    implementation: ClassVar[str] = "kerasvision.data.augmentation.geometry:rotate"
    moves_things: ClassVar[bool] = True

    degrees: float = Field(default=15.0, gt=0, le=180, description="largest angle, in degrees, in either direction")
    fill: Grey = MIDDLE_GREY


class Translate(Augmentation):
    """Move by up to a share of the image's height and width in each direction, with linear interpolation."""

    implementation: ClassVar[str] = "kerasvision.data.augmentation.geometry:translate"
    moves_things: ClassVar[bool] = True
    draws: ClassVar[int] = 2

    height: Share = Field(default=0.1, description="largest move up or down, as a share of the image's height")
    width: Share = Field(default=0.1, description="largest move left or right, as a share of the image's width")
    fill: Grey = MIDDLE_GREY


class Zoom(Augmentation):
    """Make the image smaller or larger about its center, with linear interpolation."""

    implementation: ClassVar[str] = "kerasvision.data.augmentation.geometry:zoom"
    moves_things: ClassVar[bool] = True
    resizes_things: ClassVar[bool] = True

    factor: tuple[float, float] = Field(
        default=(0.8, 1.25), description="smallest and largest, in [0.05, 20]; above 1, things get larger"
    )
    fill: Grey = MIDDLE_GREY

    @model_validator(mode="after")
    def _range(self) -> "Zoom":
        check_factors(self.factor)
        return self


class ScaleJitter(Augmentation):
    """Make the image smaller or larger by a random factor, and put it in a random place, with linear interpolation.

    A larger image loses what lies outside; a smaller one is surrounded by `fill`. The aspect ratio stays.

    Source: "large scale jittering" of Ghiasi et al., 2020, https://arxiv.org/abs/2012.07177, section 3 (there 0.1 to 2.0).
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.geometry:scale_jitter"
    moves_things: ClassVar[bool] = True
    resizes_things: ClassVar[bool] = True
    draws: ClassVar[int] = 3

    factor: tuple[float, float] = Field(
        default=(0.5, 2.0), description="smallest and largest, in [0.05, 20]; above 1, things get larger"
    )
    fill: Grey = MIDDLE_GREY

    @model_validator(mode="after")
    def _range(self) -> "ScaleJitter":
        check_factors(self.factor)
        return self


class EncodedCrop(Augmentation):
    """Base class of crops of the encoded image. They replace the transform's own resizing, so one must come first.

    `implementation` is a function (example, *, numbers, settings, transform) -> example. The example has "image", the
    encoded bytes, and perhaps "objects" and "label_map". `numbers` is float32 (draws,), and `transform` is `Transform`. The
    result has pixels of the network's input size.
    """

    moves_things: ClassVar[bool] = True
    resizes_things: ClassVar[bool] = True


class RandomResizedCrop(EncodedCrop):
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
        check_area_and_ratio(self.area, self.ratio)
        return self


class RandomCrop(EncodedCrop):
    """Resize the encoded image until its shorter side has a given length, and crop a part of the network's size.

    It replaces the transform's own resizing, so it must come first in the list. The part is anywhere in the resized image,
    each place with the same probability. For the image in evaluation and serving, choose `fit="crop"` with the
    `crop_fraction` that keeps as much: 0.875 for 224 of 256.

    Source: Krizhevsky et al., 2012, section 4.1, with `within="square"` and mirror images (`RandomFlip`). They count 2048 =
    32 x 32 x 2 different images of each; from 256 to 224 pixels there are 33 places along each side, so 33 x 33 x 2 = 2178.
    Simonyan & Zisserman, 2014, section 3.1, draw the length: `shorter_side=(256, 512)`.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.crop:random_crop"
    draws: ClassVar[int] = 3

    shorter_side: tuple[int, int] = Field(
        default=(256, 256),
        description="smallest and largest length of the shorter side in pixels before the crop, drawn for each image; one "
        "number stands for both",
    )
    within: Literal["image", "square"] = Field(
        default="image",
        description="image: the part may be anywhere; square: only in the square in the middle of the resized image",
    )

    @field_validator("shorter_side", mode="before")
    @classmethod
    def _one_or_both(cls, side: object) -> object:
        return (side, side) if isinstance(side, int) else side

    @model_validator(mode="after")
    def _range(self) -> "RandomCrop":
        if not 1 <= self.shorter_side[0] <= self.shorter_side[1] <= 8192:
            raise ValueError(f"shorter_side must be (smallest, largest), both in [1, 8192]; received {self.shorter_side}")
        return self

    def check_size(self, image_size: tuple[int, int]) -> None:
        """Raises ConfigError if the network's image is larger than the resized one.

        >>> RandomCrop(shorter_side=200).check_size((224, 224))
        Traceback (most recent call last):
        ...
        kerasvision.errors.ConfigError: RandomCrop cuts 224 x 224 pixels out of an image whose shorter side has 200 ...
        """
        if self.shorter_side[0] < max(image_size):
            raise ConfigError(
                f"RandomCrop cuts {image_size[0]} x {image_size[1]} pixels out of an image whose shorter side has "
                f"{self.shorter_side[0]} or more",
                received=self.shorter_side,
                hint=f"set shorter_side to at least {max(image_size)}, such as {round(max(image_size) * 8 / 7)}",
            )


class IouCrop(EncodedCrop):
    """Crop a part of the encoded image that overlaps enough with an object, and resize it to the network's input size.

    One of these is drawn for each image, all with the same probability: the whole image; any part; for each of `overlaps`,
    a part whose IoU with at least one object is that or more. The first of `tries` random parts that does this is used; if
    none does, the whole image is. An object stays if its center is inside, as far as it is inside; a crowd stays where it is
    inside. In an image without objects, every part counts as overlapping enough.

    It replaces the transform's own resizing, so it must come first in the list.

    Source: "Data augmentation" in Liu et al., 2015 (SSD), https://arxiv.org/abs/1512.02325, section 2.2: the defaults.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.crop:iou_crop"
    reads: ClassVar[frozenset[ExamplePart]] = frozenset({"objects"})

    overlaps: tuple[Share, ...] = Field(
        default=(0.1, 0.3, 0.5, 0.7, 0.9), description="each is the least IoU of a part with one of the objects"
    )
    area: tuple[Share, Share] = Field(default=(0.1, 1.0), description="smallest and largest share of the image's area")
    ratio: tuple[float, float] = Field(default=(0.5, 2.0), description="smallest and largest width over height")
    tries: int = Field(default=30, ge=1, le=200, description="how many parts are drawn for each image")

    @property
    def draws(self) -> int:
        """One for the overlap, and four for each part."""
        return 1 + 4 * self.tries

    @model_validator(mode="after")
    def _ranges(self) -> "IouCrop":
        check_area_and_ratio(self.area, self.ratio)
        return self


class VisibleObjects(Augmentation):
    """Say what becomes of objects that the augmentations hide, for the most part.

    It acts once, after all other augmentations, wherever it stands in the list. The visible share of an object is the share
    of its box that no move has pushed out of the image and no rectangle covers. Without this, an object stays as long as
    anything of its box is visible.

    Source: `least` is the "visibility threshold" of several toolkits; SSD (Liu et al., 2015) asks for the center instead.
    """

    implementation: ClassVar[str] = "kerasvision.data.augmentation.visible:judge_visible"
    draws: ClassVar[int] = 0

    least: Share = Field(default=0.1, description="an object of which a smaller share is visible counts as hidden")
    hidden: Literal["ignore", "remove"] = Field(
        default="ignore",
        description="ignore: it becomes a crowd, so neither finding nor missing it is an error; remove: it is no longer an "
        "object, and what is still visible of it counts as background",
    )
    tight: bool = Field(
        default=False,
        description="decode the masks of the examples, also for a task that does not read them: then the box of a turned or "
        "cropped object ends where its mask ends",
    )

    @property
    def reads(self) -> frozenset[ExamplePart]:
        """The masks, if boxes must be tight."""
        return frozenset({"mask"} if self.tight else ())


class Mixing(Augmentation):
    """Base class of augmentations that mix the images of a batch. They come last, after batching.

    `implementation` gets the whole batch. With `mixes_labels`, it mixes "image", "label_shares", float32 (N, classes), and
    "values", float32 (N, V), in the same proportions; one of the two may be missing.
    """

    blends: ClassVar[bool] = True
    # Whether an image's label becomes shares of several classes, and its numbers become means. Otherwise the result must not
    # have the label.
    mixes_labels: ClassVar[bool] = True
    moves_things: ClassVar[bool] = True
    resizes_things: ClassVar[bool] = True

    @property
    def reads(self) -> frozenset[ExamplePart]:
        """The label, if it mixes labels, and what else a user's own reads."""
        return super().reads | (frozenset({"label"}) if self.mixes_labels else frozenset())

    def rows_of_objects(self, rows: int) -> int:
        """How many rows the objects of an image have afterwards, if they had `rows` before."""
        return rows


def check_factors(factor: tuple[float, float]) -> None:
    """Raises ValueError unless the factor of a size is a range in [0.05, 20]."""
    if not 0.05 <= factor[0] <= factor[1] <= 20:
        raise ValueError(f"factor must be (smallest, largest), both in [0.05, 20]; received {factor}")


def check_area_and_ratio(area: tuple[float, float], ratio: tuple[float, float]) -> None:
    """Raises ValueError unless the area and the ratio of a rectangle are ranges above 0."""
    if not 0 < area[0] <= area[1] or not 0 < ratio[0] <= ratio[1]:
        raise ValueError(f"area and ratio must be (smallest, largest), above 0; received {area} and {ratio}")


def check_data(
    augment: Sequence[Augmentation],
    *,
    labelled: bool,
    has_objects: bool,
    has_label_maps: bool = False,
    has_values: bool = False,
) -> None:
    """Raises ConfigError for mixing that requires labels or forbids them, and for overlaying images with other annotations.

    Args:
        augment: the augmentations.
        labelled: whether the images have labels.
        has_objects: whether an augmentation gets objects with the images.
        has_label_maps: whether it gets label maps with the images.
        has_values: whether it gets numbers with the images.
    """
    for settings in augment:
        name = type(settings).__name__
        if has_label_maps and not settings.keeps_pixels_apart:
            raise ConfigError(
                f"{name} blends the pixels of several images, which a label map cannot follow",
                hint=f"remove {name} from augment" + (", or use CutMix" if isinstance(settings, Mixing) else ""),
            )
        has_targets = labelled or has_label_maps or has_values
        if isinstance(settings, Mixing) and settings.mixes_labels and not has_targets:
            raise ConfigError(f"{name} mixes labels, but these examples have none", hint=f"remove {name} from augment")
        has_others = (has_objects or has_label_maps) and not has_values
        if isinstance(settings, Mixing) and not settings.mixes_labels and (labelled or has_values) and not has_others:
            raise ConfigError(
                f"{name} shows parts of several images, which no single {'label' if labelled else 'number'} fits",
                hint=f"remove {name} from augment, or use MixUp or CutMix",
            )
        if settings.blends and has_objects:
            raise ConfigError(
                f"{name} overlays images, which boxes and masks cannot follow",
                hint=f"remove {name} from augment",
            )


def check_task(augment: Sequence[Augmentation], *, requires: Sequence[str]) -> None:
    """Raises ConfigError if a task that `requires` "labels" or "tags" would get images that these do not fit."""
    for settings in augment:
        if isinstance(settings, Mixing) and not settings.mixes_labels and {"labels", "tags"} & set(requires):
            name = type(settings).__name__
            fits = "no single label fits" if "labels" in requires else "the tags of a whole image do not fit"
            raise ConfigError(
                f"{name} shows parts of several images, which {fits}",
                hint=f"remove {name} from augment, or use MixUp or CutMix",
            )


def check_order(augment: Sequence[Augmentation]) -> None:
    """Raises ConfigError if a crop that replaces resizing is not first, or if an augmentation that mixes is not last.

    VisibleObjects may stand anywhere, once.
    """
    received = [type(member).__name__ for member in augment]
    if received.count("VisibleObjects") > 1:
        raise ConfigError("augment may have one VisibleObjects, which acts after all others", received=received)
    ordered = [settings for settings in augment if not isinstance(settings, VisibleObjects)]
    for number, (settings, following) in enumerate(zip(ordered, [*ordered, None][1:], strict=False)):
        name = type(settings).__name__
        if isinstance(settings, EncodedCrop) and number > 0:
            raise ConfigError(f"{name} crops the encoded image, so it must come first in augment", received=received)
        if isinstance(settings, Mixing) and following is not None and not isinstance(following, Mixing):
            raise ConfigError(
                "augmentations that mix the images of a batch must come last in augment",
                received=received,
                hint=f"put {name} after {type(following).__name__}",
            )
