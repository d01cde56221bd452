"""Which words are tokens: those of the training captions that are frequent enough."""

from collections.abc import Sequence

import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.captions import frequency_table
from kerasvision.data.examples import ExampleSet
from kerasvision.errors import DataError
from kerasvision.tasks.captioning.fingerprints import Numbered
from kerasvision.tasks.captioning.tokens import SPECIAL, UNKNOWN
from kerasvision.tasks.captioning.training_words import training_words


def fit_words(settings: c.Words, examples: ExampleSet) -> tuple[str, ...]:
    """The special tokens, then the words of the training captions that are frequent enough, most frequent first.

    Raises:
        DataError: a training or validation image has no caption; or no word is frequent enough.
    """
    ordered = frequency_table(training_words(settings, examples))
    kept = ordered.loc[ordered["count"] >= settings.min_count, "word"].tolist()
    if not kept:
        best = ordered.iloc[0]
        raise DataError(
            f"no word occurs {settings.min_count} times in the training captions; the most frequent is {best['word']!r}",
            received=int(best["count"]),
            hint="lower task.vocabulary.min_count, or add captions",
        )
    return (*SPECIAL, *kept)[: settings.max_size]


class WordIds:
    """Each word is a token; words that are not in the vocabulary are `[unknown]`."""

    def __init__(self, names: Sequence[str]) -> None:
        self._numbered = Numbered(names)

    def __call__(self, words: tf.RaggedTensor) -> tf.RaggedTensor:
        """int32 (R, tokens), from string (R, words)."""
        numbers = self._numbered(words.values)
        return words.with_values(tf.where(numbers < 0, UNKNOWN, numbers))
