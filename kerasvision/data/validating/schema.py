"""The schema says what is normal for a data set. It is inferred from its statistics, or written by a person."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_serializer

from kerasvision import lookup
from kerasvision.config.base import Config
from kerasvision.config.sources import AnnotationKind
from kerasvision.data.measuring.statistics import Statistics
from kerasvision.data.validating.anomalies import CODES
from kerasvision.data.validating.checks import StatisticsCheck
from kerasvision.errors import ConfigError


class DataSchema(Config):
    """What the examples should look like. A person may edit the JSON file, commit it and set `schema_file` to it.

    A field that is missing in the file has the default given here, so a schema of an older version still loads.
    """

    classes: tuple[str, ...] = Field(description="class names in the order of their numbers; empty for unlabelled images")
    object_classes: tuple[str, ...] = Field(
        default=(), description="class names of the objects in the images, in the order of their numbers"
    )
    map_classes: tuple[str, ...] = Field(
        default=(), description="class names of the label maps that show at least one pixel, in the order of their numbers"
    )
    tag_classes: tuple[str, ...] = Field(
        default=(), description="names of the tags of the images, in the order of their numbers"
    )
    values: dict[str, tuple[float, float]] = Field(
        default_factory=dict, description="name of a number of the images -> its least and its largest expected value"
    )
    requires: tuple[AnnotationKind, ...] = Field(
        default=(), description="what the task requires of the images; schema_gen sets it"
    )
    parts_tags: bool | None = Field(
        default=None,
        description="whether the source parts texts into tags by `tag_separator`; None: it has no such setting; schema_gen "
        "sets it",
    )
    modes: tuple[str, ...] = Field(description="Pillow's colour modes that are expected: L, RGB, ...")
    min_side: int = Field(ge=1, description="smallest width or height in pixels")
    max_side: int = Field(ge=1, description="largest width or height in pixels")
    tiny_share: float = Field(
        default=0.1, ge=0, le=1, description="an image whose shorter side is below this share of the median's is tiny"
    )
    max_aspect: float = Field(default=5.0, ge=1, description="longer side over shorter side")
    # The least varied of 500 photos of flowers has 26, of 10,000 of Fashion-MNIST 18, of 1,797 digits 77.
    min_contrast: float = Field(
        default=3.0, ge=0, description="deviation of the most varied colour, in [0, 255]; below it an image is blank"
    )
    min_train_examples: int = Field(default=2, ge=1, description="smallest number of training images of a class or tag")
    max_imbalance: float = Field(default=20.0, ge=1, description="largest class over smallest, in the train split")
    min_captions: int = Field(default=0, ge=0, description="smallest number of captions of an image")
    max_objects: int = Field(
        default=100, ge=1, description="largest number of objects of an image; COCO's scores use 100 answers for an image"
    )
    max_ignored: float = Field(
        default=0.5, ge=0, le=1, description="largest share of a split's pixels that label maps may say nothing about"
    )
    max_missing_values: float = Field(
        default=0.5, ge=0, le=1, description="largest share of a split's images that may lack a number"
    )
    max_caption_words: int = Field(default=100, ge=1, description="largest number of words of a caption")
    max_near_duplicates: float = Field(default=0.0, ge=0, le=1, description="share of images that look like another one")
    max_label_drift: float = Field(
        default=0.1, ge=0, le=1, description="largest difference of a class's share between two splits, or two runs"
    )
    max_feature_drift: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="largest Kolmogorov-Smirnov distance of brightness, size and so on between two splits, or two runs",
    )
    max_shrinkage: float = Field(default=0.5, ge=0, le=1, description="share of the last run's images that may be missing")
    severities: dict[str, Literal["error", "warning", "info", "ignore"]] = Field(
        default_factory=dict, description="code of an anomaly -> its severity here, if it is not the usual one"
    )

    checks: tuple[StatisticsCheck, ...] = Field(
        default=(), description="your own bounds for numbers in statistics.json, such as the images of a class"
    )

    @field_validator("severities", mode="before")
    @classmethod
    def _codes_exist(cls, value: object) -> object:
        for code in value if isinstance(value, dict) else ():
            if code not in CODES:
                raise ConfigError(f"no anomaly has the code {code!r}; {lookup.did_you_mean(str(code), CODES)}")
            if code == "own_check":
                raise ConfigError(
                    "severities cannot change own_check, because each check has its own severity",
                    hint='set it in the check: {"value": ..., "severity": "warning"}',
                )
        return value

    @model_serializer(mode="wrap")
    def _data(self, handler: Any) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name != "parts_tags" or value is not None}

    @classmethod
    def infer(cls, statistics: Statistics) -> Self:
        """The schema that these statistics fit. Limits for faults, such as blank images, keep their defaults."""
        return cls(
            classes=tuple(statistics.classes),
            object_classes=tuple(statistics.object_classes),
            map_classes=_shown_classes(statistics),
            values=_ranges(statistics),
            tag_classes=tuple(statistics.tag_classes),
            modes=tuple(sorted(statistics.modes)),
            min_side=statistics.min_side,
            max_side=statistics.max_side,
            min_captions=1 if statistics.captions else 0,
        )


def _ranges(statistics: Statistics) -> dict[str, tuple[float, float]]:
    """Name -> the least and the largest number that any image has."""
    found = {}
    for name in statistics.value_names:
        summaries = [of[name] for of in statistics.values.values()]
        least = [one["least"] for one in summaries if one["least"] is not None]
        most = [one["most"] for one in summaries if one["most"] is not None]
        if least and most:
            found[name] = (min(least), max(most))
    return found


def _shown_classes(statistics: Statistics) -> tuple[str, ...]:
    """The classes of the label maps with a pixel: a table of names may have more than a data set shows."""
    counts = statistics.maps.get("pixels", {}).values()
    return tuple(name for name in statistics.map_classes if any(of[name] for of in counts))
