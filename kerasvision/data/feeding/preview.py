"""A picture of training images as the network gets them: it shows what the augmentation does before a long training."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.feeding.batches import training_batches
from kerasvision.data.splits import TRAIN
from kerasvision.data.transform import ImageTransform

COLUMNS, ROWS = 8, 4
MOST_SHARES = 2


def draw_augmented(*, settings: TrainerSettings, examples: ExampleSet, transform: ImageTransform, file: Path) -> None:
    """Writes a picture of the first images of a training, augmented, with their labels and boxes.

    Args:
        settings: the augmentation and its seed.
        examples: a data set with a train split.
        transform: decodes and resizes images; their scaling is left out, so that the colours are visible.
        file: PNG, or another format that matplotlib writes.
    """
    figure = Figure(figsize=(1.6 * COLUMNS, 1.8 * ROWS), layout="constrained")
    places = figure.subplots(ROWS, COLUMNS, squeeze=False).ravel()
    for axes in places:
        axes.set_axis_off()
    for axes, example in zip(places, _first_examples(settings, examples, transform), strict=False):
        axes.set_axis_on()
        _draw(axes, example, examples)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=100)


def _first_examples(
    settings: TrainerSettings, examples: ExampleSet, transform: ImageTransform
) -> list[dict[str, np.ndarray]]:
    """The examples of the first epoch's first batch, unscaled."""
    channels = transform.settings.image_shape[-1]
    batches, _ = training_batches(
        examples,
        transform=replace(transform, offset=(0.0,) * channels, divisor=(1.0,) * channels, axes=()),
        encode=lambda batch: (batch, ()),
        augment=settings.augment,
        batch_size=min(COLUMNS * ROWS, examples.count(TRAIN)),
        epochs=1,
        seed=settings.training.seed,
        memory_budget_gb=settings.training.memory_budget_gb,
    )
    batch = _flat(next(batches.take(1).as_numpy_iterator())[0])
    return [{key: values[row] for key, values in batch.items()} for row in range(len(batch["image"]))]


def _flat(batch: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """{"objects": {"bbox": x}} becomes {"objects.bbox": x}."""
    flat: dict[str, np.ndarray] = {}
    for key, value in batch.items():
        flat |= {f"{key}.{name}": part for name, part in value.items()} if isinstance(value, Mapping) else {key: value}
    return flat


def _draw(axes: Axes, example: Mapping[str, np.ndarray], examples: ExampleSet) -> None:
    pixels = example["image"].clip(0.0, 1.0)
    axes.imshow(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    height, width = pixels.shape[:2]
    for (y_min, x_min, y_max, x_max), label in zip(
        example.get("objects.bbox", ()), example.get("objects.label", ()), strict=True
    ):
        if label >= 0:
            corner, sides = (x_min * width - 0.5, y_min * height - 0.5), ((x_max - x_min) * width, (y_max - y_min) * height)
            axes.add_patch(Rectangle(corner, *sides, fill=False, color=f"C{label % 10}"))
    axes.set_xlabel(_label(example, examples.classes), fontsize=8, parse_math=False)  # a label may contain $
    axes.set_xticks([])
    axes.set_yticks([])


def _label(example: Mapping[str, np.ndarray], classes: tuple[str, ...]) -> str:
    if "label_shares" in example:
        largest = np.argsort(example["label_shares"])[::-1][:MOST_SHARES]
        return ", ".join(f"{classes[k]} {example['label_shares'][k]:.2f}" for k in largest if example["label_shares"][k])
    return classes[example["label"]] if "label" in example else ""
