"""Names that look alike are found, and shown so that a reader sees the difference."""

import pytest

from kerasvision.data.validating.spelling import show_differences, spelt_alike

ALIKE = {
    "case": ("cat", "Cat"),
    "a letter that has a small form only": ("straße", "STRASSE"),
    "spaces": ("hot dog", "hot_dog", "hot-dog", "hot  dog"),
    "space around it": (" cat", "cat", "cat\u00a0", "cat\t"),
    "composed and decomposed letters": ("caf\u00e9", "cafe\u0301"),
    "full width": ("\uff43at", "cat"),
    "zero-width space": ("cat", "ca\u200bt"),
    "zero-width joiner and non-joiner": ("cat", "cat\u200d", "cat\u200c"),
    "byte order mark": ("dog", "\ufeffdog"),
    "soft hyphen": ("hotdog", "hot\u00addog"),
    "marks of direction": ("cat", "\u200ecat", "\u202acat\u202c"),
    "word joiner": ("cat", "cat\u2060"),
    "variation selector": ("\u2764", "\u2764\ufe0f"),
    "variation selector of the supplement": ("cat", "cat\U000e0101"),
    "grapheme joiner": ("cat", "c\u034fat"),
    "tags": ("cat", "cat\U000e0063"),
    "a filler of Hangul": ("cat", "cat\u3164"),
    "a control character": ("cat", "cat\x00", "cat\x08"),
    "a whole number": ("1", "1.0", "01", "+1", "1.", "001.00"),
    "a negative number": ("-1", "-1.0", "-01"),
    "a number and a mark": ("7", "07\u200b"),
}


@pytest.mark.parametrize("kind", ALIKE)
def test_names_that_read_alike_are_one_group(kind):
    assert spelt_alike({*ALIKE[kind], "another"}) == [sorted(ALIKE[kind])]


def test_names_that_read_differently_are_apart():
    apart = ["1", "-1", "10", "1.5", "1.05", "100", "cat", "cart", "café", "cafe", "v1.0", "v1", "0x1", "1e0", "١٢", ""]
    assert spelt_alike(apart) == []


def test_what_does_not_show_is_written_out():
    assert show_differences(["cat", "cat\ufe0f"]) == r"['cat', 'cat\ufe0f']"
    assert show_differences(["café", "cafe\u0301"]) == r"['caf\xe9', 'cafe\u0301']"
    assert show_differences(["Äpfel", "äpfel"]) == "['Äpfel', 'äpfel']"
    assert show_differences(["a"] + ["A"] * 30).endswith("and 21 more]")
