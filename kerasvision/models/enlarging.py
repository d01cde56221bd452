"""Makes maps larger: by bilinear interpolation, by transposed convolutions that begin as it, and to a given size.

    8 pixels of a row:      0   1   2   3   4   5   6   7
    2 cells of stride 4:          a               b            pixel 3 is 5/8 a + 3/8 b

A cell lies in the middle of its pixels. Beyond the first and the last cell, interpolation repeats the edge, and a transposed
convolution reads zeros; everywhere else a bilinear kernel gives the same numbers.
"""

from typing import Literal

import keras
import numpy as np
from keras import KerasTensor, layers, ops

from kerasvision.models.figures import AnyShape

Upsampling = Literal["learned", "fixed"]


def bilinear_kernel(stride: int) -> np.ndarray:
    """The kernel with which a transposed convolution of that stride interpolates (Long et al., 2015, section 3.3).

    Returns:
        float32 (2 * stride, 2 * stride) in (0, 1], for an even stride: the share of a cell in each pixel around it. It falls
        linearly with the distance from the middle of the cell.

    >>> bilinear_kernel(2)[0] * 16
    array([1., 3., 3., 1.], dtype=float32)
    """
    side = 2 * stride
    distances = np.abs(np.arange(side) - (side - 1) / 2)
    shares = 1 - distances / stride
    return np.outer(shares, shares).astype("float32")


def upsampled(x: KerasTensor, *, stride: int, upsampling: Upsampling, name: str) -> KerasTensor:
    """Every cell becomes stride x stride pixels: float32 (N, h, w, C) to (N, stride * h, stride * w, C), in full precision.

    Args:
        x: the map; C is the number of classes.
        stride: an even number.
        upsampling: "fixed" interpolates bilinearly and has no weights. "learned" is a transposed convolution without bias
            whose kernel begins as that interpolation of each channel, with (2 * stride)**2 * C**2 weights.
        name: of the layer.
    """
    dtype = keras.config.floatx()
    if upsampling == "fixed":
        return layers.UpSampling2D(stride, interpolation="bilinear", dtype=dtype, name=name)(x)
    channels = x.shape[-1]
    layer = layers.Conv2DTranspose(channels, 2 * stride, stride, "same", use_bias=False, dtype=dtype, name=name)
    larger = layer(x)
    # Assigned, because an initializer of ours in the file of a network would require kerasvision to load it.
    layer.kernel.assign(bilinear_kernel(stride)[:, :, None, None] * np.eye(channels, dtype=dtype))
    return larger


def resized(x: KerasTensor, *, image: KerasTensor, stride: int, name: str) -> KerasTensor:
    """The map at the size of the image, interpolated bilinearly: float32 (N, h, w, C) to (N, H, W, C).

    Args:
        x: the map.
        image: float32 (N, H, W, any). If its size is not known, H must be stride * h, and W stride * w.
        stride: of the map.
        name: of the layer, if there is one.
    """
    sides = sides_of(image.shape[1:])
    if sides is None or sides == (stride * x.shape[1], stride * x.shape[2]):
        return layers.UpSampling2D(stride, interpolation="bilinear", dtype=keras.config.floatx(), name=name)(x)
    return ops.image.resize(x, sides, interpolation="bilinear")


def fitted(x: KerasTensor, *, like: KerasTensor, dtype: str | None = None, name: str) -> KerasTensor:
    """The map x, enlarged to about the size of `like`, at its size.

    From float32 (N, h, w, C) to (N, H, W, C), where `like` is (N, H, W, any). Rows beyond H are cut; if there are fewer, the
    last one is repeated. The same holds for columns. Where the sizes are not known, x itself is returned. `dtype` is that of
    the layers; None is that of the current policy.
    """
    sides = sides_of(like.shape[1:])
    if sides is None:
        return x
    height, width = sides
    surplus = max(x.shape[1] - height, 0), max(x.shape[2] - width, 0)
    if any(surplus):
        x = layers.Cropping2D(((0, surplus[0]), (0, surplus[1])), dtype=dtype, name=f"{name}_cut")(x)
    x = lengthened(x, height - x.shape[1], axis=1, dtype=dtype, name=f"{name}_rows")
    return lengthened(x, width - x.shape[2], axis=2, dtype=dtype, name=f"{name}_columns")


def lengthened(x: KerasTensor, missing: int, *, axis: Literal[1, 2], dtype: str | None, name: str) -> KerasTensor:
    """The map x, float32 (N, H, W, C), whose last row (axis 1) or column (axis 2) is repeated `missing` times."""
    if not missing:
        return x
    before = x.shape[axis] - 1
    cut, times = (((before, 0), (0, 0)), (missing, 1)) if axis == 1 else (((0, 0), (before, 0)), (1, missing))
    last = layers.Cropping2D(cut, dtype=dtype, name=f"{name}_last")(x)
    last = layers.UpSampling2D(times, dtype=dtype, name=f"{name}_repeated")(last) if missing > 1 else last
    return layers.Concatenate(axis, dtype=dtype, name=name)([x, last])


def sides_of(image_shape: AnyShape) -> tuple[int, int] | None:
    """Height and width; None if they are not known.

    >>> sides_of((96, 64, 3)), sides_of((None, None, 3))
    ((96, 64), None)
    """
    height, width, _ = image_shape
    return None if height is None or width is None else (height, width)
