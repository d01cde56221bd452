"""Words of captions, and how often each occurs."""

import re
from collections import Counter

import pandas as pd

from kerasvision.data.examples import ExampleSet
from kerasvision.data.scripts import MARKS, SPACELESS

# A character of a script without spaces, with its marks; or letters and digits with their marks, with ' and - between them.
CHARACTER = re.compile(f"[{SPACELESS}][{MARKS}]*")
_LETTERS = rf"(?:(?![{SPACELESS}])[^\W_][{MARKS}]*)+"
WORD = re.compile(rf"{CHARACTER.pattern}|{_LETTERS}(?:['’\-]{_LETTERS})*")


def words_in(caption: str) -> list[str]:
    """The words of a caption in lower case and without punctuation, as `c.Words` defines them.

    In a script without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) each character with its marks is a word.

    >>> words_in("A child's T-shirt, red & WHITE.")
    ['a', "child's", 't-shirt', 'red', 'white']
    >>> words_in("iPhone 15を持つ人。")
    ['iphone', '15', 'を', '持', 'つ', '人']
    """
    return WORD.findall(caption.lower())


def vocabulary_table(examples: ExampleSet) -> pd.DataFrame:
    """`word` and `count` over all captions, the most common word first; no rows if there are no captions."""
    counts: Counter[str] = Counter()
    for split in examples.splits if examples.has_captions else ():
        batches = examples.dataset(split).map(lambda example: example["captions"]).ragged_batch(256)
        for batch in batches:
            for caption in batch.flat_values.numpy():
                counts.update(words_in(caption.decode()))
    return frequency_table(counts)


def frequency_table(counts: Counter[str]) -> pd.DataFrame:
    """Words in the order of falling counts; words with equal counts are in alphabetical order.

    >>> frequency_table(Counter(["dog", "a", "cat", "a"])).to_dict("list")
    {'word': ['a', 'cat', 'dog'], 'count': [2, 1, 1]}
    """
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return pd.DataFrame(
        {
            "word": pd.Series([word for word, _ in ordered], dtype="str"),
            "count": pd.Series([count for _, count in ordered], dtype="int64"),
        }
    )
