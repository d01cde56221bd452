"""A captioner's answers for a data set and people's captions; and, for each image, the numbers that metrics sum up."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from kerasvision.data.captions import words_in
from kerasvision.tasks.captioning.bleu import COUNTS, bleu_counts
from kerasvision.tasks.captioning.cider import CiderD
from kerasvision.tasks.captioning.meteor import meteor
from kerasvision.tasks.captioning.rouge import rouge_l
from kerasvision.tasks.metrics import Floats

MEANS = ("rouge_l", "meteor", "cider_d", "exact_match")


@dataclass(frozen=True)
class Captions:
    """A captioner's answers for a data set, and people's captions.

    Attributes:
        truth: for each of N images, its captions; empty if it has none.
        answers: the N captions that were generated.
        log_likelihoods: float64 (N,), natural logarithm of the joint likelihood of all captions of an image.
        tokens: float64 (N,), the number of tokens of these captions, ends included.
    """

    truth: Sequence[Sequence[str]]
    answers: Sequence[str]
    log_likelihoods: Floats
    tokens: Floats

    @cached_property
    def references(self) -> list[list[list[str]]]:
        """The words of the people's captions, without captions that have no words."""
        return [[found for caption in captions if (found := words_in(caption))] for captions in self.truth]

    @cached_property
    def answered(self) -> list[list[str]]:
        """The words of the answers."""
        return [words_in(answer) for answer in self.answers]

    @cached_property
    def compared(self) -> npt.NDArray[np.bool]:
        """bool (N,), whether an image has captions with words to compare with."""
        return np.array([bool(captions) for captions in self.references])

    @cached_property
    def losses(self) -> Floats:
        """float64 (N,), negative log-likelihood per token of the people's captions; 0 without captions."""
        return -self.log_likelihoods / np.maximum(self.tokens, 1)

    @cached_property
    def statistics(self) -> Floats:
        """float64 (N, 18): counts for BLEU; 1 if compared; the scores of `MEANS`; log-likelihood, tokens; 1, words."""
        cider_d = CiderD(captions for captions in self.references if captions)
        rows = []
        for references, answer in zip(self.references, self.answered, strict=True):
            of_truth = np.zeros(COUNTS + 1 + len(MEANS))
            if references:
                means = rouge_l(references, answer), meteor(references, answer), cider_d(references, answer)
                of_truth[:] = [*bleu_counts(references, answer), 1, *means, answer in references]
            rows.append([*of_truth, 1, len(answer)])
        found = np.array(rows)
        return np.column_stack([found[:, :-2], self.log_likelihoods, self.tokens, found[:, -2:]])
