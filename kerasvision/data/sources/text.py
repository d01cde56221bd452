"""Text from a file becomes text that can be written again."""


def replace_surrogates(text: str) -> str:
    """The text with U+FFFD in the place of half characters, which JSON can spell and no file can hold.

    >>> replace_surrogates("caf\\u00e9 \\ud83d!") == "caf\\u00e9 \\ufffd!"
    True
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
