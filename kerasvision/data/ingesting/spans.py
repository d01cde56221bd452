"""What is new in a source since the last time that it was read. TFX calls each such state of a source a span."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pandas as pd

from kerasvision.config.experiment import Splits

KINDS = ("added", "removed", "changed", "relabelled")


@dataclass(frozen=True)
class Span:
    """A state of a source, and what sets it apart from the one before. Images that cannot be used are not in it.

    Attributes:
        number: 1 for the first, then one more each time that something is new.
        splits: the settings that the images were split with.
        counts: how many images were `added`, `removed`, `changed` (other bytes under the same id), `relabelled` (the same
            bytes under another label) and are `unchanged`. In the first, all are added.
        ids: of each kind, sorted; empty in the first, where the manifest lists the images.
    """

    number: int
    splits: dict[str, Any]
    counts: dict[str, int]
    ids: dict[str, list[str]] = field(default_factory=dict)

    def save(self, file: Path) -> None:
        """Writes `{"span": 2, "added": 1, ..., "ids": {"added": ["a.jpg"], ...}, "splits": {...}}`."""
        data = {"span": self.number, **self.counts, "ids": self.ids, "splits": self.splits}
        file.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Self:
        """What `save` wrote."""
        data = json.loads(file.read_text(encoding="utf-8"))
        counts = {kind: data[kind] for kind in (*KINDS, "unchanged")}
        return cls(data["span"], data["splits"], counts, data["ids"])


@dataclass(frozen=True)
class PreviousExamples:
    """What an earlier ingest of the same source wrote: its manifest and its span."""

    manifest: Path
    span: Path

    def split_by_sha256(self, splits: Splits) -> dict[str, str]:
        """SHA-256 -> the split that the image went to; nothing where that was decided by other settings."""
        if Span.load(self.span).splits != splits.to_data():
            return {}
        used = _used(pd.read_parquet(self.manifest, columns=["sha256", "split", "fault"]))
        return dict(zip(used["sha256"], used["split"], strict=True))


def next_span(manifest: pd.DataFrame, *, previous: PreviousExamples | None, splits: Splits) -> Span:
    """The span of a source that was just read.

    Args:
        manifest: its list of images.
        previous: the examples before, or None.
        splits: the settings that it was split with.
    """
    now = _used(manifest)
    if previous is None:
        counts = {"added": len(now), "removed": 0, "changed": 0, "relabelled": 0, "unchanged": 0}
        return Span(1, splits.to_data(), counts)
    before = _used(pd.read_parquet(previous.manifest, columns=["id", "sha256", "label", "fault"]))
    both = now.merge(before, on="id", suffixes=("", "_before"))
    changed = both["sha256"] != both["sha256_before"]
    relabelled = ~changed & (both["label"] != both["label_before"])
    ids = {
        "added": sorted(now.loc[~now["id"].isin(before["id"]), "id"]),
        "removed": sorted(before.loc[~before["id"].isin(now["id"]), "id"]),
        "changed": sorted(both.loc[changed, "id"]),
        "relabelled": sorted(both.loc[relabelled, "id"]),
    }
    counts = {kind: len(ids[kind]) for kind in KINDS} | {"unchanged": int((~changed & ~relabelled).sum())}
    last = Span.load(previous.span)
    if not any(ids.values()):
        # Read again, by other code or other settings: the source is in the state that it was in.
        return replace(last, splits=splits.to_data())
    return Span(last.number + 1, splits.to_data(), counts, ids)


def _used(manifest: pd.DataFrame) -> pd.DataFrame:
    return manifest[manifest["fault"] == ""]
