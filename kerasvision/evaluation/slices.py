"""Parts of a split that are scored separately: images of one label, of one format, of a band of size or brightness."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import tensorflow as tf

from kerasvision import lookup
from kerasvision.config.evaluation import Evaluation
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


@dataclass(frozen=True)
class Slice:
    """A part of a split.

    Attributes:
        name: what the split is divided by.
        value: which part: a label, or `1 of 3` for the lowest of three bands.
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
    """A row per id, with a column per slice: columns of the manifest, and `pixels` and `brightness`, computed here.

    Raises:
        ConfigError: the manifest has no such column.
        DataError: the manifest lacks some examples.
    """
    known = {*manifest.columns, "pixels", "brightness"}
    for name in slices:
        if name not in known:
            raise ConfigError(f"the manifest has no column {name!r}; {lookup.did_you_mean(name, known)}")
    table = manifest.set_index("id").reindex(list(ids))
    missing = table.index[table["sha256"].isna()]
    if len(missing):
        raise DataError(
            f"the manifest lacks {len(missing)} examples of {split}, for example {missing[0]!r}",
            hint="the two must come from one ingest; run example_gen again",
        )
    if "pixels" in slices:
        table["pixels"] = table["width"] * table["height"]
    if "brightness" in slices:
        table["brightness"] = image_brightness(examples, split=split).reindex(table.index)
    return table[list(slices)]


def values_in(manifest: pd.DataFrame, *, splits: Collection[str], slices: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Text column -> its values in all these splits. `group` is left out, because a group is in one split only."""
    used = manifest[manifest["split"].isin(list(splits))]
    texts = [name for name in slices if name in used and name != "group" and not pd.api.types.is_numeric_dtype(used[name])]
    return {name: tuple(sorted(set(used[name].dropna().astype(str)) - {""})) for name in texts}


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


def cut_into_slices(table: pd.DataFrame, *, bands: int, every: Collection[str] = EVERY) -> list[Slice]:
    """The slices of every column: numbers from low to high, other values from the most frequent to the rarest.

    Args:
        table: a row per example, and a column per way to divide them.
        bands: the number of parts that a column of numbers is cut into.
        every: columns in which each value is a slice, even if there is only one value. In other columns all values after the
            100 most frequent form one slice, and a single value gives no slices.

    >>> [(one.value, one.rows.tolist()) for one in cut_into_slices(pd.DataFrame({"mode": ["L", "RGB", "RGB"]}), bands=3)]
    [('RGB', [1, 2]), ('L', [0])]
    >>> [(one.value, one.range) for one in cut_into_slices(pd.DataFrame({"width": [8, 16, 24, 64]}), bands=2)]
    [('1 of 2', 'up to 20'), ('2 of 2', 'above 20')]
    """
    found = []
    for name, column in table.items():
        if pd.api.types.is_numeric_dtype(column):
            parts = list(_bands(column, bands))
        else:
            parts = list(_values(column, most=len(column) if name in every else MOST_VALUES))
        is_divided = len(parts) > 1 or (name in every and parts[0][0] != NOTHING)
        found += [Slice(str(name), *part) for part in parts] if is_divided else []
    return found


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
        measured = within_label if part.name == "label" else judgement
        scores = {name: float(value[0]) for name, value in measured.weighted_scores(part.rows, ones).items()}
        ends = intervals(measured, rows=part.rows, resamples=settings.resamples, confidence=settings.confidence)
        for metric, score in scores.items():
            if not np.isnan(score) and not (part.name == "label" and "[" in metric):
                low, high = ends.get(metric, (np.nan, np.nan))
                rows.append((part.name, part.value, len(part.rows), metric, score, low, high, part.range))
    return pd.DataFrame(rows, columns=[*SLICE_COLUMNS, "range"])


def _values(column: pd.Series, *, most: int) -> Iterator[tuple[str, np.ndarray, str]]:
    named = column.fillna("").astype(str).replace("", NOTHING)
    counts = named.value_counts(sort=True)
    counts = counts.sort_index().sort_values(ascending=False, kind="stable")
    positions = named.groupby(named, sort=False).indices
    for value in counts.index[:most]:
        yield str(value), np.asarray(positions[value]), ""
    if len(counts) > most:
        yield OTHERS, np.flatnonzero(named.isin(counts.index[most:])), ""


def _bands(column: pd.Series, bands: int) -> Iterator[tuple[str, np.ndarray, str]]:
    """Bands between quantiles; fewer if many images have the same value. Images without a value form a slice."""
    values = column.to_numpy(float)
    known = ~np.isnan(values)
    if known.any():
        ends = np.unique(np.quantile(values[known], np.linspace(0, 1, bands + 1)[1:-1]))
        yield from _bands_between(ends, np.where(known, np.searchsorted(ends, values, side="left"), -1))
    if not known.all():
        yield NOTHING, np.flatnonzero(~known), ""


def _bands_between(ends: np.ndarray, numbers: np.ndarray) -> Iterator[tuple[str, np.ndarray, str]]:
    held = [number for number in range(len(ends) + 1) if (numbers == number).any()]
    texts = [f"{end:,.6g}" for end in ends]
    for place, number in enumerate(held):
        low, high = texts[number - 1] if number else "", texts[number] if number < len(ends) else ""
        words = f"above {low} up to {high}" if low and high else f"up to {high}" if high else f"above {low}"
        yield f"{place + 1} of {len(held)}", np.flatnonzero(numbers == number), words
