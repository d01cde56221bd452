"""What a model answers about an image: the score of every tag, and the tags whose score reaches their threshold."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision.errors import DataError
from kerasvision.shortened import shortened
from kerasvision.tasks.base import Predictions

SCORES, TAGS, TAG_SCORES = "scores", "tags", "tag_scores"
# What an evaluation keeps in place of the names.
CHOSEN = "chosen"
DESCRIPTIONS = {
    SCORES: "probability of each tag, in the order of labels.txt; each is a number of its own",
    TAGS: "the tags whose score reaches their threshold, in the order of labels.txt; then empty texts",
    TAG_SCORES: "their scores; then zeros",
}


def with_tags(answers: Predictions, *, names: Sequence[str], thresholds: npt.NDArray[np.float32], most: int) -> Predictions:
    """The answers with `tags` string (N, K) and `tag_scores` float32 (N, K), K = most, but at most C.

    If more tags reach their threshold, those with the best scores are answered. The order is that of the names, so that
    rounding of two nearly equal scores does not exchange two tags.

    Args:
        answers: with `scores` float32 (N, C).
        names: of the C tags.
        thresholds: float32 (C,).
        most: the most tags of an answer.

    >>> said = with_tags({"scores": tf.constant([[0.75, 0.25, 0.5], [0.0, 0.0, 0.0]])}, names=("sea", "sand", "sun"),
    ...                  thresholds=np.array([0.5, 0.5, 0.5], np.float32), most=2)
    >>> said["tags"].numpy().tolist(), said["tag_scores"].numpy().tolist()
    ([[b'sea', b'sun'], [b'', b'']], [[0.75, 0.5], [0.0, 0.0]])
    """
    scores, count = answers[SCORES], len(names)
    chosen = tf.where(scores >= tf.constant(thresholds, tf.float32), scores, -1.0)
    best, places = tf.math.top_k(chosen, k=min(most, count))
    places = tf.sort(tf.where(best >= 0, places, count), axis=-1)
    # The labels are a constant inside: converters to other formats treat captured tensors as inputs.
    labels = tf.constant([*names, ""])
    padded = tf.pad(scores, [[0, 0], [0, 1]])
    return {**answers, TAGS: tf.gather(labels, places), TAG_SCORES: tf.gather(padded, places, batch_dims=1)}


def chosen_of(tags: npt.NDArray[np.object_], names: Sequence[str]) -> npt.NDArray[np.bool_]:
    """bool (N, C): which tags are answered.

    Args:
        tags: object (N, K) of bytes; b"" is no tag.
        names: of the C tags.

    Raises:
        DataError: a tag has another name.

    >>> chosen_of(np.array([[b"sun", b""]], object), ["sea", "sun"]).tolist()
    [[False, True]]
    """
    numbers = {name.encode(): number for number, name in enumerate(names)}
    rows, places = np.nonzero(tags != b"")
    found = [numbers.get(tag, -1) for tag in tags[rows, places]]
    if -1 in found:
        raise other_tags(names)
    chosen = np.zeros((len(tags), len(names)), bool)
    chosen[rows, np.array(found, np.intp)] = True
    return chosen


def measured_answers(
    predictions: Mapping[str, npt.NDArray[Any]], *, names: Sequence[str], thresholds: npt.NDArray[np.float32]
) -> dict[str, npt.NDArray[Any]]:
    """`scores` float32 (N, C) and `chosen` bool (N, C): the answered tags, or, without names, what reaches its threshold.

    Raises:
        DataError: the answers are about other tags.
    """
    scores = predictions[SCORES]
    if scores.shape[1] != len(names):
        raise other_tags(names)
    if CHOSEN in predictions:
        return {SCORES: scores, CHOSEN: predictions[CHOSEN]}
    chosen = chosen_of(predictions[TAGS], names) if TAGS in predictions else scores >= thresholds
    return {SCORES: scores, CHOSEN: chosen}


def other_tags(names: Sequence[str]) -> DataError:
    """The error for the answers of a model with other tags."""
    return DataError(
        f"a model must answer with the tags {shortened(names, most=10)}; this one has others",
        hint="if it is the last blessed model, leave NoWorse out of the gate until a new one is blessed; if it is in "
        "evaluation.ensemble, remove it there",
    )
