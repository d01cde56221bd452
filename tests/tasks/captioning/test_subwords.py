"""Subwords: pieces found by `tokenizers`, cut in the graph as `tokenizers` itself cuts."""

from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from kerasvision import config as c
from kerasvision.tasks.captioning.codec import Codec
from kerasvision.tasks.captioning.subwords import LONGEST_WORD, PieceIds, fit_subwords, trained_pieces
from kerasvision.tasks.captioning.text import words_of
from kerasvision.tasks.captioning.tokens import SPECIAL

CAPTIONS = [
    "A dog and two doghouses.",
    "Dogs, cats and a cat's house!",
    "Hunde und Häuser: eine Hundehütte",
    "一只狗在房子里",
    "two houses, one unhoused cat",
    "कुत्ता और घर",
    "a housedog",
]


@pytest.fixture(scope="module")
def names(captioned):
    examples = captioned({"train": [(f"{number}.png", [caption]) for number, caption in enumerate(CAPTIONS)]})
    return fit_subwords(c.Subwords(size=120), examples)


def theirs(names):
    """`tokenizers`' own encoder for words that are already separate."""
    numbers = {name: number for number, name in enumerate(names)}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token=SPECIAL[1], max_input_chars_per_word=LONGEST_WORD))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return lambda words: tokenizer.encode(" ".join(words)).ids


def ours(names):
    pieces = tf.function(PieceIds(names), input_signature=[tf.RaggedTensorSpec([None, None], tf.string, ragged_rank=1)])
    return lambda rows: pieces(tf.ragged.constant(rows, tf.string, ragged_rank=1)).to_list()


def test_vocabulary_begins_with_the_special_tokens_and_holds_every_letter(names):
    letters = {letter for caption in CAPTIONS for letter in caption.lower() if letter.isalpha()}
    assert names[:4] == SPECIAL
    assert len(names) == len(set(names)) <= 120
    assert letters <= {name.removeprefix("##") for name in names}
    assert any(len(name.removeprefix("##")) > 2 for name in names[4:])


def test_words_of_the_captions_are_cut_as_tokenizers_cuts_them(names):
    rows = [[word.decode() for word in row] for row in words_of(tf.constant(CAPTIONS), c.Subwords()).to_list()]
    assert ours(names)(rows) == list(map(theirs(names), rows))
    assert 1 not in np.concatenate(ours(names)(rows))


@settings(max_examples=30)
@given(st.lists(st.lists(st.text("adoghusect'狗ह्xü", min_size=1, max_size=9), max_size=4), min_size=1, max_size=5))
def test_any_words_are_cut_as_tokenizers_cuts_them(names, cut, rows):
    assert cut[0](rows) == list(map(cut[1], rows))


@pytest.fixture(scope="module")
def cut(names):
    return ours(names), theirs(names)


def test_a_word_of_more_than_100_letters_is_unknown(cut):
    rows = [["a" * LONGEST_WORD], ["a" * (LONGEST_WORD + 1)], ["狗" * LONGEST_WORD]]
    assert cut[0](rows) == list(map(cut[1], rows))
    assert cut[0](rows)[1] == [1]


def test_captions_come_back_from_their_pieces(names):
    codec = Codec(names, c.Captioning(vocabulary=c.Subwords(), max_length=40))
    _, targets = codec.encode(tf.constant(CAPTIONS))
    expected = [" ".join(word.decode() for word in row) for row in words_of(tf.constant(CAPTIONS), c.Subwords()).to_list()]
    assert [text.decode() for text in codec.text(targets).numpy()] == expected


def test_no_captions_at_all_are_no_pieces(names):
    assert PieceIds(names)(tf.ragged.constant([[], []], tf.string, ragged_rank=1)).to_list() == [[], []]


def test_equally_common_pieces_are_the_same_ones_every_time():
    # By itself, the trainer of `tokenizers` gives ten different answers in ten calls.
    words = ["ab", "cd", "ef", "abcd", "cdab", "efab", "abef", "gh", "hg", "ghhg", "xy", "yx", "wvuts", "stuvw"]
    found = {trained_pieces(Counter(words * 3), c.Subwords(size=40)) for _ in range(10)}
    assert len(found) == 1
