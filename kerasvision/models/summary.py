"""What a network is made of: one row per layer, and what the rows add up to. Data only; whoever asks prints it.

    Conv2D     out height x out width x filters  times  kernel height x kernel width x in channels / groups
    Dense      units                             times  inputs

A multiply-add ("MAC") is one multiplication and one addition, for one image. Published figures count these two kinds of
layer and nothing else, bias not included; so does this.

>>> from kerasvision.models import build
>>> table = layer_table(build("lenet5", image_shape=(28, 28, 1), num_classes=10))
>>> table.rows[1].name, table.rows[1].output_shape, table.rows[1].weights, table.rows[1].multiply_adds
('conv1', (28, 28, 6), 156, 117600)
>>> table.trainable_weights, table.multiply_adds
(61706, 416520)
"""

from dataclasses import dataclass
from math import prod

import keras
from keras import layers

_COUNTED = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.Dense)

Shape = tuple[int, ...]


@dataclass(frozen=True)
class LayerRow:
    """One layer, for one image.

    Attributes:
        name: unique in the model.
        type: its Keras class.
        output_shape: without the batch; a dict of shapes where the layer is a backbone.
        weights: how many numbers it holds, moving statistics included.
        trainable_weights: those that training changes by gradient.
        multiply_adds: see the top of this file; 0 for every other kind of layer.
    """

    name: str
    type: str
    output_shape: Shape | dict[str, Shape]
    weights: int
    trainable_weights: int
    multiply_adds: int


@dataclass(frozen=True)
class LayerTable:
    """The rows in the order in which the layers run, and their sums."""

    rows: tuple[LayerRow, ...]

    @property
    def total_weights(self) -> int:
        """What Keras' `count_params` counts."""
        return sum(row.weights for row in self.rows)

    @property
    def trainable_weights(self) -> int:
        """What papers and torchvision count."""
        return sum(row.trainable_weights for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """For one image."""
        return sum(row.multiply_adds for row in self.rows)


def layer_table(model: keras.Model) -> LayerTable:
    """The layers of a functional model; a model inside it is one row, and so is a layer that is used twice."""
    return LayerTable(tuple(_row(layer) for layer in model.layers))


def _row(layer: keras.Layer) -> LayerRow:
    return LayerRow(
        name=layer.name,
        type=type(layer).__name__,
        output_shape=keras.tree.map_structure(lambda tensor: tuple(tensor.shape[1:]), layer.output),
        weights=layer.count_params(),
        trainable_weights=sum(prod(weight.shape) for weight in layer.trainable_weights),
        multiply_adds=_multiply_adds(layer),
    )


def _multiply_adds(layer: keras.Layer) -> int:
    """Each output is a sum over one kernel without its last axis, which numbers the outputs themselves."""
    if isinstance(layer, keras.Model):
        return sum(_multiply_adds(inner) for inner in layer.layers)
    if not isinstance(layer, _COUNTED):
        return 0
    return prod(layer.output.shape[1:]) * prod(layer.kernel.shape[:-1])
