"""METEOR equals nltk's, without synonyms, and reads no data files."""

import nltk
import pytest

from kerasvision.tasks.captioning.meteor import meteor

REFERENCE = ["the", "cat", "sat", "on", "the", "mat"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        # All six words match in one piece: 1 - 0.5 * (1 / 6)**3.
        ("the cat sat on the mat", 1 - 0.5 / 216),
        # In six pieces: 1 - 0.5.
        ("on the mat sat the cat", 0.5),
        # Precision 6 / 7, recall 1, two pieces: 1 / (0.9 + 0.1 * 7 / 6) * (1 - 0.5 * (2 / 6)**3).
        ("the cat was sat on the mat", 1 / (0.9 + 0.1 * 7 / 6) * (1 - 0.5 / 27)),
        ("dog", 0.0),
        ("", 0.0),
    ],
)
def test_words_in_common_count_the_more_the_fewer_pieces_they_are_in(answer, expected):
    assert meteor([REFERENCE], answer.split()) == pytest.approx(expected)


def test_words_of_one_stem_match():
    assert meteor([["cats", "running"]], ["cat", "runs"]) == pytest.approx(1 - 0.5 / 8)


def test_the_best_reference_counts():
    assert meteor([["dog"], REFERENCE], REFERENCE) == meteor([REFERENCE], REFERENCE)


def test_nothing_is_fetched_and_no_data_is_read(monkeypatch):
    monkeypatch.setattr(nltk.data, "path", [])
    assert meteor([["автобус", "едет"]], ["автобус", "bus"]) > 0
