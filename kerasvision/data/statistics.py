"""What a data set looks like in numbers: counts, sizes, colour, copies."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import tensorflow as tf

from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TEST, TRAIN, VALIDATION
from kerasvision.ops.images import decode_image
from kerasvision.progress import bar


@dataclass(frozen=True)
class Statistics:
    """Numbers about all images of a source.

    Attributes:
        classes: class names in the order of their numbers.
        counts: split -> class -> how many examples.
        modes: Pillow's colour mode -> how many.
        formats: file format -> how many.
        min_side, max_side: smallest and largest width or height, in pixels.
        channel_mean, channel_deviation: mean colour of the training images and deviation of pixels, in [0, 255], as RGB.
        quarantined: id -> fault, of images that were left out.
        notes: what decoding changes (an alpha channel dropped, say) -> how many.
        duplicates: groups of ids with the same bytes.
        contradictions: groups of ids with the same bytes and different labels.
        shared_between_splits: groups of ids with the same bytes in different splits; leakage, which ingest prevents.
    """

    classes: list[str]
    counts: dict[str, dict[str, int]]
    modes: dict[str, int]
    formats: dict[str, int]
    min_side: int
    max_side: int
    channel_mean: list[float]
    channel_deviation: list[float]
    quarantined: dict[str, str]
    notes: dict[str, int]
    duplicates: list[list[str]]
    contradictions: list[list[str]]
    shared_between_splits: list[list[str]]

    def save(self, file: Path) -> None:
        """Writes them as JSON."""
        file.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Self:
        """What `save` wrote."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))


def compute_statistics(examples: ExampleSet, manifest: pd.DataFrame) -> tuple[Statistics, pd.DataFrame]:
    """Statistics of a data set, and a row per usable image with its brightness and contrast.

    Args:
        examples: the data set.
        manifest: what ingest wrote beside it.
    """
    good = manifest[manifest["fault"] == ""]
    images = good.merge(_pixel_statistics(examples), on="id", how="left", validate="one_to_one")
    train = images[images["split"] == "train"]
    notes = good["notes"][good["notes"] != ""].str.split("; ").explode()
    statistics = Statistics(
        classes=list(examples.classes),
        counts=_counts(good, examples.classes),
        modes=_frequencies(good["mode"]),
        formats=_frequencies(good["format"]),
        min_side=int(good[["width", "height"]].min().min()),
        max_side=int(good[["width", "height"]].max().max()),
        channel_mean=_channel(train, "mean").mean(axis=0).tolist(),
        channel_deviation=_deviation(train),
        quarantined=dict(manifest[manifest["fault"] != ""][["id", "fault"]].itertuples(index=False)),
        notes=_frequencies(notes),
        duplicates=_groups(good, "sha256", lambda group: True),
        contradictions=_groups(good, "sha256", lambda group: group["label"].nunique() > 1),
        shared_between_splits=_groups(good, "sha256", lambda group: group["split"].nunique() > 1),
    )
    return statistics, images


def _pixel_statistics(examples: ExampleSet) -> pd.DataFrame:
    """id, mean and mean square of each colour, and from those brightness and contrast, of every example."""

    def measure(example: dict[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        pixels = tf.cast(decode_image(example["image"], color_mode="rgb"), tf.float64)
        return example["id"], tf.reduce_mean(pixels, axis=(0, 1)), tf.reduce_mean(pixels**2, axis=(0, 1))

    ids, means, squares = [], [], []
    with bar("measuring images", total=sum(examples.count(split) for split in examples.splits)) as advance:
        for split in examples.splits:
            measured = examples.dataset(split).map(measure, num_parallel_calls=tf.data.AUTOTUNE)
            for batch_ids, mean, square in measured.batch(256).as_numpy_iterator():
                ids += [name.decode() for name in batch_ids]
                means.append(mean)
                squares.append(square)
                advance(len(mean))
    mean, square = np.concatenate(means), np.concatenate(squares)
    table = pd.DataFrame({"id": ids, "brightness": mean.mean(axis=1)})
    table["contrast"] = np.sqrt(np.maximum(square.mean(axis=1) - mean.mean(axis=1) ** 2, 0.0))
    for number, colour in enumerate(("red", "green", "blue")):
        table[f"mean_{colour}"], table[f"square_{colour}"] = mean[:, number], square[:, number]
    return table


def _channel(table: pd.DataFrame, statistic: str) -> np.ndarray:
    return table[[f"{statistic}_{colour}" for colour in ("red", "green", "blue")]].to_numpy()


def _deviation(table: pd.DataFrame) -> list[float]:
    """Per colour, every image weighing the same whatever its size."""
    variance = _channel(table, "square").mean(axis=0) - _channel(table, "mean").mean(axis=0) ** 2
    return np.sqrt(np.maximum(variance, 0.0)).tolist()


def _counts(table: pd.DataFrame, classes: tuple[str, ...]) -> dict[str, dict[str, int]]:
    crossed = pd.crosstab(table["split"], table["label"]).reindex(columns=list(classes), fill_value=0)
    crossed = crossed.reindex([split for split in (TRAIN, VALIDATION, TEST) if split in crossed.index])
    return {split: {name: int(n) for name, n in row.items()} for split, row in crossed.iterrows()}


def _frequencies(column: pd.Series) -> dict[str, int]:
    return {str(value): int(count) for value, count in column.value_counts().items()}


def _groups(table: pd.DataFrame, key: str, keep: object) -> list[list[str]]:
    repeated = table[table.duplicated(key, keep=False)]
    return [sorted(group["id"]) for _, group in repeated.groupby(key) if keep(group)]
