"""Whether the tags that a model answers are those whose score reaches the threshold, but for rounding of the scores."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasvision.tasks.multi_label.answers import TAG_SCORES, TAGS

Bools = npt.NDArray[np.bool_]


def tags_may_be(
    received: Mapping[str, npt.NDArray[Any]],
    scores: npt.NDArray[np.floating[Any]],
    *,
    names: Sequence[str],
    thresholds: npt.NDArray[np.float32],
    closeness: float,
) -> Bools:
    """bool (N,): whether the answered tags are right, if every score may differ by `closeness`.

    A tag may be answered if its score is not surely below its threshold. It may be missing if its score is not surely above
    it; or if the answer has no more place, and all answered scores may be better. The order is that of the names.

    Args:
        received: `tag_scores` (N, K), then zeros; and `tags` str (N, K), then empty texts, if the format has texts.
        scores: (N, C), what another model answers for these images.
        names: of the C tags.
        thresholds: (C,).
        closeness: how far a score may differ between the two models.

    >>> scores, half = np.array([[0.501, 0.8, 0.2]]), np.full(3, 0.5, np.float32)
    >>> for tag_scores in ([0.8, 0.0], [0.501, 0.8], [0.501, 0.0]):
    ...     print(tags_may_be({"tag_scores": np.array([tag_scores])}, scores, names="abc", thresholds=half, closeness=0.01))
    [ True]
    [ True]
    [False]
    """
    shown = received[TAG_SCORES][:, :, np.newaxis]
    scores = scores[:, np.newaxis]
    fits = (np.abs(shown - scores) <= closeness) & (scores >= thresholds - closeness)
    is_given = shown[..., 0] != 0
    if TAGS in received:
        fits &= received[TAGS][:, :, np.newaxis] == np.array(names)
        is_given = received[TAGS] != ""
    # An answer without a free place may lack a tag that is no better than the worst one in it.
    worst = np.where(is_given.all(axis=1), shown[..., 0].min(axis=1), -np.inf)
    may_lack = (scores[:, 0] < thresholds + closeness) | (scores[:, 0] <= worst[:, np.newaxis] + closeness)
    return np.array([_can_be_read(*row) for row in zip(fits, may_lack, is_given, strict=True)], bool)


def _can_be_read(fits: Bools, may_lack: Bools, is_given: Bools) -> bool:
    """Whether the places of an answer are tags in the order of the names, and no other tag has to be there.

    Args:
        fits: (K, C), whether a place may be a tag.
        may_lack: (C,), whether a tag may be missing.
        is_given: (K,), whether a place is filled.
    """
    # How many places the tags so far may take; without names, one score can be that of several tags.
    taken = {0}
    for of_tag, may_be_missing in zip(fits.T, may_lack, strict=True):
        one_more = {count + 1 for count in taken if count < len(of_tag) and of_tag[count]}
        taken = one_more | (taken if may_be_missing else set())
    return any(is_given[:count].all() and not is_given[count:].any() for count in taken)
