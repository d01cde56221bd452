"""Makes text from a file writable again."""


def replace_surrogates(text: str) -> str:
    """The text with U+FFFD instead of lone surrogates: JSON can contain them, but no file can be written with them.

    >>> replace_surrogates("caf\\u00e9 \\ud83d!") == "caf\\u00e9 \\ufffd!"
    True
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
