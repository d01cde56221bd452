"""Settings of segmentation: the class of every pixel."""

import warnings
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field

from kerasvision import lookup
from kerasvision.config.answer_files import AnswerPart
from kerasvision.config.base import Needs
from kerasvision.config.example_parts import ExamplePart
from kerasvision.config.sources import AnnotationKind
from kerasvision.config.tasks import MeasuredTask, Names, Surroundings
from kerasvision.errors import ConfigError

# The metric of a single class, whose name follows in brackets.
OF_A_CLASS = "iou"
# The networks of our table that return a map of logits.
NETWORKS = ("fcn", "fcn32s", "fcn16s", "fcn8s", "unet", "deconvnet", "deeplab_v3")


class PixelClasses(Names):
    """The classes of the pixels: those of the maps in their order, or the background and the classes of the objects."""

    implementation: ClassVar[str] = "kerasvision.tasks.segmentation.names:pixel_classes"

    background: str = Field(min_length=1, description="the name of the class of all pixels without an object")


class Segmentation(MeasuredTask):
    """Give every pixel a class. Pixels of the number 255 in a map are ignored: they are neither learned nor measured.

    The maps are those of the source. If a source has objects with masks instead, their masks are painted into one map, on
    `background`; crowds are painted like objects. `order` decides which of two overlapping objects a pixel shows.

    With p, the softmax of the network's logits, and the class y of each pixel that is not ignored, the losses of an image
    are:

    - `cross_entropy`: the mean of -log p_y over its pixels
    - `class_weighted`: the mean of w_y * -log p_y, with w = N / (C * n): N training pixels of C classes, n of them of this
      class. So all classes weigh the same in sum, and the mean weight is 1 (King & Zeng, 2001,
      https://doi.org/10.1093/oxfordjournals.pan.a004868)
    - `dice`: 1 - the mean of 2 * sum(p_c of the pixels of c) / (sum(p_c) + number of pixels of c) over the classes c of the
      image (Milletari et al., 2016, https://arxiv.org/abs/1606.04797, there with squares in the denominator)
    - `focal`: the mean of (1 - p_y) ** focal_gamma * -log p_y (Lin et al., 2017, https://arxiv.org/abs/1708.02002)

    If all pixels of an image are ignored, its loss is 0. The auxiliary logits of a network add half of their
    loss in training, as in torchvision.

    Metrics, with t pixels of a class, a answered pixels of it and r that are both, summed over all images: `pixel_accuracy`
    = sum(r) / sum(t); `mean_accuracy`, the mean of r / t over the classes; `mean_iou`, that of r / (t + a - r);
    `mean_iou_objects`, the same without the background; `weighted_iou`, the mean IoU weighted by t (Long et al., 2015,
    https://arxiv.org/abs/1411.4038, section 5); `dice`, the mean of 2 * r / (t + a); for each class `iou[cat]`.
    `boundary_f1` compares borders of classes: an answered border pixel is right if a true one of its class is within
    `boundary_tolerance` times the diagonal of the image, and a true one is found if an answered one is. F1 is computed for
    each class in each image that has it, and is averaged over the images, then over the classes (Csurka et al., 2013,
    https://doi.org/10.5244/C.27.32). A class that is in neither the truth nor the answers does not count. `metrics` adds
    metrics of your own, see `Metric`.

    >>> Segmentation(loss="jaccard")
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: Segmentation.loss: input should be 'cross_entropy', 'class_weighted', 'dice' or ...
    """

    implementation: ClassVar[str] = "kerasvision.tasks.segmentation.task:SegmentationTask"
    used_with: ClassVar[Mapping[str, Needs]] = {"focal_gamma": Needs("loss", ("focal",))}
    has_simple_models: ClassVar[bool] = True
    requires: ClassVar[tuple[AnnotationKind, ...]] = ("label_maps",)
    answer_parts: ClassVar[frozenset[AnswerPart] | None] = frozenset({"places", "maps"})
    reads: ClassVar[frozenset[ExamplePart]] = frozenset({"label_map", "objects", "mask"})

    background: str = Field(
        default="background",
        min_length=1,
        description="the class of pixels without an object, and the one that `mean_iou_objects` leaves out",
    )
    order: Literal["largest_first", "as_listed"] = Field(
        default="largest_first",
        description="in which order the masks of objects are painted; a later one covers the earlier ones. largest_first: "
        "small objects stay visible",
    )
    loss: Literal["cross_entropy", "class_weighted", "dice", "focal"] = Field(
        default="cross_entropy", description="what the training minimises; the formulas are in the description of the class"
    )
    focal_gamma: float = Field(default=2.0, ge=0, description="how much less pixels with a good score weigh; 0: equally")
    boundary_tolerance: float = Field(
        default=0.0075, gt=0, lt=1, description="how far a border may be off, as a share of the image's diagonal"
    )

    def names_to_fit(self) -> PixelClasses:
        """The classes of the pixels."""
        return PixelClasses(background=self.background)

    def built_in_metrics(self) -> Sequence[str]:
        """The metrics of a whole data set, without those of `metrics` and those of single classes."""
        return (
            "mean_iou",
            "mean_iou_objects",
            "weighted_iou",
            "pixel_accuracy",
            "mean_accuracy",
            "dice",
            "boundary_f1",
        )

    def even_metrics(self) -> Sequence[str]:
        """The means over the classes."""
        return ("mean_iou", "mean_accuracy")

    def training_metric_names(self) -> Sequence[str]:
        """What is measured after every epoch; the mean IoU on the validation split only."""
        return ("loss", "mean_iou")

    def headline_metric(self) -> str:
        """The mean IoU."""
        return "mean_iou"

    def check_metric(self, name: str) -> None:
        """Raises ConfigError if this task does not measure `name`."""
        if name in self.metric_names() or (name.startswith(f"{OF_A_CLASS}[") and name.endswith("]")):
            return
        known = (*self.metric_names(), f"{OF_A_CLASS}[class]")
        raise ConfigError(f"segmentation has no metric {name!r}; {lookup.did_you_mean(name, known)}")

    def check_experiment(self, experiment: Surroundings) -> None:
        """Raises ConfigError if pixels are blended, a setting requires other answers, or the network returns no map.

        Warns if the transform crops the images: what is cut off gets no class, in training and in serving.
        """
        name = experiment.model.name
        if ":" not in name and name not in NETWORKS:
            raise ConfigError(
                f"segmentation requires a network that returns a map of classes, which {name} does not",
                hint=f"set model.name to one of {', '.join(NETWORKS)}",
            )
        options = experiment.model.options
        if name == "unet" and options.get("padding") == "valid" and not options.get("mirrored"):
            raise ConfigError(
                "segmentation requires an answer for every pixel; unet with padding='valid' has none for the borders",
                hint="set model.options.mirrored=True, or leave padding out",
            )
        if self.order != type(self).model_fields["order"].default and (way := experiment.source.way_to("objects")):
            raise ConfigError(
                "task.order says how masks of objects are painted, and this source has no objects",
                received=self.order,
                hint=f"leave task.order out; or {way}",
            )
        mixing = [one.kind for one in experiment.augment if not one.keeps_pixels_apart]
        evaluation, export = experiment.evaluation, experiment.export
        refused = {
            f"{' and '.join(mixing)} in augment, as a pixel of blended images has two classes": mixing,
            "export.temperature, which changes no class of a pixel": export.temperature,
            "export.test_time, as views answer about pixels in other places": export.test_time,
            "evaluation.test_time, as an evaluation keeps counts of pixels and no scores": evaluation.test_time,
            "evaluation.ensemble, as an evaluation keeps counts of pixels and no scores": evaluation.ensemble,
        }
        for what, wanted in refused.items():
            if wanted:
                raise ConfigError(f"segmentation does not support {what}", hint=f"remove {what.partition(',')[0]}")
        if experiment.transform.fit == "crop":
            warnings.warn(
                "transform.fit='crop' cuts off the longer side, which then gets no class; fit='pad' keeps it", stacklevel=2
            )
