"""Scores of a captioner over a whole data set, and of many resamples of it at once.

Every score is made of sums over images, so what is kept of an image is a row of numbers, and a resample is a weighted sum of
rows: 1,000 resamples are one product of matrices. Of 2,000 images with 5 captions of 5 to 13 words the rows took 2.0 s of
processor time, and all intervals 0.2 s (time.process_time() around `judged_captions` and `intervals`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kerasvision.data.captions import words
from kerasvision.tasks.base import Bounded, Evidence, Share
from kerasvision.tasks.captioning.bleu import COUNTS, MOST_WORDS, bleu_counts, bleu_scores
from kerasvision.tasks.captioning.cider import SCALE as MOST_CIDER_D
from kerasvision.tasks.captioning.cider import CiderD
from kerasvision.tasks.captioning.meteor import meteor
from kerasvision.tasks.captioning.rouge import rouge_l

MEANS = ("rouge_l", "meteor", "cider_d", "exact_match")
# exp(700) is about the largest number that there is: so bad a model has a perplexity too.
MOST_NATS = 700.0


@dataclass(frozen=True)
class Captions:
    """What a captioner said of a data set, and what people wrote.

    Attributes:
        truth: of each of N images, its captions; an empty one where it has none.
        answers: the N captions that were generated.
        log_likelihoods: float64 (N,), natural logarithm of how likely all of an image's captions were, together.
        tokens: float64 (N,), how many tokens that is of, ends included.
    """

    truth: Sequence[Sequence[str]]
    answers: Sequence[str]
    log_likelihoods: np.ndarray
    tokens: np.ndarray

    @cached_property
    def references(self) -> list[list[list[str]]]:
        """The words of what people wrote, without captions that have none."""
        return [[found for caption in captions if (found := words(caption))] for captions in self.truth]

    @cached_property
    def answered(self) -> list[list[str]]:
        """The words of the answers."""
        return [words(answer) for answer in self.answers]

    @cached_property
    def compared(self) -> np.ndarray:
        """bool (N,), whether there are words of people to compare with."""
        return np.array([bool(captions) for captions in self.references])

    @cached_property
    def losses(self) -> np.ndarray:
        """float64 (N,), negative log-likelihood of a token of what people wrote; 0 where they wrote nothing."""
        return -self.log_likelihoods / np.maximum(self.tokens, 1)

    @cached_property
    def statistics(self) -> np.ndarray:
        """float64 (N, 18): counts of BLEU; 1 where compared; the scores of `MEANS`; log-likelihood, tokens; 1, words."""
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


def caption_scores(captions: Captions) -> dict[str, float]:
    """metric -> value, of those that have one.

    `bleu_1` to `bleu_4`, of the whole data set; `rouge_l`, `meteor`, `cider_d` and `exact_match` (an answer has the words of
    one of the image's captions), means over images that have captions; `perplexity`, the exponential of the mean negative
    log-likelihood of a token; of all answers `mean_words`, and `distinct_captions`, the share of different ones.

    >>> scores = caption_scores(Captions(
    ...     [("A red cat sat.",), ("a dog", "a black dog ran")], ["a red cat sat", "a black cat"],
    ...     log_likelihoods=np.log([.5, .125]), tokens=np.array([1.0, 3.0])))
    >>> scores["perplexity"], scores["exact_match"], scores["mean_words"], scores["distinct_captions"]
    (2.0, 0.5, 3.5, 1.0)
    >>> round(scores["bleu_1"], 3)  # 6 of 7 words, about as long as the references
    0.857
    """
    every = np.arange(len(captions.answers))
    scores = resampled_scores(captions, every, np.ones((len(every), 1)))
    return {name: float(value[0]) for name, value in scores.items() if not np.isnan(value[0])}


def resampled_scores(captions: Captions, rows: np.ndarray, counts: np.ndarray) -> dict[str, np.ndarray]:
    """The same metrics where rows count as often as told, R times over: metric -> float64 (R,), NaN where there is none.

    CIDEr-D weighs words as in the whole data set. `distinct_captions` is there for one weighting only: a resample repeats
    captions by itself.

    Args:
        captions: all of them.
        rows: int (M,), the positions of some.
        counts: float64 (M, R).
    """
    sums = captions.statistics[rows].T @ counts
    compared, (log_likelihood, tokens, total, length) = sums[COUNTS], sums[-4:]
    bleu = np.where(compared > 0, bleu_scores(sums[:COUNTS]), np.nan)
    scores = {f"bleu_{n}": bleu[n - 1] for n in range(1, MOST_WORDS + 1)}
    scores |= {name: _mean(sums[COUNTS + 1 + place], compared) for place, name in enumerate(MEANS)}
    scores["perplexity"] = np.exp(np.minimum(_mean(-log_likelihood, tokens), MOST_NATS))
    scores["mean_words"] = _mean(length, total)
    if counts.shape[1] == 1:
        different = {captions.answers[row] for row in rows[counts[:, 0] > 0]}
        scores["distinct_captions"] = _mean(np.array([float(len(different))]), total)
    return scores


def evidence(captions: Captions, rows: np.ndarray) -> dict[str, Evidence]:
    """How each metric is measured on some rows, int (M,): exact matches are counted, all else lies within bounds."""
    found = captions.statistics[rows]
    compared = found[:, COUNTS] > 0
    count, lengths = int(compared.sum()), found[:, -1]
    bounds: dict[str, Evidence] = {}
    if count:
        matches = found[compared, COUNTS + 1 + MEANS.index("exact_match")]
        most = {"cider_d": MOST_CIDER_D}
        bounded = [*(f"bleu_{n}" for n in range(1, MOST_WORDS + 1)), "rouge_l", "meteor", "cider_d"]
        bounds |= {name: Bounded(0.0, most.get(name, 1.0), count) for name in bounded}
        bounds["exact_match"] = Share(int(matches.sum()), count)
        # No end above: as of the image whose captions were least likely.
        worst = float(np.exp(min(captions.losses[rows][compared].max(), MOST_NATS)))
        bounds["perplexity"] = Bounded(1.0, max(1.0, worst), count)
    if len(rows):
        bounds["mean_words"] = Bounded(float(lengths.min()), float(lengths.max()), len(rows))
    return bounds


def _mean(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """NaN where nothing was counted."""
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
