"""Parts of a split that are scored separately: images of one label, of one format, of a band of size or brightness.

A kind of slices may cross several of these, `label*brightness`: its parts are the combinations that have an image.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import tensorflow as tf

from kerasvision import lookup
from kerasvision.config.evaluation import Evaluation, crossed
from kerasvision.data.examples import ExampleSet
from kerasvision.errors import ConfigError, DataError
from kerasvision.evaluation.bootstrap import intervals
from kerasvision.evaluation.evaluated import SLICE_COLUMNS
from kerasvision.ops.images import decode_image
from kerasvision.tasks.base import Judgement

BATCH_SIZE = 256
# If a column has more values than this, the rarest form one slice, unless every value of the column is required.
MOST_VALUES = 100
# There are few enough labels, and a gate judges each of them.
EVERY = frozenset({"label"})
OTHERS = "(all others)"
NOTHING = "(none)"
# Between the values of a combination: "cat * 1 of 3".
AND = " * "


@dataclass(frozen=True)
class Slice:
    """A part of a split.

    Attributes:
        name: what the split is divided by.
        value: which part: a label, or `1 of 3` for the lowest of three bands; of a crossed kind, `cat * 1 of 3`.
        rows: int64 (M,), positions of its examples.
        range: the range of a band, in words; empty for other slices.
    """

    name: str
    value: str
    rows: np.ndarray
    range: str = ""


def described_examples(
    examples: ExampleSet, manifest: pd.DataFrame, *, split: str, ids: Sequence[str], slices: Sequence[str]
) -> pd.DataFrame:
    """A row per id, with what the slices divide by: columns of the manifest, and `pixels` and `brightness`, computed here.

    Raises:
        ConfigError: the manifest has no such column.
        DataError: the manifest lacks some examples.
    """
    known = {*manifest.columns, "pixels", "brightness"}
    columns = list(dict.fromkeys(name for kind in slices for name in crossed(kind)))
    for name in columns:
        if name not in known:
            raise ConfigError(f"the manifest has no column {name!r}; {lookup.did_you_mean(name, known)}")
    table = manifest.set_index("id").reindex(list(ids))
    missing = table.index[table["sha256"].isna()]
    if len(missing):
        raise DataError(
            f"the manifest lacks {len(missing)} examples of {split}, for example {missing[0]!r}",
            hint="the two must come from one ingest; run example_gen again",
        )
    if "pixels" in columns:
        table["pixels"] = table["width"] * table["height"]
    if "brightness" in columns:
        table["brightness"] = image_brightness(examples, split=split).reindex(table.index)
    return table[columns]


def values_in(manifest: pd.DataFrame, *, splits: Collection[str], slices: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Kind of slices -> its values in all these splits, for kinds of text columns alone.

    `group` is left out, because a group is in one split only. Of a crossed kind, these are the combinations that occur.
    """
    used = manifest[manifest["split"].isin(list(splits))]

    def is_text(name: str) -> bool:
        return name in used and name != "group" and not pd.api.types.is_numeric_dtype(used[name])

    found = {}
    for kind in slices:
        if all(map(is_text, crossed(kind))):
            columns = [used[name].fillna("").astype(str) for name in crossed(kind)]
            rows = set(zip(*columns, strict=True))
            found[kind] = tuple(sorted(AND.join(row) for row in rows if all(row)))
    return found


