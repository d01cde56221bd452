"""Fills the layers of a network with stored weights, by name, after everything about them was compared."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from kerasvision.errors import ConfigError
from kerasvision.models.saved import not_finite
from kerasvision.models.weight_files import Stored

# Settings of a layer that its weights depend on and that their shapes do not show.
_DECISIVE = ("strides", "padding", "pool_size", "dilation_rate", "groups", "activation", "axis", "epsilon")
OPTIONS = "give the network the options that the file was trained with"


def load_layers(receivers: Sequence[keras.Layer], stored: Mapping[str, Sequence[Stored]], file: Path) -> None:
    """Fills the layers with the numbers stored under their names. It reads no numbers before all shapes fit."""
    for layer in receivers:
        if layer.name not in stored:
            raise ConfigError(f"the weights file {file} lacks the layer {layer.name!r} of the network", hint=OPTIONS)
        ours, theirs = [tuple(weight.shape) for weight in layer.weights], [array.shape for array in stored[layer.name]]
        if ours != theirs:
            shapes = f"{_shapes(theirs)} in the file, {_shapes(ours)} in the network"
            raise ConfigError(f"the weights file {file} does not fit at layer {layer.name!r}: {shapes}")
    for layer in receivers:
        layer.set_weights([array.read() for array in stored[layer.name]])
    where = not_finite(receivers)
    if where:
        raise ConfigError(f"the weights file {file} must contain finite numbers: {where}", hint="use another file")


class Held:
    """A weight of a network, as `Stored`.

    Attributes:
        shape: of the weight.
    """

    def __init__(self, weight: keras.Variable) -> None:
        self._weight = weight
        self.shape = tuple(weight.shape)

    def read(self) -> np.ndarray:
        """The weight's numbers, of its shape and dtype (float32, unless the policy says otherwise)."""
        array: np.ndarray = keras.ops.convert_to_numpy(self._weight)
        return array


def check_same_layers(model: keras.Model, stored: Iterable[str], file: Path) -> None:
    """Raises ConfigError if the model lacks a layer of the file: without its norms, for example, it is another network."""
    names = {layer.name for layer in model.layers}
    for name in stored:
        if name not in names:
            raise ConfigError(f"the weights file {file} has a layer {name!r} that the network lacks", hint=OPTIONS)


def check_settings(model: keras.Model, source: keras.Model, file: Path, *, but: Sequence[str] = ()) -> None:
    """Raises ConfigError if settings of the layers differ: with another stride or activation the weights do not fit.

    The settings in `but` may differ.
    """
    in_file = {layer.name: _settings(layer) for layer in source.layers}
    for layer in model.layers:
        ours = _settings(layer)
        theirs = in_file.get(layer.name, ours)
        for setting in ours:
            if ours[setting] != theirs[setting] and setting not in but:
                raise ConfigError(
                    f"the weights file {file} does not fit at layer {layer.name!r}: {setting} is {theirs[setting]} in the "
                    f"file, {ours[setting]} in the network",
                    hint=OPTIONS,
                )


def _settings(layer: keras.Layer) -> dict[str, object]:
    config = layer.get_config()
    return {"class": type(layer).__name__} | {setting: config.get(setting) for setting in _DECISIVE}


def _shapes(shapes: Iterable[tuple[int, ...]]) -> str:
    return " + ".join(" x ".join(map(str, shape)) or "a number" for shape in shapes)
