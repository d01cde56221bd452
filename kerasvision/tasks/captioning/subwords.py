"""WordPiece: cuts words into the longest pieces that are tokens; `tokenizers` finds them, stock operations apply them.

Sources: Schuster & Nakajima, 2012 (https://research.google/pubs/japanese-and-korean-voice-search/); the form of the pieces
and the cutting, Devlin et al., 2018, https://arxiv.org/abs/1810.04805.
"""

from collections import Counter
from collections.abc import Sequence

import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet
from kerasvision.tasks.captioning.fingerprints import Numbered
from kerasvision.tasks.captioning.tokens import SPECIAL, UNKNOWN
from kerasvision.tasks.captioning.training_words import training_words

# Marks a piece that continues a word.
WITHIN = "##"
# A longer word is [unknown], as in BERT.
LONGEST_WORD = 100


def fit_subwords(settings: c.Subwords, examples: ExampleSet) -> tuple[str, ...]:
    """The special tokens, then every letter of the training captions, then pieces of their words, most frequent first.

    Raises:
        DataError: a training or validation image has no caption.
    """
    return trained_pieces(training_words(settings, examples), settings)


def trained_pieces(words: Counter[str], settings: c.Subwords) -> tuple[str, ...]:
    """The special tokens and the pieces of words that occur often enough; the same in every process."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token=SPECIAL[UNKNOWN], max_input_chars_per_word=LONGEST_WORD))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    # The trainer numbers letters within words in an order that differs between processes, and by their numbers it decides
    # between pieces that are equally frequent. Letters in its list of special tokens have fixed numbers.
    within = sorted({WITHIN + letter for word in words for letter in word[1:]})
    trainer = trainers.WordPieceTrainer(
        vocab_size=settings.size,
        min_frequency=settings.min_count,
        special_tokens=[*SPECIAL, *within],
        continuing_subword_prefix=WITHIN,
        show_progress=False,
    )
    tokenizer.train_from_iterator((f"{word} " * count for word, count in sorted(words.items())), trainer)
    numbers = tokenizer.get_vocab()
    return tuple(sorted(numbers, key=numbers.__getitem__))


class PieceIds:
    """Cuts each word from left to right into the longest pieces; a word that cannot be cut in this way is `[unknown]`."""

    def __init__(self, names: Sequence[str]) -> None:
        self._numbered = Numbered(names)
        self._longest = max(len(name.removeprefix(WITHIN)) for name in names[len(SPECIAL) :])

    def __call__(self, words: tf.RaggedTensor) -> tf.RaggedTensor:
        """int32 (R, tokens), from string (R, words).

        >>> pieces = PieceIds([*SPECIAL, "a", "dog", "##s", "##house"])
        >>> pieces(tf.ragged.constant([["a", "doghouses"], ["cat"]])).to_list()
        [[4, 5, 7, 6], [1]]
        """
        # Each different word once: captions repeat most of their words.
        different, places = tf.unique(words.values)
        cut = words.with_values(tf.gather(self._cut(different), places))
        return cut.merge_dims(1, 2)

    def _cut(self, words: tf.Tensor) -> tf.RaggedTensor:
        """int32 (W, pieces), from string (W,)."""
        lengths = tf.strings.length(words, unit="UTF8_CHAR")
        lengths = tf.where(lengths > LONGEST_WORD, 0, lengths)

        def next_piece(done: tf.Tensor, whole: tf.Tensor, pieces: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            piece, size = self._longest_piece(words, done, lengths)
            whole &= (piece >= 0) | (done >= lengths)
            return done + size, whole, tf.concat([pieces, piece[:, None]], axis=1)

        # A word without a next piece stays where it is, and is not looked at again.
        _, whole, pieces = tf.while_loop(
            lambda done, whole, pieces: tf.reduce_any(whole & (done < lengths)),
            next_piece,
            (tf.zeros_like(lengths), lengths > 0, tf.zeros([tf.size(words), 0], tf.int32)),
            shape_invariants=(lengths.shape, lengths.shape, tf.TensorShape([None, None])),
        )
        is_piece = whole[:, None] & (pieces >= 0)
        unknown = tf.where(whole, -1, UNKNOWN)[:, None]
        rows = tf.concat([unknown, tf.where(is_piece, pieces, -1)], axis=1)
        return tf.ragged.boolean_mask(rows, rows >= 0)

    def _longest_piece(self, words: tf.Tensor, done: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(number, letters), int32 (W,) each, of a word's longest next piece after `done` letters; (-1, 0) without one."""
        sizes = tf.range(1, self._longest + 1)
        starts, fits = done[:, None] + tf.zeros_like(sizes), done[:, None] + sizes <= lengths[:, None]
        # Words at their end look up their beginning, and the answer is not used.
        starts = tf.where(fits, starts, 0)
        repeated, sizes_of_all = tf.repeat(words[:, None], self._longest, axis=1), tf.broadcast_to(sizes, tf.shape(starts))
        letters = tf.strings.substr(repeated, starts, sizes_of_all, unit="UTF8_CHAR")
        asked = tf.where(starts > 0, tf.strings.join([tf.fill(tf.shape(letters), WITHIN), letters]), letters)
        numbers = tf.where(fits, self._numbered(asked), -1)
        size = tf.reduce_max(tf.where(numbers >= 0, sizes, 0), axis=1)
        number = tf.gather(numbers, tf.maximum(size - 1, 0), batch_dims=1)
        return tf.where(size > 0, number, -1), size
