"""Which level of a detector's pyramid learns which object: a table of many images, and a picture of one."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pandas as pd
import tensorflow as tf
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from kerasvision import config as c
from kerasvision.tasks.detection.assigning import Truth
from kerasvision.tasks.detection.losses import goals_of
from kerasvision.tasks.detection.readings import Grid, read
from kerasvision.tasks.detection.region_lessons import region_lessons
from kerasvision.tasks.detection.regions import has_regions, read_regions
from kerasvision.tasks.lessons import Lessons

TABLE, NONE = "learned_by_level", "(none)"
INCHES = 5.0
# How many images a network is asked about in one call.
AT_ONCE = 4
# Areas of the dots of the finest and the coarsest level, in square points.
FINEST_DOT, COARSEST_DOT = 16.0, 120.0


def lessons(
    model: keras.Model,
    pixels: npt.NDArray[np.float32],
    images: tf.Tensor,
    targets: Mapping[str, tf.Tensor],
    *,
    settings: c.Detection,
    num_classes: int,
) -> Lessons:
    """A row for each level, and a picture of the image whose objects are learned on the most levels.

    Of a two-stage detector, what its proposals cover: see `region_lessons`.

    The task-aligned assignment depends on the answers of the network, which are those at the end of the training.

    Args:
        model: the trained network.
        pixels: float32 (N, H, W, C) in [0, 255], before scaling.
        images, targets: what `DetectionTask.encode` returned for them.
        settings: say which points learn an object.
        num_classes: the number of classes to find.

    Returns:
        Nothing if there is no object to learn.
    """
    truth = Truth(targets["boxes"], targets["classes"], targets["crowd"])
    wanted = truth.single.numpy()
    if not wanted.any():
        return Lessons()
    outputs = _outputs(model, images)
    if has_regions(outputs):
        return region_lessons(pixels, read_regions(outputs, num_classes=num_classes), truth)
    readings = read(outputs, num_classes=num_classes)
    assigned = goals_of(readings, truth, settings).assigned.numpy()
    counts = points_by_level(assigned, readings.grid, objects=wanted.shape[1])
    row = _most_telling(counts, wanted)
    figure = _picture(pixels[row], truth.boxes[row].numpy(), wanted[row], assigned[row], readings.grid)
    noun = readings.grid.kind.replace("_", " ")
    title = f"The {noun} that learn each object of a training image, by level"
    return Lessons({title: figure}, {TABLE: level_table(counts, wanted, readings.grid, noun=noun)})


def _outputs(model: keras.Model, images: tf.Tensor) -> dict[str, tf.Tensor]:
    """The network's outputs for the images, asked for a few at a time: outside a graph, all maps of a call are kept."""
    parts = [model(images[start : start + AT_ONCE], training=False) for start in range(0, len(images), AT_ONCE)]
    return {name: tf.concat([part[name] for part in parts], axis=0) for name in parts[0]}


def points_by_level(assigned: npt.NDArray[Any], grid: Grid, *, objects: int) -> npt.NDArray[np.int64]:
    """How many points or boxes of each level learn each object: int64 (N, M, L), from the finest level to the coarsest.

    Args:
        assigned: int32 (N, A), the number of the object, or below 0.
        grid: the points or boxes.
        objects: M.
    """
    number = np.arange(objects)
    found = [(assigned[:, grid.levels == level, None] == number).sum(axis=1) for level in range(len(grid.names))]
    return np.stack(found, axis=-1).astype(np.int64)


def level_table(counts: npt.NDArray[np.int64], wanted: npt.NDArray[np.bool_], grid: Grid, *, noun: str) -> pd.DataFrame:
    """level, stride, objects that it learns, its points for them; and in the last row the objects that nothing learns.

    An object may be learned on several levels.

    Args:
        counts: int64 (N, M, L), see `points_by_level`.
        wanted: bool (N, M), the objects to learn.
        grid: the points or boxes.
        noun: what they are: "points".
    """
    of_level = counts[wanted]
    table = pd.DataFrame(
        {
            "stride": [*(f"{stride:g}" for stride in _strides(grid)), ""],
            "objects": [*(of_level > 0).sum(axis=0), (of_level.sum(axis=1) == 0).sum()],
            noun: [*of_level.sum(axis=0), 0],
        },
        index=pd.Index([*grid.names, NONE], name="level"),
    )
    return table.astype({"objects": int, noun: int})


def _most_telling(counts: npt.NDArray[np.int64], wanted: npt.NDArray[np.bool_]) -> int:
    """The image whose objects are learned on the most levels; of several, the one with the most objects."""
    levels = ((counts * wanted[..., None]).sum(axis=1) > 0).sum(axis=-1)
    return int(np.lexsort((-wanted.sum(axis=1), -levels))[0])


def _picture(
    pixels: npt.NDArray[np.float32],
    boxes: npt.NDArray[np.float32],
    wanted: npt.NDArray[np.bool_],
    assigned: npt.NDArray[Any],
    grid: Grid,
) -> Figure:
    """The image with its objects, and a dot in the colour of its object for each point or anchor that learns one."""
    height, width, channels = pixels.shape
    figure = Figure(figsize=(INCHES, INCHES * height / width + 0.4), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    shown = np.broadcast_to(pixels, (height, width, 3)) if channels == 1 else pixels
    # Pale, so that dots of any colour are seen. The edges of pixels are whole numbers, as those of the boxes are.
    axes.imshow((0.5 + 0.5 * shown / 255).clip(0, 1), extent=(0, width, height, 0))
    areas = np.geomspace(FINEST_DOT, COARSEST_DOT, len(grid.names))
    for number in np.flatnonzero(wanted):
        color, (top, left, bottom, right) = f"C{number % 10}", boxes[number]
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=color, linewidth=1.5))
        mine = assigned == number
        axes.scatter(
            grid.points[mine, 1],
            grid.points[mine, 0],
            s=areas[grid.levels[mine]],
            color=color,
            edgecolor="black",
            linewidth=0.5,
        )
    used = np.unique(grid.levels[np.isin(assigned, np.flatnonzero(wanted))]).tolist()
    dots = [Line2D([], [], marker="o", linestyle="", color="0.5", markersize=areas[level] ** 0.5) for level in used]
    names = [f"{grid.names[level]}, stride {_strides(grid)[level]:g}" for level in used]
    figure.legend(dots, names, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _strides(grid: Grid) -> list[float]:
    """The stride of each level along y, in pixels."""
    return [float(grid.strides[grid.levels == level][0]) for level in range(len(grid.names))]
