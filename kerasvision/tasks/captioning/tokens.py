"""Captions as rows of token numbers: the special tokens, and a decoder's inputs and targets."""

import tensorflow as tf

# The first names of every vocabulary, in the order of their numbers.
SPECIAL = ("[padding]", "[unknown]", "[start]", "[end]")
PADDING, UNKNOWN, START, END = range(4)
# Tokens that a decoder may not generate.
SILENT = (PADDING, UNKNOWN, START)


def inputs_and_targets(ids: tf.RaggedTensor, *, max_length: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The input of a decoder at each step of a caption, and the token that it should predict there.

    Args:
        ids: int32 (R, words), the captions; a longer one is cut after `max_length` tokens.
        max_length: L.

    Returns:
        tokens int32 (R, L + 1): [start, w1, ..., wn, 0, ...]; targets int32 (R, L + 1): [w1, ..., wn, end, 0, ...]. Rows
        without words are all zeros in both.

    >>> tokens, targets = inputs_and_targets(tf.ragged.constant([[7, 8, 9], [5], []], dtype=tf.int32), max_length=2)
    >>> tokens.numpy().tolist()
    [[2, 7, 8], [2, 5, 0], [0, 0, 0]]
    >>> targets.numpy().tolist()
    [[7, 8, 3], [5, 3, 0], [0, 0, 0]]
    """
    words = ids.to_tensor(PADDING, shape=(None, max_length))
    lengths = tf.minimum(tf.cast(ids.row_lengths(), tf.int32), max_length)
    present = tf.cast(lengths > 0, tf.int32)[:, None]
    ends = END * present * tf.one_hot(lengths, max_length + 1, dtype=tf.int32)
    return tf.concat([START * present, words], axis=1), tf.pad(words, [[0, 0], [0, 1]]) + ends
