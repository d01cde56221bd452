"""How each metric of a classifier is measured on some images, from which its interval follows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kerasvision import config as c
from kerasvision.tasks.added_metrics import added_evidence
from kerasvision.tasks.base import Bounded, Counted, Evidence
from kerasvision.tasks.classification.answers import LEAST_PROBABILITY, Answers
from kerasvision.tasks.classification.calibration import calibration_error_by_chance


def evidence(answers: Answers, rows: npt.NDArray[np.integer[Any]], *, added: Sequence[c.Metric] = ()) -> dict[str, Evidence]:
    """How each metric is measured on some rows, int64 (M,); metrics of a class without an example there are left out.

    F1 is 2 s / (1 + s), where s is the share of right answers among the images that are of a class or are answered with it.
    """
    chosen, size = answers.of(rows), len(answers.classes)
    support, predicted = (np.bincount(of, minlength=size).tolist() for of in (chosen.labels, chosen.predicted))
    right = np.bincount(chosen.labels[chosen.correct], minlength=size).tolist()
    count, rarest = len(rows), min(support)
    # An unseen image changes the mean over the classes by at most 1 / this number.
    least_per_class = int(np.count_nonzero(support)) * min(filter(None, support), default=0)
    found: dict[str, Evidence] = {
        "accuracy": Counted(sum(right), count),
        "balanced_accuracy": Bounded(0.0, 1.0, least_per_class),
        "macro_f1": Bounded(0.0, 1.0, least_per_class),
        f"top_{answers.top_k}_accuracy": Counted(int(chosen.among_top_k.sum()), count),
        "majority_accuracy": Counted(max(support), count),
        "log_loss": Bounded(0.0, _worst_loss(chosen), count),
        "expected_calibration_error": Bounded(0.0, 1.0, count, by_chance=calibration_error_by_chance(chosen.confidence)),
        # An image that is answered with another class spoils the ranks of both.
        "roc_auc": Bounded(0.0, 1.0, max(1, size - 1) * rarest),
        "average_precision": Bounded(0.0, 1.0, max(1, size - 1) * rarest),
        **added_evidence(added, count),
    }
    for number in np.unique(chosen.labels).tolist():
        name, has, hit, said = answers.classes[number], support[number], right[number], predicted[number]
        found[f"precision[{name}]"] = Counted(hit, said)
        found[f"recall[{name}]"] = Counted(hit, has)
        found[f"f1[{name}]"] = Counted(hit, has + said - hit, _f1_of_share)
        found[f"roc_auc[{name}]"] = Bounded(0.0, 1.0, min(has, count - has))
        found[f"average_precision[{name}]"] = Bounded(0.0, 1.0, has)
    return found


def _worst_loss(chosen: Answers) -> float:
    """The bound of a loss, which has none above: the worst loss seen or, if that is larger, the loss of the surest answer if
    its second class had been right."""
    if chosen.probabilities.shape[1] < 2:
        return float(chosen.losses.max())
    second = np.partition(chosen.probabilities, -2, axis=1)[:, -2].astype(np.float64)
    return float(max(chosen.losses.max(), -np.log(max(second.min(), LEAST_PROBABILITY))))


def _f1_of_share(share: float) -> float:
    return 2 * share / (1 + share)
