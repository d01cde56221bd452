"""The loss of a two-stage detector, one number per image: that of the anchors and that of the regions, learned together.

    objectness  cross-entropy of the sampled anchors: is there an object?
    anchors     smooth L1 loss of the deltas of the sampled anchors with an object
    classes     cross-entropy of the sampled regions over all classes and background
    box         smooth L1 loss of the deltas of the sampled regions with an object, for its class

Sources: Ren et al., 2015 (Faster R-CNN), https://arxiv.org/abs/1506.01497, equation 1, trained jointly; Girshick, 2015 (Fast
R-CNN), https://arxiv.org/abs/1504.08083, equations 1 to 3. If one stage learns alone, the loss has its two parts only, so no
weight of the other stage has a gradient. All parts are divided by the number of boxes of the image that were sampled, as in
torchvision. Three rules are torchvision's too: anchors that reach beyond the image learn; anchors learn from the first step
on; background regions may overlap an object by any IoU below 0.5.
"""

from collections.abc import Mapping
from functools import partial

import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.ops.boxes import to_deltas
from kerasvision.tasks.detection.assigning import Truth
from kerasvision.tasks.detection.regions import AnchorAnswers, Regions
from kerasvision.tasks.detection.sampling import Sample, assigned_by_iou, sampled
from kerasvision.tasks.detection.smooth_l1 import smooth_l1

# IoU from which an anchor learns an object, and below which it is background (Faster R-CNN, section 3.1.2).
ANCHOR_ENOUGH, ANCHOR_TOO_LITTLE = 0.7, 0.3
ANCHOR_POSITIVES = 0.5
# The same of regions (Fast R-CNN, section 2.3).
REGION_ENOUGH = 0.5
REGION_POSITIVES = 0.25
# Where the smooth L1 loss becomes linear: of anchors as in the code of Faster R-CNN and in torchvision; of regions as in
# equation 3 of Fast R-CNN.
ANCHOR_LINEAR_FROM, REGION_LINEAR_FROM = 1 / 9, 1.0
_ANCHOR_STREAM, _REGION_STREAM = 0, 1


def parts_of_region_loss(regions: Regions, truth: Truth, numbers: tf.Tensor, settings: c.Detection) -> dict[str, tf.Tensor]:
    """`classes` and `box`, and if the network proposes the regions `objectness` and `anchors`: float32 (N,) each.

    A stage that does not learn has no part in the loss.

    Args:
        regions: the network's outputs.
        truth: the objects.
        numbers: float32 (N, sampling.DRAWS) in [0, 1), of each image.
        settings: which stages learn, how many anchors and regions, and the weight of the box losses.

    Raises:
        ConfigError: the stage that should learn alone does not exist.
    """
    found: dict[str, tf.Tensor] = {}
    if settings.learns != "proposals":
        found |= _losses_of_regions(regions, truth, numbers, settings)
    if settings.learns != "regions" and regions.first is not None:
        found |= _losses_of_anchors(regions.first, truth, numbers, settings)
    if not found:
        raise ConfigError(
            "task.learns='proposals' requires a network that proposes its regions itself", hint="use faster_rcnn"
        )
    return found


def sampled_regions(regions: Regions, truth: Truth, numbers: tf.Tensor, settings: c.Detection) -> tuple[tf.Tensor, Sample]:
    """The object of each region, int32 (N, P), and which regions learn."""
    assigned = assigned_by_iou(regions.proposals, truth, enough=REGION_ENOUGH, too_little=REGION_ENOUGH, with_best=False)
    choose = partial(sampled, count=settings.sampled_regions, positive_share=REGION_POSITIVES, stream=_REGION_STREAM)
    return assigned, choose(assigned, numbers)


def sampled_anchors(
    first: AnchorAnswers, truth: Truth, numbers: tf.Tensor, settings: c.Detection
) -> tuple[tf.Tensor, Sample]:
    """The object of each anchor, int32 (N, A), and which anchors learn."""
    assigned = assigned_by_iou(first.anchors, truth, enough=ANCHOR_ENOUGH, too_little=ANCHOR_TOO_LITTLE, with_best=True)
    choose = partial(sampled, count=settings.sampled_anchors, positive_share=ANCHOR_POSITIVES, stream=_ANCHOR_STREAM)
    return assigned, choose(assigned, numbers)


def _losses_of_regions(regions: Regions, truth: Truth, numbers: tf.Tensor, settings: c.Detection) -> dict[str, tf.Tensor]:
    assigned, sample = sampled_regions(regions, truth, numbers, settings)
    number, classes_count = tf.maximum(assigned, 0), regions.logits.shape[-1] - 1
    classes = tf.where(sample.positive, tf.gather(truth.classes, number, batch_dims=1), classes_count)
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, regions.logits)
    wanted = regions.encoded(tf.gather(truth.boxes, number, batch_dims=1))
    own = tf.gather(regions.deltas, tf.minimum(classes, classes_count - 1), axis=2, batch_dims=2)
    return {
        "classes": _mean(entropy, sample.counted, sample),
        "box": settings.box_weight * _box_loss(own, wanted, sample, linear_from=REGION_LINEAR_FROM),
    }


def _losses_of_anchors(
    first: AnchorAnswers, truth: Truth, numbers: tf.Tensor, settings: c.Detection
) -> dict[str, tf.Tensor]:
    assigned, sample = sampled_anchors(first, truth, numbers, settings)
    is_object = tf.cast(sample.positive, tf.float32)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(is_object, first.objectness)
    wanted = to_deltas(first.anchors, tf.gather(truth.boxes, tf.maximum(assigned, 0), batch_dims=1))
    return {
        "objectness": _mean(entropy, sample.counted, sample),
        "anchors": settings.box_weight * _box_loss(first.deltas, wanted, sample, linear_from=ANCHOR_LINEAR_FROM),
    }


def _box_loss(deltas: tf.Tensor, wanted: tf.Tensor, sample: Sample, *, linear_from: float) -> tf.Tensor:
    # What is not learned may be far away: its loss must not be infinite, because infinity times 0 is not a number.
    wanted = tf.where(sample.positive[..., None], wanted, tf.stop_gradient(deltas))
    return _mean(tf.reduce_sum(smooth_l1(deltas - wanted, linear_from=linear_from), axis=-1), sample.positive, sample)


def _mean(losses: tf.Tensor, wanted: tf.Tensor, sample: Sample) -> tf.Tensor:
    """float32 (N,): the sum of the wanted losses (N, A), divided by the number of sampled boxes."""
    return tf.reduce_sum(losses * tf.cast(wanted, tf.float32), axis=1) / sample.count


def region_losses(outputs: Regions, targets: Mapping[str, tf.Tensor], truth: Truth, settings: c.Detection) -> tf.Tensor:
    """float32 (N,), the sum of all parts; targets have `numbers`, those of each image."""
    return sum(parts_of_region_loss(outputs, truth, targets["numbers"], settings).values())
