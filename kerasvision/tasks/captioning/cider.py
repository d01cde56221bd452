"""CIDEr-D: the similarity of a caption to what people wrote, in words that distinguish images.

Source: Vedantam et al., 2015, https://arxiv.org/abs/1411.5726, section 8 ("CIDEr-D"), with n up to 4 and sigma = 6.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

MOST_WORDS = 4
SIGMA = 6.0
SCALE = 10.0

Ngram = tuple[str, ...]


class CiderD:
    """CIDEr-D of single captions; an n-gram weighs more if fewer images have it in their references.

    The weight of an n-gram is tf * log(images / images that have it). tf is how often it occurs, as in the code behind
    COCO's published scores. The paper's equation 1 divides by the length of the caption, which matters only where counts are
    clipped.

    Args:
        references: for every image of the data set, its captions.

    >>> score = CiderD([[["a", "red", "cat"]], [["a", "dog"]]])
    >>> round(score([["a", "red", "cat"]], ["a", "red", "cat"]), 3)  # 10 times a mean of 1, 1, 1, and 0: it has no 4 words
    7.5
    """

    def __init__(self, references: Iterable[Sequence[Sequence[str]]]) -> None:
        self._images, self._images_with = 0, Counter[Ngram]()
        for captions in references:
            self._images += 1
            self._images_with.update({ngram for words in captions for ngram in ngrams(words)})

    def __call__(self, references: Sequence[Sequence[str]], answer: Sequence[str]) -> float:
        """In [0, 10]: ten times the mean over references and over n = 1 to 4.

        Args:
            references: of the image, at least one.
            answer: the caption.
        """
        ours = self._weights(answer)
        total = 0.0
        for words in references:
            penalty = math.exp(-((len(answer) - len(words)) ** 2) / (2 * SIGMA**2))
            pairs = zip(ours, self._weights(words), strict=True)
            total += penalty * sum(_clipped_cosine(*pair) for pair in pairs)
        return SCALE * total / (MOST_WORDS * len(references))

    def _weights(self, words: Sequence[str]) -> list[dict[Ngram, float]]:
        """n-gram -> weight, for each n."""
        found: list[dict[Ngram, float]] = [{} for _ in range(MOST_WORDS)]
        for ngram, count in ngrams(words).items():
            # An n-gram that no reference has counts as rare as one that a single image has.
            rarity = math.log(self._images / max(1, self._images_with[ngram]))
            found[len(ngram) - 1][ngram] = count * rarity
        return found


def ngrams(words: Sequence[str]) -> Counter[Ngram]:
    """Counts every run of one to four words.

    >>> dict(ngrams(["a", "a"]))
    {('a',): 2, ('a', 'a'): 1}
    """
    return Counter(tuple(words[start : start + n]) for n in range(1, MOST_WORDS + 1) for start in range(len(words) - n + 1))


def _clipped_cosine(answer: dict[Ngram, float], reference: dict[Ngram, float]) -> float:
    """Cosine of two weightings; 0 if either has no weight. Words beyond their count in the reference add nothing."""
    norms = math.hypot(*answer.values()) * math.hypot(*reference.values())
    common = sum(min(weight, reference[ngram]) * reference[ngram] for ngram, weight in answer.items() if ngram in reference)
    return common / norms if norms else 0.0
