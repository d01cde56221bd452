"""Captions to words in the graph: the same stock operations when a vocabulary is fitted, in training and in serving.

Letters (with their marks) and digits are what Unicode says of them, so that every script has words.
"""

import tensorflow as tf

from kerasvision import config as c

_LETTERS = r"\p{L}\p{M}\p{N}"
_WITHIN = r"'’\-"
# Written without a space before them.
CLOSING = frozenset(".,;:!?%)]}»”…。、，！？")


def words_of(captions: tf.Tensor, settings: c.Vocabulary) -> tf.RaggedTensor:
    """string (R, words): the words of captions, string (R,).

    >>> def said(caption, **fields):
    ...     return " | ".join(word.decode() for word in words_of(tf.constant([caption]), c.Words(**fields))[0].numpy())
    >>> said("A child's T-shirt, 'red' & WHITE.")
    "a | child's | t-shirt | red | white"
    >>> said("It's red!", lowercase=False, punctuation="keep")
    "It's | red | !"
    """
    # What is no UTF-8 becomes a sign that is no letter.
    text = tf.strings.unicode_transcode(captions, "UTF-8", "UTF-8")
    text = tf.strings.lower(text, encoding="utf-8") if settings.lowercase else text
    text = _replaced(text, r"[\s\p{Z}\p{C}]+", " ")
    apart = " " if settings.punctuation == "strip" else r" \0 "
    text = _replaced(text, rf"[^{_LETTERS}{_WITHIN} ]", apart)
    # Two of these are not within a word, and neither is one at its edge.
    text = _replaced(text, rf"[{_WITHIN}]{{2,}}", apart)
    edge = r"\1 " if settings.punctuation == "strip" else r"\1\2 "
    text = _replaced(text, rf"(^| )([{_WITHIN}])", edge)
    edge = r" \2" if settings.punctuation == "strip" else r" \1\2"
    return tf.strings.split(_replaced(text, rf"([{_WITHIN}])( |$)", edge))


def _replaced(text: tf.Tensor, pattern: str, replacement: str) -> tf.Tensor:
    return tf.strings.regex_replace(text, pattern, replacement)
