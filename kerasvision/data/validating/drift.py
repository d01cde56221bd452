"""Differences between splits, and between this run and the last, that chance does not explain.

A difference is reported if it is both large and significant. Large: for labels the L-infinity distance of two distributions
(the largest difference of one class's share, as in TensorFlow Data Validation's drift comparator) is above the schema's
limit; for numbers the two-sample Kolmogorov-Smirnov distance is. Significant: its probability by chance is below 0.001
divided by the number of comparisons (Bonferroni). For the share of a class, Fisher's exact test gives this probability. For
numbers, the two-sample Dvoretzky-Kiefer-Wolfowitz inequality bounds it (Wei and Dudley, 2012,
https://arxiv.org/abs/1107.5356). The inequality also holds for a few images, for which the usual approximation calls
everything significant. So fewer than one clean data set in 1,000 raises an alarm, even a small one, and a large data set
raises none for a tiny difference.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from kerasvision.data.measuring.statistics import Statistics
from kerasvision.data.measuring.value_statistics import value_column, value_names_in
from kerasvision.data.splits import TEST, TRAIN, VALIDATION
from kerasvision.data.validating.anomalies import Anomaly, anomaly, ids_by_label
from kerasvision.data.validating.schema import DataSchema

SIGNIFICANCE = 1e-3
FEATURES = {
    "brightness": "brightness",
    "contrast": "contrast",
    "aspect": "aspect ratio",
    "pixels": "size in pixels",
    "size": "size of the file",
    "caption_words": "words per caption",
    "objects": "objects per image",
    "map_classes": "classes per label map",
    "tags": "tags per image",
}


@dataclass(frozen=True)
class PreviousRun:
    """The results of the previous run.

    Attributes:
        statistics: its statistics.
        images: its row per usable image.
    """

    statistics: Statistics
    images: pd.DataFrame


@dataclass(frozen=True)
class ComparedSets:
    """Two sets of images to compare, from `independent_rows`, with their names."""

    first: str
    first_images: pd.DataFrame
    second: str
    second_images: pd.DataFrame


def split_drift(images: pd.DataFrame, schema: DataSchema) -> Iterator[Anomaly]:
    """Validation and test images that differ from the training images."""
    train = independent_rows(images[images["split"] == TRAIN])
    for split in (VALIDATION, TEST):
        other = independent_rows(images[images["split"] == split])
        if len(other) and len(train):
            pair = ComparedSets(f"the {TRAIN} split", train, f"the {split} split", other)
            yield from drift_between(pair, schema, codes=("label_drift", "feature_drift"))


def drift_since(
    previous: PreviousRun, statistics: Statistics, images: pd.DataFrame, schema: DataSchema
) -> Iterator[Anomaly]:
    """What changed since the last run: classes, the number of images, and how the new images look."""
    yield from _class_changes(_used(previous.statistics), _used(statistics), images)
    old = previous.images
    if len(images) < (1 - schema.max_shrinkage) * len(old):
        yield anomaly("fewer_images", f"there are {len(images)} usable images; in the last run there were {len(old)}")
    # Images in both runs cannot differ, so the added images show a change first.
    added = images[~images["sha256"].isin(old["sha256"])]
    codes = ("label_drift_since_last_run", "feature_drift_since_last_run")
    before = independent_rows(old)
    pair = ComparedSets("the last run", before, "the images added since", independent_rows(added))
    found = list(drift_between(pair, schema, codes=codes)) if len(added) else []
    reported = {one.code for one in found}
    whole = drift_between(ComparedSets("the last run", before, "this run", independent_rows(images)), schema, codes=codes)
    yield from found
    yield from (one for one in whole if one.code not in reported)


def drift_between(pair: ComparedSets, schema: DataSchema, *, codes: tuple[str, str]) -> Iterator[Anomaly]:
    """The differences between two sets of images that are both large and significant.

    Args:
        pair: the two sets.
        schema: the limits for a difference.
        codes: the codes for a difference in labels, and for a difference in numbers.
    """
    first, second = pair.first_images, pair.second_images
    names = features_of(first)
    features = [name for name in names if name in first and name in second and _occurs(name, first, second)]
    classes = set(first["label"]) | set(second["label"])
    # Twice: validation and test are both compared with train, and added images and all images with the last run.
    certain = SIGNIFICANCE / (2 * (len(features) + len(classes)))
    name, counts = most_different_label(first["label"], second["label"])
    shares = counts[:, 0] / counts.sum(axis=1)
    if abs(shares[0] - shares[1]) > schema.max_label_drift and stats.fisher_exact(counts).pvalue < certain:
        message = f"label {name!r} is {shares[0]:.1%} of {pair.first}, and {shares[1]:.1%} of {pair.second}"
        ids = second.loc[second["label"] == name, "id"]
        yield anomaly(codes[0], f"{message} (limit of the difference: {schema.max_label_drift:.1%})", ids)
    for feature in features:
        a, b = first[feature].dropna().to_numpy(), second[feature].dropna().to_numpy()
        distance, chance = feature_difference(a, b)
        if distance > schema.max_feature_drift and chance < certain:
            medians = f"{np.median(a):.4g} in {pair.first} and {np.median(b):.4g} in {pair.second}"
            limit = f"Kolmogorov-Smirnov distance {distance:.2f}, limit {schema.max_feature_drift:g}"
            yield anomaly(codes[1], f"{names[feature]} is {medians}, by the median ({limit})")


def features_of(images: pd.DataFrame) -> dict[str, str]:
    """Column -> its name in a message, of all that is compared: how images look, and their numbers.

    >>> list(features_of(pd.DataFrame({"value[age]": [31.0]})))[-1:]
    ['value[age]']
    """
    return {**FEATURES, **{value_column(name): f"value {name!r}" for name in value_names_in(images)}}


def _occurs(feature: str, first: pd.DataFrame, second: pd.DataFrame) -> bool:
    """Whether a feature is worth a comparison: without label maps or tags, their number is 0 everywhere."""
    return feature not in ("map_classes", "tags") or bool(first[feature].any() or second[feature].any())


def most_different_label(first: pd.Series, second: pd.Series) -> tuple[str, np.ndarray]:
    """The label whose share differs most, and counts int64 (2, 2): a row for each set, of images with and without it.

    >>> most_different_label(pd.Series(list("aaab")), pd.Series(list("abbbb")))
    ('a', array([[3, 1],
                 [1, 4]]))
    """
    codes, names = pd.factorize(pd.concat([first, second]), sort=True)
    counts = np.stack([np.bincount(part, minlength=len(names)) for part in np.split(codes, [len(first)])])
    totals = counts.sum(axis=1)
    shares = counts / totals[:, None]
    worst = int(np.abs(shares[0] - shares[1]).argmax())
    return str(names[worst]), np.stack([counts[:, worst], totals - counts[:, worst]], axis=1)


def feature_difference(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Kolmogorov-Smirnov distance D in [0, 1] of two samples, and a bound on its probability by chance.

    The bound is exp(1 - 2 D**2 m n / (m + n)) for samples float64 (m,) and (n,). Wei and Dudley prove it for m = n; for
    m != n they computed for all m < n <= 200 that even a stricter bound holds.

    >>> distance, chance = feature_difference(np.arange(20.0), np.arange(20.0) + 15)
    >>> distance, round(chance, 6)   # exp(1 - 2 * 0.75**2 * 10)
    (0.75, 3.5e-05)
    """
    if not len(first) or not len(second):
        return 0.0, 1.0
    points = np.concatenate([first, second])
    cumulated = [np.searchsorted(np.sort(sample), points, side="right") / len(sample) for sample in (first, second)]
    distance = float(np.abs(cumulated[0] - cumulated[1]).max())
    size = len(first) * len(second) / len(points)
    return distance, min(1.0, float(np.exp(1 - 2 * distance**2 * size)))


