"""One number that makes a classifier's scores say how often it is right.

Source: Guo et al., On Calibration of Modern Neural Networks, 2017, https://arxiv.org/abs/1706.04599, section 4.2: divide the
logits by T > 0, chosen to maximize the likelihood of the labels of held-out images. No answer changes, only its score.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from kerasvision.errors import StageError
from kerasvision.tasks.base import Temperature
from kerasvision.tasks.classification.calibration import calibration_error

# If all held-out answers are right, or are no better than chance, the best value would be 0 or infinity.
LOWEST, HIGHEST = 0.05, 20.0


def fitted_temperature(logits: np.ndarray, labels: np.ndarray) -> Temperature:
    """The T in [0.05, 20] that maximizes the likelihood of `labels`. The loss is convex in 1 / T, so there is only one.

    Args:
        logits: float64 (N, C), of images that the network was not trained on.
        labels: int64 (N,), the true class numbers.

    Raises:
        StageError: a logit is not a number.

    >>> said = np.log([[0.9, 0.1]] * 10)  # 0.9 sure, and right 6 times in 10: T = ln 9 / ln 1.5
    >>> round(fitted_temperature(said, np.array([0] * 6 + [1] * 4)).value, 3)
    5.419
    """
    if not np.isfinite(logits).all():
        raise StageError("answers of the network are not numbers, so no temperature fits them", hint="train it again")

    def loss(log_temperature: float) -> float:
        return _measures(logits / np.exp(log_temperature), labels)["log_loss"]

    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-6})
    value = float(np.exp(found.x))
    return Temperature(value, before=_measures(logits, labels), after=_measures(logits / value, labels))


def _measures(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    logarithms = log_softmax(logits, axis=1)
    best = logarithms.argmax(axis=1)
    error = calibration_error(np.exp(logarithms.max(axis=1)), best == labels, np.ones((len(labels), 1)))
    return {
        "log_loss": float(-logarithms[np.arange(len(labels)), labels].mean()),
        "expected_calibration_error": float(error[0]),
    }
