"""METEOR: words in common (equal or of the same stem), and how few pieces they form, by nltk.

Synonyms are not used: they require WordNet, which is not part of nltk and is not downloaded. So the score is somewhat lower
than that of the original program. The parameters are alpha 0.9, beta 3, gamma 0.5. Stems are English; words of other
languages match only if they are equal.

Source: Banerjee & Lavie, 2005, https://aclanthology.org/W05-0909; Lavie & Agarwal, 2007, https://aclanthology.org/W07-0734.
"""

from collections.abc import Sequence
from functools import lru_cache

from nltk.stem.porter import PorterStemmer
from nltk.translate.meteor_score import meteor_score


class _NoSynonyms:
    """Replaces WordNet, which nltk expects."""

    def synsets(self, word: str) -> tuple[()]:
        return ()


class _Stems:
    """Porter's stems, each computed once: captions use the same words again and again."""

    def __init__(self) -> None:
        self.stem = lru_cache(maxsize=100_000)(PorterStemmer().stem)


_STEMS, _SYNONYMS = _Stems(), _NoSynonyms()


def meteor(references: Sequence[Sequence[str]], answer: Sequence[str]) -> float:
    """In [0, 1): the score with the reference that fits best.

    Args:
        references: at least one.
        answer: the caption.

    >>> round(meteor([["a", "red", "cat"]], ["a", "red", "cats"]), 4)  # three matches in one piece: 1 - 0.5 (1 / 3)**3
    0.9815
    """
    return float(meteor_score(references, answer, preprocess=str, stemmer=_STEMS, wordnet=_SYNONYMS))
