"""Which split an image belongs to: decided by its content, so that no two splits share an image."""

import hashlib
from collections.abc import Mapping, Sequence

from kerasvision.config.experiment import Splits

TRAIN, VALIDATION, TEST = "train", "validation", "test"

# The names that people give to split folders, and what we call them.
SPLIT_NAMES: Mapping[str, str] = {
    "train": TRAIN, "training": TRAIN,
    "validation": VALIDATION, "val": VALIDATION, "valid": VALIDATION, "dev": VALIDATION, "eval": VALIDATION,
    "test": TEST, "testing": TEST,
}  # fmt: skip


def place(sha256: str, splits: Splits) -> float:
    """Where an image stands on the line from 0 to 1: a number that its content and the salt alone decide.

    >>> 0 <= place("ab" * 32, Splits()) < 1
    True
    """
    digest = hashlib.sha256(f"{splits.salt}:{sha256}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def assign_splits(
    digests: Sequence[str], given: Sequence[str | None], splits: Splits
) -> list[tuple[str, str]]:
    """(split, fault) of every image; fault is empty except for an image that may not be used where it lies.

    A split that the source brings is kept. One that it does not bring is taken out of the training images. Where the
    source itself puts one image into two splits, the copy in the split that is judged on stays (test before validation
    before train), and the other copies are faulty.

    Args:
        digests: SHA-256 of each image's bytes.
        given: the split that the source puts each image in, or None.
        splits: the fractions.

    >>> assign_splits(["aa", "aa"], ["train", "test"], Splits())
    [('train', 'leakage: the same bytes lie in test'), ('test', '')]
    """
    brought = set(given)
    cut_test = 0.0 if TEST in brought else splits.test
    cut_validation = 0.0 if VALIDATION in brought else splits.validation

    def split_of(digest: str, own: str | None) -> str:
        if own in (VALIDATION, TEST):
            return own
        position = place(digest, splits)
        if position < cut_test:
            return TEST
        return VALIDATION if position < cut_test + cut_validation else TRAIN

    decided = [split_of(digest, own) for digest, own in zip(digests, given, strict=True)]
    rank = {TRAIN: 0, VALIDATION: 1, TEST: 2}
    strictest: dict[str, str] = {}
    for digest, split in zip(digests, decided, strict=True):
        if rank[split] > rank.get(strictest.get(digest, ""), -1):
            strictest[digest] = split
    return [
        (split, "" if strictest[digest] == split else f"leakage: the same bytes lie in {strictest[digest]}")
        for digest, split in zip(digests, decided, strict=True)
    ]
