"""ROUGE-L equals the paper's examples."""

import pytest

from kerasvision.tasks.captioning.rouge import longest_common_subsequence, rouge_l

REFERENCE = ["police", "killed", "the", "gunman"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("police kill the gunman", 3 / 4), ("the gunman kill police", 2 / 4), ("the gunman police killed", 2 / 4)],
)
def test_the_order_of_the_words_counts(answer, expected):
    # Lin, 2004, section 3: both have four words, so precision and recall are equal.
    assert rouge_l([REFERENCE], answer.split()) == pytest.approx(expected)


def test_recall_counts_more_than_precision():
    # Precision 2 of 2, recall 2 of 4: (1 + 1.44) * 0.5 / (0.5 + 1.44).
    assert rouge_l([REFERENCE], ["the", "gunman"]) == pytest.approx(1.22 / 1.94)
    # Precision 4 of 8, recall 1: 2.44 * 0.5 / (1 + 0.72), which is more.
    assert rouge_l([REFERENCE], [*REFERENCE, *"xxxx"]) == pytest.approx(1.22 / 1.72)


def test_precision_and_recall_are_each_of_the_best_reference():
    # Precision 2 of 3 with the long one, recall 1 of 1 with the short one: 2.44 * 2 / 3 / (1 + 0.96).
    references = [["a", "b", "x", "x", "x"], ["c"]]
    assert rouge_l(references, ["a", "b", "c"]) == pytest.approx(2.44 * 2 / 3 / 1.96)


def test_nothing_in_common_and_nothing_said_score_0():
    assert rouge_l([REFERENCE], ["dog"]) == 0
    assert rouge_l([REFERENCE], []) == 0


def test_the_longest_common_subsequence_may_have_gaps():
    # Cormen et al., Introduction to Algorithms, section 15.4: BCBA.
    assert longest_common_subsequence("ABCBDAB", "BDCABA") == 4
