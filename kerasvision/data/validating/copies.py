"""Images that are in the data more than once: in two splits, under two labels, or in one split."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from kerasvision.data.measuring.statistics import Statistics
from kerasvision.data.splits import TEST, TRAIN, VALIDATION
from kerasvision.data.validating.anomalies import Anomaly, anomaly, count_phrase
from kerasvision.data.validating.schema import DataSchema

Groups = Sequence[Sequence[str]]


def copy_anomalies(statistics: Statistics, schema: DataSchema, images: pd.DataFrame | None) -> Iterator[Anomaly]:
    """Exact copies, copies that look alike, and groups that are in two splits."""
    split_by_id = dict(zip(images["id"], images["split"], strict=True)) if images is not None else {}
    shared, near_shared = statistics.shared_between_splits, statistics.near_shared_between_splits
    yield from _copies("leakage", shared, "in two splits, byte for byte", _looser_copies(shared, split_by_id))
    yield from _copies(
        "near_leakage", near_shared, "in two splits, by their looks", _looser_copies(near_shared, split_by_id)
    )
    contradictions = statistics.contradictions
    how = "with different tags" if statistics.tag_classes and not statistics.classes else "under two labels"
    yield from _copies("contradiction", contradictions, f"{how}, byte for byte", _all(contradictions))
    if statistics.duplicates:
        copies = sum(len(ids) - 1 for ids in statistics.duplicates)
        count = count_phrase(copies, "image is an exact copy", "images are exact copies")
        yield anomaly("duplicates", f"{count} of others in their split", statistics.duplicates[0])
    alike = {name for ids in statistics.near_duplicates for name in ids}
    total = sum(statistics.images.values()) if images is None else len(images)
    if alike and len(alike) > schema.max_near_duplicates * total:
        yield anomaly("near_duplicates", f"{len(alike)} images look like another one", statistics.near_duplicates[0])
    if images is None:
        return
    label_by_id = dict(zip(images["id"], images["label"], strict=True))
    torn = [ids for ids in statistics.near_duplicates if len({label_by_id[name] for name in ids}) > 1]
    yield from _copies("near_contradiction", torn, "under two labels, by their looks", _all(torn))
    groups = _torn_groups(images)
    yield from _copies("group_leakage", groups, "of one group in two splits", _looser_copies(groups, split_by_id))


def _copies(code: str, groups: Groups, how: str, suspects: Sequence[str]) -> Iterator[Anomaly]:
    """One anomaly for all groups; the images of the first group are its examples."""
    if groups:
        images = sum(len(ids) for ids in groups)
        yield anomaly(code, f"{images} images are {how}: {_list(groups)}", groups[0], suspects=suspects)


def _list(groups: Groups) -> str:
    first = " = ".join(sorted(groups[0])[:3])
    return first if len(groups) == 1 else f"{first}, and {count_phrase(len(groups) - 1, 'more group', 'more groups')}"


def _all(groups: Groups) -> list[str]:
    return [name for ids in groups for name in ids]


def _looser_copies(groups: Groups, split_by_id: Mapping[str, str]) -> list[str]:
    """For each group, its images outside the strictest split: without them no test image is trained on."""
    rank = {TRAIN: 0, VALIDATION: 1, TEST: 2}
    named = []
    for ids in groups if split_by_id else ():
        strictest = max(rank[split_by_id[name]] for name in ids)
        named += [name for name in ids if rank[split_by_id[name]] < strictest]
    return named


def _torn_groups(images: pd.DataFrame) -> list[list[str]]:
    if "group" not in images:
        return []
    grouped = images[images["group"] != ""]
    splits = grouped.groupby("group")["split"].transform("nunique")
    return [sorted(ids) for _, ids in grouped[splits > 1].groupby("group")["id"]]
