"""How a trained model is measured: on which images, by which slices, and compared with what."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from kerasvision import lookup
from kerasvision.config.base import Config, Needs
from kerasvision.config.keras_files import file_fault
from kerasvision.config.listing import list_files
from kerasvision.errors import ConfigError

# The views of an image that an answer can be averaged over; `kerasvision.ops.views.views` says what each name stands for.
ViewName = Literal["flip", "shift", "scale", "ten_crop"]
# Every view shows things in other places, and these also in other sizes.
RESIZING_VIEWS: frozenset[ViewName] = frozenset({"scale"})
# Its views are cut out of a larger picture.
TEN_CROP: ViewName = "ten_crop"
# Images can be divided into slices by these columns of the manifest, and by two measures of an image.
COLUMNS = (
    "label", "group", "format", "mode", "notes", "width", "height", "size", "captions", "objects", "tags", "map_classes",
    "values",
)  # fmt: skip
MEASURES = ("pixels", "brightness")
# Those that are names; all others are numbers, which are divided into bands.
OF_NAMES = ("label", "group", "format", "mode", "notes")
# Columns whose values differ for every image, or are the same for a whole split.
NO_SLICES = {"id": "image", "path": "image", "sha256": "image", "split": "split", "source_split": "split", "fault": "split"}


def crossed(slices: str) -> tuple[str, ...]:
    """What a kind of slices divides the images by: one column, or several.

    >>> crossed("label"), crossed("label*brightness")
    (('label',), ('label', 'brightness'))
    """
    return tuple(slices.split("*"))


def views_text(test_time: Sequence[str], *, of: str) -> str:
    """What the answers are means over.

    >>> views_text(["flip", "shift"], of="it")
    'it and these views of it: flip, shift'
    >>> views_text(["ten_crop"], of="it")
    'ten crops of it: its centre, its corners and their mirror images'
    """
    if TEN_CROP in test_time:
        return f"ten crops of {of}: its centre, its corners and their mirror images"
    return f"{of} and these views of it: {', '.join(test_time)}"


class Evaluation(Config):
    """How a trained model is measured: `Evaluation(slices=("label", "brightness"), test_time=("flip",))`.

    `slices` divide each split by a column of the manifest (`label`, `group`, `format`, `mode`, `notes`; the numbers `width`,
    `height`, `size` in bytes, and how many `captions`, `objects`, `tags`, `map_classes` and `values`), by `pixels` (width
    times height) or by `brightness` (mean of all values of an image, 0 to 255). Numbers are divided at quantiles of that
    split into bands of about equally many images. `label*brightness` divides by both: each label in each band of brightness
    that has an image. Of more than 100 such combinations, the smallest form one slice, unless a rule of the gate names
    `label*brightness`. So do the rarest of more than 100 values of any column but `label`.

    >>> Evaluation(slices=("brightnes",))
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: images cannot be divided by 'brightnes'; did you mean 'brightness'?
    """

    locations: ClassVar[frozenset[str]] = frozenset({"ensemble"})
    used_with: ClassVar[Mapping[str, Needs]] = {"human_source": Needs("human")}

    splits: tuple[Literal["validation", "test"], ...] = Field(
        default=("validation", "test"), description="the splits to measure; the gate judges the test split"
    )
    slices: tuple[str, ...] = Field(
        default=("label", "pixels", "brightness"),
        description="columns of the manifest, pixels or brightness: scores are also measured on each part; label*pixels for "
        "each combination of the two",
    )
    bands: int = Field(default=3, ge=2, le=20, description="how many bands a column of numbers is divided into")
    resamples: int = Field(default=1000, ge=100, le=100_000, description="of the bootstrap, for metrics that are not counts")
    confidence: float = Field(default=0.95, ge=0.5, lt=1, description="how often an interval contains the true score")
    test_time: tuple[ViewName, ...] = Field(
        default=(),
        description="also measure the mean answer over several views of an image: flip adds its mirror image; shift adds "
        "four views, each moved by a sixteenth of the image; scale adds the image at three quarters of its size, and its "
        "middle at four thirds; ten_crop takes the corners, the centre and their mirror images "
        "of the picture of which transform.crop_fraction keeps the centre",
    )
    ensemble: tuple[Path, ...] = Field(
        default=(),
        description="also measure the mean answer of this model and the models in these SavedModel folders or .keras files; "
        "a .keras file receives images from this experiment's transform",
    )
    reasons: int = Field(
        default=8,
        ge=0,
        le=32,
        description="how many of the answers with the largest loss the page explains: where in the image the reasons lie "
        "(Grad-CAM), if the task scores classes or tags, or estimates numbers",
    )
    human: dict[str, float] = Field(default_factory=dict, description="metric -> the score of people on such images")
    human_source: str = Field(default="", description="where those figures come from")

    @field_validator("slices", mode="after")
    @classmethod
    def _slices_exist(cls, slices: tuple[str, ...]) -> tuple[str, ...]:
        for name in (part for kind in slices for part in crossed(kind)):
            if name in NO_SLICES:
                raise ConfigError(f"images cannot be divided by {name!r}, which differs for every {NO_SLICES[name]}")
            if name not in COLUMNS + MEASURES:
                raise ConfigError(f"images cannot be divided by {name!r}; {lookup.did_you_mean(name, COLUMNS + MEASURES)}")
        for kind in slices:
            if len(set(crossed(kind))) < len(crossed(kind)):
                raise ConfigError("slices by several columns must name each column once", received=kind)
        return slices

    @model_validator(mode="after")
    def _each_once(self) -> "Evaluation":
        for field in ("splits", "slices", "test_time", "ensemble"):
            values = getattr(self, field)
            if len(set(values)) < len(values):
                raise ValueError(f"{field} must name each entry once; received {tuple(map(str, values))}")
        if "test" not in self.splits:
            raise ValueError(f"splits must contain 'test', which the gate judges; received {self.splits}")
        if self.bands != type(self).model_fields["bands"].default and not any(
            name not in OF_NAMES for kind in self.slices for name in crossed(kind)
        ):
            raise ValueError(f"bands requires slices by numbers, such as 'pixels'; received {self.bands}, {self.slices}")
        if self.human and not self.human_source:
            raise ValueError(f"human requires human_source, which says where the figures come from; received {self.human}")
        return self

    def files(self) -> Iterator[tuple[str, Path]]:
        """Everything in the folders and files of the ensemble.

        Raises:
            ConfigError: a path does not exist, is neither a SavedModel nor a .keras file, or is a damaged .keras file.
        """
        for number, path in enumerate(self.ensemble):
            if path.suffix == ".keras" and path.exists():
                fault = file_fault(path)
                if fault is not None:
                    raise ConfigError(f"evaluation.ensemble: the model file {path} {fault.reason}", hint=fault.hint)
                yield f"ensemble {number}", path
            elif (path / "saved_model.pb").is_file():
                yield from ((f"ensemble {number}/{name}", file) for name, file in list_files(path))
            else:
                raise ConfigError(
                    f"evaluation.ensemble requires folders with a saved_model.pb, or .keras files; {path} is neither "
                    f"(looked in {Path.cwd()})",
                    hint="name a version, such as saved_models/flowers/3",
                )


class SimpleModels(Config):
    """Simple scikit-learn models that the network is compared with, trained on small versions of the images."""

    max_train: int = Field(default=5000, ge=10, description="training images that they learn from, drawn with a fixed seed")
    max_side: int = Field(default=32, ge=2, le=128, description="larger images are reduced to this many pixels per side")
    components: int = Field(default=50, ge=1, description="principal components that the second half of the models receives")
