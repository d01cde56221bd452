"""Settings of regression: one or several numbers per image."""

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from kerasvision import lookup
from kerasvision.config.augmentation import Augmentation, Mixing
from kerasvision.config.base import Needs
from kerasvision.config.evaluation import RESIZING_VIEWS
from kerasvision.config.example_parts import ExamplePart
from kerasvision.config.sources import AnnotationKind
from kerasvision.config.tasks import MeasuredTask, Names, Surroundings, check_one_row_of_outputs
from kerasvision.errors import ConfigError, shown

# The metrics of a single value, whose name follows in brackets.
OF_A_VALUE = ("mae", "rmse", "r2", "within_tolerance")
# Names that usually say where something is, or how large it is, in the image.
_LIKE = {
    "places": re.compile(r"(^|[^a-z])(x|y|row|column|left|right|top|bottom|place|position)([^a-z]|$)", re.IGNORECASE),
    "sizes": re.compile(r"(^|[^a-z])(area|radius|diameter)([^a-z]|$)", re.IGNORECASE),
}
_MEANING = {"places": "where something is in the image", "sizes": "how large something is in the image"}


class ValueNames(Names):
    """The names of the values, in the order of the source; those that the settings name must be among them."""

    implementation: ClassVar[str] = "kerasvision.tasks.regression.names:value_names"

    named: tuple[str, ...] = Field(default=(), description="names in the settings of the task")


