"""Which characters belong to scripts that write no spaces between words, by Unicode's blocks (The Unicode Standard, 15.0).

They are ranges for a class of a regular expression, which both Python's `re` and TensorFlow's graph accept. Digits are left
out: a number is one word in every script. Tibetan is left out too: a sign (tsheg) ends each of its syllables, and so
separates them as a space would.
"""

import unicodedata

SOUTH_EAST_ASIAN = (
    (0x0E01, 0x0E3A), (0x0E40, 0x0E4E),                                     # Thai
    (0x0E81, 0x0EBD), (0x0EC0, 0x0ECE), (0x0EDC, 0x0EDF),                   # Lao
    (0x1000, 0x103F), (0x1050, 0x108F), (0x109A, 0x109F), (0xAA60, 0xAA7F), # Myanmar
    (0x1780, 0x17D3), (0x17D7, 0x17D7), (0x17DC, 0x17DD),                   # Khmer
    (0x1950, 0x1974), (0x1980, 0x19C9), (0x1A20, 0x1A7C), (0xAA80, 0xAADD), # Tai Le, New Tai Lue, Tai Tham, Tai Viet
    (0x1B00, 0x1B4C), (0xA980, 0xA9C0),                                     # Balinese, Javanese
)  # fmt: skip
EAST_ASIAN = (
    (0x3005, 0x3007), (0x3021, 0x3029), (0x3038, 0x303C),                   # iteration marks, numerals
    (0x3041, 0x3096), (0x309D, 0x309F),                                     # Hiragana
    (0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9D), # Katakana, with the sign for a long vowel
    (0x3105, 0x312F), (0x31A0, 0x31BF), (0xA000, 0xA48C),                   # Bopomofo, Yi
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAD9), (0x20000, 0x323AF),  # Han
)  # fmt: skip
# Their punctuation, and ASCII's in full width: also written without spaces.
EAST_ASIAN_PUNCTUATION = (
    (0x3000, 0x3004), (0x3008, 0x3020), (0x3030, 0x3030), (0x303D, 0x303F), (0x30A0, 0x30A0), (0x30FB, 0x30FB),
    (0xFF01, 0xFF0F), (0xFF1A, 0xFF20), (0xFF3B, 0xFF40), (0xFF5B, 0xFF65),
)  # fmt: skip
# Half-width voicing marks count as letters in Unicode, and belong to the letter before them.
HALF_WIDTH_MARKS = ((0xFF9E, 0xFF9F),)


def _class_of(ranges: tuple[tuple[int, int], ...]) -> str:
    return "".join(chr(first) if first == last else f"{chr(first)}-{chr(last)}" for first, last in ranges)


def _mark_ranges() -> tuple[tuple[int, int], ...]:
    """Where Unicode has marks (category M); all marks are in two ranges."""
    marks = [
        code
        for start, end in ((0x0300, 0x1F000), (0xE0100, 0xE01F0))
        for code in range(start, end)
        if unicodedata.category(chr(code))[0] == "M"
    ]
    return _ranges_of(marks)


def _ranges_of(codes: list[int]) -> tuple[tuple[int, int], ...]:
    """The ranges that contain exactly these numbers, which are in ascending order."""
    starts = [code for code, before in zip(codes, [None, *codes], strict=False) if before != code - 1]
    ends = [code for code, after in zip(codes, [*codes[1:], None], strict=True) if after != code + 1]
    return tuple(zip(starts, ends, strict=True))


def _letters_of(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """The ranges without marks, which belong to the character before them."""
    codes = sorted(code for first, last in ranges for code in range(first, last + 1))
    return _ranges_of([code for code in codes if unicodedata.category(chr(code))[0] != "M"])


# The content of [...] in a regular expression.
SPACELESS = _class_of(_letters_of(SOUTH_EAST_ASIAN) + EAST_ASIAN)
TIGHT_PUNCTUATION = _class_of(EAST_ASIAN_PUNCTUATION)
MARKS = _class_of(_mark_ranges() + HALF_WIDTH_MARKS)
