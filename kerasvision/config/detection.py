"""Settings of detection: a box, a class and a score for every object in an image."""

import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from kerasvision import introspection, lookup
from kerasvision.config.answer_files import AnswerPart
from kerasvision.config.augmentation import Mixing
from kerasvision.config.example_parts import ExamplePart
from kerasvision.config.model import Model
from kerasvision.config.sources import AnnotationKind
from kerasvision.config.tasks import MeasuredTask, Names, Surroundings
from kerasvision.errors import ConfigError

# The metrics of a single class, whose name follows in brackets.
OF_A_CLASS = ("average_precision", "recall")
# The metric that only two-stage networks have.
OF_PROPOSALS = "proposal_recall_100"
# How many objects at most `boxes` may ask for; the overlap of all pairs is computed.
MOST_BOXES = 1000
# The networks of our table that find boxes, and the settings that have no meaning for each of them.
_OF_SCORES = ("focal_gamma", "focal_alpha", "assignment")
_OF_STAGES = ("sampled_anchors", "sampled_regions", "learns")
DETECTORS: Mapping[str, tuple[str, ...]] = {
    "fcos": ("negatives", *_OF_STAGES),
    "retinanet": ("negatives", *_OF_STAGES),
    "ssd300": (*_OF_SCORES, *_OF_STAGES),
    "ssd": (*_OF_SCORES, *_OF_STAGES),
    "yolo_v1": (*_OF_SCORES, "negatives", "box_loss", *_OF_STAGES),
    "yolo": (*_OF_SCORES, "negatives", "box_loss", *_OF_STAGES),
    **dict.fromkeys(("rcnn", "fast_rcnn"), (*_OF_SCORES, "negatives", "box_loss", "sampled_anchors", "learns")),
    # Between the map that is frozen and the two stages, these have layers that both stages share.
    **dict.fromkeys(("faster_rcnn_fpn", "rfcn"), (*_OF_SCORES, "negatives", "box_loss", "learns")),
    "faster_rcnn": (*_OF_SCORES, "negatives", "box_loss"),
}


