"""Whether two models' pictures are equal but for rounding: a value between two of the 255 steps may become either."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

Arrays = Mapping[str, np.ndarray]


def without_rounded_steps(received: Arrays, wanted: Arrays, pictures: frozenset[str]) -> Arrays:
    """The received answers, with the wanted picture in each row where no value of the two differs by more than one step.

    Args:
        received, wanted: output name -> array (N, ...). A picture is object (N,) with a PNG per row; b"" is no picture.
        pictures: which outputs are pictures, as in `Task.pictures`.

    >>> def png(*values):
    ...     return tf.io.encode_png(np.array([[[value] for value in values]], np.uint8)).numpy()
    >>> wanted = {"a_bytes": np.array([png(0, 9), png(0, 9)], object)}
    >>> received = {"a_bytes": np.array([png(1, 8), png(2, 9)], object)}
    >>> found = without_rounded_steps(received, wanted, frozenset({"a_bytes"}))
    >>> (found["a_bytes"] == wanted["a_bytes"]).tolist()
    [True, False]
    """
    found = dict(received)
    for name in pictures & received.keys() & wanted.keys():
        if received[name].shape == wanted[name].shape:
            rows = zip(received[name], wanted[name], strict=True)
            found[name] = np.array([theirs if _is_rounded(own, theirs) else own for own, theirs in rows], object)
    return found


def _is_rounded(one: bytes, other: bytes) -> bool:
    if not one or not other:
        return False
    pixels, others = (tf.io.decode_png(png).numpy().astype(np.int16) for png in (one, other))
    return pixels.shape == others.shape and int(np.abs(pixels - others).max(initial=0)) <= 1
