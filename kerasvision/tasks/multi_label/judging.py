"""Judges answers with several tags: scores, a row per image, a row per tag, which tags occur together, and curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kerasvision import config as c
from kerasvision.errors import StageError
from kerasvision.tasks.added_metrics import check_added_scores
from kerasvision.tasks.base import Judgement
from kerasvision.tasks.multi_label.answers import CHOSEN, SCORES
from kerasvision.tasks.multi_label.measures import MOST_PAIRS, Answers
from kerasvision.tasks.multi_label.scores import MOST_TAGS_IN_SLICES, JudgedTags

# A matrix has the most frequent tags; a list of pairs those whose answers differ most from the truth.
MOST_IN_MATRIX, MOST_PAIRS_LISTED = 40, 100
LEAST_PROBABILITY = 1e-7
RECALLS = np.linspace(0, 1, 101)
ALL = "(all tags)"


def judged_tags(
    *,
    ids: Sequence[str],
    truth: npt.NDArray[np.bool_],
    predictions: Mapping[str, npt.NDArray[Any]],
    names: Sequence[str],
    thresholds: npt.NDArray[np.float32],
    settings: c.MultiLabel,
) -> Judgement:
    """All of `MultiLabel.metric_names` that have a value, and those of each tag.

    `loss` of a row is the cross-entropy of its scores, summed over the tags; `correct` says whether the answer has exactly
    the true tags.

    Args:
        ids: of the N examples.
        truth: bool (N, C).
        predictions: `scores` float32 (N, C) and `chosen` bool (N, C).
        names: of the C tags.
        thresholds: float32 (C,), for the table of the tags.
        settings: the metrics of a user's own.

    Raises:
        StageError: a score is not a number; or a custom metric fails, see `added_metrics`.
    """
    lost = int((~np.isfinite(predictions[SCORES]).all(axis=1)).sum())
    if lost:
        raise StageError(f"{lost} of {len(truth)} answers of the network are not numbers", hint="train it again")
    answers = Answers(truth, predictions[SCORES], predictions[CHOSEN], names)
    judged = JudgedTags(answers, settings.metrics)
    found = judged.whole()
    check_added_scores(settings.metrics, found, count=len(ids))
    return Judgement(
        scores={name: value for name, value in found.items() if not np.isnan(value)},
        rows=_rows(ids, answers),
        tables={
            "tags": _tag_table(found, answers, thresholds),
            "true_together": together(truth, answers),
            "answered_together": together(answers.chosen, answers),
            "pairs": _pairs(answers),
        },
        curves={"precision_recall": precision_recall(answers)},
        left_out={name: judged.why_left_out(name) for name, value in found.items() if np.isnan(value)},
        weighted_scores=judged.weighted,
        evidence=judged.evidence,
        remarks=_remarks(answers),
    )


def together(pairs: npt.NDArray[np.bool_], answers: Answers) -> pd.DataFrame:
    """How many images have both of two tags; in the diagonal, one. Of the 40 most frequent true tags, in their order.

    Args:
        pairs: bool (N, C), true or answered tags.
        answers: the truth, which decides the tags.

    >>> truth = np.array([[True, True], [True, False]])
    >>> together(truth, Answers(truth, truth.astype(float), truth, ("sea", "sun"))).to_numpy().tolist()
    [[2, 1], [1, 1]]
    """
    shown = np.sort(np.argsort(-answers.truth.sum(axis=0), kind="stable")[:MOST_IN_MATRIX])
    part = pairs[:, shown].astype(np.int64)
    named = [answers.names[number] for number in shown.tolist()]
    return pd.DataFrame(part.T @ part, index=pd.Index(named, name="tag"), columns=pd.Index(named, name="and"))


def precision_recall(answers: Answers) -> pd.DataFrame:
    """tag, recall, precision at 101 recalls: the best precision at that recall or a higher one.

    `(all tags)` ranks all pairs of image and tag, if there are at most 20 million. Single tags are left out if there are
    more than 200.
    """
    curves = [(ALL, answers.scores.ravel(), answers.truth.ravel())] if answers.truth.size <= MOST_PAIRS else []
    if len(answers.names) <= MOST_TAGS_IN_SLICES:
        curves += zip(answers.names, answers.scores.T, answers.truth.T, strict=True)
    parts = [
        pd.DataFrame({"tag": name, "recall": RECALLS, "precision": _best_precisions(scores, truth)})
        for name, scores, truth in curves
        if truth.any()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["tag", "recall", "precision"])


def _best_precisions(scores: npt.NDArray[np.floating[Any]], truth: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    order = np.argsort(-scores, kind="stable")
    falling, hits = scores[order], np.cumsum(truth[order])
    last = np.flatnonzero(np.append(falling[1:] < falling[:-1], True))
    recall, precision = hits[last] / hits[-1], hits[last] / (last + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    # Rounded: 0.29 * 100 is 28.999999999999996.
    found: npt.NDArray[np.float64] = best[np.searchsorted(np.round(recall, 9), np.round(RECALLS, 9))]
    return found


def _rows(ids: Sequence[str], answers: Answers) -> pd.DataFrame:
    names = np.array(answers.names, object)

    def named(pairs: npt.NDArray[np.bool_]) -> list[list[str]]:
        return [names[row].tolist() for row in pairs]

    # Of many tags, a page names the first ones: those that are most wrong.
    def most_wrong(pairs: npt.NDArray[np.bool_], rightness: npt.NDArray[np.floating[Any]]) -> list[list[str]]:
        orders = np.argsort(rightness, axis=1, kind="stable")
        return [names[order[row[order]]].tolist() for row, order in zip(pairs, orders, strict=True)]

    return pd.DataFrame(
        {
            "id": list(ids),
            "tags": named(answers.truth),
            "answered": named(answers.chosen),
            "missed": most_wrong(answers.truth & ~answers.chosen, answers.scores),
            "false": most_wrong(answers.chosen & ~answers.truth, -answers.scores),
            "loss": _losses(answers),
            "correct": (answers.truth == answers.chosen).all(axis=1),
        }
    )


def _losses(answers: Answers) -> npt.NDArray[np.float64]:
    """float64 (N,): -log of the probability of the truth, summed over the tags; at most 16.1 for each."""
    found = np.zeros(len(answers.truth))
    for row, (scores, truth) in enumerate(zip(answers.scores, answers.truth, strict=True)):
        of_truth = np.where(truth, scores, 1 - scores.astype(np.float64))
        found[row] = -np.log(np.maximum(of_truth, LEAST_PROBABILITY)).sum()
    return found


def _tag_table(scores: Mapping[str, float], answers: Answers, thresholds: npt.NDArray[np.float32]) -> pd.DataFrame:
    """A row per tag, the most frequent first: images, answers, precision, recall, F1, average precision, threshold."""
    metrics = ("precision", "recall", "f1", "average_precision")
    table = pd.DataFrame(
        {
            "images": answers.truth.sum(axis=0),
            "answers": answers.chosen.sum(axis=0),
            **{metric: [scores[f"{metric}[{name}]"] for name in answers.names] for metric in metrics},
            "threshold": thresholds.astype(np.float64),
        },
        index=pd.Index(answers.names, name="tag"),
    )
    return table.sort_values("images", ascending=False, kind="stable")


def _pairs(answers: Answers) -> pd.DataFrame:
    """Pairs of the most frequent tags whose number of images differs between truth and answers; the most different first."""
    true, said = together(answers.truth, answers), together(answers.chosen, answers)
    first, second = np.triu_indices(len(true), k=1)
    names = true.index.to_numpy()
    table = pd.DataFrame(
        {
            "tag": names[first],
            "and": names[second],
            "true": true.to_numpy()[first, second],
            "answered": said.to_numpy()[first, second],
        }
    )
    table["difference"] = table["answered"] - table["true"]
    order = table["difference"].abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].query("difference != 0").head(MOST_PAIRS_LISTED).reset_index(drop=True)


def _remarks(answers: Answers) -> tuple[str, ...]:
    """Sentences for a person, if the answers do not depend on the image."""
    count = len(answers.truth)
    if count < 2 or (answers.truth == answers.truth[0]).all() or not (answers.chosen == answers.chosen[0]).all():
        return ()
    if not answers.chosen.any():
        return ("The model answers no image with any tag.",)
    said = [answers.names[number] for number in np.flatnonzero(answers.chosen[0])[:5].tolist()]
    return (f"The model answers every image with the same tags, such as {', '.join(said)}.",)
