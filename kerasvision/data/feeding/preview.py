"""A picture of training images as the network gets them: it shows what the augmentation does before a long training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from kerasvision.config.example_parts import IGNORED
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.class_colors import class_color, painted_map
from kerasvision.data.examples import ExampleSet
from kerasvision.data.feeding.batches import training_batches
from kerasvision.data.splits import TRAIN
from kerasvision.data.transform import ImageTransform

COLUMNS, ROWS = 8, 4
# With objects, fewer images are drawn, and larger.
OBJECT_COLUMNS, OBJECT_ROWS = 6, 3
MOST_SHARES, MOST_TAGS = 2, 3
# How many of an image's numbers its line has.
MOST_NUMBERS = 3
# matplotlib's colours C0 to C9. If there are more classes, names stand at the boxes instead of in a legend.
COLOURS = 10
MASK_OPACITY = 0.35
MOST_IN_LEGEND = 20
# About how many letters of a legend are an inch wide, and how many letters its coloured mark replaces.
LETTERS_PER_INCH, LEGEND_MARK = 11, 6


def draw_augmented(*, settings: TrainerSettings, examples: ExampleSet, transform: ImageTransform, file: Path) -> None:
    """Writes a picture of the first images of a training, augmented, with labels or tags, numbers, boxes, masks and maps.

    It has the parts of the examples that the task or an augmentation reads. The border of a crowd is dashed. The classes of
    a label map are painted over the image; pixels that it says nothing about stay as they are.

    Args:
        settings: the task, the augmentation and its seed.
        examples: a data set with a train split.
        transform: decodes and resizes images; their scaling is left out, so that the colours are visible.
        file: PNG, or another format that matplotlib writes.
    """
    has_objects = bool(examples.object_classes) and "objects" in settings.reads
    has_maps = examples.has_label_maps and "label_map" in settings.reads
    columns, rows, inches = (OBJECT_COLUMNS, OBJECT_ROWS, 2.4) if has_objects or has_maps else (COLUMNS, ROWS, 1.6)
    figure = Figure(figsize=(inches * columns, (inches + 0.2) * rows), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in places:
        axes.set_axis_off()
    drawn = _first_examples(settings, examples, transform, columns * rows)
    for axes, example in zip(places, drawn, strict=False):
        axes.set_axis_on()
        _draw(axes, example, examples)
    if has_maps:
        _add_legend(figure, _legend_of_maps(drawn, examples.map_classes))
    elif has_objects and len(examples.object_classes) <= COLOURS:
        _add_legend(figure, {name: f"C{number}" for number, name in enumerate(examples.object_classes)})
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=100)


def _add_legend(figure: Figure, colours: Mapping[str, str]) -> None:
    handles = [Rectangle((0, 0), 1, 1, color=colour) for colour in colours.values()]
    longest = LEGEND_MARK + max(map(len, colours), default=0)
    columns = max(1, min(COLOURS, int(figure.get_figwidth() * LETTERS_PER_INCH / longest)))
    legend = figure.legend(handles, list(colours), loc="outside lower center", ncols=columns, frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _legend_of_maps(drawn: list[dict[str, np.ndarray]], classes: tuple[str, ...]) -> dict[str, str]:
    """Class name -> colour, for the classes with most pixels in the drawn maps; in the order of their numbers."""
    counts = sum(np.bincount(example["label_map"].ravel(), minlength=IGNORED + 1)[:IGNORED] for example in drawn)
    most = np.argsort(-np.asarray(counts), kind="stable")[:MOST_IN_LEGEND]
    return {classes[number]: class_color(int(number)) for number in sorted(most) if np.asarray(counts)[number]}


def _first_examples(
    settings: TrainerSettings, examples: ExampleSet, transform: ImageTransform, count: int
) -> list[dict[str, np.ndarray]]:
    """The examples of the first epoch's first batch, unscaled."""
    batches, _ = training_batches(
        examples,
        transform=transform.without_scale(),
        encode=lambda batch: (batch, ()),
        augment=settings.augment,
        batch_size=min(count, examples.count(TRAIN)),
        epochs=1,
        seed=settings.training.seed,
        memory_budget_gb=settings.training.memory_budget_gb,
        reads=settings.reads,
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
    objects = [number for number, label in enumerate(example.get("objects.label", ())) if label >= 0]
    tinted = _with_masks(np.broadcast_to(pixels, (*pixels.shape[:2], 3)), example, objects)
    if "label_map" in example:
        tinted = painted_map(255 * tinted, example["label_map"]) / 255
    axes.imshow(tinted)
    for number in objects:
        _draw_box(axes, example, number, examples.object_classes)
    axes.set_xlabel(_label(example, examples), fontsize=8, parse_math=False)  # a label may contain $
    axes.set_xticks([])
    axes.set_yticks([])


def _with_masks(pixels: np.ndarray, example: Mapping[str, np.ndarray], objects: list[int]) -> np.ndarray:
    """The pixels, float32 (H, W, 3) in [0, 1], with the masks of the objects in the colours of their classes."""
    if "objects.mask" not in example:
        return pixels
    tinted = pixels.copy()
    for number in objects:
        inside = example["objects.mask"][number] > 0
        colour = np.array(to_rgb(_colour(example["objects.label"][number])))
        tinted[inside] += MASK_OPACITY * (colour - tinted[inside])
    return tinted


def _draw_box(axes: Axes, example: Mapping[str, np.ndarray], number: int, classes: tuple[str, ...]) -> None:
    height, width = example["image"].shape[:2]
    top, left, bottom, right = example["objects.bbox"][number] * (height, width, height, width)
    label = example["objects.label"][number]
    colour, corner = _colour(label), (left - 0.5, top - 0.5)
    is_crowd = "objects.crowd" in example and example["objects.crowd"][number]
    style = "dashed" if is_crowd else "solid"
    box = Rectangle(corner, right - left, bottom - top, fill=False, color=colour, linewidth=1.5, linestyle=style)
    axes.add_patch(box)
    if len(classes) > COLOURS:
        frame = {"facecolor": colour, "edgecolor": "none", "pad": 0.5}
        axes.text(
            *corner, classes[label], fontsize=5, color="white", va="bottom", bbox=frame, parse_math=False, clip_on=True
        )


def _colour(label: int) -> str:
    return f"C{label % COLOURS}"


def _label(example: Mapping[str, np.ndarray], examples: ExampleSet) -> str:
    numbers = [
        f"{name} {value:.3g}"
        for name, value in zip(examples.value_names, example.get("values", ()), strict=False)
        if not np.isnan(value)
    ]
    named = _tags(example["tags"], examples.tag_classes) if "tags" in example else _class(example, examples.classes)
    return ", ".join(filter(None, (named, *numbers[:MOST_NUMBERS])))


def _class(example: Mapping[str, np.ndarray], classes: tuple[str, ...]) -> str:
    if "label_shares" in example:
        largest = np.argsort(example["label_shares"])[::-1][:MOST_SHARES]
        return ", ".join(f"{classes[k]} {example['label_shares'][k]:.2f}" for k in largest if example["label_shares"][k])
    return classes[example["label"]] if "label" in example else ""


def _tags(shares: np.ndarray, names: tuple[str, ...]) -> str:
    """The first tags, with their shares if images were mixed, and how many more there are."""
    order = [number for number in np.argsort(-shares, kind="stable").tolist() if shares[number] > 0]
    said = [names[number] if shares[number] == 1 else f"{names[number]} {shares[number]:.2f}" for number in order]
    more = f" (+{len(said) - MOST_TAGS})" if len(said) > MOST_TAGS else ""
    return ", ".join(said[:MOST_TAGS]) + more
