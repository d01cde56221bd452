"""What a two-stage detector returned: regions of an image, what is in each, and perhaps the anchors that proposed them.

proposals (N, P, 4)       corners in pixels, the best first; rows of zeros are empty
class_logits (N, P, K + 1)                       of the K classes, then background
region_deltas (N, P, 4 * (K + 1)) or (N, P, 4)   from a region to the box of an object, for each class or for all
anchors (N, A, 4), objectness (N, A), anchor_deltas (N, A, 4)     if the network itself proposes the regions
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from kerasvision.errors import ConfigError
from kerasvision.ops.boxes import areas, from_deltas, to_deltas

PROPOSALS, LOGITS, DELTAS = "proposals", "class_logits", "region_deltas"
ANCHORS, OBJECTNESS, ANCHOR_DELTAS = "anchors", "objectness", "anchor_deltas"
# The unit of a region's deltas, so that what is learned is about 1: the inverse of the weights 10, 10, 5 and 5 of the code
# of Fast R-CNN and of torchvision.
UNITS = (0.1, 0.1, 0.2, 0.2)


class AnchorAnswers(NamedTuple):
    """What the first stage says about each of A anchors of N images.

    Attributes:
        anchors: float32 (N, A, 4), corners in pixels.
        objectness: float32 (N, A), logits.
        deltas: float32 (N, A, 4).
    """

    anchors: tf.Tensor
    objectness: tf.Tensor
    deltas: tf.Tensor


class Regions(NamedTuple):
    """What the second stage says about each of P regions of N images.

    Attributes:
        proposals: float32 (N, P, 4), corners in pixels; zeros in empty rows.
        logits: float32 (N, P, K + 1), background last.
        deltas: float32 (N, P, K, 4), in `UNITS`.
        first: the answers of the first stage; None if the network has none.
    """

    proposals: tf.Tensor
    logits: tf.Tensor
    deltas: tf.Tensor
    first: AnchorAnswers | None

    @property
    def is_region(self) -> tf.Tensor:
        """bool (N, P), false for empty rows."""
        return areas(self.proposals) > 0

    def boxes(self) -> tf.Tensor:
        """float32 (N, P, K, 4): the box for each class in pixels, perhaps beyond the image."""
        return from_deltas(self.proposals[:, :, None], self.deltas * tf.constant(UNITS))

    def encoded(self, boxes: tf.Tensor) -> tf.Tensor:
        """The deltas that would give these boxes, float32 (N, P, 4) from pixels (N, P, 4); anything in empty rows."""
        # An empty row has no size to divide by.
        regions = tf.where(self.is_region[..., None], self.proposals, tf.constant([0.0, 0.0, 1.0, 1.0]))
        return to_deltas(regions, boxes) / tf.constant(UNITS)

    def scores(self) -> tf.Tensor:
        """float32 (N, P, K) in [0, 1]: the probability of each class; background has the rest. 0 in empty rows."""
        scores = tf.nn.softmax(self.logits)[..., :-1]
        return scores * tf.cast(self.is_region, tf.float32)[..., None]


def has_regions(outputs: Any) -> bool:
    """Whether these are outputs of a two-stage detector.

    >>> has_regions({"proposals": ..., "class_logits": ..., "region_deltas": ...}), has_regions({"p3_class_logits": ...})
    (True, False)
    """
    return isinstance(outputs, Mapping) and PROPOSALS in outputs


def check_regions(outputs: Mapping[str, Any], *, num_classes: int) -> None:
    """Raises ConfigError if an output at the top of this file is missing, or has another shape; reads the shapes alone."""
    first = {ANCHORS, OBJECTNESS, ANCHOR_DELTAS}
    if missing := sorted(({LOGITS, DELTAS} | (first if first & {*outputs} else set())) - {*outputs}):
        names = ", ".join(missing)
        raise ConfigError(f"a network that returns proposals must also return {names}", received=sorted(outputs))
    logits, deltas = outputs[LOGITS].shape[-1], outputs[DELTAS].shape[-1]
    if logits != num_classes + 1 or deltas not in (4, 4 * (num_classes + 1)):
        raise ConfigError(
            f"with {num_classes} classes, {LOGITS} must have {num_classes + 1} numbers for each region, and {DELTAS} 4 or "
            f"{4 * (num_classes + 1)}",
            received=f"{logits} and {deltas}",
        )


def read_regions(outputs: Mapping[str, tf.Tensor], *, num_classes: int) -> Regions:
    """The regions of a network's outputs.

    Args:
        outputs: float32 tensors (N, P, numbers), see the top of this file.
        num_classes: K.

    Raises:
        ConfigError: an output is missing, or has another shape.
    """
    check_regions(outputs, num_classes=num_classes)
    deltas = tf.cast(outputs[DELTAS], tf.float32)
    count = deltas.shape[-1] // 4
    of_classes = tf.reshape(deltas, [-1, deltas.shape[1], count, 4])
    if count == 1:
        of_classes = tf.tile(of_classes, [1, 1, num_classes, 1])
    has_first = ANCHORS in outputs
    return Regions(
        proposals=outputs[PROPOSALS],
        logits=tf.cast(outputs[LOGITS], tf.float32),
        deltas=of_classes[:, :, :num_classes],
        first=AnchorAnswers(outputs[ANCHORS], outputs[OBJECTNESS], outputs[ANCHOR_DELTAS]) if has_first else None,
    )
