"""The scale of each value: a network learns (truth - mean) / deviation, and the saved network answers in the value's unit.

Mean and deviation are those of the training images. They are the last layer of the saved network, so every program that
loads the network, in any format, answers in the units of the source.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision.errors import DataError
from kerasvision.tasks.regression.names import no_values

Floats = npt.NDArray[np.float64]
UNITS = "units"
ROWS_AT_ONCE = 4096
# Below this share of its largest number, a deviation is the rounding of float32, and the value is the same everywhere.
LEAST_SHARE = 1e-6


@dataclass(frozen=True)
class Scaling:
    """Mean and deviation of V values.

    Attributes:
        mean: V numbers, in the units of the values.
        deviation: V numbers above 0; 1 for a value that is the same in all images.
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, values: Floats, *, names: Sequence[str]) -> Self:
        """The scaling of values, float (N, V); NaN is missing, and does not count.

        Raises:
            DataError: no image has a number for a value.

        >>> Scaling.of(np.array([[1.0, 7.0], [3.0, 7.0], [np.nan, 7.0]]), names=("age", "grade"))
        Scaling(mean=(2.0, 7.0), deviation=(1.0, 1.0))
        """
        known = ~np.isnan(values)
        count = known.sum(axis=0)
        if missing := [name for name, some in zip(names, count, strict=True) if not some]:
            raise DataError(
                f"no training image has a number for {', '.join(missing)}",
                hint="leave it out of the values of the source, or add images that have it",
            )
        mean = np.where(known, values, 0.0).sum(axis=0) / count
        square = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0) / count
        largest = np.where(known, np.abs(values), 0.0).max(axis=0)
        deviation = np.sqrt(square)
        deviation = np.where(deviation > LEAST_SHARE * largest, deviation, 1.0)
        return cls(tuple(mean.tolist()), tuple(deviation.tolist()))

    @classmethod
    def of_examples(cls, examples: tf.data.Dataset, *, names: Sequence[str]) -> Self:
        """The scaling of the examples, one by one, with `values` float32 (V,).

        Raises:
            DataError: they have no numbers, or no image has a number for a value.
        """
        if "values" not in examples.element_spec:
            raise no_values()
        batches = examples.map(lambda example: example["values"]).batch(ROWS_AT_ONCE)
        found = [np.asarray(batch, np.float64) for batch in batches.as_numpy_iterator()]
        return cls.of(np.concatenate(found), names=names)

    def scaled(self, values: tf.Tensor) -> tf.Tensor:
        """Values (N, V) in their units -> float32 (N, V) in deviations from the mean.

        >>> Scaling((10.0,), (2.0,)).scaled(tf.constant([[14.0]])).numpy().tolist()
        [[2.0]]
        """
        return (values - tf.constant(self.mean, tf.float32)) / tf.constant(self.deviation, tf.float32)

    def in_units(self, network: keras.Model) -> keras.Model:
        """The network, from deviations (N, V) to the units of the values: float32 (N, V). Weights are shared.

        >>> image = keras.Input((1,))
        >>> network = keras.Model(image, keras.layers.Identity()(image))
        >>> Scaling((10.0,), (2.0,)).in_units(network)(tf.constant([[2.0]])).numpy().tolist()
        [[14.0]]
        """
        # A layer of Keras itself: the saved network loads without kerasvision.
        layer = keras.layers.Rescaling(list(self.deviation), list(self.mean), dtype="float32", name=UNITS)
        return keras.Model(network.input, layer(network.output), name=network.name)


def units_of(network: keras.Model) -> npt.NDArray[np.float64] | None:
    """The deviations that a saved network multiplies its answers by, float64 (V,); None if it has no such layer."""
    layer: Any = next((one for one in network.layers if one.name == UNITS), None)
    return None if layer is None else np.asarray(layer.scale, np.float64)
