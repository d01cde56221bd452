"""A classifier as a fully convolutional network, which gives images of any size a map of logits.

A dense layer that reads a whole map of h x w cells is a convolution with a kernel of h x w, and a global pooling is a
pooling with a window of h x w (Long et al., 2015, https://arxiv.org/abs/1411.4038, section 3.1). Moved over a larger map, it
gives each place what the classifier says about the part of the image that begins there, in one pass:

    classifier      224 x 224 --> map of   7 x 7 cells --> dense 4096 --> dense 4096 --> logits
    converted       384 x 384 --> map of 12 x 12 cells --> 7x7 conv --> 6 x 6 x 4096 --> 1x1 conv --> 6 x 6 logits

If no convolution adds a border, each cell equals the classifier on its part exactly. Convolutions that add zeros (VGG,
ResNet) do so at all four sides of a part that is cut out; in the whole image they read the pixels there. So the two agree in
the cells of the last map whose convolutions stay inside the part, and differ in those nearer to a cut. At a side of the
image itself both read zeros.
"""

from collections.abc import Sequence
from itertools import count

import keras
from keras import layers

from kerasvision.errors import ConfigError
from kerasvision.models.enlarging import sides_of
from kerasvision.ops.normalization import fused

# Each value of their output depends on the values in the same place alone, and their weights, if any, lie on the last axis.
_EACH_PLACE = (
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.ELU,
    layers.Dropout,
    layers.Add,
    layers.Multiply,
    layers.Average,
    layers.Maximum,
    layers.Rescaling,
)
# On the last axis alone.
_LAST_AXIS = (layers.BatchNormalization, layers.LayerNormalization, layers.Concatenate, layers.Softmax)
# They read a fixed window around each place.
_WINDOWS = (
    layers.Conv2D,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
    layers.MaxPooling2D,
    layers.AveragePooling2D,
    layers.ZeroPadding2D,
    layers.Cropping2D,
    layers.SpatialDropout2D,
)
_GLOBAL = {layers.GlobalAveragePooling2D: layers.AveragePooling2D, layers.GlobalMaxPooling2D: layers.MaxPooling2D}


def fully_convolutional(model: keras.Model) -> keras.Model:
    """The classifier with convolutions instead of dense layers and windows instead of global pooling.

    Flatten and Dense become a convolution with the size of the map, each later Dense a 1x1 convolution, and global pooling a
    pooling with the size of the map and stride 1. All other layers stay. The weights are copies: VGG-16 has 138,357,544 both
    ways.

    Args:
        model: a functional classifier from float32 (N, H, W, C) to logits (N, num_classes), made for one size of image.

    Returns:
        Model from float32 (N, H', W', C) of any size from H x W on, to float32 (N, h, w, num_classes). At H x W, h and w are
        1 and the logits those of the classifier. See the top of this file for what the cells of a larger map mean.

    Raises:
        ConfigError: the model is not such a classifier, or a layer of it depends on the whole image in another way. The
            message names the layer.

    >>> from kerasvision.models import build
    >>> classifier = build("lenet5", image_shape=(28, 28, 1), num_classes=10)
    >>> converted = fully_convolutional(classifier)
    >>> converted.count_params() == classifier.count_params()
    True
    >>> converted.compute_output_shape((1, 40, 28, 1))
    (1, 4, 1, 10)
    """
    converted = without_weights(model)
    for layer in model.layers:
        if layer.weights:
            copy = converted.get_layer(layer.name)
            pairs = zip(layer.get_weights(), copy.weights, strict=True)
            copy.set_weights([weight.reshape(ours.shape) for weight, ours in pairs])
    return converted


def without_weights(model: keras.Model) -> keras.Model:
    """`fully_convolutional` with fresh weights."""
    _check(model)
    *_, channels = model.input.shape
    image = keras.Input((None, None, channels), dtype=model.input.dtype, name=model.input.name)
    return keras.models.clone_model(model, input_tensors=image, clone_function=_converted)


def _converted(layer: keras.Layer) -> keras.Layer:
    """A layer for maps of any size, without its weights."""
    config = layer.get_config()
    if isinstance(layer, layers.Flatten):
        return layers.Identity(name=layer.name)
    if type(layer) in _GLOBAL:
        return _GLOBAL[type(layer)](_sides(layer), strides=1, dtype=layer.dtype_policy, name=layer.name)
    if isinstance(layer, layers.Dense) and len(layer.input.shape) == 2:
        kept = ("activation", "use_bias", "kernel_initializer", "bias_initializer", "dtype", "name")
        return layers.Conv2D(layer.units, _window(layer), **{key: config[key] for key in kept})
    copy = type(layer).from_config(config)
    return fused(copy) if isinstance(copy, layers.BatchNormalization) else copy


