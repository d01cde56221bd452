"""Captions are shown next to their images, with where the network looked for each word."""

import numpy as np
import pandas as pd

from kerasvision.tasks.captioning.pictures import caption_line, illustrations

ROWS = pd.DataFrame({"id": ["a", "b"], "captions": ["A cat. | One cat.", ""], "caption": ["a cat", ""]}, index=[4, 9])


def test_a_line_tells_one_caption_of_people_and_the_answer():
    assert [caption_line(row) for _, row in ROWS.iterrows()] == ["A cat. → a cat", "(no caption) → (nothing)"]


def test_an_illustration_has_all_captions():
    first, second = illustrations(ROWS, ask=lambda signature: None)
    assert (first.id, first.answer, first.truth, first.parts) == ("a", "a cat", ("A cat.", "One cat."), ())
    assert (second.id, second.answer, second.truth) == ("b", "", ())


def test_every_word_up_to_the_end_has_its_attention():
    attention = np.arange(2 * 3 * 4.0).reshape(2, 3, 2, 2)
    words = np.array([[b"a", "кот".encode(), b""], [b"", b"", b""]], object)
    asked = []

    def ask(signature):
        asked.append(signature)
        return {"words": words, "attention": attention}

    first, second = illustrations(ROWS, ask=ask)
    assert asked == ["explain"]
    assert [part.text for part in first.parts] == ["a", "кот"]
    assert first.parts[1].weights.tolist() == [[4, 5], [6, 7]]
    assert second.parts == ()
