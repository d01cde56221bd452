"""One number that makes the scores of tags say how often they are right.

Source: Guo et al., 2017, https://arxiv.org/abs/1706.04599, section 4.2, there for one label per image: divide the logits by
T > 0, chosen to maximize the likelihood of held-out truth. Here each tag of each image is a yes-or-no question.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from kerasvision.errors import StageError
from kerasvision.tasks.base import Temperature

# If all held-out answers are right, or are no better than chance, the best value would be 0 or infinity.
LOWEST, HIGHEST = 0.05, 20.0


def fitted_temperature(logits: npt.NDArray[np.floating[Any]], truth: npt.NDArray[np.bool_]) -> Temperature:
    """The T in [0.05, 20] that maximizes the likelihood of `truth`; `log_loss` is the mean over all pairs.

    Args:
        logits: (N, C), of images that the network was not trained on.
        truth: bool (N, C).

    Raises:
        StageError: a logit is not a number.

    >>> said = np.full((10, 1), np.log(9.0))  # 0.9 sure, and right 6 times in 10: T = ln 9 / ln 1.5
    >>> round(fitted_temperature(said, np.arange(10)[:, None] < 6).value, 3)
    5.419
    """
    if not np.isfinite(logits).all():
        raise StageError("answers of the network are not numbers, so no temperature fits them", hint="train it again")

    def loss(log_temperature: float) -> float:
        return _log_loss(logits / np.exp(log_temperature), truth)

    found = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded", options={"xatol": 1e-6})
    value = float(np.exp(found.x))
    before, after = _log_loss(logits, truth), _log_loss(logits / value, truth)
    return Temperature(value, before={"log_loss": before}, after={"log_loss": after})


def _log_loss(logits: npt.NDArray[np.floating[Any]], truth: npt.NDArray[np.bool_]) -> float:
    return float(np.logaddexp(0.0, np.where(truth, -logits, logits)).mean())
