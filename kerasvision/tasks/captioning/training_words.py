"""The words of the training captions, from which a vocabulary is made."""

from collections import Counter

import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.captions import CHARACTER
from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TRAIN, VALIDATION
from kerasvision.errors import DataError
from kerasvision.progress import say
from kerasvision.shortened import shortened
from kerasvision.tasks.captioning.text import words_of

# The number of images that an error names.
NAMED = 5


def training_words(settings: c.Vocabulary, examples: ExampleSet) -> Counter[str]:
    """Counts the words in the captions of the training split.

    The validation split is read only to find images without a caption: such an image has no loss, and is reported here,
    before anything is trained.

    Raises:
        DataError: a training or validation image has no caption with a word in it.
    """
    if not examples.has_captions:
        raise DataError(
            "captioning requires captions for every image; these images have none",
            hint="choose a source with captions, or another task",
        )
    words, without, longest = _words_and_images_without(settings, examples, TRAIN)
    without += _words_and_images_without(settings, examples, VALIDATION)[1]
    if isinstance(settings, c.Words) and any(CHARACTER.match(word) for word in words):
        say(
            "captions in a script without spaces are cut into characters; the longest training caption has "
            f"{longest} tokens, and task.max_length cuts longer captions"
        )
    if without:
        raise DataError(
            f"every image of training and validation requires a caption with a word in it; {len(without)} have none: "
            f"{shortened(without, most=NAMED)}",
            hint="give them captions, or leave them out: a CSV file with the column `id` as ingest.quarantine_file",
        )
    return words


def _words_and_images_without(
    settings: c.Vocabulary, examples: ExampleSet, split: str
) -> tuple[Counter[str], list[str], int]:
    """The count of each word in a split, the ids of its images without words, and the word count of the longest caption."""
    counts: Counter[bytes] = Counter()
    without: list[str] = []
    longest = 0
    if split not in examples.splits:
        return Counter(), without, longest
    known = examples.dataset(split).map(lambda example: (example["id"], example["captions"]))
    for ids, captions in known.ragged_batch(1024):
        # Captions that occur several times are cut once.
        different, places = np.unique(captions.values.numpy(), return_inverse=True)
        words = words_of(tf.constant(different, tf.string), settings)
        times, lengths = np.bincount(places, minlength=len(different)), words.row_lengths().numpy()
        longest = max(longest, int(lengths.max(initial=0)))
        for word, count in zip(words.values.numpy().tolist(), np.repeat(times, lengths).tolist(), strict=True):
            counts[word] += count
        of_images = np.bincount(captions.value_rowids().numpy(), lengths[places], minlength=len(ids))
        without += [name.decode() for name in ids.numpy()[of_images == 0]]
    return Counter({word.decode(): count for word, count in counts.items()}), without, longest