def image_brightness(examples: ExampleSet, *, split: str) -> pd.Series:
    """id -> float64 mean of all RGB values of the image, in [0, 255], for every example of a split."""

    def measured(example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.cast(decode_image(example["image"], color_mode="rgb"), tf.float64)
        return example["id"], tf.reduce_mean(pixels)

    batches = examples.dataset(split).map(measured, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH_SIZE)
    found = [(names.numpy(), values.numpy()) for names, values in batches]
    return pd.Series(
        np.concatenate([values for _, values in found]), [name.decode() for names, _ in found for name in names]
    )


def cut_into_slices(
    table: pd.DataFrame, *, bands: int, every: Collection[str] = EVERY, kinds: Sequence[str] | None = None
) -> list[Slice]:
    """The slices of every kind: numbers from low to high, other values from the most frequent to the rarest.

    Args:
        table: a row per example, and a column per way to divide them.
        bands: the number of parts that a column of numbers is cut into.
        every: kinds in which each value is a slice, even if there is only one value. In other kinds all values after the
            100 most frequent form one slice, and a single value gives no slices.
        kinds: columns, or several joined by `*`; None: each column.

    >>> [(one.value, one.rows.tolist()) for one in cut_into_slices(pd.DataFrame({"mode": ["L", "RGB", "RGB"]}), bands=3)]
    [('RGB', [1, 2]), ('L', [0])]
    >>> [(one.value, one.range) for one in cut_into_slices(pd.DataFrame({"width": [8, 16, 24, 64]}), bands=2)]
    [('1 of 2', 'up to 20'), ('2 of 2', 'above 20')]
    >>> both = pd.DataFrame({"label": ["cat", "cat", "dog"], "mode": ["L", "RGB", "L"]})
    >>> [(one.value, one.rows.tolist()) for one in cut_into_slices(both, bands=3, kinds=["label*mode"])]
    [('cat * L', [0]), ('cat * RGB', [1]), ('dog * L', [2])]
    """
    found = []
    for kind in table.columns if kinds is None else kinds:
        names = crossed(kind)
        most = len(table) if kind in every else MOST_VALUES
        parts = [list(_parts(table[name], bands=bands, most=most)) for name in names]
        cut = parts[0] if len(names) == 1 else list(_combined(parts, most=most))
        is_divided = len(cut) > 1 or (kind in every and cut[0][0] != NOTHING)
        found += [Slice(kind, *part) for part in cut] if is_divided else []
    return found


# The value of a slice, the positions of its examples, and the range of a band in words.
_Part = tuple[str, np.ndarray, str]


def _parts(column: pd.Series, *, bands: int, most: int) -> Iterator[_Part]:
    return _bands(column, bands) if pd.api.types.is_numeric_dtype(column) else _values(column, most=most)


def _combined(parts: Sequence[Sequence[_Part]], *, most: int) -> Iterator[_Part]:
    """The combinations that have an example, in the order of the first column's parts, then the second's; at most `most`.

    If there are more, the smallest of them form one slice.
    """
    numbers = np.stack([_numbers(column) for column in parts], axis=1)
    found = []
    for _, group in sorted(pd.DataFrame(numbers).groupby(list(range(len(parts)))).indices.items()):
        rows = np.asarray(group)
        combination = [column[number] for column, number in zip(parts, numbers[rows[0]], strict=True)]
        words = ", ".join(words for _, _, words in combination if words)
        found.append((AND.join(value for value, _, _ in combination), rows, words))
    largest = sorted(range(len(found)), key=lambda place: -len(found[place][1]))
    yield from (found[place] for place in sorted(largest[:most]))
    if len(found) > most:
        yield OTHERS, np.sort(np.concatenate([found[place][1] for place in largest[most:]])), ""


def _numbers(parts: Sequence[_Part]) -> np.ndarray:
    """int64 (M,): the number of the part that each example is in; it is in exactly one."""
    numbers = np.empty(sum(len(rows) for _, rows, _ in parts), np.int64)
    for number, (_, rows, _) in enumerate(parts):
        numbers[rows] = number
    return numbers


def slice_table(judgement: Judgement, slices: Sequence[Slice], settings: Evaluation) -> pd.DataFrame:
    """The scores of every slice in long form: the columns of `Evaluated.slices`, and `range`.

    Metrics that a slice does not have (such as the area under the ROC curve with one class) are left out; `low` and `high`
    are NaN if a slice is too small for an interval. Slices of one label leave out metrics of single classes, which mean
    nothing there.
    """
    rows = []
    within_label = replace(judgement, weighted_scores=judgement.within_label or judgement.weighted_scores)
    for part in slices:
        ones = np.ones((len(part.rows), 1))
        is_of_label = "label" in crossed(part.name)
        measured = within_label if is_of_label else judgement
        scores = {name: float(value[0]) for name, value in measured.weighted_scores(part.rows, ones).items()}
        ends = intervals(measured, rows=part.rows, resamples=settings.resamples, confidence=settings.confidence)
        for metric, score in scores.items():
            if not np.isnan(score) and not (is_of_label and "[" in metric):
                low, high = ends.get(metric, (np.nan, np.nan))
                rows.append((part.name, part.value, len(part.rows), metric, score, low, high, part.range))
    return pd.DataFrame(rows, columns=[*SLICE_COLUMNS, "range"])


def _values(column: pd.Series, *, most: int) -> Iterator[_Part]:
    named = column.fillna("").astype(str).replace("", NOTHING)
    counts = named.value_counts(sort=True)
    counts = counts.sort_index().sort_values(ascending=False, kind="stable")
    positions = named.groupby(named, sort=False).indices
    for value in counts.index[:most]:
        yield str(value), np.asarray(positions[value]), ""
    if len(counts) > most:
        yield OTHERS, np.flatnonzero(named.isin(counts.index[most:])), ""


def _bands(column: pd.Series, bands: int) -> Iterator[_Part]:
    """Bands between quantiles; fewer if many images have the same value. Images without a value form a slice."""
    values = column.to_numpy(float)
    known = ~np.isnan(values)
    if known.any():
        ends = np.unique(np.quantile(values[known], np.linspace(0, 1, bands + 1)[1:-1]))
        yield from _bands_between(ends, np.where(known, np.searchsorted(ends, values, side="left"), -1))
    if not known.all():
        yield NOTHING, np.flatnonzero(~known), ""


def _bands_between(ends: np.ndarray, numbers: np.ndarray) -> Iterator[_Part]:
    held = [number for number in range(len(ends) + 1) if (numbers == number).any()]
    texts = [f"{end:,.6g}" for end in ends]
    for place, number in enumerate(held):
        low, high = texts[number - 1] if number else "", texts[number] if number < len(ends) else ""
        words = f"above {low} up to {high}" if low and high else f"up to {high}" if high else f"above {low}"
        yield f"{place + 1} of {len(held)}", np.flatnonzero(numbers == number), words
