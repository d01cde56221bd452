"""How many pixels of the image a cell of a map depends on, along y and x.

    layer                                       receptive field                     distance of two cells
    convolution or pooling, kernel k, stride s  r + (k - 1) * dilation * d          d * s
    enlarging by f                              r                                   d / f
    sum or concatenation                        the largest                         that of the first
    flattening, pooling over the whole map      the whole image                     -

r and d are those of the input, in pixels; of the image both are 1. Some of these pixels may lie in the border that
convolutions add. What a norm gathers over a whole map is not counted.

Source: Araujo et al., 2019, https://doi.org/10.23915/distill.00021, equations 1 and 2.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import keras
from keras import KerasTensor, layers

from kerasvision.models.uses import calls_of, graph_of

_POOLINGS = (layers.MaxPooling2D, layers.AveragePooling2D)
_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
_WHOLE = (layers.Flatten, layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)


class Field(NamedTuple):
    """Along one axis, in pixels.

    Attributes:
        size: of the receptive field; infinite if it is the whole image.
        step: the distance of two cells.
    """

    size: float
    step: float


Fields = tuple[Field, Field]
_OF_THE_IMAGE: Fields = (Field(1, 1), Field(1, 1))


def receptive_fields(model: keras.Model) -> dict[str, Fields]:
    """Output -> its receptive field along y and x, of a functional model with a dict of outputs.

    >>> from kerasvision.models import build
    >>> model = build("lenet5", image_shape=(28, 28, 1), num_classes=None)  # 5x5, pooling, 5x5, pooling
    >>> {level: vertical for level, (vertical, _) in receptive_fields(model).items()}
    {'c1': Field(size=6, step=2), 'c2': Field(size=16, step=4)}
    """
    return dict(zip(model.output, fields_of(model, list(model.output.values())), strict=True))


def fields_of(model: keras.Model, tensors: Sequence[KerasTensor]) -> list[Fields]:
    """The receptive fields along y and x of tensors inside a functional model.

    Args:
        model: from an image, float32 (N, H, W, C).
        tensors: float32 maps (N, h, w, channels), each of which depends on the image.
    """
    known = _of_all(model, {id(tensor): _OF_THE_IMAGE for tensor in model.inputs})
    return [known[id(tensor)] for tensor in tensors]


def field_text(fields: Fields) -> str:
    """The receptive field as one number or two, or "the image".

    >>> field_text((Field(92, 8), Field(92, 8))), field_text((Field(math.inf, 8), Field(math.inf, 8)))
    ('92 x 92', 'the image')
    """
    if any(math.isinf(field.size) for field in fields):
        return "the image"
    return " x ".join(f"{field.size:g}" for field in fields)


def _of_all(model: keras.Model, known: dict[int, Fields]) -> dict[int, Fields]:
    """Tensor, by its id -> its fields, for all tensors of the model that depend on the `known` ones."""
    for node in calls_of(model):
        given = [known[id(tensor)] for tensor in node.input_tensors if id(tensor) in known]
        inner = graph_of(node.operation)
        if hasattr(inner, "_nodes_by_depth"):
            pairs = zip(inner.inputs, node.input_tensors, strict=True)
            inside = _of_all(inner, {id(tensor): known[id(outer)] for tensor, outer in pairs if id(outer) in known})
            pairs = zip(inner.outputs, node.output_tensors, strict=True)
            known |= {id(outer): inside[id(tensor)] for tensor, outer in pairs if id(tensor) in inside}
        elif given:
            known |= {id(tensor): _through(node.operation, given) for tensor in node.output_tensors}
    return known


def _through(operation: Any, given: list[Fields]) -> Fields:
    """The fields of a layer's outputs, from those of its inputs."""
    vertical, horizontal = zip(*given, strict=True)
    return _along(operation, vertical, axis=0), _along(operation, horizontal, axis=1)


def _along(operation: Any, given: Iterable[Field], *, axis: int) -> Field:
    first, *others = given
    size, step = max(field.size for field in (first, *others)), first.step
    if isinstance(operation, _WHOLE):
        return Field(math.inf, step)
    if isinstance(operation, layers.UpSampling2D):
        return Field(size, step / operation.size[axis])
    if isinstance(operation, layers.Conv2DTranspose):
        # Each cell reads the inputs whose kernels cover it.
        stride = operation.strides[axis]
        return Field(size + (math.ceil(operation.kernel_size[axis] / stride) - 1) * step, step / stride)
    if isinstance(operation, _CONVOLUTIONS):
        reach = (operation.kernel_size[axis] - 1) * operation.dilation_rate[axis]
        return Field(size + reach * step, step * operation.strides[axis])
    if isinstance(operation, _POOLINGS):
        window, stride = _pooled(operation, axis)
        return Field(size + (window - 1) * step, step * stride)
    return Field(size, step)


def _pooled(pooling: Any, axis: int) -> tuple[int, int]:
    """Window and stride of a pooling along y (0) or x (1).

    Images are (N, H, W, C), so with "channels_first" a layer pools x and the channels; see `alexnet.response_norm`.
    """
    if pooling.data_format == "channels_first":
        return (pooling.pool_size[0], pooling.strides[0]) if axis == 1 else (1, 1)
    return pooling.pool_size[axis], pooling.strides[axis]
