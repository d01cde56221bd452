"""What is wrong with a data set: every anomaly named, with a severity.

An `error` stops the pipeline, a `warning` should be looked at, an `info` should be known.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from kerasvision.data.schema import DataSchema
from kerasvision.data.statistics import Statistics
from kerasvision.errors import DataError

SEVERITIES = ("error", "warning", "info")
MOST_NAMED = 5


@dataclass(frozen=True)
class Anomaly:
    """One thing that is wrong.

    Attributes:
        severity: "error", "warning" or "info".
        code: a short name of the kind of thing, for programs.
        message: what it is, for people.
        examples: ids of some of the images concerned.
    """

    severity: Literal["error", "warning", "info"]
    code: str
    message: str
    examples: tuple[str, ...] = ()


def find_anomalies(statistics: Statistics, schema: DataSchema) -> list[Anomaly]:
    """Everything in which the data differ from the schema or from common sense, worst first."""
    found = [
        *_label_anomalies(statistics, schema),
        *_balance_anomalies(statistics, schema),
        *_image_anomalies(statistics, schema),
        *_copy_anomalies(statistics),
    ]
    return sorted(found, key=lambda anomaly: SEVERITIES.index(anomaly.severity))


def save_anomalies(anomalies: list[Anomaly], file: Path) -> None:
    """Writes them as JSON, with a count per severity."""
    counts = {severity: sum(a.severity == severity for a in anomalies) for severity in SEVERITIES}
    data = {"counts": counts, "anomalies": [asdict(anomaly) for anomaly in anomalies]}
    file.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def refuse_errors(file: Path) -> None:
    """Raises DataError where the saved anomalies hold an error."""
    anomalies = json.loads(file.read_text(encoding="utf-8"))["anomalies"]
    errors = [anomaly["message"] for anomaly in anomalies if anomaly["severity"] == "error"]
    if errors:
        raise DataError("the data cannot be trained on: " + "; ".join(errors), hint=f"all anomalies are in {file}")


def _label_anomalies(statistics: Statistics, schema: DataSchema) -> Iterator[Anomaly]:
    present = {name for counts in statistics.counts.values() for name, count in counts.items() if count}
    if len(present) < 2:
        only = f"only {next(iter(present))!r} has images" if present else "no class has images"
        yield Anomaly("error", "one_class", f"there must be at least two classes, and {only}")
    for name in sorted(present - set(schema.classes)):
        yield Anomaly("error", "unseen_label", f"label {name!r} is not in the schema")
    for name in sorted(set(schema.classes) - present):
        yield Anomaly("error", "missing_label", f"no usable image has the label {name!r} of the schema")
    by_case: dict[str, list[str]] = {}
    for name in sorted(present):
        by_case.setdefault(name.strip().casefold(), []).append(name)
    for names in by_case.values():
        if len(names) > 1:
            yield Anomaly("warning", "label_variants", f"labels {names} differ only in case or spaces")


def _balance_anomalies(statistics: Statistics, schema: DataSchema) -> Iterator[Anomaly]:
    train = statistics.counts.get("train", {})
    for name, count in train.items():
        if count < schema.min_train_examples:
            message = f"class {name!r} has {count} training images; at least {schema.min_train_examples} are needed"
            yield Anomaly("error", "too_few_examples", message)
    for split, counts in statistics.counts.items():
        missing = [name for name, count in counts.items() if not count]
        if split != "train" and missing:
            yield Anomaly("warning", "label_missing_in_split", f"the {split} split has no image of {', '.join(missing)}")
    smallest = min(train.values(), default=0)
    if smallest and max(train.values()) / smallest > schema.max_imbalance:
        message = f"the largest class has {max(train.values())} training images, the smallest {smallest}"
        yield Anomaly("warning", "imbalance", message)


def _image_anomalies(statistics: Statistics, schema: DataSchema) -> Iterator[Anomaly]:
    for fault, ids in _by_fault(statistics).items():
        message = f"{len(ids)} images were left out: {fault}"
        yield Anomaly("warning", "quarantined", message, tuple(ids[:MOST_NAMED]))
    if statistics.min_side < schema.min_side:
        yield Anomaly("warning", "small_image", f"a side is {statistics.min_side} pixels, below {schema.min_side}")
    if statistics.max_side > schema.max_side:
        yield Anomaly("warning", "large_image", f"a side is {statistics.max_side} pixels, above {schema.max_side}")
    for mode in sorted(set(statistics.modes) - set(schema.modes)):
        yield Anomaly("warning", "unseen_mode", f"{statistics.modes[mode]} images have colour mode {mode}")
    for note, count in statistics.notes.items():
        yield Anomaly("info", "changed_by_decoding", f"{count} images: {note}")


def _copy_anomalies(statistics: Statistics) -> Iterator[Anomaly]:
    for ids in statistics.shared_between_splits:
        yield Anomaly("error", "leakage", "one image lies in two splits", tuple(ids[:MOST_NAMED]))
    for ids in statistics.contradictions:
        yield Anomaly("warning", "contradiction", "one image has two labels", tuple(ids[:MOST_NAMED]))
    if statistics.duplicates:
        copies = sum(len(ids) - 1 for ids in statistics.duplicates)
        first = tuple(statistics.duplicates[0][:MOST_NAMED])
        yield Anomaly("info", "duplicates", f"{copies} images are exact copies of others in their split", first)


def _by_fault(statistics: Statistics) -> dict[str, list[str]]:
    faults: dict[str, list[str]] = {}
    for name, fault in statistics.quarantined.items():
        faults.setdefault(fault, []).append(name)
    return faults
