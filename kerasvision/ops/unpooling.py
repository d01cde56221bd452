"""Pooling that remembers where each maximum was, and unpooling that puts it back (Zeiler et al., 2011, section 2.3).

Source: https://doi.org/10.1109/ICCV.2011.6126474, as in figure 3 of DeconvNet (Noh et al., 2015,
https://arxiv.org/abs/1505.04366). A "switch" is the place of the maximum in its window, counted by rows:

    1 5   3 0                                                       0 5   3 0
    2 4   1 2    pooled    5 3     switches    1 0     unpooled     0 0   0 0
    0 0   1 1              7 1                 3 0                  0 0   1 0
    0 7   1 1                                                       0 7   0 0

If several places of a window have the maximum, the first one counts: a pixel belongs to at most one of them. The functions
use nothing but `keras.ops`: they run on every backend, in a functional model, and in every format of export.
"""

from typing import Any

from keras import ops


def pool_with_switches(x: Any, *, size: int = 2) -> tuple[Any, Any]:
    """The maximum of each window of size x size pixels, and its place.

    Args:
        x: float (N, H, W, C) of any precision. H and W must be multiples of `size`.
        size: side of a window, and the distance of two windows.

    Returns:
        The maxima (N, H / size, W / size, C), of the dtype of x, and the switches, int32 of the same shape, in
        [0, size**2). The gradient of a maximum goes to its place.

    >>> pooled, switches = pool_with_switches([[[[1.0], [5.0]], [[2.0], [4.0]]]])
    >>> pooled.numpy().ravel(), switches.numpy().ravel()
    (array([5.], dtype=float32), array([1], dtype=int32))
    """
    x = ops.convert_to_tensor(x)
    maximum = x[:, ::size, ::size]
    switches = ops.cast(ops.zeros_like(maximum), "int32")
    for place in range(1, size * size):
        row, column = divmod(place, size)
        other = x[:, row::size, column::size]
        # One comparison decides both, so that they agree even if a compiler computes x twice, in two precisions.
        is_larger = ops.greater(other, maximum)
        maximum = ops.where(is_larger, other, maximum)
        switches = ops.where(is_larger, place, switches)
    return maximum, switches


def unpool(x: Any, switches: Any, *, size: int = 2) -> Any:
    """A map with each value at the place that its switch says, and zeros elsewhere.

    Args:
        x: float (N, h, w, C) of any precision.
        switches: int32 (N, h, w, C) in [0, size**2), as `pool_with_switches` returns them.
        size: side of a window.

    Returns:
        (N, size * h, size * w, C), of the dtype of x.

    >>> unpool([[[[5.0]]]], [[[[1]]]]).numpy()[0, :, :, 0]
    array([[0., 5.],
           [0., 0.]], dtype=float32)
    """
    x, switches = ops.convert_to_tensor(x), ops.convert_to_tensor(switches)
    values, wanted = (ops.repeat(ops.repeat(tensor, size, axis=1), size, axis=2) for tensor in (x, switches))
    # Counted along the map, because its size may not be known.
    ones = ops.ones_like(wanted[:, :, :, :1])
    rows, columns = ops.cumsum(ones[:, :, :1], axis=1) - 1, ops.cumsum(ones[:, :1], axis=2) - 1
    # Rows and columns are compared separately: `keras.ops.add` takes a sum of such maps for that of a map and a bias.
    is_row = ops.equal(ops.floor_divide(wanted, size), ops.mod(rows, size))
    is_column = ops.equal(ops.mod(wanted, size), ops.mod(columns, size))
    return ops.where(ops.logical_and(is_row, is_column), values, ops.zeros_like(values))
