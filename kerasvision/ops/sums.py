"""Sums that are lined up as NumPy does it, on every backend and in models.

On TensorFlow, `keras.ops.add` and `+` between the tensors of a model take a second operand with one long axis for the bias
of a convolution: if that axis is as long as the last axis of the first operand, it is added there, wherever it stood. So
(N, 8, 8) + (8, 1) adds one number per column instead of one per row. `keras.ops.subtract` has no such rule.
"""

from typing import Any

from keras import ops


def broadcast_sum(x: Any, y: Any) -> Any:
    """x + y, of the shape to which NumPy broadcasts the two.

    Args:
        x, y: tensors, arrays or tensors of a model, signed numbers of one dtype.

    >>> import numpy as np
    >>> broadcast_sum(np.zeros((1, 2, 2), "float32"), np.array([[1.0], [2.0]], "float32")).numpy()[0]
    array([[1., 1.],
           [2., 2.]], dtype=float32)
    """
    # An array stays one: the file of a network lists a tensor in another way.
    return ops.subtract(x, -y)
