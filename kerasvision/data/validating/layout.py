"""Splits of the source: some images without a split, and classes with the names of splits."""

from collections.abc import Iterator

import pandas as pd

from kerasvision.data.measuring.statistics import Statistics
from kerasvision.data.split_names import paired_splits, split_of, splits_among
from kerasvision.data.splits import TRAIN
from kerasvision.data.validating.anomalies import Anomaly, anomaly, count_phrase


def layout_anomalies(statistics: Statistics, images: pd.DataFrame | None) -> Iterator[Anomaly]:
    """Layouts that make a network learn the splits, or that mix splits of the source with splits of our own."""
    if like := _labels_like_splits(statistics, images):
        names = ", ".join(map(repr, like))
        ids = images.loc[images["label"].isin(like), "id"] if images is not None else ()
        yield anomaly("labels_like_splits", f"labels {names} are named like splits, but were read as classes", ids)
    if images is None or "source_split" not in images:
        return
    if not like and (images["source_split"] == "").all():
        yield from _unread_splits(images["id"])
    without = images.loc[images["source_split"] == "", "id"]
    if 0 < len(without) < len(images):
        others = ", ".join(sorted(set(images["source_split"]) - {""}))
        one, many = "image has no split", "images have no split"
        message = f"{count_phrase(len(without), one, many)} in the source, where the others have one ({others})"
        yield anomaly("split_missing", f"{message}; the setting `splits` assigns one", without)


def _labels_like_splits(statistics: Statistics, images: pd.DataFrame | None) -> list[str]:
    """Labels that differ only in a split (`cats_train`, `cats_test`), a `train` with folders in it, `test`, `val`."""
    if paired := paired_splits(statistics.classes):
        return paired
    ids = images["id"] if images is not None else pd.Series([], dtype="str")
    names = {name.lower() for name in statistics.classes}

    def is_like_a_split(name: str) -> bool:
        split = split_of(name)
        # A train is also a vehicle, and "valid" may be the opposite of "invalid".
        return _folders_in(name, ids) > 1 if split == TRAIN else split is not None and f"in{name.lower()}" not in names

    return [name for name in statistics.classes if is_like_a_split(name)]


def _unread_splits(ids: pd.Series) -> Iterator[Anomaly]:
    """Images in folders such as `cat/train` and `cat/test`, which are not read as splits if `dog` has no such folders."""
    folders = {name: tuple(name.split("/")) for name in ids.str.rpartition("/")[0].unique()}
    for level in range(max(map(len, folders.values()), default=0)):
        splits = splits_among({parts[level] for parts in folders.values() if len(parts) > level})
        if len(set(splits.values())) > 1:
            inside = {name for name, parts in folders.items() if len(parts) > level and parts[level] in splits}
            named = ids[ids.str.rpartition("/")[0].isin(inside)]
            lie = count_phrase(len(named), "image is", "images are")
            message = f"{lie} in folders named like splits ({', '.join(sorted(splits))}), and no split is read from them"
            yield anomaly("split_missing", message, named)
            return


def _folders_in(label: str, ids: pd.Series) -> int:
    """How many folders in a class folder contain its images; 0 if images are directly in the class folder."""
    inside = [name.split("/") for name in ids[ids.str.startswith(f"{label}/")]]
    return len({parts[1] for parts in inside}) if all(len(parts) > 2 for parts in inside) else 0
