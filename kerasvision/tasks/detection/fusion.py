"""One set of boxes from the answers of several models or views: weighted boxes fusion.

Boxes of one class that overlap are one thing: its box is the mean of theirs, weighted by their scores. Its score is the mean
of their scores, times the share of the models that found it. So a box that only one of two models found has half its score.

Source: Solovyev et al., 2021, https://arxiv.org/abs/1910.13302, section 3.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasvision.tasks.detection.matching import Floats, Ints, iou_of

Arrays = Mapping[str, npt.NDArray[Any]]


def fused_answers(predictions: Sequence[Arrays], *, overlap: float, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """The outputs of `answers.predictor` with `image_size`, from several models' for the same N images.

    Args:
        predictions: of each model, as arrays of N rows, at most K boxes each.
        overlap: boxes of one class with a larger IoU are one thing.
        names: of all classes, by number.

    Returns:
        At most K boxes per image, the best first: `boxes` float32 (N, K, 4), `scores` float32 (N, K) and so on.
    """
    first = predictions[0]
    count, most = first["scores"].shape
    fused = {name: np.zeros_like(first[name]) for name in ("boxes", "scores", "class_numbers", "count")}
    for image in range(count):
        boxes, scores, numbers = (_of_image(predictions, name, image) for name in ("boxes", "scores", "class_numbers"))
        boxes, scores, numbers = fused_boxes(boxes, scores, numbers, models=len(predictions), overlap=overlap)
        found = min(len(scores), most)
        fused["boxes"][image, :found], fused["scores"][image, :found] = boxes[:found], scores[:found]
        fused["class_numbers"][image, :found], fused["count"][image] = numbers[:found], found
    named = np.array([name.encode() for name in names], object)[fused["class_numbers"]]
    is_found = np.arange(most) < fused["count"][:, None]
    return {**fused, "classes": np.where(is_found, named, b""), "image_size": first["image_size"]}


def fused_boxes(boxes: Floats, scores: Floats, classes: Ints, *, models: int, overlap: float) -> tuple[Floats, Floats, Ints]:
    """Boxes (D, 4), scores (D,) and class numbers (D,) of several models for one image, fused; the best first.

    >>> boxes, scores = np.array([[0, 0, 10, 10.0], [0, 0, 10, 8.0], [5, 5, 9, 9.0]]), np.array([0.9, 0.3, 0.6])
    >>> found = fused_boxes(boxes, scores, np.array([0, 0, 1]), models=2, overlap=0.5)
    >>> found[0].tolist(), found[1].round(2).tolist()  # (0.9 * 10 + 0.3 * 8) / 1.2, (0.9 + 0.3) / 2, 0.6 / 2
    ([[0.0, 0.0, 10.0, 9.5], [5.0, 5.0, 9.0, 9.0]], [0.6, 0.3])
    """
    sums, weights, counts = np.zeros((len(scores), 4)), np.zeros(len(scores)), np.zeros(len(scores))
    kinds: list[int] = []
    for row in np.argsort(-scores, kind="stable"):
        size = len(kinds)
        fused = sums[:size] / weights[:size, None]
        near = iou_of(fused, np.broadcast_to(boxes[row], fused.shape), crowd=np.zeros(size, bool))
        near[np.array(kinds, np.int64) != classes[row]] = 0.0
        place = int(near.argmax()) if size and near.max() > overlap else size
        if place == size:
            kinds.append(int(classes[row]))
        sums[place] += scores[row] * boxes[row]
        weights[place] += scores[row]
        counts[place] += 1
    size = len(kinds)
    found = weights[:size] / counts[:size] * np.minimum(counts[:size], models) / models
    order = np.argsort(-found, kind="stable")
    return (sums[:size] / weights[:size, None])[order], found[order], np.array(kinds, np.int64)[order]


def _of_image(predictions: Sequence[Arrays], name: str, image: int) -> npt.NDArray[Any]:
    return np.concatenate([one[name][image][: one["count"][image]] for one in predictions])
