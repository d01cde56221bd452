"""Compares the images of runs by their manifests: how many there are, and how many are other ones, or elsewhere."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from kerasvision.pipeline.artifacts import Examples
from kerasvision.pipeline.records import ArtifactRecord

# How many hex digits of a hash a person needs to see that two are different.
SHOWN = 12


class _Image(NamedTuple):
    sha256: str
    split: str
    label: str


def data_differences(examples: Mapping[str, ArtifactRecord]) -> dict[str, dict[str, str | int]]:
    """What differs between the examples of runs.

    Args:
        examples: run id -> the examples that it used. All others are compared with the first.

    Returns:
        Name of a row -> run id -> value: `content`, the beginning of a hash of everything; how many images each split has,
        and how many were left out; and, for all but the first, how many images it has in addition (`added`), lacks
        (`removed`), has with other content (`changed`), in another split (`moved`) or with another label (`relabelled`).
        Rows without a difference are left out; without different content, all are. Examples whose manifest is gone or of
        another kind have a `content` alone.
    """
    if len({record.digest for record in examples.values()}) < 2:
        return {}
    rows: dict[str, dict[str, str | int]] = {"content": {run: one.digest[:SHOWN] for run, one in examples.items()}}
    read = {run: found for run, one in examples.items() if (found := _read(Examples(one.uri))) is not None}
    for run, (used, left_out) in read.items():
        for split, count in sorted(Counter(image.split for image in used.values()).items()):
            rows.setdefault(split, dict.fromkeys(read, 0))[run] = count
        rows.setdefault("left out", {})[run] = left_out
    first, *others = examples
    for run in others:
        if first in read and run in read:
            for name, count in _changes(read[first][0], read[run][0]).items():
                rows.setdefault(name, {})[run] = count
    return {name: row for name, row in rows.items() if name in _CHANGES or len(set(row.values())) > 1}


def _changes(before: Mapping[str, _Image], after: Mapping[str, _Image]) -> dict[str, int]:
    """How many images were added, removed, changed, moved and relabelled.

    >>> cat, dog = _Image("1f", "train", "cat"), _Image("2e", "train", "dog")
    >>> _changes({"a": cat, "b": dog, "c": cat}, {"a": cat, "b": dog._replace(split="test"), "d": dog})
    {'added': 1, 'removed': 1, 'moved': 1}
    """
    both = [(before[name], after[name]) for name in before.keys() & after.keys()]
    counts = (
        len(after.keys() - before.keys()),
        len(before.keys() - after.keys()),
        sum(one.sha256 != other.sha256 for one, other in both),
        sum(one.split != other.split for one, other in both),
        sum(one.label != other.label for one, other in both),
    )
    return {name: count for name, count in zip(_CHANGES, counts, strict=True) if count}


_CHANGES = ("added", "removed", "changed", "moved", "relabelled")


def _read(examples: Examples) -> tuple[dict[str, _Image], int] | None:
    """Id -> image of those that were used, and how many were left out; None if that cannot be read."""
    # Imported here, because most comparisons are of the same examples.
    import pyarrow.parquet as pq

    with suppress(OSError, ValueError, KeyError):
        columns = ["id", "sha256", "split", "label", "fault"]
        rows = pq.read_table(examples.manifest, columns=columns).to_pylist()
        used = {row["id"]: _Image(row["sha256"], row["split"], row["label"]) for row in rows if not row["fault"]}
        return used, sum(bool(row["fault"]) for row in rows)
    return None
