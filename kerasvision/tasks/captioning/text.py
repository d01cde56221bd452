"""Splits captions into words in the graph: the same stock operations to fit a vocabulary, in training and in serving.

Unicode says which characters are letters (with their marks) and digits, so every script has words. If a script is written
without spaces, `c.Words` treats each of its characters as a word, because words would have to be guessed. `c.Subwords` finds
pieces in the whole clause. `kerasvision.data.captions.words_in` is the same in plain Python.
"""

import re

import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.captions import CHARACTER
from kerasvision.data.scripts import TIGHT_PUNCTUATION

_LETTERS = r"\p{L}\p{M}\p{N}"
_WITHIN = r"'’\-"
# Characters without a space before them.
CLOSING = frozenset(".,;:!?%)]}»”…。、，！？")
_TIGHT = re.compile(rf"{CHARACTER.pattern}|[{TIGHT_PUNCTUATION}]")


def words_of(captions: tf.Tensor, settings: c.Vocabulary) -> tf.RaggedTensor:
    """string (R, words): the words of captions, string (R,).

    >>> def said(caption, **fields):
    ...     return " | ".join(word.decode() for word in words_of(tf.constant([caption]), c.Words(**fields))[0].numpy())
    >>> said("A child's T-shirt, 'red' & WHITE.")
    "a | child's | t-shirt | red | white"
    >>> said("It's red!", lowercase=False, punctuation="keep")
    "It's | red | !"
    >>> said("黒い猫が、iPhone 15を見る。")
    '黒 | い | 猫 | が | iphone | 15 | を | 見 | る'
    """
    # Bytes that are not UTF-8 become a character that is not a letter.
    text = tf.strings.unicode_transcode(captions, "UTF-8", "UTF-8")
    text = tf.strings.lower(text, encoding="utf-8") if settings.lowercase else text
    text = _replaced(text, r"[\s\p{Z}\p{C}]+", " ")
    # A mark belongs to a letter: after another character, such as an emoji, it shows nothing by itself.
    text = _replaced(text, rf"(^|[^{_LETTERS}])\p{{M}}+", r"\1 ")
    text = text if isinstance(settings, c.Subwords) else _replaced(text, CHARACTER.pattern, r" \0 ")
    apart = " " if settings.punctuation == "strip" else r" \0 "
    text = _replaced(text, rf"[^{_LETTERS}{_WITHIN} ]", apart)
    # Two of these in a row are not within a word, and neither is one at the edge of a word.
    text = _replaced(text, rf"[{_WITHIN}]{{2,}}", apart)
    edge = r"\1 " if settings.punctuation == "strip" else r"\1\2 "
    text = _replaced(text, rf"(^| )([{_WITHIN}])", edge)
    edge = r" \2" if settings.punctuation == "strip" else r" \1\2"
    return tf.strings.split(_replaced(text, rf"([{_WITHIN}])( |$)", edge))


def is_tight(token: str) -> bool:
    """Whether no space separates a token from another one like it: characters and signs of scripts without spaces.

    >>> [is_tight(token) for token in ("猫", "。", "cat", ".")]
    [True, True, False, False]
    """
    return _TIGHT.fullmatch(token) is not None


def _replaced(text: tf.Tensor, pattern: str, replacement: str) -> tf.Tensor:
    return tf.strings.regex_replace(text, pattern, replacement)
