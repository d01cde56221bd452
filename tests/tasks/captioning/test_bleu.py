"""BLEU equals nltk's, for whole data sets and for any resample of them."""

import numpy as np
import pytest
from nltk.translate.bleu_score import corpus_bleu

from kerasvision.tasks.captioning.bleu import bleu_counts, bleu_scores

RANDOM = np.random.default_rng(3)
VOCABULARY = ["a", "red", "blue", "cat", "dog", "sat", "on", "the", "mat"]
WEIGHTS = [(1 / n,) * n for n in (1, 2, 3, 4)]


def sentence():
    return RANDOM.choice(VOCABULARY, RANDOM.integers(1, 12)).tolist()


# Half of the answers are a reference with one word changed, so there are matches of every length.
REFERENCES = [[sentence() for _ in range(RANDOM.integers(1, 5))] for _ in range(30)]
ANSWERS = [[*references[0][:-1], "dog"] if n % 2 else sentence() for n, references in enumerate(REFERENCES)]
COUNTS = np.array([bleu_counts(*pair) for pair in zip(REFERENCES, ANSWERS, strict=True)])


def test_the_score_of_a_data_set_is_that_of_nltk():
    expected = [corpus_bleu(REFERENCES, ANSWERS, weights=weights) for weights in WEIGHTS]
    assert 0 < min(expected) < max(expected) < 1
    assert bleu_scores(COUNTS.sum(axis=0)[:, None])[:, 0] == pytest.approx(expected)


def test_a_resample_scores_as_a_data_set_in_which_rows_are_repeated():
    counts = RANDOM.integers(0, 4, (30, 2))
    ours = bleu_scores(COUNTS.T @ counts)
    for column in range(2):
        repeated = np.repeat(np.arange(30), counts[:, column])
        expected = [
            corpus_bleu([REFERENCES[row] for row in repeated], [ANSWERS[row] for row in repeated], weights=weights)
            for weights in WEIGHTS
        ]
        assert ours[:, column] == pytest.approx(expected)


def test_a_word_counts_as_often_as_a_reference_has_it():
    # Papineni et al., section 2.1: two of seven.
    references = [["the", "cat", "is", "on", "the", "mat"], ["there", "is", "a", "cat", "on", "the", "mat"]]
    scores = bleu_scores(bleu_counts(references, ["the"] * 7)[:, None])
    assert scores[0, 0] == pytest.approx(2 / 7)


def test_a_caption_that_is_too_short_is_penalised():
    scores = bleu_scores(bleu_counts([["a"] * 13, ["a"] * 2], ["a"] * 12)[:, None])
    assert scores[:, 0] == pytest.approx(np.exp(1 - 13 / 12))


def test_nothing_in_common_and_nothing_said_score_0():
    for answer in (["dog"], []):
        assert bleu_scores(bleu_counts([["a", "cat"]], answer)[:, None])[:, 0].tolist() == [0, 0, 0, 0]
