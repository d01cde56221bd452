"""Describes what changed between two fingerprints."""

from collections.abc import Mapping
from typing import Any

from kerasvision.pipeline.fingerprint import Fingerprint

Digests = Mapping[str, str]

# One sentence for all source files, if the two fingerprints hash them in different ways.
BYTES_BEFORE = (
    "an earlier version of kerasvision compared the bytes of source files, this one compares their syntax trees: the stage "
    "runs once more"
)
TEXT_NOW = "source files: code now reads docstrings or source text, so comments and layout count"
TEXT_BEFORE = "source files: code no longer reads docstrings or source text, so comments and layout do not count"


def fingerprint_changes(old: Mapping[str, Any], new: Fingerprint) -> list[str]:
    """One line for each part of a fingerprint that changed.

    Args:
        old: the plain data of another fingerprint (see `Fingerprint.to_data`).
        new: the fingerprint to compare it with.

    >>> parts = {"stage": "a", "inputs": {}, "settings": {"epochs": 2}, "files": {}, "code": {}, "versions": {}}
    >>> fingerprint_changes(parts, Fingerprint(**parts | {"settings": {"epochs": 3}}))
    ['setting epochs: 2 -> 3']
    """
    return [
        *_changes("input", old.get("inputs", {}), new.inputs),
        *_changes("setting", old.get("settings", {}), new.settings, shows_values=True),
        *_changes("file", old.get("files", {}), new.files),
        *_code_changes(old.get("code", {}), new.code),
        *_changes("version of", old.get("versions", {}), new.versions, shows_values=True),
    ]


def _changes(
    noun: str, before: Mapping[str, object], after: Mapping[str, object], *, shows_values: bool = False
) -> list[str]:
    lines = []
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            lines.append(f"{noun} {name}: new")
        elif name not in after:
            lines.append(f"{noun} {name}: gone")
        elif before[name] != after[name]:
            lines.append(f"{noun} {name}: {f'{before[name]} -> {after[name]}' if shows_values else 'content changed'}")
    return lines


def _code_changes(before: Digests, after: Digests) -> list[str]:
    """Changes of source files; the first line says if the two fingerprints hash them in different ways.

    >>> _code_changes({"net": "syntax:a", "head": "syntax:b"}, {"net": "syntax:a text:c", "head": "syntax:d text:e"})[1:]
    ['source file head: content changed']
    >>> _code_changes({"net": "a"}, {"net": "syntax:b", "head": "syntax:c"})[1:]
    ['source file head: new']
    """
    had_text, has_text = (any(" text:" in digest for digest in code.values()) for code in (before, after))
    lines = []
    if any(map(_is_of_bytes, before.values())):
        lines.append(BYTES_BEFORE)
        before = {name: after.get(name, digest) if _is_of_bytes(digest) else digest for name, digest in before.items()}
    elif had_text != has_text:
        lines.append(TEXT_NOW if has_text else TEXT_BEFORE)
        before, after = _without_text(before), _without_text(after)
    return lines + _changes("source file", before, after)


def _is_of_bytes(digest: str) -> bool:
    """Whether a digest is from the earlier version that hashed bytes, and so cannot be compared with a syntax tree's."""
    return ":" not in digest


def _without_text(code: Digests) -> dict[str, str]:
    return {name: digest.partition(" ")[0] for name, digest in code.items()}
