"""Settings of localization: one box per image by regression, the first step from classification to detection."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from kerasvision.config.answer_files import AnswerPart
from kerasvision.config.detection import ObjectClasses, check_network, check_surroundings
from kerasvision.config.example_parts import ExamplePart
from kerasvision.config.sources import AnnotationKind
from kerasvision.config.tasks import MeasuredTask, Surroundings
from kerasvision.errors import ConfigError


class Localization(MeasuredTask):
    """Find the largest object of each image: one box, and its class.

    The network returns four numbers y, the corners as shares of the image's sides. With the corners t of the object, the
    losses of the box are:

    - `l2`: the sum of (y - t)^2, as in cs231n and OverFeat (Sermanet et al., 2013, https://arxiv.org/abs/1312.6229)
    - `smooth_l1`: the sum of (y - t)^2 / (2 b) where |y - t| < b = 1/9, and of |y - t| - b / 2 elsewhere (Girshick, 2015,
      https://arxiv.org/abs/1504.08083, with the b of torchvision)
    - `iou`, `giou`, `diou`, `ciou`: 1 minus the IoU or one of its relatives. `iou` has no gradient where the boxes do not
      overlap, so begin with another one

    The cross-entropy of the class is added, times `class_weight`, if the network has `class_logits`. Images without an
    object teach nothing, and are not measured.

    Metrics: `mean_iou`; `iou_50` and `iou_75`, the shares of boxes with at least that IoU; `accuracy` of the class;
    `localization_accuracy`, the share with the right class and an IoU of at least 0.5 (ILSVRC's). `metrics` adds metrics of
    your own, see `Metric`.
    """

    implementation: ClassVar[str] = "kerasvision.tasks.detection.localization:LocalizationTask"
    requires: ClassVar[tuple[AnnotationKind, ...]] = ("objects",)
    answer_parts: ClassVar[frozenset[AnswerPart] | None] = frozenset({"places"})
    reads: ClassVar[frozenset[ExamplePart]] = frozenset({"objects"})

    loss: Literal["l2", "smooth_l1", "iou", "giou", "diou", "ciou"] = Field(
        default="smooth_l1", description="of the box; the formulas are in the description of the class"
    )
    class_weight: float = Field(default=1.0, ge=0, description="factor on the loss of the class")

    def names_to_fit(self) -> ObjectClasses:
        """The classes of the objects."""
        return ObjectClasses()

    def built_in_metrics(self) -> Sequence[str]:
        """The metrics of a whole data set, without those of `metrics`."""
        return ("mean_iou", "iou_50", "iou_75", "accuracy", "localization_accuracy")

    def training_metric_names(self) -> Sequence[str]:
        """What is measured after every epoch; the IoU on the validation split only."""
        return ("loss", "mean_iou")

    def check_experiment(self, experiment: Surroundings) -> None:
        """Raises ConfigError if images are mixed, a setting requires other answers, or the network answers no box."""
        rule = "localization requires a network that answers one box per image"
        check_network(experiment.model, networks=("localizer",), rule=rule, way_out="'localizer'", backbone="resnet18")
        usual = type(self).model_fields["class_weight"].default
        if self.class_weight != usual and experiment.model.options.get("class_logits") is False:
            raise ConfigError(
                "task.class_weight requires a network that answers the class, and model.options.class_logits is False",
                received=self.class_weight,
                hint="leave one of them out",
            )
        check_surroundings("localization", experiment)
