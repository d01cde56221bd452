"""Exact intervals of shares: after 20 right answers of 20, the share is at least 0.83, not 1.

Source: Clopper & Pearson, 1934, https://doi.org/10.1093/biomet/26.4.404. These intervals contain the true share at least as
often as stated, for every number of examples, also at 0 and 1. Wilson's intervals contain it less often near 1, which a gate
must not risk.
"""

import math

import numpy as np
from scipy import special
from scipy.optimize import brentq

from kerasvision.tasks.base import Counted, Evidence

Interval = tuple[float, float]

# Points of the integral that gives the interval of a change; with 20,000 points its ends differ by less than 1e-5.
POINTS = 2000
# A bound that requires more examples than this is out of reach.
MOST_EXAMPLES = 10**9


def share_interval(right: float, of: float, *, confidence: float) -> Interval:
    """The exact interval of a share, after `right` of `of` examples; 0 to 1 without examples.

    >>> low, high = share_interval(20, 20, confidence=0.95)     # low = 0.025 ** (1 / 20)
    >>> round(low, 4), high
    (0.8316, 1.0)
    """
    tail = (1 - confidence) / 2
    low = special.betaincinv(right, of - right + 1, tail) if right else 0.0
    high = special.betaincinv(right + 1, of - right, 1 - tail) if right < of else 1.0
    return float(low), float(high)


def scaled_interval(share: Counted, *, confidence: float) -> Interval:
    """The exact interval of a metric that rises with a share."""
    low, high = share_interval(share.right, share.of, confidence=confidence)
    return share.scale(low), share.scale(high)


def best_ends(evidence: Evidence, count: float, *, confidence: float) -> Interval:
    """(the highest low end, the lowest high end) that `count` examples can give: if all are right, and if all are wrong.

    >>> [round(end, 4) for end in best_ends(Counted(9, 20), 20, confidence=0.95)]
    [0.8316, 0.1684]
    """
    rest = ((1 - confidence) / 2) ** (1 / count) if count else 0.0
    if isinstance(evidence, Counted):
        return evidence.scale(rest), evidence.scale(1 - rest)
    width = evidence.most - evidence.least
    return evidence.least + rest * width, evidence.most - rest * width


def needed_examples(evidence: Evidence, bound: float, *, end: str, confidence: float) -> int | None:
    """The least number of examples with which an end of the interval can keep a bound; None if no number is enough.

    Args:
        evidence: how the metric is measured.
        bound: what the end must reach (`low`) or must not exceed (`high`).
        end: "low" or "high".
        confidence: of the interval.

    >>> needed_examples(Counted(20, 20), 0.99, end="low", confidence=0.95)    # log 0.025 / log 0.99 = 367.04
    368
    """

    def can_hold(count: int) -> bool:
        low, high = best_ends(evidence, count, confidence=confidence)
        return low >= bound if end == "low" else high <= bound

    if not can_hold(MOST_EXAMPLES):
        return None
    low, high = 0, MOST_EXAMPLES
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if can_hold(middle) else (middle, high)
    return high


def change_interval(won: int, lost: int, of: int, *, confidence: float) -> Interval:
    """The interval of a change of accuracy: one model alone is right on `won` of `of` images, the other alone on `lost`.

    The low end counts one more image as lost, and the high end one more as won. The shares of images that are won, lost or
    neither have a Dirichlet distribution. If all changes go one way, this is Clopper and Pearson's interval. It excludes
    zero exactly if McNemar's exact p is below 1 - confidence.

    Source: the bound on a mean of Gaffke, 2005 (https://arxiv.org/abs/2106.03163, section 3), for values -1, 0 and 1.

    >>> [round(end, 4) for end in change_interval(0, 0, 30, confidence=0.95)]     # 1 - 0.025 ** (1 / 30)
    [-0.1157, 0.1157]
    """
    tail = (1 - confidence) / 2
    return _low_change(won, lost, of, tail=tail), -_low_change(lost, won, of, tail=tail)


def _low_change(won: int, lost: int, of: int, *, tail: float) -> float:
    """The quantile `tail` of won minus lost, shares with the Dirichlet distribution of (won, lost + 1, the rest)."""
    rest = of - won - lost
    if not won:
        return -share_interval(lost, of, confidence=1 - 2 * tail)[1]
    # Of the images that changed, `part` were won; `part` and the share of images that changed are independent.
    below = float(special.betainc(won, lost + 1, 0.5))  # the chance that more were lost than won
    is_loss = below >= tail
    start, width = (0.0, below) if is_loss else (below, 1 - below)
    steps = start + width * (np.arange(POINTS) + 0.5) / POINTS
    gain = 2 * special.betaincinv(won, lost + 1, steps) - 1
    if not rest:
        return float(2 * special.betaincinv(won, lost + 1, tail) - 1)

    def chance(change: float) -> float:
        """The probability that won minus lost is at most `change`, minus `tail`."""
        shares = np.clip(change / np.where(gain == 0, math.copysign(1e-300, -1 if is_loss else 1), gain), 0, 1)
        changed = special.betainc(won + lost + 1, rest, shares)
        return float((1 - changed).mean() * width if is_loss else below + changed.mean() * width) - tail

    return float(brentq(chance, -1, 0) if is_loss else brentq(chance, 0, 1))
