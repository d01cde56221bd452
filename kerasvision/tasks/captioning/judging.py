"""Judges a captioner's answers for a data set: scores, a row per image, and the captions that it repeats."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from kerasvision import config as c
from kerasvision.errors import DataError, StageError
from kerasvision.tasks.base import Judgement
from kerasvision.tasks.captioning.captions import Captions
from kerasvision.tasks.captioning.scores import caption_scores, evidence, scores_of_rows

BETWEEN = " | "
MOST_REPEATED = 100
# From this share of images with the same caption on, a remark is made.
NEARLY_ALL = 0.99


def judged_captions(
    *,
    ids: Sequence[str],
    truth: np.ndarray,
    predictions: Mapping[str, np.ndarray],
    added: Sequence[c.Metric] = (),
) -> Judgement:
    """All of `Captioning.metric_names` that have a value; and the captions given most often.

    Images without captions count only in metrics of the answers alone, and the judgement says how many there are. `loss` of
    a row is the negative log-likelihood per token of the people's captions.

    Args:
        ids: of the N examples.
        truth: object (N,), a tuple of captions for each.
        predictions: `captions`, object (N, K) of bytes, the best first; `scores`, float32 (N, K); and for each caption of
            the truth, `log_likelihoods`, float32 (N, C), and the number of its `tokens`, (N, C), zeros for fewer captions.
        added: custom metrics.

    Raises:
        StageError: a score or a likelihood is not a number; or a custom metric fails, see `added_metrics`.
        ConfigError: a custom metric does not return numbers.
        DataError: no image has a caption.
    """
    lost = int((~(np.isfinite(predictions["scores"]).all(1) & np.isfinite(predictions["log_likelihoods"]).all(1))).sum())
    if lost:
        raise StageError(f"{lost} of {len(ids)} answers of the network are not numbers", hint="train it again")
    captions = Captions(
        truth=list(truth),
        answers=[best.decode() for best in predictions["captions"][:, 0]],
        log_likelihoods=predictions["log_likelihoods"].sum(axis=1, dtype=np.float64),
        tokens=predictions["tokens"].sum(axis=1, dtype=np.float64),
    )
    if not captions.compared.any():
        raise DataError("judging captions requires captions by people; none of these images has one")
    return Judgement(
        scores=caption_scores(captions, added=added),
        rows=_rows(ids, captions, predictions["scores"][:, 0]),
        tables={"repeated_captions": repeated_captions(captions.answers)},
        left_out=_left_out(captions),
        weighted_scores=partial(scores_of_rows, captions, added=added),
        evidence=partial(evidence, captions, added=added),
        remarks=one_caption_remarks(captions),
    )


def one_caption_remarks(captions: Captions) -> tuple[str, ...]:
    """A sentence for a person if nearly all images get one caption that people wrote for few of them; otherwise empty."""
    ((caption, most),), count = Counter(captions.answers).most_common(1), len(captions.answers)
    right = sum(caption in written for written in captions.truth)
    if count < 2 or most < NEARLY_ALL * count or right >= NEARLY_ALL * most:
        return ()
    share = "every image" if most == count else "nearly every image"
    return (f"The model answers {caption!r} for {share}: {most:,} of {count:,}.",)


def repeated_captions(answers: Sequence[str]) -> pd.DataFrame:
    """caption, count, and share of all answers, for captions given more than once; the most frequent first.

    >>> repeated_captions(["a dog", "a cat", "a dog"]).reset_index().to_dict("records")
    [{'caption': 'a dog', 'count': 2, 'share': 0.6666666666666666}]
    """
    common = [(caption, count) for caption, count in Counter(answers).most_common(MOST_REPEATED) if count > 1]
    index = pd.Index([caption for caption, _ in common], name="caption", dtype=object)
    count = np.array([count for _, count in common], np.int64)
    return pd.DataFrame({"count": count, "share": count / max(1, len(answers))}, index=index)


def _rows(ids: Sequence[str], captions: Captions, scores: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": list(ids),
            "captions": [BETWEEN.join(written) for written in captions.truth],
            "caption": captions.answers,
            "score": scores.astype(np.float64),
            "loss": captions.losses,
        }
    )


def _left_out(captions: Captions) -> dict[str, str]:
    count = int((~captions.compared).sum())
    images = f"{count} of {len(captions.answers)} images"
    return {f"all metrics that compare with people, for {images}": "they have no caption"} if count else {}
