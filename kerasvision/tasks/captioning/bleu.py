"""BLEU: how many of a caption's n-grams people wrote too, by nltk (Papineni et al., 2002, https://aclanthology.org/P02-1040).

BLEU is of a whole data set: counts are summed over its captions before they are divided. So what is kept of a caption are
its counts, and the score of any resample is made of sums of them.
"""

from collections.abc import Sequence

import numpy as np
from nltk.translate.bleu_score import closest_ref_length, modified_precision

from kerasvision.tasks.metrics import Floats, quotient

MOST_WORDS = 4
COUNTS = 2 * MOST_WORDS + 2


def bleu_counts(references: Sequence[Sequence[str]], answer: Sequence[str]) -> Floats:
    """What BLEU-1 to BLEU-4 need to know of one caption, float64 (10,).

    For n = 1 to 4: its n-grams that references have too, each at most as often as the reference that has most of it; and all
    its n-grams, but at least one, as nltk has it. Then its number of words, and that of the reference nearest to it.

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
    """BLEU-1 to BLEU-4, float64 (4, R) in [0, 1], of weighted sums of counts, float64 (10, R).

    The geometric mean of the shares found, and less where the captions are shorter than what people wrote. Not smoothed:
    BLEU-n is 0 where no n-gram was found.

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
