"""Views of an image: its mirror image, and the image moved a little. They have the image's size.

Source: the predictions of Krizhevsky et al., 2012, section 4.1, which are means over crops and mirror images.
"""

from collections.abc import Callable

import tensorflow as tf

# A shifted view is moved by this share of the image's side, but at least by one pixel.
SHIFT = 1 / 16

View = Callable[[tf.Tensor], tf.Tensor]


def views(name: str) -> tuple[View, ...]:
    """The additional views that "flip" or "shift" stands for; each maps float32 (N, H, W, C) to the same shape.

    >>> image = tf.reshape(tf.range(4.0), (1, 1, 4, 1))
    >>> (mirror,) = views("flip")
    >>> mirror(image).numpy().ravel().tolist()
    [3.0, 2.0, 1.0, 0.0]
    >>> [view(image).numpy().ravel().tolist() for view in views("shift")[2:]]
    [[0.0, 0.0, 1.0, 2.0], [1.0, 2.0, 3.0, 3.0]]
    """
    if name == "flip":
        return (lambda images: images[:, :, ::-1],)
    return tuple(_moved(axis, sign) for axis in (1, 2) for sign in (1, -1))


def _moved(axis: int, sign: int) -> View:
    """Moves images down or right, or up or left, and fills the gap with the mirrored edge."""

    def move(images: tf.Tensor) -> tf.Tensor:
        side = images.shape[axis]
        step = max(1, round(SHIFT * side))
        padded = tf.pad(images, [[step, step] if one == axis else [0, 0] for one in range(4)], "SYMMETRIC")
        start = step - sign * step
        return tf.gather(padded, tf.range(start, start + side), axis=axis)

    return move
