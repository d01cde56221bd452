"""Captions with their images: a line, and the words of a caption with where the network looked for each of them."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from kerasvision.tasks.base import Ask, Illustration, Part
from kerasvision.tasks.captioning.answers import EXPLAIN
from kerasvision.tasks.captioning.judging import BETWEEN


def caption_line(row: pd.Series) -> str:
    """The first caption by people → the generated one.

    >>> caption_line(pd.Series({"captions": "A red cat. | A cat.", "caption": "a dog"}))
    'A red cat. → a dog'
    """
    return f"{row['captions'].partition(BETWEEN)[0] or '(no caption)'} → {row['caption'] or '(nothing)'}"


def illustrations(rows: pd.DataFrame, *, ask: Ask) -> list[Illustration]:
    """Each row with all its captions; and the words of the answer with the attention, if the model gives it.

    Args:
        rows: of a judgement by `judged_captions`.
        ask: gives the served model's answers for the images of these rows.
    """
    explained = ask(EXPLAIN)
    parts: Iterable[tuple[Part, ...]] = [()] * len(rows)
    if explained is not None:
        parts = map(_parts, explained["words"], explained["attention"])
    return [
        Illustration(row["id"], row["caption"], truth=tuple(filter(None, row["captions"].split(BETWEEN))), parts=looks)
        for row, looks in zip(rows.to_dict("records"), parts, strict=True)
    ]


def _parts(words: Sequence[bytes], attention: np.ndarray) -> tuple[Part, ...]:
    """The words up to the end; after it, words are empty."""
    return tuple(Part(word.decode(), weights) for word, weights in zip(words, attention, strict=True) if word)
