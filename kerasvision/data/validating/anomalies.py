"""The anomalies of a data set: every kind has a code and a severity, and together they give a verdict.

An `error` stops the pipeline, a `warning` should be checked, an `info` is for your information.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import pandas as pd

from kerasvision.errors import DataError
from kerasvision.shortened import shortened

SEVERITIES = ("error", "warning", "info")
MOST_NAMED = 5
# How many anomalies of one kind are listed separately, and how many errors one message repeats.
MOST_OF_A_KIND = 10
MOST_REPEATED = 10

Severity = Literal["error", "warning", "info"]

# Every code and its severity, unless the schema sets another.
CODES: Mapping[str, Severity] = MappingProxyType(
    {
        # images that were left out
        "corrupt": "warning",
        "unreadable": "warning",
        "unsupported": "warning",
        "oversized": "warning",
        "path_outside": "warning",
        "no_label": "warning",
        "missing_value": "warning",
        "no_tags": "warning",
        "conflicting_rows": "warning",
        "bad_annotation": "warning",
        "bad_label_map": "warning",
        "bad_value": "warning",
        "leakage_removed": "warning",
        "outside_classes": "warning",
        "not_listed": "warning",
        "quarantined": "warning",
        "left_out": "info",
        # labels
        "one_class": "error",
        "unlabelled": "error",
        "unseen_label": "error",
        "missing_label": "error",
        "too_few_examples": "error",
        "label_variants": "warning",
        "label_missing_in_split": "warning",
        "imbalance": "warning",
        "unseen_object_class": "error",
        "missing_object_class": "warning",
        "object_class_variants": "warning",
        "object_class_missing_in_split": "warning",
        "many_objects": "warning",
        "repeated_box": "warning",
        "no_label_maps": "error",
        "one_map_class": "error",
        "unseen_map_class": "error",
        "missing_map_class": "warning",
        "map_class_variants": "warning",
        "map_class_missing_in_split": "warning",
        "mostly_ignored": "warning",
        "no_values": "error",
        "missing_value_name": "error",
        "unseen_value_name": "error",
        "value_missing_in_split": "warning",
        "many_missing_values": "warning",
        "constant_value": "warning",
        "value_out_of_range": "warning",
        "untagged": "error",
        "unseen_tag": "error",
        "missing_tag": "warning",
        "tag_variants": "warning",
        "tag_missing_in_split": "warning",
        "rare_tag": "warning",
        "unparted_tags": "warning",
        "images_without_tags": "info",
        "group_variants": "warning",
        # splits that the source gives
        "labels_like_splits": "warning",
        "split_missing": "warning",
        # images that are used
        "blank_image": "warning",
        "tiny_image": "warning",
        "small_image": "warning",
        "large_image": "warning",
        "extreme_aspect": "warning",
        "unseen_mode": "warning",
        "wrong_extension": "warning",
        "few_levels": "warning",
        "changed_by_decoding": "info",
        "linked_outside": "info",
        # captions, boxes, masks
        "empty_caption": "warning",
        "repaired_tags": "warning",
        "uncaptioned": "error",
        "no_objects": "error",
        "few_captions": "warning",
        "long_caption": "warning",
        "box_clipped": "warning",
        "box_dropped": "warning",
        "bad_mask": "warning",
        "other_size_annotated": "warning",
        # copies
        "leakage": "error",
        "group_leakage": "error",
        "near_leakage": "warning",
        "contradiction": "warning",
        "near_contradiction": "warning",
        "value_contradiction": "warning",
        "duplicates": "info",
        "near_duplicates": "info",
        # drift between splits, and since the last run
        "label_drift": "warning",
        "feature_drift": "warning",
        "label_drift_since_last_run": "warning",
        "feature_drift_since_last_run": "warning",
        "class_appeared": "info",
        "class_vanished": "warning",
        "fewer_images": "warning",
        # checks of a person's own, which set their severity themselves
        "own_check": "error",
    }
)


@dataclass(frozen=True)
class Anomaly:
    """One thing that is wrong.

    Attributes:
        severity: "error", "warning" or "info".
        code: a short name of its kind, for programs: one of `CODES`.
        message: a description, for people.
        examples: ids of some of the affected images.
        suspects: ids of all images that must be removed to remove the anomaly; empty if it does not depend on single images.
    """

    severity: Severity
    code: str
    message: str
    examples: tuple[str, ...] = ()
    suspects: tuple[str, ...] = ()


def anomaly(code: str, message: str, ids: Iterable[str] = (), *, suspects: Iterable[str] = ()) -> Anomaly:
    """An anomaly of a known kind, with its usual severity and the first of the affected images.

    >>> anomaly("duplicates", "6 images are copies", "abcdefg").examples
    ('a', 'b', 'c', 'd', 'e')
    """
    return Anomaly(CODES[code], code, message, tuple(ids)[:MOST_NAMED], tuple(suspects))


def summarize(found: Iterable[Anomaly]) -> list[Anomaly]:
    """The anomalies, grouped by kind; for a kind with many, the first ones and one that summarises the rest.

    >>> [one.message for one in summarize(anomaly("class_appeared", f"label {n}") for n in range(13))][9:]
    ['label 9', '3 more of this kind, the last: label 12']
    """
    by_code: dict[str, list[Anomaly]] = {}
    for one in found:
        by_code.setdefault(one.code, []).append(one)
    summary = []
    for code, several in by_code.items():
        kept = several[: MOST_OF_A_KIND + 1] if len(several) == MOST_OF_A_KIND + 1 else several[:MOST_OF_A_KIND]
        summary += kept
        if rest := several[len(kept) :]:
            message = f"{len(rest):,} more of this kind, the last: {rest[-1].message}"
            suspected = (name for one in rest for name in one.suspects)
            summary.append(anomaly(code, message, rest[-1].examples, suspects=suspected))
    return summary


def ids_by_label(images: pd.DataFrame | None) -> dict[str, list[str]]:
    """Label -> the first ids of its images, up to the number that an anomaly names.

    >>> ids_by_label(pd.DataFrame({"id": ["1", "2", "3"], "label": ["cat", "dog", "cat"]}))
    {'cat': ['1', '3'], 'dog': ['2']}
    """
    found: dict[str, list[str]] = {}
    for name, label in zip(images["id"], images["label"], strict=True) if images is not None else ():
        if len(ids := found.setdefault(label, [])) < MOST_NAMED:
            ids.append(name)
    return found


def count_phrase(number: int, one: str, many: str) -> str:
    """A number with its noun in singular or plural.

    >>> count_phrase(1, "image is", "images are"), count_phrase(2, "image is", "images are")
    ('1 image is', '2 images are')
    """
    return f"{number} {one if number == 1 else many}"


def verdict(anomalies: Sequence[Anomaly]) -> Literal["pass", "warn", "fail"]:
    """`fail` if there is an error, else `warn` if there is a warning, else `pass`.

    >>> verdict([anomaly("duplicates", "2 images are copies")])
    'pass'
    """
    severities = {found.severity for found in anomalies}
    return "fail" if "error" in severities else "warn" if "warning" in severities else "pass"


def save_anomalies(anomalies: Sequence[Anomaly], file: Path) -> None:
    """Writes the anomalies as JSON: the verdict, a count per severity, and each anomaly."""
    counts = {severity: sum(found.severity == severity for found in anomalies) for severity in SEVERITIES}
    rows = [
        {"severity": found.severity, "code": found.code, "message": found.message, "examples": list(found.examples)}
        for found in anomalies
    ]
    data = {"verdict": verdict(anomalies), "counts": counts, "anomalies": rows}
    file.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def refuse_errors(file: Path) -> None:
    """Raises DataError if the saved anomalies contain an error."""
    anomalies = json.loads(file.read_text(encoding="utf-8"))["anomalies"]
    errors = [found["message"] for found in anomalies if found["severity"] == "error"]
    if errors:
        named = shortened(errors, most=MOST_REPEATED, separator="; ")
        raise DataError(f"the data cannot be used for training: {named}", hint=f"all anomalies are in {file}")


def suspect_images(anomalies: Iterable[Anomaly], images: pd.DataFrame) -> pd.DataFrame:
    """The images that a person may want to leave out: a list to review and to use as `ingest.quarantine_file`.

    Args:
        anomalies: the anomalies of the data set.
        images: a row per usable image, with `id` and `sha256`.

    Returns:
        A row per image, sorted by id: id, sha256, reason (the codes, joined by "; ").

    >>> images = pd.DataFrame({"id": ["a", "b"], "sha256": ["0", "1"]})
    >>> suspect_images([anomaly("blank_image", "1 image is blank", suspects=["b"])], images).to_dict("records")
    [{'id': 'b', 'sha256': '1', 'reason': 'blank_image'}]
    """
    reasons: dict[str, list[str]] = {}
    for found in anomalies:
        for name in dict.fromkeys(found.suspects):
            reasons.setdefault(name, []).append(found.code)
    named = images.loc[images["id"].isin(reasons), ["id", "sha256"]].sort_values("id", ignore_index=True)
    return named.assign(reason=["; ".join(dict.fromkeys(reasons[name])) for name in named["id"]])
