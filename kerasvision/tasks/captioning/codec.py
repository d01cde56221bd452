"""Converts captions to rows of token numbers and back, in training and in serving."""

from collections.abc import Sequence

import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import DataError
from kerasvision.tasks.captioning.subwords import WITHIN, PieceIds
from kerasvision.tasks.captioning.text import CLOSING, is_tight, words_of
from kerasvision.tasks.captioning.tokens import SPECIAL, inputs_and_targets
from kerasvision.tasks.captioning.vocabulary import WordIds


class Codec:
    """Converts captions to rows of token numbers and back, in stock TensorFlow operations.

    Args:
        names: the vocabulary.
        settings: of the task.

    Attributes:
        size: the number of tokens.

    Raises:
        DataError: the names are not a vocabulary.
    """

    def __init__(self, names: Sequence[str], settings: c.Captioning) -> None:
        if tuple(names[: len(SPECIAL)]) != SPECIAL or len(names) == len(SPECIAL):
            raise DataError(
                f"a vocabulary must begin with {', '.join(SPECIAL)}, and have more tokens", received=tuple(names[:5])
            )
        cut = PieceIds if isinstance(settings.vocabulary, c.Subwords) else WordIds
        self._settings, self._ids = settings, cut(names)
        self.size = len(names)
        silent, said = [""] * len(SPECIAL), names[len(SPECIAL) :]
        self._names, self._shown = list(names), [*silent, *map(_shown, said)]
        self._joined = [*silent, *(_shown(name).removeprefix(" ") for name in said)]
        self._is_tight = [*[False] * len(SPECIAL), *map(is_tight, said)]

    def encode(self, captions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(tokens, targets), both int32 (..., max_length + 1), of captions string (...); see `inputs_and_targets`."""
        length = self._settings.max_length
        ids = self._ids(words_of(tf.reshape(captions, [-1]), self._settings.vocabulary))
        shape = tf.concat([tf.shape(captions), [length + 1]], axis=0)
        static = [*captions.shape, length + 1]
        both = (tf.reshape(rows, shape) for rows in inputs_and_targets(ids, max_length=length))
        tokens, targets = (tf.ensure_shape(rows, static) for rows in both)
        return tokens, targets

    def text(self, ids: tf.Tensor) -> tf.Tensor:
        """string (...): the captions of int32 (..., T). Special tokens are left out.

        Between two characters of scripts without spaces, there is no space.
        """
        tight = tf.gather(tf.constant(self._is_tight), ids)
        after_tight = tf.concat([tf.zeros_like(tight[..., :1]), tight[..., :-1]], axis=-1)
        spaced, joined = (tf.gather(tf.constant(parts), ids) for parts in (self._shown, self._joined))
        return tf.strings.strip(tf.strings.reduce_join(tf.where(tight & after_tight, joined, spaced), axis=-1))

    def names(self, ids: tf.Tensor) -> tf.Tensor:
        """string (...), of int32 (...): each token as the vocabulary writes it."""
        return tf.gather(tf.constant(self._names), ids)


def _shown(name: str) -> str:
    """A token as a part of a sentence: with a space before it, unless it continues a word or closes something."""
    if name.startswith(WITHIN):
        return name.removeprefix(WITHIN)
    return name if name in CLOSING else " " + name
