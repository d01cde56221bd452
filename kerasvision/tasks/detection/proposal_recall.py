"""How many objects the first proposals of a two-stage detector cover, whatever class they have: `proposal_recall_100`.

An object is covered if one of the proposals has an IoU of at least 0.5 with it (Ren et al., 2015, section 4.1, "Recall-to-
IoU"). What no proposal covers, the second stage can hardly find.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision.ops.boxes import clipped
from kerasvision.tasks.base import ExtraSignature
from kerasvision.tasks.detection.matching import Floats, iou_of
from kerasvision.tasks.detection.regions import PROPOSALS
from kerasvision.tasks.detection.truth import ImageObjects

METRIC = "proposal_recall_100"
COUNT, ENOUGH = 100, 0.5


def first_proposals(outputs: Mapping[str, tf.Tensor], *, frame: Sequence[int]) -> tf.Tensor:
    """The first 100 proposals, or all if there are fewer, as shares of the sides of the network's image.

    Args:
        outputs: of the network, with `proposals` float32 (N, P, 4) in pixels.
        frame: height and width of its image in pixels.

    Returns:
        float32 (N, at most 100, 4) in [0, 1]; zeros in empty rows.
    """
    height, width = frame
    return clipped(outputs[PROPOSALS][:, :COUNT] / tf.constant([height, width, height, width], tf.float32))


def proposals_signature(model: Any) -> ExtraSignature:
    """`proposals` float32 (N, at most 100, 4), as shares of the sides of the upright original image."""

    def answer(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {PROPOSALS: first_proposals(model(images, training=False), frame=images.shape[1:3])}

    meaning = "y_min, x_min, y_max, x_max of each region as shares of the image's sides, the best first; zeros are empty"
    return ExtraSignature({}, answer, {PROPOSALS: meaning})


def covered_objects(truth: Sequence[ImageObjects], proposals: npt.NDArray[Any]) -> Floats:
    """How many objects of each image the proposals cover, float64 (N,); crowds do not count.

    Args:
        truth: of the N images.
        proposals: float32 (N, P, 4), in the unit of the objects.

    >>> objects = ImageObjects(np.array([[0, 0, 0.5, 0.5], [0.5, 0, 1, 1]]), np.zeros(2, int), np.zeros(2, bool), np.ones(2))
    >>> covered_objects([objects], np.array([[[0, 0, 0.5, 0.3], [0, 0, 1, 0.5]]])).tolist()
    [1.0]
    """
    return np.array([_covered(one.boxes[~one.crowd], own) for one, own in zip(truth, proposals, strict=True)], np.float64)


def _covered(objects: Floats, proposals: npt.NDArray[Any]) -> int:
    pairs = np.indices((len(objects), len(proposals))).reshape(2, -1)
    iou = iou_of(proposals[pairs[1]].astype(np.float64), objects[pairs[0]], crowd=np.zeros(pairs.shape[1], bool))
    return int((iou.reshape(len(objects), len(proposals)).max(axis=1, initial=0) >= ENOUGH).sum())
