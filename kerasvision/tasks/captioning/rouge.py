"""ROUGE-L: the longest run of words in the same order, with gaps (Lin, 2004, https://aclanthology.org/W04-1013)."""

from collections.abc import Sequence

# Recall counts more than precision, by the same factor as in the published scores of COCO's captions (Chen et al., 2015).
BETA = 1.2


def rouge_l(references: Sequence[Sequence[str]], answer: Sequence[str]) -> float:
    """F-measure in [0, 1] of the longest common subsequence; 0 if nothing is common.

    With several references, the best precision and the best recall are used (Lin & Och, 2004,
    https://aclanthology.org/P04-1077, section 3), as in the published scores of COCO's captions.

    Args:
        references: at least one.
        answer: the caption.

    >>> round(rouge_l([["police", "killed", "the", "gunman"]], ["police", "kill", "the", "gunman"]), 4)
    0.75
    """
    common = [longest_common_subsequence(reference, answer) for reference in references]
    if not any(common):
        return 0.0
    precision = max(common) / len(answer)
    recall = max(length / len(words) for length, words in zip(common, references, strict=True) if length)
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def longest_common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """How many words the two have in common in the same order, whatever is between them.

    >>> longest_common_subsequence("a red cat sat".split(), "a cat of red sat".split())
    3
    """
    lengths = [0] * (len(b) + 1)  # lengths[j]: with the words of `a` so far, and the first j of `b`
    for word in a:
        before = 0
        for j, other in enumerate(b, 1):
            above = lengths[j]
            lengths[j] = before + 1 if word == other else max(above, lengths[j - 1])
            before = above
    return lengths[-1]
