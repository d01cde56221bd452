"""What is new in a source since it was last read. TFX calls each state of a source a span."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pandas as pd

from kerasvision.config.preparing import Splits
from kerasvision.data.splits import TRAIN

KINDS = ("added", "removed", "changed", "relabelled")
OLDER = "left out by ingest.last_spans"


@dataclass(frozen=True)
class Span:
    """A state of a source, and how it differs from the previous one. It does not count unusable images.

    Attributes:
        number: 1 for the first span; each span with something new has the next number.
        splits: the settings with which the images were split.
        counts: how many images were `added`, `removed`, `changed` (other bytes under the same id), `relabelled` (the same
            bytes under another label or with other tags) or are `unchanged`. In the first span, all are added.
        ids: of each kind, sorted; empty in the first span, whose images the manifest lists.
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
        """The span that `save` wrote."""
        data = json.loads(file.read_text(encoding="utf-8"))
        counts = {kind: data[kind] for kind in (*KINDS, "unchanged")}
        return cls(data["span"], data["splits"], counts, data["ids"])


@dataclass(frozen=True)
class PreviousExamples:
    """What an earlier ingest of the same source wrote: its manifest and its span."""

    manifest: Path
    span: Path

    def split_by_sha256(self, splits: Splits) -> dict[str, str]:
        """SHA-256 -> the split of the image; empty if other settings decided it."""
        if Span.load(self.span).splits != splits.to_data():
            return {}
        used = _used(pd.read_parquet(self.manifest, columns=["sha256", "split", "fault"]))
        return dict(zip(used["sha256"], used["split"], strict=True))

    def span_by_sha256(self) -> dict[str, int]:
        """SHA-256 -> the span in which the image was added; 1 for all images of an older version."""
        used = _used(pd.read_parquet(self.manifest))
        return dict(zip(used["sha256"], used["span"] if "span" in used else [1] * len(used), strict=True))


def next_span(manifest: pd.DataFrame, *, previous: PreviousExamples | None, splits: Splits) -> Span:
    """The span of a source that was just read.

    Args:
        manifest: its list of images.
        previous: the previous examples, or None.
        splits: the settings with which it was split.
    """
    now = _used(manifest)
    if previous is None:
        counts = {"added": len(now), "removed": 0, "changed": 0, "relabelled": 0, "unchanged": 0}
        return Span(1, splits.to_data(), counts)
    before = _used(pd.read_parquet(previous.manifest))[["id", "sha256", "label", "tag_names"]]
    both = now.merge(before, on="id", suffixes=("", "_before"))
    changed = both["sha256"] != both["sha256_before"]
    renamed = (both["label"] != both["label_before"]) | (both["tag_names"] != both["tag_names_before"])
    relabelled = ~changed & renamed
    ids = {
        "added": sorted(now.loc[~now["id"].isin(before["id"]), "id"]),
        "removed": sorted(before.loc[~before["id"].isin(now["id"]), "id"]),
        "changed": sorted(both.loc[changed, "id"]),
        "relabelled": sorted(both.loc[relabelled, "id"]),
    }
    counts = {kind: len(ids[kind]) for kind in KINDS} | {"unchanged": int((~changed & ~relabelled).sum())}
    last = Span.load(previous.span)
    if not any(ids.values()):
        # It was read again with other code or other settings, but the source itself has not changed.
        return replace(last, splits=splits.to_data())
    return Span(last.number + 1, splits.to_data(), counts, ids)


def image_spans(manifest: pd.DataFrame, *, number: int, previous: PreviousExamples | None) -> pd.Series:
    """The span in which each image was added; 0 for images that cannot be used.

    Its bytes are the image: an image that was renamed, moved or relabelled keeps its span, and one whose bytes changed is
    a new image. An image that was removed and comes back is new too.

    Args:
        manifest: the list of images of the source that was just read.
        number: of the span of this source, from `next_span`.
        previous: the previous examples, or None.
    """
    known = previous.span_by_sha256() if previous is not None else {}
    spans = [known.get(digest, number) for digest in manifest["sha256"]]
    return pd.Series(spans, index=manifest.index, dtype="int64").where(_is_used(manifest), 0)


def leave_out_older(manifest: pd.DataFrame, *, last: int) -> None:
    """Gives the training images of all but the last spans a fault. Validation and test images stay.

    Only spans with training images that the source still has are counted, so some image always stays.

    Args:
        manifest: the list of images, with the column `span`.
        last: of how many spans the training images stay.
    """
    training = (manifest["fault"] == "") & (manifest["split"] == TRAIN)
    counted = sorted(manifest.loc[training, "span"].unique())[-last:]
    older = training & ~manifest["span"].isin(counted)
    reasons = f"{OLDER}={last}: added in span " + manifest["span"].astype(str)
    manifest["fault"] = manifest["fault"].where(~older, reasons)


def _is_used(manifest: pd.DataFrame) -> pd.Series:
    """Which images can be used. Those of older spans are left out of the training only, and are still in the source."""
    return (manifest["fault"] == "") | manifest["fault"].str.startswith(OLDER)


def _used(manifest: pd.DataFrame) -> pd.DataFrame:
    """The rows of usable images; a manifest of an older version gets a column without tags."""
    used = manifest[_is_used(manifest)]
    return used if "tag_names" in used else used.assign(tag_names="")
