"""The networks of keras.applications by name: `build("keras/mobilenetv3_small", ...)`. Keras makes their layers.

An adapter makes a network of Keras work like ours:

- It has no head of its own. The head is the mean over the last map, dropout, logits.
- It has no preprocessing: it takes what the transform gives. Published weights bring a layer "scaling".
- It drops no blocks while training (stochastic depth), so a frozen part always gives the same maps.
- Every layer has the same name in each build: Keras numbers some of its layers through the whole process.
- Its maps are found by their stride: c3 is the last map of stride 8 after which no layer reads anything earlier. In NASNet
  each cell also reads the cell before the last one, so there is no such map: c3 is the last map of that stride.

A saved network consists of Keras' own layers, and loads where kerasvision does not exist.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2, prod
from typing import Any

import keras
from keras import KerasTensor, layers

from kerasvision.errors import ConfigError
from kerasvision.models.blocks import check_share, pooled_network
from kerasvision.models.families import of_size
from kerasvision.ops.normalization import fused

# Layers of Keras' networks that are left out: preprocessing, and dropout, which drops whole blocks.
_LEFT_OUT = (layers.Rescaling, layers.Normalization, layers.Dropout)
# Their outputs are not used as maps: a border changes the size of a map.
_NOT_MAPS = (layers.ZeroPadding2D, layers.Cropping2D)


def keras_network(
    function: str,
    /,
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    dropout: float = 0.2,
    synchronized: bool = False,
) -> keras.Model:
    """The network that keras.applications has under that name, with the changes at the top of this file.

    Args:
        function: in `keras.applications`, for example "ConvNeXtTiny".
        image_shape: (height, width, channels) in pixels; the least side is in `kerasvision.config.keras_networks`.
        num_classes: how many logits; None gives the backbone.
        dropout: share of the pooled features that training drops, in [0, 1).
        synchronized: normalise by the whole batch instead of each replica's part of it; see `batch_norm`.

    Returns:
        Model from float32 (N, H, W, C) to logits float32 (N, num_classes), or to the maps {"c1", ..., "c5"} of strides
        2 to 32. ConvNeXt has no "c1".

    Raises:
        ConfigError: dropout outside [0, 1).

    >>> backbone = keras_network("MobileNetV3Small", image_shape=(32, 32, 3), num_classes=None)
    >>> {level: feature_map.shape[1:] for level, feature_map in backbone.output.items()}
    {'c1': (16, 16, 16), 'c2': (8, 8, 72), 'c3': (4, 4, 96), 'c4': (2, 2, 288), 'c5': (1, 1, 576)}
    """
    check_share("dropout", dropout)
    original = original_network(function, image_shape=image_shape)
    return _adapted(function, original, num_classes=num_classes, dropout=dropout, synchronized=synchronized)


def mobile_network(
    function: str,
    /,
    *,
    image_shape: tuple[int, int, int],
    num_classes: int | None,
    width: float = 1.0,
    dropout: float = 0.2,
    synchronized: bool = False,
) -> keras.Model:
    """A MobileNet, whose layers may have fewer or more channels.

    Args:
        function: in `keras.applications`, for example "MobileNetV2".
        image_shape: (height, width, channels) in pixels, at least 32 x 32.
        num_classes: how many logits; None gives the backbone.
        width: factor on the channels, above 0; `alpha` in Keras. The published weights require 1.
        dropout: share of the pooled features that training drops, in [0, 1).
        synchronized: normalise by the whole batch instead of each replica's part of it; see `batch_norm`.

    Returns:
        As `keras_network`.

    Raises:
        ConfigError: dropout outside [0, 1), or a width that is not positive.
    """
    if not width > 0:
        raise ConfigError("width must be positive", received=width)
    check_share("dropout", dropout)
    original = original_network(function, image_shape=image_shape, alpha=width)
    return _adapted(function, original, num_classes=num_classes, dropout=dropout, synchronized=synchronized)


def original_network(function: str, *, image_shape: tuple[int, int, int], **options: Any) -> keras.Model:
    """Keras' own network without its head, freshly initialised.

    Args:
        function: in `keras.applications`.
        image_shape: (height, width, channels) in pixels.
        options: of the function.
    """
    make = getattr(keras.applications, function)
    with warnings.catch_warnings():
        # Keras expects 1 or 3 channels, and builds the network for 4 as well.
        warnings.filterwarnings("ignore", "This model usually expects 1 or 3 input channels")
        network: keras.Model = make(include_top=False, weights=None, input_shape=image_shape, **options)
    return network


def our_names(original: keras.Model) -> dict[str, str]:
    """Keras' name of each layer -> our name. A layer that Keras numbers is numbered anew, from 1.

    >>> image = keras.Input((2,))
    >>> x = keras.layers.Dense(2, name="dense_17")(keras.layers.Dense(2, name="first")(image))
    >>> list(our_names(keras.Model(image, x)).values())[1:]
    ['first', 'dense_1']
    """
    counts: dict[str, int] = {}
    names = {}
    for layer in original.layers:
        base = re.sub(r"_\d+$", "", layer.name)
        if base.replace("_", "") == type(layer).__name__.lower():
            counts[base] = counts.get(base, 0) + 1
            names[layer.name] = f"{base}_{counts[base]}"
        else:
            names[layer.name] = layer.name
    return names


def _adapted(
    function: str, original: keras.Model, *, num_classes: int | None, dropout: float, synchronized: bool
) -> keras.Model:
    image = keras.Input(original.input_shape[1:], name="image")
    graph = _Graph(image, our_names(original), synchronized=synchronized and keras.backend.backend() == "tensorflow")
    keras.models.clone_model(original, input_tensors=image, clone_function=graph.copy_of, call_function=graph.call)
    return pooled_network(f"keras_{function}", image, graph.maps(), num_classes=num_classes, dropout=dropout)


@dataclass(frozen=True)
class _Computed:
    """A tensor of the graph: its stride, the tensors that it is computed from, and whether it may be a map."""

    tensor: KerasTensor
    stride: int
    inputs: frozenset[int]
    is_map: bool


class _Graph:
    """Copies the layers of a network, calls the copies, and keeps what `maps` needs."""

    def __init__(self, image: KerasTensor, names: Mapping[str, str], *, synchronized: bool) -> None:
        self._names, self._synchronized = names, synchronized
        # In the order in which they are computed.
        self._computed = [_Computed(image, 1, frozenset(), is_map=False)]
        self._places = {id(image): 0}

    def copy_of(self, operation: Any) -> Any:
        """A copy of a layer, freshly initialised, or of an operation that is not a layer, such as the sum of two maps."""
        config = operation.get_config()
        # An operation has the number of its place in the graph.
        config["name"] = self._names.get(operation.name, f"operation_{len(self._computed)}")
        if isinstance(operation, layers.BatchNormalization):
            return fused(layers.BatchNormalization.from_config({**config, "synchronized": self._synchronized}))
        return type(operation).from_config(config)

    def call(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        """What the copy gives for these inputs. A layer that is left out gives its input."""
        if isinstance(operation, _LEFT_OUT):
            return args[0]
        read = [value for value in keras.tree.flatten((args, kwargs)) if isinstance(value, KerasTensor)]
        if _is_sum(operation) and len(read) == 2:
            # A map must be the output of a layer: see `kerasvision.training.transfer`.
            output = layers.Add(name=operation.name)(read)
        else:
            output = operation(*args, **kwargs)
        self._places[id(output)] = len(self._computed)
        self._computed.append(self._note(operation, read, output))
        return output

    def _note(self, operation: Any, read: Sequence[KerasTensor], output: KerasTensor) -> _Computed:
        inputs = frozenset(self._places[id(tensor)] for tensor in read)
        stride = max(self._computed[place].stride for place in inputs) * _stride(operation)
        is_layer = (isinstance(operation, keras.Layer) or _is_sum(operation)) and not isinstance(operation, _NOT_MAPS)
        return _Computed(output, stride, inputs, is_map=is_layer and len(output.shape) == 4 and stride > 1)

    def maps(self) -> dict[str, KerasTensor]:
        """The maps by level, in ascending order; see the top of this file."""
        last_read = {place: later for later, computed in enumerate(self._computed) for place in computed.inputs}
        found: dict[int, tuple[bool, KerasTensor]] = {}
        open_until = 0
        for place, computed in enumerate(self._computed):
            # Nothing that comes later reads an earlier tensor.
            is_passage = open_until <= place
            open_until = max(open_until, last_read.get(place, 0))
            if computed.is_map and (is_passage or not found.get(computed.stride, (False,))[0]):
                found[computed.stride] = is_passage, computed.tensor
        return {f"c{round(log2(stride))}": tensor for stride, (_, tensor) in sorted(found.items())}


def _is_sum(operation: Any) -> bool:
    """Whether it adds tensors without being a layer."""
    return not isinstance(operation, keras.Layer) and type(operation).__name__ == "Add"


def _stride(operation: Any) -> int:
    """How many times smaller the output is than the input along one axis; 0 for a vector of all pixels."""
    if isinstance(operation, keras.Sequential):
        return prod(_stride(layer) for layer in operation.layers)
    if isinstance(operation, layers.GlobalAveragePooling2D):
        return 0
    strides = getattr(operation, "strides", 1)
    return int(strides[0] if isinstance(strides, tuple | list) else strides)


# Each is a builder: `kerasvision.lookup.OF_KERAS` has their names.
mobilenet = of_size(mobile_network, "MobileNet")
mobilenetv2 = of_size(mobile_network, "MobileNetV2")
mobilenetv3_large = of_size(mobile_network, "MobileNetV3Large")
mobilenetv3_small = of_size(mobile_network, "MobileNetV3Small")
efficientnet_b0 = of_size(keras_network, "EfficientNetB0")
efficientnet_b1 = of_size(keras_network, "EfficientNetB1")
efficientnet_b2 = of_size(keras_network, "EfficientNetB2")
efficientnet_b3 = of_size(keras_network, "EfficientNetB3")
efficientnet_b4 = of_size(keras_network, "EfficientNetB4")
efficientnet_b5 = of_size(keras_network, "EfficientNetB5")
efficientnet_b6 = of_size(keras_network, "EfficientNetB6")
efficientnet_b7 = of_size(keras_network, "EfficientNetB7")
efficientnetv2_b0 = of_size(keras_network, "EfficientNetV2B0")
efficientnetv2_b1 = of_size(keras_network, "EfficientNetV2B1")
efficientnetv2_b2 = of_size(keras_network, "EfficientNetV2B2")
efficientnetv2_b3 = of_size(keras_network, "EfficientNetV2B3")
efficientnetv2_s = of_size(keras_network, "EfficientNetV2S")
efficientnetv2_m = of_size(keras_network, "EfficientNetV2M")
efficientnetv2_l = of_size(keras_network, "EfficientNetV2L")
convnext_tiny = of_size(keras_network, "ConvNeXtTiny")
convnext_small = of_size(keras_network, "ConvNeXtSmall")
convnext_base = of_size(keras_network, "ConvNeXtBase")
convnext_large = of_size(keras_network, "ConvNeXtLarge")
convnext_xlarge = of_size(keras_network, "ConvNeXtXLarge")
resnet50 = of_size(keras_network, "ResNet50")
resnet101 = of_size(keras_network, "ResNet101")
resnet152 = of_size(keras_network, "ResNet152")
resnet50v2 = of_size(keras_network, "ResNet50V2")
resnet101v2 = of_size(keras_network, "ResNet101V2")
resnet152v2 = of_size(keras_network, "ResNet152V2")
vgg16 = of_size(keras_network, "VGG16")
vgg19 = of_size(keras_network, "VGG19")
xception = of_size(keras_network, "Xception")
densenet121 = of_size(keras_network, "DenseNet121")
densenet169 = of_size(keras_network, "DenseNet169")
densenet201 = of_size(keras_network, "DenseNet201")
inceptionv3 = of_size(keras_network, "InceptionV3")
inceptionresnetv2 = of_size(keras_network, "InceptionResNetV2")
nasnet_mobile = of_size(keras_network, "NASNetMobile")
nasnet_large = of_size(keras_network, "NASNetLarge")