def _window(dense: layers.Dense) -> tuple[int, int]:
    """Height and width of the map that a dense layer reads flattened; 1 x 1 if it reads one vector."""
    before = _before(dense)
    while not isinstance(before, (layers.Flatten, layers.Dense, *_GLOBAL)):
        before = _before(before)
    return _sides(before) if isinstance(before, layers.Flatten) else (1, 1)


def _before(layer: keras.Layer) -> keras.Layer:
    first = keras.tree.flatten(layer.input)[0]
    return first._keras_history.operation


def _sides(layer: keras.Layer) -> tuple[int, int]:
    _, height, width, _ = layer.input.shape
    return height, width


def _check(model: keras.Model) -> None:
    """Raises ConfigError if the model is not a classifier of one size, or a layer of it cannot be converted."""
    shapes = [tuple(tensor.shape) for tensor in (*model.inputs, *model.outputs)] if hasattr(model, "inputs") else []
    if [len(shape) for shape in shapes] != [4, 2]:
        raise ConfigError(
            "only a functional classifier, from one image to one row of logits, can be made fully convolutional",
            received=f"{model.name} with {', '.join(map(str, shapes)) or 'layers of its own code'}",
            hint=_way_out(shapes[len(getattr(model, "inputs", ())) :]),
        )
    if sides_of(shapes[0][1:]) is None:
        raise ConfigError(
            "the classifier must be made for one size of image, because that is the size of the parts that it judges",
            received=shapes[0],
            hint="build it with height and width",
        )
    for operation in model.operations:
        reason = _obstacle(operation)
        if reason:
            raise ConfigError(f"{model.name} cannot be made fully convolutional: its layer {operation.name!r} {reason}")


def _way_out(outputs: Sequence[tuple[int | None, ...]]) -> str:
    if len(outputs) > 1:
        return "of several outputs, choose one: keras.Model(model.input, model.output['logits'])"
    is_map = len(outputs) == 1 and len(outputs[0]) == 4
    return "a network that returns a map needs no conversion" if is_map else "give a classifier of kerasvision.models"


def _obstacle(layer: keras.Operation) -> str:
    """Why a layer has no counterpart for maps of any size; "" if it has one."""
    kind = type(layer).__name__
    if isinstance(layer, keras.layers.InputLayer):
        return ""
    if not isinstance(layer, keras.Layer) or isinstance(layer, keras.Model):
        return f"({kind}) is not a layer of Keras"
    if len(layer._inbound_nodes) != 1:
        return f"({kind}) is used several times"
    first = keras.tree.flatten(layer.input)[0]
    if isinstance(layer, layers.Flatten):
        return "" if len(first.shape) == 4 else f"({kind}) does not read a map"
    if type(layer) in _GLOBAL:
        return f"({kind}) keeps its axes, so that later layers read the mean of the whole image" if layer.keepdims else ""
    if isinstance(layer, layers.Dense):
        return _obstacle_of_dense(layer, rank=len(first.shape))
    if type(layer) in _LAST_AXIS:
        rank, axis = len(first.shape), layer.axis
        axes = [axis] if isinstance(axis, int) else list(axis)
        return "" if axes in ([-1], [rank - 1]) else f"({kind}) works on another axis than the last one"
    if type(layer) in _EACH_PLACE + _WINDOWS:
        return ""
    return f"({kind}) may depend on the whole image"


def _obstacle_of_dense(layer: layers.Dense, *, rank: int) -> str:
    if rank not in (2, 4):
        return "(Dense) reads neither a map nor one row for each image"
    if layer.quantization_mode or layer.lora_enabled:
        return "(Dense) has weights of another form than a kernel and a bias"
    return ""


def cell_stride(converted: keras.Model, part: tuple[int, int]) -> tuple[int, int]:
    """How many pixels the image has to grow for one more row of cells, and for one more column.

    Args:
        converted: what `fully_convolutional` returned.
        part: height and width of the classifier's images, in pixels.

    >>> from kerasvision.models import build
    >>> cell_stride(fully_convolutional(build("lenet5", image_shape=(28, 28, 1), num_classes=10)), (28, 28))
    (4, 4)
    """
    channels = converted.input.shape[-1]

    def sides(more: int) -> tuple[int, int]:
        _, height, width, _ = converted.compute_output_shape((1, part[0] + more, part[1] + more, channels))
        return height, width

    def growth(axis: int) -> int:
        # A map may grow a little too early where a pooling left out the last row, but it grows evenly from then on.
        first = next(more for more in count(1) if sides(more)[axis] == 2)
        second = next(more for more in count(first + 1) if sides(more)[axis] == 3)
        return second - first

    return growth(0), growth(1)
