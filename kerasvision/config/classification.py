"""Settings of classification: one class per image."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal, TypeGuard

from pydantic import Field, field_validator, model_validator

from kerasvision import lookup
from kerasvision.config.answer_files import AnswerPart
from kerasvision.config.augmentation import Mixing
from kerasvision.config.base import Needs
from kerasvision.config.example_parts import ExamplePart
from kerasvision.config.hierarchy import read_hierarchy
from kerasvision.config.sources import AnnotationKind
from kerasvision.config.tasks import MeasuredTask, Surroundings, check_one_row_of_outputs
from kerasvision.errors import ConfigError, shown

# The metrics of a single class, whose name follows in brackets.
OF_A_CLASS = ("precision", "recall", "f1", "roc_auc", "average_precision")


class Classification(MeasuredTask):
    """One label per image. With the network's outputs s, float (N, C), and the label y of an image, the losses are:

    - `cross_entropy`: -log softmax(s)_y
    - `focal`: -(1 - p)^gamma log p with p = softmax(s)_y, so that images that are easy already count less (Lin et al., 2017,
      https://arxiv.org/abs/1708.02002, equation 4); with gamma = 0 it is `cross_entropy`
    - `hinge`: the sum over all j but y of max(0, s_j - s_y + delta), the multi-class SVM of cs231n
      (https://cs231n.github.io/linear-classify/#svm; Weston & Watkins, 1999); `squared_hinge`: the sum of the squares
    - `binary_cross_entropy`: each class against all others, -log sigmoid(s_y) plus the sum over all j but y of
      -log sigmoid(-s_j)
    - `binary_focal`: the same with the factor (1 - p)^gamma on each term, where p is the probability of what is true: the
      focal loss as its authors use it. `class_weights` is their alpha.
    - `hierarchical`: -log p(y) of a hierarchical softmax (Morin & Bengio, 2005), for a thousand classes and more: p(y) is
      the product of the decisions on the path to y in a binary tree. The tree is Huffman's by the training images of each
      class (Mikolov et al., 2013, https://arxiv.org/abs/1310.4546), inside the groups of `hierarchy` if there is one. A step
      computes and updates only the nodes on the paths of its labels, so optimizers leave other nodes as they are, with their
      momentum, and penalties and weight decay do not apply to nodes. The scores of an answer are probabilities.

    If images are mixed, their losses are weighted by the shares of the labels. `class_weights` multiplies the losses, in
    training and in `val_loss`, but not the metrics. With "balanced", the images of a class have the weight N / (C * n): N
    training images of C classes, n of them of this class, as in scikit-learn (King & Zeng, 2001,
    https://doi.org/10.1093/oxfordjournals.pan.a004868). So the mean weight is 1, and the learning rate keeps its meaning.

    The scores of an answer sum to 1 with every loss, but only those of `cross_entropy` and `hierarchical` are probabilities.
    A hinge loss trains margins, so the softmax of its outputs only ranks the classes.

    Metrics: `accuracy`, `balanced_accuracy` and `macro_f1` (the means of recall and F1 over the classes, so that a rare
    class counts as much as a frequent one), `top_<k>_accuracy` (if there are more than k classes), `log_loss`,
    `expected_calibration_error` (in 15 bins), `majority_accuracy` (the accuracy of always answering the most frequent
    class), and for each class against all others `precision[daisy]`, `recall[daisy]`, `f1[daisy]`, `roc_auc[daisy]`,
    `average_precision[daisy]`. `roc_auc` and `average_precision` are means over the classes. Definitions are scikit-learn's
    if it has one. `metrics` adds metrics of your own, see `Metric`.

    >>> Classification(loss="hinge", label_smoothing=0.1)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: Classification: label_smoothing requires a cross-entropy loss, as a hinge loss already
    has a margin; received label_smoothing=0.1, loss='hinge'.
    """

    implementation: ClassVar[str] = "kerasvision.tasks.classification.task:ClassificationTask"
    locations: ClassVar[frozenset[str]] = frozenset({"hierarchy"})
    used_with: ClassVar[Mapping[str, Needs]] = {
        "gamma": Needs("loss", ("focal", "binary_focal")),
        "delta": Needs("loss", ("hinge", "squared_hinge")),
        "hierarchy": Needs("loss", ("hierarchical",)),
    }
    has_simple_models: ClassVar[bool] = True
    requires: ClassVar[tuple[AnnotationKind, ...]] = ("labels",)
    answer_parts: ClassVar[frozenset[AnswerPart] | None] = frozenset()
    reads: ClassVar[frozenset[ExamplePart]] = frozenset({"label"})
    best_when_smaller: ClassVar[frozenset[str]] = frozenset({"loss", "log_loss", "expected_calibration_error"})

    loss: Literal[
        "cross_entropy", "focal", "hinge", "squared_hinge", "binary_cross_entropy", "binary_focal", "hierarchical"
    ] = Field(
        default="cross_entropy", description="what the training minimises; the formulas are in the description of the class"
    )
    gamma: float | dict[str, float] | None = Field(
        default=None,
        description="focal losses: how much less easy images count, at least 0; by class, such as {'daisy': 1.0}, where the "
        "others have 2. None: 2, the authors' value",
    )
    delta: float = Field(default=1.0, gt=0, description="hinge losses: by how much the true class should score higher")
    hierarchy: Path | None = Field(
        default=None,
        description="hierarchical: a JSON file, {'poodle': ['animal', 'dog'], ...}: the groups of each class from the root "
        "down; or a CSV with the columns label and groups, such as animal/dog. None: no groups",
    )
    label_smoothing: float = Field(
        default=0.0, ge=0.0, lt=1.0, description="share of each label spread equally over all classes"
    )
    class_weights: Literal["balanced"] | dict[str, float] | None = Field(
        default=None,
        description="factors on the losses of each class's images, such as {'daisy': 2.0}; classes without one have 1. "
        "balanced: all classes weigh the same in sum",
    )
    top_k: int = Field(default=5, ge=2, le=100, description="k of the metric top_<k>_accuracy")
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
                "class_weights must be 'balanced', or a mapping from classes to finite numbers above 0; "
                f"received {shown(weights)}"
            )
        return weights

    @field_validator("gamma", mode="before")
    @classmethod
    def _exponents(cls, gamma: object) -> object:
        # Without this, pydantic would report an error for each type of the field.
        values = gamma.values() if isinstance(gamma, Mapping) and gamma else (gamma,)
        if gamma is not None and not all(_is_number(value) and value >= 0 for value in values):
            raise ValueError(
                "gamma must be a finite number of at least 0, or a mapping from classes to such numbers; "
                f"received {shown(gamma)}"
            )
        return gamma

    @model_validator(mode="after")
    def _smooths_what_can_be(self) -> "Classification":
        if self.label_smoothing and self.loss == "hierarchical":
            raise ValueError(
                "label_smoothing needs all classes, and loss='hierarchical' computes those on the path of the label; "
                f"received label_smoothing={self.label_smoothing}"
            )
        if self.label_smoothing and "hinge" in self.loss:
            raise ValueError(
                "label_smoothing requires a cross-entropy loss, as a hinge loss already has a margin; "
                f"received label_smoothing={self.label_smoothing}, loss={self.loss!r}"
            )
        return self

    def chance(self, classes: int) -> tuple[str, float]:
        """The log loss of equal scores for all classes, ln(C).

        >>> Classification().chance(10)
        ('log_loss', 2.302585092994046)
        """
        return "log_loss", math.log(classes)

    def built_in_metrics(self) -> Sequence[str]:
        """The metrics of a whole data set, without those of `metrics`."""
        return (
            "accuracy",
            "balanced_accuracy",
            "macro_f1",
            f"top_{self.top_k}_accuracy",
            "log_loss",
            "expected_calibration_error",
            "majority_accuracy",
            "roc_auc",
            "average_precision",
        )

    def even_metrics(self) -> Sequence[str]:
        """The means over the classes."""
        return ("balanced_accuracy", "macro_f1")

    def training_metric_names(self) -> Sequence[str]:
        """What is measured after every epoch; top-k accuracy only if there are more than k classes.

        With the hierarchical loss, `path_accuracy` is the share of images for which every decision on the path is right: for
        these, going down by the likelier branch ends at the true class.
        """
        if self.loss == "hierarchical":
            return ("loss", "path_accuracy", "log_loss")
        return ("loss", "accuracy", f"top_{self.top_k}_accuracy", "log_loss")

    def check_metric(self, name: str) -> None:
        """Raises ConfigError if this task does not measure `name`."""
        if name not in self.metric_names() and not re.fullmatch(rf"({'|'.join(OF_A_CLASS)})\[.+\]", name):
            known = (*self.metric_names(), *(f"{metric}[class]" for metric in OF_A_CLASS))
            raise ConfigError(f"classification has no metric {name!r}; {lookup.did_you_mean(name, known)}")

    def check_experiment(self, experiment: Surroundings) -> None:
        """Raises ConfigError if classes are balanced twice, or a network of our table does not classify.

        Other networks are checked when they are built.
        """
        if self.class_weights == "balanced" and experiment.training.sampling == "balanced":
            raise ConfigError(
                "task.class_weights='balanced' and training.sampling='balanced' both make all classes count the same; "
                "together, rare classes count too much",
                hint="leave one of them out",
            )
        if self.loss == "hierarchical":
            self._check_tree(experiment)
        check_one_row_of_outputs(experiment.model, task="classification")

    def _check_tree(self, experiment: Surroundings) -> None:
        training, mixing = experiment.training, [one.kind for one in experiment.augment if isinstance(one, Mixing)]
        optimizers = [phase.optimizer for phase in training.phases]
        faults = {
            f"{' and '.join(mixing)} in augment, as a mixed image has two paths": mixing,
            "training.micro_batches, as micro-batches use different nodes": training.micro_batches > 1,
            "training.features='once', as the tree needs the labels": any(p.features == "once" for p in training.phases),
            "an optimizer other than Sgd, Adam and AdamW, as others have no update of single rows": not all(
                one.updates_rows for one in optimizers
            ),
        }
        if found := [fault for fault, is_there in faults.items() if is_there]:
            raise ConfigError(f"loss='hierarchical' does not go with {found[0]}", hint="change it, or choose another loss")

    def files(self) -> Iterator[tuple[str, Path]]:
        """The hierarchy, so that changes to it are noticed.

        Raises:
            ConfigError: there is no such file, or it is not a hierarchy.
            DataError: it is a CSV file that cannot be read.
        """
        yield from super().files()
        if self.hierarchy is not None:
            read_hierarchy(self.hierarchy)
            yield "hierarchy", self.hierarchy


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_weight(value: object) -> bool:
    return _is_number(value) and value > 0
