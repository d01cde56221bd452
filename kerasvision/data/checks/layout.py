"""Splits as the source gives them: some images without one, and classes that are splits by their names."""

from collections.abc import Iterator

import pandas as pd

from kerasvision.data.anomalies import Anomaly, anomaly, counted
from kerasvision.data.split_names import paired_splits, split_of
from kerasvision.data.statistics import Statistics


def layout_anomalies(statistics: Statistics, images: pd.DataFrame | None) -> Iterator[Anomaly]:
    """What makes a network learn the splits, or mixes splits of the source with splits of our own."""
    if like := _labels_like_splits(statistics, images):
        names = ", ".join(map(repr, like))
        ids = images.loc[images["label"].isin(like), "id"] if images is not None else ()
        yield anomaly("labels_like_splits", f"labels {names} are named like splits, and are taken for classes", ids)
    if images is None or "source_split" not in images:
        return
    without = images.loc[images["source_split"] == "", "id"]
    if 0 < len(without) < len(images):
        others = ", ".join(sorted(set(images["source_split"]) - {""}))
        one, many = "image has no split", "images have no split"
        message = f"{counted(len(without), one, many)} in the source, where the others have one ({others})"
        yield anomaly("split_missing", f"{message}: they are split by `splits`", without)


def _labels_like_splits(statistics: Statistics, images: pd.DataFrame | None) -> list[str]:
    """Labels that differ in their split alone, such as `cats_train` and `cats_test`; or a `train` that holds folders."""
    if paired := paired_splits(statistics.classes):
        return paired
    ids = images["id"] if images is not None else pd.Series([], dtype="str")
    return [name for name in statistics.classes if split_of(name) and _folders_in(name, ids) > 1]


def _folders_in(label: str, ids: pd.Series) -> int:
    """How many folders hold the images of a class folder, where they do not lie directly in it."""
    inside = ids[ids.str.startswith(f"{label}/")].str.split("/")
    return len({parts[1] for parts in inside}) if len(inside) and (inside.str.len() > 2).all() else 0