class ObjectClasses(Names):
    """The classes of the objects, in the order of their numbers in the data set.

    >>> ObjectClasses(classes=("cat", "cat"))
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: ObjectClasses.classes: classes must be different names, at least one; received ...
    """

    implementation: ClassVar[str] = "kerasvision.tasks.detection.names:object_classes"

    classes: tuple[str, ...] | None = Field(
        default=None, description="the classes that must have objects in the train split; None: any one class"
    )

    boxes: int = Field(default=MOST_BOXES, ge=1, description="the largest number of objects in a training image")

    @field_validator("classes")
    @classmethod
    def _each_once(cls, classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return different(classes)


class Detection(MeasuredTask):
    """Find all objects: a box, a class and a score for each. Images without objects are trained on and judged too.

    The network looks at every point (FCOS), anchor (RetinaNet), default box (SSD) or cell (YOLO) of its feature maps.
    `assignment` decides which of them learn which object:

    - `fixed`: by place and size alone. FCOS: the points within 1.5 strides of an object's centre, on the level of its size;
      of several objects the smallest (Tian et al., 2019, https://arxiv.org/abs/1904.01355). RetinaNet: anchors whose IoU
      with it is at least 0.5; those below 0.4 are background (Lin et al., 2017, https://arxiv.org/abs/1708.02002). SSD:
      default boxes whose IoU with it is at least 0.5, and its best one (Liu et al., 2016,
      https://arxiv.org/abs/1512.02325). YOLO: the cell in which the object's centre lies; of several objects the largest
      (Redmon et al., 2016, https://arxiv.org/abs/1506.02640)
    - `task_aligned`: the ten points or anchors inside an object that the network itself rates best, by score ** 0.5 *
      IoU ** 6; the score then learns the IoU (Feng et al., 2021, https://arxiv.org/abs/2108.07755)

    The loss of an image is the sum of a focal loss of all scores, the box loss and, for FCOS, the loss of its centerness,
    each divided by the number of points or boxes with an object, at least 1. SSD has a softmax over the classes and the
    background instead of the focal loss, and learns only the hardest boxes that show background: `negatives` for each box
    with an object. FCOS and torchvision's SSD divide by the number in the batch; here each image has its own, so that a
    training on several devices equals that on one. YOLO has its own sum of squares, without any of these factors but
    `box_weight`, which multiplies the paper's 5. Crowds are neither objects nor background.

    A two-stage network (Faster R-CNN) has rules of its own: anchors learn whether an object is there, and regions which one
    and where exactly (Ren et al., 2015, https://arxiv.org/abs/1506.01497). Of each image, a random sample learns. The
    settings `assignment`, `box_loss`, `focal_gamma` and `focal_alpha` are for the other networks. With `learns`, the loss is
    that of one stage, and the other stage keeps its weights (the four-step alternating training, section 3.2).

    Metrics: COCO's `box_average_precision`, with the endings `_50`, `_75`, `_small`, `_medium` and `_large`; `box_recall`
    with 100 boxes, and `_10` and `_1`; for each class `average_precision[cat]` and `recall[cat]`. `precision`, `recall` and
    `f1` count answers of at least `best_score` with an IoU of at least 0.5; that score is the one with the best `f1` on the
    validation split. `count_error`: by how much the number of these answers differs from that of the objects, per image.
    `proposal_recall_100`, of a two-stage network: the share of the objects that have an IoU of at least 0.5 with one of its
    first 100 proposals.
    `metrics` adds metrics of your own, see `Metric`.

    >>> Detection(boxes=100, candidates=50)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: candidates must be at least boxes; received candidates=50, boxes=100. Set ...
    """

    implementation: ClassVar[str] = "kerasvision.tasks.detection.task:DetectionTask"
    requires: ClassVar[tuple[AnnotationKind, ...]] = ("objects",)
    answer_parts: ClassVar[frozenset[AnswerPart] | None] = frozenset({"places"})
    has_simple_models: ClassVar[bool] = True
    reads: ClassVar[frozenset[ExamplePart]] = frozenset({"objects"})
    best_when_smaller: ClassVar[frozenset[str]] = frozenset({"loss", "count_error"})

    boxes: int = Field(default=100, ge=1, le=MOST_BOXES, description="the largest number of boxes to return per image")
    least_score: float = Field(default=0.05, ge=0, lt=1, description="boxes with a lower score are not returned")
    overlap: float = Field(
        default=0.5, gt=0, le=1, description="of two boxes of one class with a larger IoU, only the better one is returned"
    )
    candidates: int = Field(
        default=300, ge=1, le=10 * MOST_BOXES, description="how many boxes with the best scores are compared for overlap"
    )
    across_classes: bool = Field(default=False, description="compare boxes of all classes for overlap: one class per place")
    classes: tuple[str, ...] | None = Field(
        default=None, description="the classes to find; objects of all others are background. None: all classes"
    )
    assignment: Literal["fixed", "task_aligned"] = Field(
        default="fixed", description="which points or anchors learn an object; see the description of the class"
    )
    box_loss: Literal["auto", "iou", "giou", "diou", "ciou", "l1", "smooth_l1"] = Field(
        default="auto",
        description="auto: giou for a network that returns distances, as in FCOS; l1 for offsets from anchors; smooth_l1 "
        "for SSD; squares for YOLO, which has no other. l1 and smooth_l1 compare distances or offsets, all others compare "
        "boxes",
    )
    box_weight: float = Field(default=1.0, gt=0, description="factor on the box loss")
    focal_gamma: float = Field(default=2.0, ge=0, description="how much less points with a good score weigh; 0: equally")
    focal_alpha: float = Field(
        default=0.25, ge=0, le=1, description="weight of points with an object; the others have 1 - focal_alpha"
    )
    negatives: float = Field(
        default=3.0, gt=0, description="SSD: how many boxes that show background are learned for each box with an object"
    )
    sampled_anchors: int = Field(
        default=256, ge=2, description="two-stage networks: how many anchors of an image learn, at most half with an object"
    )
    sampled_regions: int = Field(
        default=128, ge=4, description="two-stage networks: how many regions of an image learn, at most a quarter with one"
    )
    learns: Literal["both", "proposals", "regions"] = Field(
        default="both",
        description="faster_rcnn: both stages learn together; or the one that proposes regions, or the one that looks at "
        "them, learns alone, as in the alternating training of the paper",
    )

    @field_validator("classes")
    @classmethod
    def _each_once(cls, classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return different(classes)

    @model_validator(mode="after")
    def _compares_what_it_returns(self) -> "Detection":
        if self.candidates < self.boxes:
            raise ConfigError(
                f"candidates must be at least boxes; received candidates={self.candidates}, boxes={self.boxes}",
                hint=f"set candidates to {3 * self.boxes}, or boxes to {self.candidates}",
            )
        return self

    def names_to_fit(self) -> ObjectClasses:
        """The classes of the objects."""
        return ObjectClasses(classes=self.classes, boxes=self.boxes)

    def built_in_metrics(self) -> Sequence[str]:
        """The metrics of a whole data set, without those of `metrics` and those of single classes."""
        return (
            "box_average_precision",
            "box_average_precision_50",
            "box_average_precision_75",
            "box_average_precision_small",
            "box_average_precision_medium",
            "box_average_precision_large",
            "box_recall",
            "box_recall_1",
            "box_recall_10",
            "precision",
            "recall",
            "f1",
            "best_score",
            "count_error",
            OF_PROPOSALS,
        )

    def even_metrics(self) -> Sequence[str]:
        """The means over the classes."""
        return ("box_average_precision", "box_recall")

    def training_metric_names(self) -> Sequence[str]:
        """What is measured after every epoch: the loss, and on the validation split alone what is found.

        Only networks with proposals have their recall. It comes first if nothing else learns.

        >>> Detection(learns="proposals").training_headline_metric()
        'proposal_recall_100'
        """
        found = ("box_average_precision", "box_average_precision_50")
        return ("loss", OF_PROPOSALS, *found) if self.learns == "proposals" else ("loss", *found, OF_PROPOSALS)

    def headline_metric(self) -> str:
        """COCO's average precision."""
        return "box_average_precision"

    def check_metric(self, name: str) -> None:
        """Raises ConfigError if this task does not measure `name`."""
        if name in self.metric_names() or (name.partition("[")[0] in OF_A_CLASS and name.endswith("]")):
            return
        known = (*self.metric_names(), *(f"{metric}[class]" for metric in OF_A_CLASS))
        raise ConfigError(f"detection has no metric {name!r}; {lookup.did_you_mean(name, known)}")

    def check_experiment(self, experiment: Surroundings) -> None:
        """Raises ConfigError if images are mixed, a setting requires another network, or the network finds no boxes.

        Warns if the transform crops the images: objects at the borders are then lost, in training and in serving.
        """
        rule = "detection requires a network that finds boxes"
        *names, last = [f"{name!r}" for name in DETECTORS if name not in ("ssd300", "yolo_v1")]
        way_out = f"{', '.join(names)} or {last}"
        check_network(experiment.model, networks=DETECTORS, rule=rule, way_out=way_out, backbone="resnet50")
        self._check_meaning(experiment)
        check_surroundings("detection", experiment)

    def _check_meaning(self, experiment: Surroundings) -> None:
        """Raises ConfigError if a setting was changed that the network does not use, or a rule is about what it lacks."""
        name = lookup.MODELS.name(lookup.MODELS.path(experiment.model.name))
        unused = DETECTORS.get(name, ())
        for setting in unused:
            usual, value = type(self).model_fields[setting].default, getattr(self, setting)
            if value != usual:
                raise ConfigError(
                    f"task.{setting} has no meaning for {name}", received=value, hint=f"leave it out: {usual!r}"
                )
        frozen = [phase.freeze for phase in experiment.training.phases]
        if self.learns == "regions" and any(level != "backbone" for level in frozen):
            raise ConfigError(
                "task.learns='regions' requires training.freeze='backbone': the region proposal network does not learn, so "
                "the maps that it reads must stay as they are",
                received=frozen,
                hint="set training.freeze='backbone' without fine_tune, or task.learns='both'",
            )
        if "sampled_regions" in unused:
            self._check_without_proposals(name, experiment)

    def _check_without_proposals(self, name: str, experiment: Surroundings) -> None:
        """Raises ConfigError if something is judged by the recall of proposals, which the network does not have."""
        if any(rule.metric == OF_PROPOSALS for rule in experiment.gate.rules):
            raise ConfigError(
                f"{name} has no proposals, so its gate cannot have a rule about {OF_PROPOSALS}",
                hint="use box_recall, or a two-stage network such as faster_rcnn",
            )
        used = {f"training.{setting}": metric for setting, metric in experiment.training.chosen_by.items()}
        if experiment.search is not None:
            used["search.objective"] = experiment.search.metric(self)
        for setting, metric in used.items():
            if metric == OF_PROPOSALS:
                raise ConfigError(
                    f"{name} has no proposals, so {setting} cannot use {OF_PROPOSALS}",
                    hint="use box_average_precision, or a two-stage network such as faster_rcnn",
                )


def check_network(model: Model, *, networks: Collection[str], rule: str, way_out: str, backbone: str) -> None:
    """Raises ConfigError if a network of our table does not answer as a task requires. Others are checked when built.

    Args:
        model: the network.
        networks: the names of those that answer so.
        rule: what is required, the beginning of the message.
        way_out: which networks to choose, the beginning of the hint.
        backbone: the one to name in the hint if the network is itself built on a backbone.
    """
    path = lookup.MODELS.path(model.name)
    known = introspection.keywords(path)
    if ":" in model.name or known is None or lookup.MODELS.name(path) in networks:
        return
    named = backbone if "backbone" in known else model.name
    hint = f"set model.name={way_out}, and model.options.backbone={named!r}"
    raise ConfigError(f"{rule}, which {model.name} does not", hint=hint)


def check_surroundings(task: str, experiment: Surroundings) -> None:
    """Raises ConfigError if a part of the experiment does not go with boxes; warns if the transform crops the images.

    Args:
        task: its name, for the messages.
        experiment: its parts.
    """
    mixing = [one.kind for one in experiment.augment if one.blends or (isinstance(one, Mixing) and one.mixes_labels)]
    export = experiment.export
    refused = {
        f"{' and '.join(mixing)} in augment, as mixed images have no boxes": mixing,
        "export.temperature, as the score of a box is not the probability that it is right": export.temperature,
        "export.test_time, as boxes in a changed image are in other places": export.test_time,
    }
    for what, wanted in refused.items():
        if wanted:
            raise ConfigError(f"{task} does not support {what}", hint=f"leave {what.partition(',')[0]} out")
    if experiment.transform.fit == "crop":
        warnings.warn(
            "transform.fit='crop' cuts off the longer side, so objects there are never found; fit='pad' keeps them",
            stacklevel=2,
        )


def different(classes: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The same names; raises ValueError if one is repeated, or if there are none."""
    if classes is not None and (not classes or len(set(classes)) < len(classes)):
        raise ValueError(f"classes must be different names, at least one; received {classes}")
    return classes
