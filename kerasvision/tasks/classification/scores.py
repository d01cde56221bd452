"""Scores of a classifier over a whole data set, by scikit-learn's definitions; and the same of many resamples at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn import metrics

from kerasvision.tasks.base import Bounded, Evidence, Share
from kerasvision.tasks.classification.calibration import calibration_error, calibration_error_by_chance
from kerasvision.tasks.classification.ranking import ranking_scores

# Rows times classes up to which resamples are ranked anew. Of 10,000 rows and one class, 200 took 0.07 s of processor time
# (time.process_time() around one call of ranking_scores): so 1,000 take about 7 s here, and the bands of a slice as long.
MOST_RANKED = 200_000
LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class Answers:
    """What a classifier said of a data set.

    Attributes:
        labels: int (N,), true class numbers.
        probabilities: float (N, C), rows that sum to 1.
        classes: the C names.
        top_k: the k of top-k accuracy.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    classes: Sequence[str]
    top_k: int

    @property
    def predicted(self) -> np.ndarray:
        """int (N,), the class with the largest score."""
        return self.probabilities.argmax(axis=1)

    @property
    def correct(self) -> np.ndarray:
        """bool (N,)."""
        return self.predicted == self.labels

    @property
    def confidence(self) -> np.ndarray:
        """float (N,), the score of the answer."""
        return self.probabilities.max(axis=1)

    @property
    def losses(self) -> np.ndarray:
        """float64 (N,), -log of the true class's score; at most 27.6."""
        return -np.log(np.clip(self._of_truth.astype(np.float64), LEAST_PROBABILITY, 1.0))

    @property
    def among_top_k(self) -> np.ndarray:
        """bool (N,), whether fewer than k classes score higher than the true one."""
        return (self.probabilities > self._of_truth[:, None]).sum(axis=1) < self.top_k

    @property
    def _of_truth(self) -> np.ndarray:
        return self.probabilities[np.arange(len(self.labels)), self.labels]

    def of(self, rows: np.ndarray) -> "Answers":
        """Those of some rows."""
        return Answers(self.labels[rows], self.probabilities[rows], self.classes, self.top_k)


def classification_scores(answers: Answers) -> tuple[dict[str, float], dict[str, str]]:
    """metric -> value; and metric -> why it has none: a class without an example, or one that all examples are of.

    `roc_auc` and `average_precision` are means over the classes, each against all others.

    >>> scores, left_out = classification_scores(Answers(
    ...     np.array([0, 1, 1]), np.array([[.9, .1], [.2, .8], [.6, .4]]), classes=("cat", "dog"), top_k=2))
    >>> round(scores["accuracy"], 3), scores["recall[dog]"], scores["precision[cat]"], scores["roc_auc"], left_out
    (0.667, 0.5, 0.5, 1.0, {})
    """
    labels, ones = answers.labels, np.ones((len(answers.labels), 1))
    scores = {
        "accuracy": float(metrics.accuracy_score(labels, answers.predicted)),
        f"top_{answers.top_k}_accuracy": float(answers.among_top_k.mean()),
        "log_loss": float(answers.losses.mean()),
        "expected_calibration_error": float(calibration_error(answers.confidence, answers.correct, ones)[0]),
        "majority_accuracy": float(np.bincount(labels).max() / len(labels)),
    }
    per_class, left_out = _scores_of_classes(answers)
    for metric in ("roc_auc", "average_precision"):
        values = [per_class.get(f"{metric}[{name}]") for name in answers.classes]
        if None in values:
            lacking = [name for name, value in zip(answers.classes, values, strict=True) if value is None]
            left_out[metric] = f"{metric} needs examples of every class, and others; {', '.join(lacking[:5])} lack them"
        else:
            scores[metric] = float(np.mean(values))
    return {**scores, **per_class}, left_out


def resampled_scores(
    answers: Answers, rows: np.ndarray, counts: np.ndarray, *, single_classes: bool = True
) -> dict[str, np.ndarray]:
    """The same metrics where rows count as often as told, R times over: metric -> float64 (R,), NaN where there is none.

    Ranking metrics are there for one weighting, and for many where rows times classes are at most 200,000.

    Args:
        answers: all of them.
        rows: int (M,), the positions of some.
        counts: float64 (M, R).
        single_classes: also of every class against all others, and the means of these. Needless within one label.
    """
    chosen, total = answers.of(rows), counts.sum(axis=0)
    labels, places = np.unique(chosen.labels, return_inverse=True)
    scores = {
        "accuracy": chosen.correct @ counts / total,
        f"top_{answers.top_k}_accuracy": chosen.among_top_k @ counts / total,
        "log_loss": chosen.losses @ counts / total,
        "expected_calibration_error": calibration_error(chosen.confidence, chosen.correct, counts),
        "majority_accuracy": _per_class(places, len(labels), counts).max(axis=0) / total,
    }
    return scores | _resampled_classes(chosen, counts) if single_classes else scores


