"""Settings of multi-label classification: any number of tags per image."""

import re
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from kerasvision import introspection, lookup
from kerasvision.config.base import Needs
from kerasvision.config.example_parts import ExamplePart
from kerasvision.config.sources import AnnotationKind
from kerasvision.config.tasks import MeasuredTask, Names, Surroundings
from kerasvision.errors import ConfigError, shown

# The metrics of a single tag, whose name follows in brackets.
OF_A_TAG = ("average_precision", "precision", "recall", "f1")


class TagClasses(Names):
    """All tags of the data set."""

    implementation: ClassVar[str] = "kerasvision.tasks.multi_label.names:tag_classes"

    most_tags: int = Field(ge=1, description="the most tags of an answer; no training image may have more")


class MultiLabel(MeasuredTask):
    """Any number of tags per image, also none. Every tag is a yes-or-no question of its own.

    With the logit s of a tag, its probability p = sigmoid(s), and its truth t (1 or 0; a share, if images are mixed), the
    loss of an image is the sum over all tags of t * w * L1 + (1 - t) * L0:

    - `cross_entropy`: L1 = -log p and L0 = -log(1 - p). `label_smoothing` e makes t (1 - e) + e / 2 of t
    - `focal`: L1 = -(1 - p) ** g * log p and L0 = -p ** g * log(1 - p), with g = `focal_gamma` (Lin et al., 2017,
      https://arxiv.org/abs/1708.02002): what is already known weighs less
    - `asymmetric`: L1 = -(1 - p) ** g1 * log p and L0 = -q ** g0 * log(1 - q), with q = max(p - `margin`, 0),
      g1 = `gamma_positive` and g0 = `gamma_negative` (Ridnik et al., 2020, https://arxiv.org/abs/2009.14119): the many tags
      that an image does not have weigh less than the few that it has

    `class_weights` are the factors w. With "balanced", w = (N - n) / n for a tag that n of N training images have, so that
    its yes and its no weigh the same in sum; at most 100, because the weight of a tag with one image would drown all others.

    An answer has every tag whose score reaches its threshold, at most `most_tags` of them. The thresholds are chosen on the
    validation split, and the exported model contains them. With `thresholds="per_tag"` each tag has the threshold with the
    best F1 there, if at least 5 validation images have it; all other tags share the threshold with the best micro F1.

    Metrics: `mean_average_precision`, the mean of the average precision over the tags that an image of the split has;
    `micro_average_precision`, of all pairs of image and tag in one ranking; of the answers, with hits h, answered tags a and
    true tags t: `micro_f1` = 2 h / (a + t), `micro_precision` = h / a and `micro_recall` = h / t over all pairs;
    `macro_f1`, the mean of F1 over the tags that occur; `subset_accuracy`, the share of images whose answer has exactly the
    true tags; `hamming_loss`, the share of pairs that are answered wrong. For each tag `average_precision[sea]`,
    `precision[sea]`, `recall[sea]` and `f1[sea]`. Definitions are scikit-learn's. `metrics` adds metrics of your own, see
    `Metric`.

    >>> MultiLabel(loss="asymmetric", label_smoothing=0.1)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: MultiLabel: label_smoothing requires loss='cross_entropy', as the other losses already
    trust a label less; received label_smoothing=0.1, loss='asymmetric'.
    """

    implementation: ClassVar[str] = "kerasvision.tasks.multi_label.task:MultiLabelTask"
    used_with: ClassVar[Mapping[str, Needs]] = {
        "focal_gamma": Needs("loss", ("focal",)),
        **dict.fromkeys(("gamma_positive", "gamma_negative", "margin"), Needs("loss", ("asymmetric",))),
    }
    has_simple_models: ClassVar[bool] = True
    requires: ClassVar[tuple[AnnotationKind, ...]] = ("tags",)
    reads: ClassVar[frozenset[ExamplePart]] = frozenset({"tags"})
    best_when_smaller: ClassVar[frozenset[str]] = frozenset({"loss", "hamming_loss"})

    loss: Literal["cross_entropy", "focal", "asymmetric"] = Field(
        default="cross_entropy", description="what the training minimises; the formulas are in the description of the class"
    )
    focal_gamma: float = Field(default=2.0, ge=0, description="how much less known tags weigh in the focal loss; 0: equally")
    gamma_positive: float = Field(
        default=0.0, ge=0, description="of the asymmetric loss: how much less a known tag weighs that an image has"
    )
    gamma_negative: float = Field(
        default=4.0, ge=0, description="of the asymmetric loss: how much less a known tag weighs that an image does not have"
    )
    margin: float = Field(
        default=0.05, ge=0, lt=1, description="of the asymmetric loss: a tag that an image does not have costs nothing below"
    )
    label_smoothing: float = Field(
        default=0.0, ge=0.0, lt=1.0, description="how far the targets 0 and 1 are moved towards 0.5; cross_entropy only"
    )
    class_weights: Literal["balanced"] | dict[str, float] | None = Field(
        default=None,
        description="factors on the losses of the images that have a tag, such as {'sea': 2.0}; tags without one have 1. "
        "balanced: the images with and without a tag weigh the same in sum",
    )
    thresholds: Literal["per_tag", "shared", "half"] = Field(
        default="per_tag",
        description="from which score on an answer has a tag. per_tag: best F1 of each tag on the validation split; shared: "
        "best micro F1 there; half: 0.5",
    )
    most_tags: int = Field(
        default=20, ge=1, le=1000, description="the most tags of an answer; no training image may have more"
    )
    features: bool = Field(
        default=False,
        description="whether the served model also has a signature `features`: what its last layer receives, for "
        "`data show --embed --model`",
    )

    @field_validator("class_weights", mode="before")
    @classmethod
    def _weights(cls, weights: object) -> object:
        # Without this, pydantic would report an error for each type of the field.
        if weights is None or weights == "balanced":
            return weights
        if not isinstance(weights, Mapping) or not weights or not all(map(_is_weight, weights.values())):
            raise ValueError(
                "class_weights must be 'balanced', or a mapping from tags to finite numbers above 0; "
                f"received {shown(weights)}"
            )
        return weights

    @model_validator(mode="after")
    def _smooths_what_can_be(self) -> "MultiLabel":
        if self.label_smoothing and self.loss != "cross_entropy":
            raise ValueError(
                "label_smoothing requires loss='cross_entropy', as the other losses already trust a label less; "
                f"received label_smoothing={self.label_smoothing}, loss={self.loss!r}"
            )
        return self

    def names_to_fit(self) -> TagClasses:
        """The tags."""
        return TagClasses(most_tags=self.most_tags)

    def built_in_metrics(self) -> Sequence[str]:
        """The metrics of a whole data set, without those of `metrics` and those of single tags."""
        return (
            "mean_average_precision",
            "micro_average_precision",
            "macro_f1",
            "micro_f1",
            "micro_precision",
            "micro_recall",
            "subset_accuracy",
            "hamming_loss",
        )

    def even_metrics(self) -> Sequence[str]:
        """The means over the tags."""
        return ("mean_average_precision", "macro_f1")

    def training_metric_names(self) -> Sequence[str]:
        """What is measured after every epoch; the mean average precision on the validation split only."""
        return ("loss", "mean_average_precision")

    def headline_metric(self) -> str:
        """The mean average precision."""
        return "mean_average_precision"

    def check_metric(self, name: str) -> None:
        """Raises ConfigError if this task does not measure `name`."""
        if name not in self.metric_names() and not re.fullmatch(rf"({'|'.join(OF_A_TAG)})\[.+\]", name):
            known = (*self.metric_names(), *(f"{metric}[tag]" for metric in OF_A_TAG))
            raise ConfigError(f"multi_label has no metric {name!r}; {lookup.did_you_mean(name, known)}")

    def check_experiment(self, experiment: Surroundings) -> None:
        """Raises ConfigError if a network of our table does not classify. Others are checked when they are built."""
        name = experiment.model.name
        if ":" not in name and "backbone" in (introspection.keywords(lookup.MODELS.path(name)) or ()):
            raise ConfigError(
                f"multi_label requires a network that returns a number for each tag, which {name} does not",
                hint="set model.name to the name of its backbone",
            )


def _is_weight(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