def independent_rows(images: pd.DataFrame) -> pd.DataFrame:
    """One row per image, or per group and label if images have groups: id, label, and the mean of each feature.

    Copies, and images of one person or scene, are not independent. Counted separately they would make any difference look
    significant.
    """
    images = images[~images["sha256"].duplicated()]
    images = images.assign(pixels=images["width"] * images["height"])
    features = [name for name in features_of(images) if name in images]
    if "group" not in images or not images["group"].any():
        return images[["id", "label", *features]]
    lone = images["group"] == ""
    keep = {"id": "first", **dict.fromkeys(features, "mean")}
    grouped = images[~lone].groupby(["group", "label"], as_index=False).agg(keep)
    return pd.concat([images.loc[lone, ["id", "label", *features]], grouped.drop(columns="group")], ignore_index=True)


def _class_changes(before: dict[str, int], now: dict[str, int], images: pd.DataFrame) -> Iterator[Anomaly]:
    named = ids_by_label(images)
    for name in sorted(now.keys() - before.keys()):
        yield anomaly("class_appeared", f"label {name!r} was not there in the last run", named.get(name, ()))
    for name in sorted(before.keys() - now.keys()):
        message = f"label {name!r} had {before[name]} images in the last run, and has none now"
        yield anomaly("class_vanished", message)


def _used(statistics: Statistics) -> dict[str, int]:
    """Class -> how many images, of classes that have any."""
    total: dict[str, int] = {}
    for counts in statistics.counts.values():
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count
    return {name: count for name, count in total.items() if count}