def evidence(answers: Answers, rows: np.ndarray) -> dict[str, Evidence]:
    """How each metric is measured on some rows, int (M,); those of a class that has no example there are left out.

    F1 is 2 s / (1 + s) of the share s of right answers among the images that are of a class or are taken for it.
    """
    chosen, size = answers.of(rows), len(answers.classes)
    support, predicted = (np.bincount(of, minlength=size).tolist() for of in (chosen.labels, chosen.predicted))
    right = np.bincount(chosen.labels[chosen.correct], minlength=size).tolist()
    count, rarest = len(rows), min(support)
    found: dict[str, Evidence] = {
        "accuracy": Share(sum(right), count),
        f"top_{answers.top_k}_accuracy": Share(int(chosen.among_top_k.sum()), count),
        "majority_accuracy": Share(max(support), count),
        "log_loss": Bounded(0.0, _worst_loss(chosen), count),
        "expected_calibration_error": Bounded(0.0, 1.0, count, by_chance=calibration_error_by_chance(chosen.confidence)),
        # An image that is taken for another class spoils the ranks of both.
        "roc_auc": Bounded(0.0, 1.0, max(1, size - 1) * rarest),
        "average_precision": Bounded(0.0, 1.0, max(1, size - 1) * rarest),
    }
    for number in np.unique(chosen.labels).tolist():
        name, has, hit, said = answers.classes[number], support[number], right[number], predicted[number]
        found[f"precision[{name}]"] = Share(hit, said)
        found[f"recall[{name}]"] = Share(hit, has)
        found[f"f1[{name}]"] = Share(hit, has + said - hit, _f1_of_share)
        found[f"roc_auc[{name}]"] = Bounded(0.0, 1.0, min(has, count - has))
        found[f"average_precision[{name}]"] = Bounded(0.0, 1.0, has)
    return found


def _worst_loss(chosen: Answers) -> float:
    """A loss has no end above: the worst that was seen or, if that is more, the surest answer's had it been wrong, and its
    second class right."""
    if chosen.probabilities.shape[1] < 2:
        return float(chosen.losses.max())
    second = np.partition(chosen.probabilities, -2, axis=1)[:, -2].astype(np.float64)
    return float(max(chosen.losses.max(), -np.log(max(second.min(), LEAST_PROBABILITY))))


def _f1_of_share(share: float) -> float:
    return 2 * share / (1 + share)


def _resampled_classes(chosen: Answers, counts: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics of every class against all others, and where ranks are known, their means."""
    classes = len(chosen.classes)
    support, predicted = (_per_class(of, classes, counts) for of in (chosen.labels, chosen.predicted))
    right = _per_class(chosen.labels, classes, counts * chosen.correct[:, None])
    scores: dict[str, np.ndarray] = {}
    is_there = support > 0
    per_class = {
        "precision": np.where(is_there, right / np.maximum(predicted, 1), np.nan),
        "recall": np.where(is_there, right / np.maximum(support, 1), np.nan),
        "f1": np.where(is_there, 2 * right / np.maximum(support + predicted, 1), np.nan),
    }
    if counts.shape[1] == 1 or len(counts) * classes <= MOST_RANKED:
        ranked = [
            ranking_scores(chosen.probabilities[:, number], chosen.labels == number, counts) for number in range(classes)
        ]
        for place, metric in enumerate(("roc_auc", "average_precision")):
            per_class[metric] = np.stack([both[place] for both in ranked])
            scores[metric] = per_class[metric].mean(axis=0)
    for metric, values in per_class.items():
        scores |= {f"{metric}[{name}]": values[number] for number, name in enumerate(chosen.classes)}
    return scores


def confusion_table(answers: Answers) -> pd.DataFrame:
    """Counts: a row per true class, a column per answer."""
    matrix = metrics.confusion_matrix(answers.labels, answers.predicted, labels=range(len(answers.classes)))
    names = list(answers.classes)
    return pd.DataFrame(matrix, index=pd.Index(names, name="label"), columns=pd.Index(names, name="answered"))


def confused_pairs(confusion: pd.DataFrame) -> pd.DataFrame:
    """label, answered, count, and the share of the label's examples: every confusion that happened, the commonest first."""
    counts = confusion.to_numpy()
    true, answered = np.nonzero(counts * (1 - np.eye(len(counts), dtype=int)))
    count = counts[true, answered]
    table = pd.DataFrame(
        {
            "label": confusion.index.to_numpy()[true],
            "answered": confusion.columns.to_numpy()[answered],
            "count": count,
            "share_of_label": count / counts.sum(axis=1)[true],
        }
    )
    return table.sort_values(["count", "share_of_label"], ascending=False, kind="stable").set_index("label")


def _scores_of_classes(answers: Answers) -> tuple[dict[str, float], dict[str, str]]:
    """Of every class against all others, by scikit-learn; and what has no value."""
    labels, numbers = answers.labels, range(len(answers.classes))
    prf = metrics.precision_recall_fscore_support(labels, answers.predicted, labels=numbers, zero_division=0.0)
    scores: dict[str, float] = {}
    left_out: dict[str, str] = {}
    for number, name in enumerate(answers.classes):
        is_it, score = labels == number, answers.probabilities[:, number]
        found = dict(zip(("precision", "recall", "f1"), (values[number] for values in prf[:3]), strict=True))
        found |= dict.fromkeys(("roc_auc", "average_precision"))
        if is_it.any():
            found["average_precision"] = metrics.average_precision_score(is_it, score)
            found["roc_auc"] = None if is_it.all() else metrics.roc_auc_score(is_it, score)
        why = "every example is one of this class" if is_it.any() else "there is no example of this class"
        for metric, value in found.items():
            if value is None or not is_it.any():
                left_out[f"{metric}[{name}]"] = why
            else:
                scores[f"{metric}[{name}]"] = float(value)
    ordered = {f"{metric}[{name}]": None for metric in found for name in answers.classes}
    return {name: scores[name] for name in ordered if name in scores}, left_out


def _per_class(numbers: np.ndarray, classes: int, counts: np.ndarray) -> np.ndarray:
    """(C, R): sums of the counts of the rows of each class."""
    rows = len(numbers)
    return sparse.csr_array((np.ones(rows), (numbers, np.arange(rows))), shape=(classes, rows)) @ counts
