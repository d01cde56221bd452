"""Settings of the images before the training: their splits, which of them are left out, and what each goes through."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, field_validator, model_serializer, model_validator

from kerasvision import lookup
from kerasvision.config.base import Config, Needs
from kerasvision.config.whitening import Whitening
from kerasvision.errors import ConfigError, shown

Side = Annotated[int, Field(ge=1, le=4096)]
MOST_WORKING_SIDE = 8192
# From this many pixels on, an image is worth reducing: a JPEG may be decoded at a part of its size, and copies are advised.
REDUCED_FROM = 1_000_000
Scale = Literal[
    "zero_to_one", "minus_one_to_one", "zero_mean", "standardize", "whiten", "mean_image", "per_pixel", "per_image"
]


class Splits(Config):
    """Which share of the images goes to each split. Splits that the source defines are kept.

    A missing validation or test split is taken from the training images. The split of an image depends on its content and
    `salt` alone, so new images do not move old ones, and two copies of an image are always in the same split.
    """

    validation: float = Field(
        default=0.2,
        ge=0,
        lt=1,
        description="share of the training images that becomes the validation split, if the source has none",
    )
    test: float = Field(
        default=0.2,
        gt=0,
        lt=1,
        description="share of the training images that becomes the test split, if the source has none",
    )
    salt: str = Field(default="", description="another text gives another random assignment of images to splits")
    stratify: bool = Field(
        default=False,
        description="give every class its exact share in each split, and every tag its share as far as possible; without "
        "folds, images stay where an earlier run put them",
    )
    folds: int | None = Field(
        default=None,
        ge=2,
        le=50,
        description="cross-validation: as many trainings, each judged on another of as many equal parts of the images, and "
        "the mean and deviation of their scores; instead of the share `test`. The next part is the validation split, unless "
        "`validation` is 0. None: one training",
    )

    @model_validator(mode="after")
    def _leave_something_to_train_on(self) -> "Splits":
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation + test must be less than 1; received validation={self.validation}, test={self.test}"
            )
        if self.folds == 2 and self.validation:
            raise ValueError(
                "two folds leave no images to train on after a test and a validation split; set folds to 3 or more, or "
                f"validation=0; received folds={self.folds}, validation={self.validation}"
            )
        return self

    @model_serializer(mode="wrap")
    def _data(self, handler: Any) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name != "folds" or value is not None}


class Ingest(Config):
    """What to do with images that cannot be used, and which images a person wants to leave out."""

    locations: ClassVar[frozenset[str]] = frozenset({"quarantine_file"})
    used_with: ClassVar[Mapping[str, Needs]] = {"max_bad_fraction": Needs("policy", ("quarantine",))}

    policy: Literal["quarantine", "fail", "report"] = Field(
        default="quarantine",
        description="quarantine: leave bad images out, but fail if their share exceeds max_bad_fraction; fail: allow none; "
        "report: leave out any number of them",
    )
    quarantine_file: Path | None = Field(
        default=None, description="CSV with a column `sha256` or `id`: images to leave out; example_validator writes one"
    )
    max_bad_fraction: float = Field(default=0.01, ge=0, le=1, description="quarantine: largest share of bad images")
    missing_values: Literal["quarantine", "ignore"] = Field(
        default="quarantine",
        description="an image that lacks some of its numbers: quarantine: leave it out as a bad image; ignore: use it, and "
        "neither learn nor measure what is missing. An image that lacks all of them is a bad image",
    )
    max_pixels: int = Field(default=100_000_000, ge=1, description="reject images whose header says that they are larger")
    last_spans: int | None = Field(
        default=None,
        ge=1,
        description="train only on images of the last spans that added training images, as many as this number; validation "
        "and test images stay, so that scores remain comparable. None: all",
    )

    def files(self) -> Iterator[tuple[str, Path]]:
        """The quarantine file, so that changes to it are noticed."""
        if self.quarantine_file is not None:
            yield "quarantine.csv", self.quarantine_file


class Transform(Config):
    """What every image goes through, in training, evaluation and serving alike."""

    used_with: ClassVar[Mapping[str, Needs]] = {
        "crop_fraction": Needs("fit", ("crop",)),
        "keep_copies": Needs("working_side"),
    }

    image_size: tuple[Side, Side] = Field(description="height, width in pixels")
    color_mode: Literal["rgb", "grayscale"] = Field(
        default="rgb", description="colour channels that the network receives: 3 or 1"
    )
    significant_bits: int = Field(
        default=16,
        ge=8,
        le=16,
        description="how many bits of the values in 16-bit PNG files are used: 12 for X-rays stored as 0 to 4,095; the "
        "upper 8 of these bits are kept, and greater values become white",
    )
    fit: Literal["stretch", "crop", "pad"] = Field(
        default="stretch", description="another aspect ratio: stretch the image, crop the longer side, or pad with borders"
    )
    crop_fraction: float = Field(
        default=1.0, gt=0, le=1, description="with fit='crop': share of each side kept around the center, often 0.875"
    )
    reduced_decoding: bool = Field(
        default=False,
        description="decode JPEG files of a megapixel or more at a half, a quarter or an eighth of their size, where two "
        "pixels remain for each of the network's; pixels change a little, in training and serving alike",
    )
    working_side: int | None = Field(
        default=None,
        ge=1,
        le=MOST_WORKING_SIDE,
        description="images whose shorter side is longer are first reduced to this length, in training and serving alike; "
        "None: they are not",
    )
    keep_copies: bool = Field(
        default=True,
        description="with working_side: keep the reduced images, without loss, for training and tuning, so that large "
        "photos are decoded once; results are the same without",
    )
    scale: Scale | Whitening = Field(
        default="zero_to_one",
        description="zero_mean: scale to [0, 1] and subtract the training images' mean colour; standardize: also divide by "
        "their standard deviation; whiten: also rotate to the principal axes of colour, and divide by the deviation along "
        "each; mean_image: subtract the mean of the training images, pixel by pixel; per_pixel: also divide every pixel by "
        "its deviation; per_image: subtract the image's own mean, and divide by its own deviation; pca_whitening, "
        "zca_whitening: whole images, along their principal axes",
    )

    @field_validator("scale", mode="before")
    @classmethod
    def _scale_exists(cls, scale: object) -> object:
        names = (*get_args(Scale), *Whitening.family())
        if isinstance(scale, Whitening | Mapping) or scale in names or (isinstance(scale, str) and ":" in scale):
            return scale
        raise ConfigError(f"no scale is named {shown(scale)}; {lookup.did_you_mean(str(scale), names)}")

    @model_validator(mode="after")
    def _can_be_whitened(self) -> "Transform":
        if isinstance(self.scale, Whitening):
            self.scale.check_shape(self.image_shape)
        return self

    @model_validator(mode="after")
    def _is_reduced_once(self) -> "Transform":
        if self.working_side is not None and self.working_side < (least := self.least_working_side):
            raise ValueError(
                f"images reduced to working_side={self.working_side} would be enlarged again; it must be at least the "
                f"longer side of image_size{' / crop_fraction' if self.crop_fraction < 1 else ''}, {least}"
            )
        return self

    @model_serializer(mode="wrap")
    def _data(self, handler: Any) -> dict[str, Any]:
        data: dict[str, Any] = handler(self)
        if self.working_side is None:
            # What does nothing is no part of a cache key.
            del data["working_side"], data["keep_copies"]
        return data

    @property
    def scale_name(self) -> str:
        """The name of the scale."""
        return self.scale if isinstance(self.scale, str) else self.scale.kind

    @property
    def keeps_copies(self) -> bool:
        """Whether reduced copies of large images are kept."""
        return self.working_side is not None and self.keep_copies

    @property
    def least_working_side(self) -> int:
        """The smallest working side that enlarges no image again."""
        return math.ceil(max(self.image_size) / self.crop_fraction)

    @property
    def is_of_whole_images(self) -> bool:
        """Whether the scale has numbers of its own for each pixel, so that it fits images of one size."""
        return isinstance(self.scale, Whitening) or self.scale in ("mean_image", "per_pixel")

    @property
    def decoding(self) -> dict[str, Any]:
        """How the bytes of a file become pixels: the keywords of `kerasvision.ops.images.decode_image`."""
        return {"color_mode": self.color_mode, "significant_bits": self.significant_bits}

    @property
    def opening(self) -> dict[str, Any]:
        """How a file is opened to decode a part of it: the keywords of `kerasvision.ops.working.open_working`."""
        reduced_from = REDUCED_FROM if self.reduced_decoding else None
        return {**self.decoding, "reduced_from": reduced_from, "working_side": self.working_side}

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of what the network receives."""
        return (*self.image_size, 3 if self.color_mode == "rgb" else 1)
