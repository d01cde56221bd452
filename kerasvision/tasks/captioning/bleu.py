"""BLEU: the share of a caption's n-grams that people also wrote, by nltk.
BLEU is a score of a whole data set: counts are summed over its captions before they are divided. So each caption gives its
counts, and the score of any resample comes from sums of them.

Source: Papineni et al., 2002, https://aclanthology.org/P02-1040.
"""

from collections.abc import Sequence

import numpy as np
from nltk.translate.bleu_score import closest_ref_length, modified_precision

from kerasvision.tasks.metrics import Floats, quotient

MOST_WORDS = 4
COUNTS = 2 * MOST_WORDS + 2


def bleu_counts(references: Sequence[Sequence[str]], answer: Sequence[str]) -> Floats:
    """The counts of one caption from which BLEU-1 to BLEU-4 follow, float64 (10,).

    For n = 1 to 4: the number of its n-grams that are also in references, each at most as often as in the reference with
    most of it. Then for n = 1 to 4 the number of all its n-grams, but at least one, as in nltk. Then its number of words,
    and that of the reference nearest in length.

    Args:
        references: at least one.
        answer: the caption.

    >>> bleu_counts([["the", "cat", "sat"], ["a", "cat"]], ["the", "the", "cat"]).tolist()
    [2.0, 1.0, 0.0, 0.0, 3.0, 2.0, 1.0, 1.0, 3.0, 3.0]
    """
    shares = [modified_precision(references, answer, n) for n in range(1, MOST_WORDS + 1)]
    found, all_of_them = [one.numerator for one in shares], [one.denominator for one in shares]
    return np.array([*found, *all_of_them, len(answer), closest_ref_length(references, len(answer))], np.float64)


def bleu_scores(sums: Floats) -> Floats:
    """BLEU-1 to BLEU-4, float64 (4, R) in [0, 1], from weighted sums of counts, float64 (10, R).

    The geometric mean of the shares found, reduced if the captions are shorter than what people wrote. There is no
    smoothing: BLEU-n is 0 if no n-gram was found.

    >>> bleu_scores(bleu_counts([["the", "cat", "sat"], ["a", "cat"]], ["the", "the", "cat"])[:, None]).round(3).tolist()
    [[0.667], [0.577], [0.0], [0.0]]
    """
    shares = quotient(sums[:MOST_WORDS], sums[MOST_WORDS : 2 * MOST_WORDS], without=0.0)
    length, wanted = sums[2 * MOST_WORDS], sums[2 * MOST_WORDS + 1]
    penalty = np.where(length > 0, np.exp(np.minimum(0.0, 1 - quotient(wanted, length, without=0.0))), 0.0)
    with np.errstate(divide="ignore"):  # log 0 is -inf, and its exponential 0
        logs = np.log(shares)
    means = np.cumsum(logs, axis=0) / np.arange(1, MOST_WORDS + 1)[:, None]
    scores: Floats = penalty * np.exp(means)
    return scores