class Regression(MeasuredTask):
    """Estimate one or several numbers per image: an age, an angle, the place of a thing.

    The values are those of the source: columns of a `Table`, keys of a `TfRecord`, numbers about generated `Shapes`. The
    network learns the scaled residuals r = (answer - truth) / deviation, and starts near the mean: mean and deviation of
    each value are those of the training images, and are part of the saved network. So one learning rate fits every unit,
    and the served answers are in the units of the source. The loss of an image is the sum over its values, divided by the
    number of all values, of:

    - `l2`: r^2. The best answer is the mean of what is possible
    - `l1`: |r|. The best answer is the median, and a few wrong truths change little
    - `huber`: r^2 / 2 where |r| <= `huber_delta`, and `huber_delta` * (|r| - `huber_delta` / 2) elsewhere (Huber, 1964,
      https://doi.org/10.1214/aoms/1177703732)

    A value that is missing adds nothing to the loss, and is not measured. If images are mixed, so are their values: MixUp
    weights them as the pixels, CutMix by area.

    Nothing moves a value together with the pixels. So name in `places` the values that say where something is, and in
    `sizes` those that say how large it is: augmentations, and views of `test_time`, that would make them wrong are then
    rejected.

    Metrics, for each value and as the mean over the values: `mae`, the mean of |answer - truth|, and `rmse`, the root of the
    mean square, both in the unit of the value; `r2`, 1 - the sum of squares over that around the mean truth of the same
    images (0: no better than that mean); and with `tolerance` the share `within_tolerance`. For one value: `mae[age]`. Where
    all images have the same truth, R2 has no value. The mean of `mae` over values of different units follows the largest
    unit: compare such models by `r2`. `metrics` adds metrics of your own, see `Metric`.

    If the numbers are a few grades, try `Classification` first, as https://cs231n.github.io/neural-networks-2/#losses
    advises.

    >>> Regression(loss="huber", huber_delta=0.0)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: Regression.huber_delta: input should be greater than 0; received 0.0. Choose ...
    """

    implementation: ClassVar[str] = "kerasvision.tasks.regression.task:RegressionTask"
    used_with: ClassVar[Mapping[str, Needs]] = {"huber_delta": Needs("loss", ("huber",))}
    has_simple_models: ClassVar[bool] = True
    requires: ClassVar[tuple[AnnotationKind, ...]] = ("values",)
    reads: ClassVar[frozenset[ExamplePart]] = frozenset({"values"})
    best_when_smaller: ClassVar[frozenset[str]] = frozenset({"loss", "mae", "rmse"})

    loss: Literal["l2", "l1", "huber"] = Field(
        default="l2", description="what the training minimises; the formulas are in the description of the class"
    )
    huber_delta: float = Field(
        default=1.0, gt=0, description="with loss='huber': from this residual on, in deviations, the loss grows linearly"
    )
    tolerance: float | dict[str, float] | None = Field(
        default=None,
        description="how far an answer may be off and count as right, in the unit of the value; or value -> number",
    )
    places: tuple[str, ...] | None = Field(
        default=None, description="values that say where something is in the image; (): none of them"
    )
    sizes: tuple[str, ...] | None = Field(
        default=None, description="values that say how large something is in the image; (): none of them"
    )
    features: bool = Field(
        default=False,
        description="whether the served model also has a signature `features`: what its last layer with weights receives, "
        "for `data show --embed --model`",
    )

    @field_validator("tolerance", mode="before")
    @classmethod
    def _tolerances(cls, tolerance: object) -> object:
        # Without this, pydantic would report an error for each type of the field.
        numbers = list(tolerance.values()) if isinstance(tolerance, Mapping) else [tolerance]
        if tolerance is not None and (not numbers or not all(map(_is_tolerance, numbers))):
            raise ValueError(
                "tolerance must be a finite number of at least 0, or a mapping from values to such numbers; "
                f"received {shown(tolerance)}"
            )
        return tolerance

    def names_to_fit(self) -> ValueNames:
        """The names of the values."""
        return ValueNames(named=self._named)

    def built_in_metrics(self) -> Sequence[str]:
        """The metrics of a whole data set, without those of `metrics` and those of single values."""
        return OF_A_VALUE if self.tolerance is not None else OF_A_VALUE[:-1]

    def training_metric_names(self) -> Sequence[str]:
        """What is measured after every epoch: means over the values, in their units."""
        return ("loss", "mae", "rmse")

    def best_is(self, metric: str) -> Literal["max", "min"]:
        """Whether a higher or a lower value of a metric is better; `mae[age]` as `mae`."""
        return super().best_is(metric.partition("[")[0] if metric.endswith("]") else metric)

    def check_metric(self, name: str) -> None:
        """Raises ConfigError if this task does not measure `name`."""
        of_a_value = [f"{metric}[value]" for metric in self.built_in_metrics()]
        if name in self.metric_names() or any(_is_like(name, pattern) for pattern in of_a_value):
            return
        known = (*self.metric_names(), *of_a_value)
        hint = "; set task.tolerance" if name.startswith("within_tolerance") and self.tolerance is None else ""
        raise ConfigError(f"regression has no metric {name!r}; {lookup.did_you_mean(name, known)}{hint}")

    def check_experiment(self, experiment: Surroundings) -> None:
        """Raises ConfigError if the network returns no row of numbers, or a part of the experiment makes values wrong.

        Warns if the transform crops images whose values are places, or if values look like places or sizes that are not
        named, and augmentations or views would make them wrong.
        """
        check_one_row_of_outputs(experiment.model, task="regression")
        if experiment.export.temperature:
            raise ConfigError(
                "regression does not support export.temperature, as its answers are numbers and not probabilities",
                hint="leave export.temperature out",
            )
        self._check_names(experiment)
        self._check_augmentation(experiment)
        known = experiment.source.named_values() or ()
        for part, views in (("evaluation", experiment.evaluation.test_time), ("export", experiment.export.test_time)):
            self._check_views("places", f"{part}.test_time", views, known)
            self._check_views("sizes", f"{part}.test_time", [view for view in views if view in RESIZING_VIEWS], known)
        if self.places and experiment.transform.fit == "crop":
            warnings.warn(
                "transform.fit='crop' cuts off the longer side, so a network cannot know where a thing was in the whole "
                "image; fit='pad' or 'stretch' keeps all of it",
                stacklevel=2,
            )

    @property
    def _named(self) -> tuple[str, ...]:
        tolerances = self.tolerance if isinstance(self.tolerance, dict) else ()
        return tuple(dict.fromkeys((*(self.places or ()), *(self.sizes or ()), *tolerances)))

    def _check_names(self, experiment: Surroundings) -> None:
        """The same as when the names are fitted, if the source knows them before it is read."""
        known = experiment.source.named_values()
        for name in self._named if known is not None else ():
            check_value_name(name, known or ())

    def _check_augmentation(self, experiment: Surroundings) -> None:
        for one in experiment.augment:
            if isinstance(one, Mixing) and not one.mixes_labels:
                raise ConfigError(
                    f"{one.kind} shows parts of several images, which no number fits",
                    hint=f"remove {one.kind} from augment, or use MixUp or CutMix",
                )
            for setting, wrong in (("places", one.moves_things), ("sizes", one.resizes_things)):
                if wrong:
                    self._check_moved(setting, one, experiment.source.named_values() or ())

    def _check_views(self, setting: str, field: str, views: Sequence[str], known: Sequence[str]) -> None:
        """Raises ConfigError if the views of an image make named values wrong; warns if they may."""
        named = getattr(self, setting)
        if views and named:
            raise ConfigError(
                f"{', '.join(named)} in task.{setting}: the views of {field} show things in other {setting}",
                received=", ".join(views),
                hint=f"leave {field} out",
            )
        if views and (like := self._unnamed(setting, known)):
            warnings.warn(
                f"the views of {field} show things in other {setting}. If {', '.join(like)} says {_MEANING[setting]}, leave "
                f"it out; otherwise set task.{setting}=()",
                stacklevel=2,
            )

    def _unnamed(self, setting: str, known: Sequence[str]) -> list[str]:
        """The values whose names are those of places or sizes; none if the settings say which are."""
        return [] if getattr(self, setting) is not None else [name for name in known if _LIKE[setting].search(name)]

    def _check_moved(self, setting: str, augmentation: Augmentation, known: Sequence[str]) -> None:
        """Raises ConfigError if an augmentation makes named values wrong; warns if it may."""
        named, kind = getattr(self, setting), augmentation.kind
        is_mixed = isinstance(augmentation, Mixing)
        does = "shows things of two images" if is_mixed else f"changes {_MEANING[setting]}, and no value with it"
        if named:
            raise ConfigError(
                f"{', '.join(named)} in task.{setting} would be wrong after {kind}, which {does}",
                hint=f"remove {kind} from augment",
            )
        if like := self._unnamed(setting, known):
            warnings.warn(
                f"{kind} in augment {does}. If {', '.join(like)} says {_MEANING[setting]}, remove {kind}; otherwise set "
                f"task.{setting}=()",
                stacklevel=2,
            )


def check_value_name(name: str, known: Sequence[str]) -> None:
    """Raises ConfigError if the images have no value of this name.

    >>> check_value_name("agee", ("age", "height"))
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: the images have no value 'agee'; did you mean 'age'?
    """
    if name not in known:
        raise ConfigError(f"the images have no value {name!r}; {lookup.did_you_mean(name, known)}")


def _is_like(name: str, pattern: str) -> bool:
    """Whether a name is that of a metric of one value: `mae[age]` is like `mae[value]`."""
    start = pattern.removesuffix("value]")
    return name.startswith(start) and name.endswith("]") and len(name) > len(start) + 1


def _is_tolerance(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number < math.inf
