"""The layers of a network: one row per layer, and the sums over the rows. Data only; the caller prints it.

    Conv2D     out height x out width x filters  times  kernel height x kernel width x in channels / groups
    Depthwise  out height x out width x channels times  kernel height x kernel width
    Dense      units                             times  inputs

A multiply-add ("MAC") is one multiplication and one addition, for one image. Like published figures, this counts only
these kinds of layer, without their bias. A layer that runs for each region of an image, as the backbone of R-CNN does,
counts once per region.

>>> from kerasvision.models import build
>>> table = layer_table(build("lenet5", image_shape=(28, 28, 1), num_classes=10))
>>> table.rows[1].name, table.rows[1].output_shape, table.rows[1].weights, table.rows[1].multiply_adds
('conv1', (28, 28, 6), 156, 117600)
>>> table.trainable_weights, table.multiply_adds
(61706, 416520)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

import keras
from keras import KerasTensor, layers

from kerasvision.models.figures import Figure
from kerasvision.models.uses import Use, uses_of

_BYTES = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "int32": 4}
_DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
_COUNTED = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.Dense, *_DEPTHWISE)

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerRow:
    """One layer, for one image.

    Attributes:
        name: unique in the model.
        type: its Keras class.
        output_shape: without the batch. Where an image has several rows in the batch, such as the crops of R-CNN, their
            number comes first. A dict of shapes where the layer is a backbone.
        weights: how many numbers it has, moving statistics included.
        trainable_weights: how many of these training changes by gradient.
        output_bytes: size of the output in the precision that the layer computes in; training keeps most of it until the
            gradient has passed.
        multiply_adds: see the top of this file; 0 for other kinds of layer.
    """

    name: str
    type: str
    output_shape: Shape | dict[str, Shape]
    weights: int
    trainable_weights: int
    output_bytes: int
    multiply_adds: int


@dataclass(frozen=True)
class LayerTable:
    """The rows in the order in which the layers run, and their sums."""

    rows: tuple[LayerRow, ...]

    @property
    def total_weights(self) -> int:
        """All weights, as Keras' `count_params` counts them."""
        return sum(row.weights for row in self.rows)

    @property
    def trainable_weights(self) -> int:
        """The weights that papers and torchvision count."""
        return sum(row.trainable_weights for row in self.rows)

    @property
    def output_bytes(self) -> int:
        """The sum over all layers, for one image."""
        return sum(row.output_bytes for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """The sum over all layers, for one image."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def giga_multiply_adds(self) -> float:
        """`multiply_adds` in 10^9."""
        return self.multiply_adds / 1e9


def layer_table(model: keras.Model) -> LayerTable:
    """The layers of a functional model. A model inside it is one row, and so is a layer that is used several times.

    The row of such a layer adds up all its uses. An axis of unknown length, such as the captions of an image, counts as 1.
    """
    uses = uses_of(model)
    return LayerTable(tuple(_row(layer, uses[id(layer)]) for layer in model.layers))


def matching_figures(table: LayerTable, figures: Iterable[Figure]) -> list[str]:
    """The published sizes that equal those of the table, a line each; if there are none, all published sizes.

    >>> from kerasvision.models import build
    >>> from kerasvision.models.table import find
    >>> table = layer_table(build("lenet5", image_shape=(28, 28, 1), num_classes=10))
    >>> matching_figures(table, find("lenet5").figures[:1])
    ['equal to Dive into Deep Learning: 61,706 trainable weights']
    """
    sizes = [(_named(figure), _size(figure, table), _size(figure, figure)) for figure in figures]
    equal = [f"equal to {name}: {theirs}" for name, ours, theirs in sizes if ours == theirs]
    return equal or [f"unlike {name}: {theirs}" for name, _, theirs in sizes]


def _named(figure: Figure) -> str:
    options = ", ".join(f"{option}={value}" for option, value in figure.options.items())
    return f"{figure.source} ({options})" if options else figure.source


def _size(figure: Figure, of: "Figure | LayerTable") -> str:
    """The numbers of `of` that the figure states, with as many digits."""
    parts = []
    if figure.trainable_weights is not None:
        parts.append(f"{of.trainable_weights:,} trainable weights")
    if figure.total_weights is not None:
        parts.append(f"{of.total_weights:,} in all")
    if figure.giga_multiply_adds:
        digits = len(figure.giga_multiply_adds.partition(".")[2])
        parts.append(f"{float(of.giga_multiply_adds):.{digits}f} x 10^9 multiply-adds")
    return ", ".join(parts)


def _row(layer: keras.Layer, uses: list[Use]) -> LayerRow:
    shapes = iter(uses[0].outputs)
    return LayerRow(
        name=layer.name,
        type=type(layer).__name__,
        output_shape=keras.tree.map_structure(lambda _: _shape(next(shapes)), layer.output),
        weights=layer.count_params(),
        trainable_weights=sum(prod(weight.shape) for weight in layer.trainable_weights),
        output_bytes=sum(_numbers(output) * _BYTES[output.dtype] for use in uses for output in use.outputs),
        multiply_adds=sum(_multiply_adds(layer, use) for use in uses),
    )


def _multiply_adds(layer: keras.Layer, use: Use) -> int:
    """Each output is a sum over all axes of the kernel except the last one, which numbers the outputs.

    The kernel of a depthwise convolution, (height, width, channels, 1), numbers them by its last two axes.
    """
    if isinstance(layer, keras.Model):
        inside = uses_of(layer, use.inputs)
        return sum(_multiply_adds(inner, each) for inner in layer.layers for each in inside[id(inner)])
    if not isinstance(layer, _COUNTED):
        return 0
    kernel: tuple[int, ...] = layer.kernel.shape
    summed = kernel[:-2] if isinstance(layer, _DEPTHWISE) else kernel[:-1]
    return sum(map(_numbers, use.outputs)) * prod(summed)


def _numbers(output: KerasTensor) -> int:
    return prod(size or 1 for size in output.shape)


def _shape(output: KerasTensor) -> Shape:
    """Without the batch if one image is one row of it; otherwise the first axis is the rows of the image."""
    rows, *shape = output.shape
    return tuple(shape) if rows == 1 else (rows, *shape)
