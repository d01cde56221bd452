"""Views of an image: its mirror image, and the image moved a little. They have the image's size.

Source: the predictions of Krizhevsky et al., 2012, section 4.1, which are means over crops and mirror images.
"""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from kerasvision.ops.resize import Placement

# A shifted view is moved by this share of the image's side, but at least by one pixel.
SHIFT = 1 / 16


@dataclass(frozen=True)
class View:
    """A view, called with images float32 (N, H, W, C); returns the same shape.

    Attributes:
        pixels: the function that makes it.
        placement: from (height, width) of the images to where the view puts their pixels, float32 (2,) each: position p is
            at p * scale + translation in the view. A negative scale mirrors.
    """

    pixels: Callable[[tf.Tensor], tf.Tensor]
    placement: Callable[[tuple[int, int]], Placement]

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        return self.pixels(images)


def views(name: str) -> tuple[View, ...]:
    """The additional views that "flip" or "shift" stands for.

    >>> image = tf.reshape(tf.range(4.0), (1, 1, 4, 1))
    >>> (mirror,) = views("flip")
    >>> mirror(image).numpy().ravel().tolist(), mirror.placement((1, 4)).translation.numpy().tolist()
    ([3.0, 2.0, 1.0, 0.0], [0.0, 4.0])
    >>> [view(image).numpy().ravel().tolist() for view in views("shift")[2:]]
    [[0.0, 0.0, 1.0, 2.0], [1.0, 2.0, 3.0, 3.0]]
    """
    if name == "flip":
        return (View(lambda images: images[:, :, ::-1], _mirrored),)
    return tuple(_moved(axis, sign) for axis in (1, 2) for sign in (1, -1))


def _mirrored(size: tuple[int, int]) -> Placement:
    return Placement(tf.constant([1.0, -1.0]), tf.constant([0.0, size[1]], tf.float32))


def _moved(axis: int, sign: int) -> View:
    """Moves images down or right, or up or left, and fills the gap with the mirrored edge."""

    def move(images: tf.Tensor) -> tf.Tensor:
        side = images.shape[axis]
        step = _step(side)
        padded = tf.pad(images, [[step, step] if one == axis else [0, 0] for one in range(4)], "SYMMETRIC")
        start = step - sign * step
        return tf.gather(padded, tf.range(start, start + side), axis=axis)

    def placement(size: tuple[int, int]) -> Placement:
        step = float(sign * _step(size[axis - 1]))
        return Placement(tf.ones(2), tf.constant([step if one == axis else 0.0 for one in (1, 2)]))

    return View(move, placement)


def _step(side: int) -> int:
    return max(1, round(SHIFT * side))
