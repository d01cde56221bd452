"""How far the score of an answer is from the probability that the answer is right.

Source: Guo et al., On Calibration of Modern Neural Networks, 2017, https://arxiv.org/abs/1706.04599, section 2: M = 15 bins
of equal width over (0, 1], and the expected calibration error as the gaps of the bins, weighted by their shares.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from kerasvision.tasks.metrics import Floats

BINS = 15
# Inner ends of the bins, each of which belongs to the bin below it.
_ENDS = np.linspace(0, 1, BINS + 1)[1:-1]


def bins_of(confidence: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.intp]:
    """int64 (N,): the bin, 0 to 14, of each confidence in [0, 1], (N,); bin m is from above m / 15 to (m + 1) / 15.

    >>> bins_of(np.array([0.0, 1 / 15, 0.07, 1.0])).tolist()
    [0, 0, 1, 14]
    """
    return np.searchsorted(_ENDS, confidence, side="left")


def calibration_error(confidence: npt.NDArray[np.floating[Any]], correct: npt.NDArray[np.bool], weights: Floats) -> Floats:
    """The expected calibration error, float64 (R,), in [0, 1], for each of R weightings.

    The share of a bin times its gap |accuracy - confidence| is |sum of (correct - confidence)| over the number of answers.

    Args:
        confidence: float32 or float64 (N,), the score of the answer, in [0, 1].
        correct: bool (N,), whether it was right.
        weights: float64 (N, R), how much each counts.

    >>> calibration_error(np.array([0.9, 0.9, 0.6]), np.array([True, False, True]), np.ones((3, 1))).round(3)  # 1.2 / 3
    array([0.4])
    """
    gaps: Floats = correct - confidence.astype(np.float64)
    bins = bins_of(confidence)
    sums: Floats = np.stack([gaps[bins == number] @ weights[bins == number] for number in range(BINS)])
    error: Floats = np.abs(sums).sum(axis=0) / weights.sum(axis=0)
    return error


def calibration_error_by_chance(confidence: npt.NDArray[np.floating[Any]]) -> tuple[float, float]:
    """Mean and standard deviation of the calibration error that a perfectly calibrated model has by chance.

    The confidences are float32 or float64 (N,), in [0, 1].

    In each bin, the right answers minus the confidence have mean 0 and the variance of the sum of p (1 - p). The absolute
    value of a normal deviate has the mean sqrt(2 / pi) and the variance 1 - 2 / pi, in standard deviations.

    >>> mean, deviation = calibration_error_by_chance(np.full(100, 0.9))     # one bin: sqrt(0.9 * 0.1 / 100) = 0.03
    >>> round(mean / 0.03, 4), round(deviation / 0.03, 4)
    (0.7979, 0.6028)
    """
    scores = confidence.astype(np.float64)
    variance = np.maximum(np.bincount(bins_of(confidence), scores * (1 - scores), minlength=BINS), 0) / len(scores) ** 2
    return float(np.sqrt(2 / np.pi * variance).sum()), float(np.sqrt((1 - 2 / np.pi) * variance.sum()))


def calibration_table(confidence: npt.NDArray[np.floating[Any]], correct: npt.NDArray[np.bool]) -> pd.DataFrame:
    """A row per bin that has answers: its ends, count, mean confidence, and the share that was right.

    The confidences are float32 or float64 (N,); `correct` is bool (N,).
    """
    bins = bins_of(confidence)
    answers = pd.DataFrame({"bin": bins, "confidence": confidence, "accuracy": correct}).astype(np.float64)
    table = answers.groupby("bin").agg(
        count=("accuracy", "size"), confidence=("confidence", "mean"), accuracy=("accuracy", "mean")
    )
    table.index = table.index.astype(int)
    table.insert(0, "above", table.index / BINS)
    table.insert(1, "at_most", (table.index + 1) / BINS)
    return table.rename_axis("bin")


def reliability_plot(table: pd.DataFrame) -> Figure:
    """Plots accuracy by confidence, with the diagonal of perfect calibration; below, the number of answers in each bin."""
    figure = Figure(figsize=(4.6, 4.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    middle = (table["above"] + table["at_most"]) / 2
    upper.plot([0, 1], [0, 1], color="gray", linestyle="--", linewidth=1, label="perfect")
    upper.bar(middle, table["accuracy"], width=1 / BINS, color="#3b76c4", edgecolor="white", label="accuracy")
    upper.plot(table["confidence"], table["accuracy"], "o", color="#b22222", markersize=4, label="at the mean confidence")
    upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    upper.legend(loc="upper left", fontsize=8)
    lower.bar(middle, table["count"], width=1 / BINS, color="#8a97a5", edgecolor="white")
    lower.set(xlabel="confidence", ylabel="answers")
    return figure
