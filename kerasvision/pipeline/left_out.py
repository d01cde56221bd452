"""What a run did not use, and what has no value, each with the reason: sentences for the end of a run."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from kerasvision.pipeline.artifacts import ExampleAnomalies, Examples, ExampleStatistics, ModelEvaluation
from kerasvision.pipeline.records import ArtifactRecord
from kerasvision.shortened import first_lines, shortened

MOST_FAULTS = 3
MOST_CODES = 5
MOST_METRICS = 5


def left_out(records: Iterable[ArtifactRecord]) -> list[str]:
    """Sentences about unused images and entries of files, warnings, and metrics without a value, in the order of the stages.

    Args:
        records: what the stages of a run wrote or reused. A missing or damaged file is ignored.
    """
    said: dict[str, None] = {}  # a stage of a second fold says the same again
    for record in records:
        artifact = record.open()
        with suppress(OSError, ValueError, LookupError):
            if isinstance(artifact, Examples):
                said |= dict.fromkeys(_entries(record.properties))
            elif isinstance(artifact, ExampleStatistics):
                said |= dict.fromkeys(_images(_json(artifact.summary)))
            elif isinstance(artifact, ExampleAnomalies):
                said |= dict.fromkeys(_warnings(_json(artifact.file)["anomalies"]))
            elif isinstance(artifact, ModelEvaluation):
                said |= dict.fromkeys(first_lines(list(_metrics(_json(artifact.scores)["splits"])), most=MOST_METRICS))
    return list(said)


def _entries(properties: Mapping[str, object]) -> Iterator[str]:
    """The entries of files that match nothing.

    >>> list(_entries({"span": 1, "quarantine_unmatched": 1}))
    ['1 entry of ingest.quarantine_file matches no image']
    """
    if count := properties.get("quarantine_unmatched"):
        matches = (
            "1 entry of ingest.quarantine_file matches" if count == 1 else f"{count} entries of ingest.quarantine_file match"
        )
        yield f"{matches} no image"
    if count := properties.get("classes_without_objects"):
        have = "has" if count == 1 else "have"
        yield f"{count} of the classes that the source lists {have} no object in an image that is used"


def _images(statistics: Mapping[str, Any]) -> Iterator[str]:
    """The images that were left out, by their faults, the most common first.

    >>> faults = {"a.jpg": "the file is empty", "b.jpg": "truncated", "c.jpg": "the file is empty"}
    >>> list(_images({"quarantined": faults, "images": {"train": 6, "test": 1}}))
    ['3 of 10 images were left out: the file is empty (2), truncated (1)']
    """
    if not (faults := statistics["quarantined"]):
        return
    counted = [f"{fault} ({count:,})" for fault, count in Counter(faults.values()).most_common()]
    images = sum(statistics["images"].values()) + len(faults)
    yield f"{len(faults):,} of {images:,} images were left out: {shortened(counted, most=MOST_FAULTS)}"


def _warnings(anomalies: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """How many warnings there are about the images, and of which kinds.

    >>> list(_warnings([{"severity": "warning", "code": "near_leakage"}, {"severity": "info", "code": "duplicates"}]))
    ['1 warning about the images: near_leakage']
    """
    codes = [one["code"] for one in anomalies if one["severity"] == "warning"]
    if codes:
        kinds = shortened(dict.fromkeys(codes), most=MOST_CODES)
        yield f"{len(codes):,} warning{'s' * (len(codes) > 1)} about the images: {kinds}"


def _metrics(splits: Mapping[str, Any]) -> Iterator[str]:
    """The metrics that have no value, with the reason and the splits for which it holds.

    >>> why = {"left_out": {"roc_auc": "all images have one label"}}
    >>> list(_metrics({"test": why, "train": {"left_out": {}}, "validation": why}))
    ['roc_auc on test and validation: no value, because all images have one label']
    """
    found: dict[tuple[str, str], list[str]] = {}
    for split, measured in splits.items():
        for metric, why in measured["left_out"].items():
            found.setdefault((metric, why), []).append(split)
    for (metric, why), names in found.items():
        yield f"{metric} on {' and '.join(names)}: no value, because {why}"


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
