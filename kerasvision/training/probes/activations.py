"""The outputs of a network's layers before the first step: whether they vanish, grow or are dead.

If the initial weights are too small, the deviation of the outputs shrinks from layer to layer, and with it the gradients; if
they are too large, units saturate or the outputs grow. A ReLU unit that is 0 for every image passes no gradient on.

Source: Glorot & Bengio, 2010, section 3 and figure 6; the figures of cs231n's lecture on training networks, with ten layers
of 500 tanh or ReLU units and three initializations.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import layers
from matplotlib.figure import Figure

from kerasvision import models
from kerasvision.config.inference import asked_for
from kerasvision.config.preparing import Transform
from kerasvision.data.transform import ImageTransform, rows_at_once
from kerasvision.errors import ConfigError, DataError

# Images that the network sees at once, and the most pixels of all of them.
BATCH_SIZE, BATCH_PIXELS = 256, 2**19
BINS, COLUMNS, MOST_DRAWN = 60, 5, 40

_ACTIVATIONS = (layers.Activation, layers.ReLU, layers.LeakyReLU, layers.ELU, layers.PReLU, layers.Maximum)


@dataclass(frozen=True)
class Activations:
    """What the layers of a network put out.

    Attributes:
        table: a row per layer with an activation, and one for the logits: `layer`; `units`, how many: the last axis of its
            outputs; `mean` and `deviation` of all outputs; `dead`, the share of the units that are always 0.
        histograms: layer -> (counts int64 (B,), edges float32 (B + 1,)) of its outputs.
    """

    table: pd.DataFrame
    histograms: dict[str, tuple[np.ndarray, np.ndarray]]

    @property
    def text(self) -> str:
        """The outcome in one line: how the deviation changes from the first row to the last hidden one."""
        hidden = self.table.iloc[:-1] if len(self.table) > 1 else self.table
        first, last, dead = hidden.iloc[0], hidden.iloc[-1], hidden["dead"].max()
        return (
            f"the deviation is {first['deviation']:.3g} in {first['layer']} and {last['deviation']:.3g} in {last['layer']}; "
            f"at most {dead:.1%} of the units of a layer are dead"
        )

    def save(self, picture: Path) -> None:
        """Draws mean, deviation and histograms into a file; its name says the format, such as `.png`."""
        picture.parent.mkdir(parents=True, exist_ok=True)
        draw(self).savefig(picture, dpi=100)


def activations(network: keras.Model, images: np.ndarray) -> Activations:
    """The outputs of the network's layers for these images, in training: norms use the statistics of the batch.

    Args:
        network: a functional model of one input.
        images: float32 (N, H, W, C), scaled as the network expects them.

    Raises:
        ConfigError: the network has several inputs, no layer with an activation, or outputs that are infinite or not a
            number.

    >>> network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, activation="relu", name="hidden")])
    >>> network.set_weights([np.array([[1.0, -1.0]]), np.zeros(2)])
    >>> activations(network, np.array([[1.0], [3.0]])).table.round(6).values.tolist()
    [['hidden', 2, 1.0, 1.224745, 0.5]]
    """
    watched = list(_watched(network))
    if not watched or len(network.inputs) != 1:
        raise ConfigError(
            f"{network.name} must have one input, the image, and layers with an activation",
            hint="check a network without --activations, or choose a classifier",
        )
    seen = keras.Model(network.inputs, {layer.name: layer.output for layer in watched})
    outputs = seen(keras.ops.convert_to_tensor(images), training=True)
    found = {layer.name: np.asarray(keras.ops.convert_to_numpy(outputs[layer.name]), np.float32) for layer in watched}
    if lost := next((name for name, values in found.items() if not np.isfinite(values).all()), None):
        raise ConfigError(
            f"outputs of the layer {lost} are infinite or not a number",
            hint="check a network whose training did not diverge",
        )
    rows = [{"layer": name, **_statistics(values)} for name, values in found.items()]
    return Activations(pd.DataFrame(rows), {name: np.histogram(values, BINS) for name, values in found.items()})


def activations_of(
    name: str,
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    folder: Path | None = None,
    seed: int = 0,
    **options: Any,
) -> Activations:
    """Builds a network and measures its `activations` for random images, or for those of a folder.

    Args:
        name, image_shape, num_classes, options: see `kerasvision.models.build`.
        folder: of images, which are scaled to mean 0 and deviation 1 in each channel; None for normal noise of that kind.
        seed: of weights and noise.

    Raises:
        ConfigError: there is no such network, or it cannot be built with these options.
        DataError: the folder has no images, or one of its first files cannot be read.
    """
    keras.utils.set_random_seed(seed)
    network = models.build(name, image_shape=image_shape, num_classes=num_classes, **options)
    count = rows_at_once(image_shape[:2], most=BATCH_SIZE, pixels=BATCH_PIXELS)
    if folder is not None:
        return activations(network, _images_in(folder, image_shape=image_shape, count=count))
    noise = np.random.default_rng(seed).normal(size=(count, *image_shape))
    return activations(network, noise.astype(np.float32))


def _watched(network: keras.Model) -> Iterator[keras.Layer]:
    """The layers with an activation, and the last layer with weights: that of the logits."""
    last = next((layer for layer in reversed(network.layers) if layer.weights), None)
    for layer in network.layers:
        own = getattr(layer, "activation", None)
        if isinstance(layer, _ACTIVATIONS) or own not in (None, keras.activations.linear) or layer is last:
            yield layer


def _statistics(values: np.ndarray) -> dict[str, Any]:
    units = values.shape[-1]
    dead = (values.reshape(-1, units) == 0).all(axis=0)
    exact = values.astype(np.float64)
    return {"units": units, "mean": exact.mean(), "deviation": exact.std(), "dead": float(dead.mean())}


def _images_in(folder: Path, *, image_shape: tuple[int, int, int], count: int) -> np.ndarray:
    """float32 (N, H, W, C) of at most `count` images below a folder, each channel with mean 0 and deviation 1."""
    if image_shape[-1] not in (1, 3):
        raise ConfigError("images of files have 1 or 3 channels", received=image_shape[-1], hint="set --channels")
    files = [image.path for image, _ in zip(asked_for([folder]), range(count), strict=False)]
    color_mode: Literal["rgb", "grayscale"] = "rgb" if image_shape[-1] == 3 else "grayscale"
    settings = Transform(image_size=image_shape[:2], color_mode=color_mode, scale="standardize")
    encoded = tf.data.Dataset.from_tensor_slices([file.read_bytes() for file in files])
    try:
        transform = ImageTransform.fit(settings, encoded)
        return np.stack(list(encoded.map(transform).as_numpy_iterator()))
    except tf.errors.InvalidArgumentError as error:
        raise DataError(
            f"{folder} must contain images alone; one of its first {len(files)} files is not an image",
            hint="use JPEG, PNG, GIF, BMP or WebP files",
        ) from error


def draw(found: Activations) -> Figure:
    """Plots mean and deviation of each layer, and below the distribution of the outputs of the first layers."""
    table, drawn = found.table, list(found.histograms.items())[:MOST_DRAWN]
    rows = math.ceil(len(drawn) / COLUMNS)
    figure = Figure(figsize=(12, 3 + 1.8 * rows), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(3, 1.8 * rows))
    above, below = parts
    places = np.arange(1, len(table) + 1)
    for axes, column in zip(above.subplots(1, 2), ("mean", "deviation"), strict=True):
        axes.plot(places, table[column], marker="o")
        axes.set_title(f"{column} of the outputs")
        axes.set_xlabel("layer")
        axes.set_yscale("log" if column == "deviation" and (table[column] > 0).all() else "linear")
        axes.grid(alpha=0.3)
    small = np.atleast_1d(below.subplots(rows, COLUMNS)).ravel()
    for axes, (name, (counts, edges)) in zip(small, drawn, strict=False):
        axes.stairs(counts, edges, fill=True)
        axes.set_title(name, fontsize=8)
        axes.set_yticks([])
        axes.tick_params(labelsize=7)
        axes.locator_params(axis="x", nbins=3)
    for axes in small[len(drawn) :]:
        axes.set_axis_off()
    return figure
