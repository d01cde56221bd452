"""Views of an image: its mirror image, and the image moved a little, smaller or larger. They have the image's size.

Source: the predictions of Krizhevsky et al., 2012, section 4.1, which are means over crops and mirror images.
"""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from kerasvision.ops.resize import Placement

# A shifted view is moved by this share of the image's side, but at least by one pixel.
SHIFT = 1 / 16
# How large the image is in the views of "scale".
SCALES = (3 / 4, 4 / 3)


@dataclass(frozen=True)
class View:
    """A view, called with images float32 (N, H, W, C); returns the same shape.

    Attributes:
        pixels: the function that makes it.
        placement: from (height, width) of the images to where the view puts their pixels, float32 (2,) each: position p is
            at p * scale + translation in the view. A negative scale mirrors.
        of_larger: whether it is cut out of a larger picture, which is no view itself.
    """

    pixels: Callable[[tf.Tensor], tf.Tensor]
    placement: Callable[[tuple[int, int]], Placement]
    of_larger: bool = False

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        return self.pixels(images)


def views(name: str) -> tuple[View, ...]:
    """The additional views that "flip", "shift" or "scale" stands for.

    >>> image = tf.reshape(tf.range(4.0), (1, 1, 4, 1))
    >>> (mirror,) = views("flip")
    >>> mirror(image).numpy().ravel().tolist(), mirror.placement((1, 4)).translation.numpy().tolist()
    ([3.0, 2.0, 1.0, 0.0], [0.0, 4.0])
    >>> [view(image).numpy().ravel().tolist() for view in views("shift")[2:]]
    [[0.0, 0.0, 1.0, 2.0], [1.0, 2.0, 3.0, 3.0]]
    """
    if name == "flip":
        return (View(lambda images: images[:, :, ::-1], _mirrored),)
    if name == "scale":
        return tuple(map(_resized, SCALES))
    return tuple(_moved(axis, sign) for axis in (1, 2) for sign in (1, -1))


def ten_crop(picture: tuple[int, int], size: tuple[int, int]) -> tuple[View, ...]:
    """The centre and the four corners of a picture, and their mirror images: the centre first.

    Args:
        picture: height and width.
        size: height and width of each view, not larger.

    Source: Krizhevsky et al., 2012, section 4.1.

    >>> crops = ten_crop((1, 4), (1, 2))
    >>> image = tf.reshape(tf.range(4.0), (1, 1, 4, 1))
    >>> [crop(image).numpy().ravel().tolist() for crop in crops[:4]]
    [[1.0, 2.0], [2.0, 1.0], [0.0, 1.0], [1.0, 0.0]]
    """
    down, across = picture[0] - size[0], picture[1] - size[1]
    starts = ((down // 2, across // 2), (0, 0), (0, across), (down, 0), (down, across))
    return tuple(_cut(start, size, mirrored=mirrored) for start in starts for mirrored in (False, True))


def _cut(start: tuple[int, int], size: tuple[int, int], *, mirrored: bool) -> View:
    (y, x), (height, width) = start, size

    def cut(pictures: tf.Tensor) -> tf.Tensor:
        part = pictures[:, y : y + height, x : x + width]
        return part[:, :, ::-1] if mirrored else part

    def placement(_: tuple[int, int]) -> Placement:
        if mirrored:
            return Placement(tf.constant([1.0, -1.0]), tf.constant([-y, x + width], tf.float32))
        return Placement(tf.ones(2), tf.constant([-y, -x], tf.float32))

    return View(cut, placement, of_larger=True)


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


def _resized(factor: float) -> View:
    """The image smaller, with its mirrored edge around it, or the middle of the image, enlarged."""

    def resize(images: tf.Tensor) -> tf.Tensor:
        height, width = images.shape[1:3]
        (tall, y), (wide, x) = (_side(old, factor) for old in (height, width))
        resized = tf.image.resize(images, [tall, wide])
        if factor > 1:
            return resized[:, -y : height - y, -x : width - x]
        border = [[y, height - tall - y], [x, width - wide - x]]
        return tf.pad(resized, [[0, 0], *border, [0, 0]], "SYMMETRIC")

    def placement(size: tuple[int, int]) -> Placement:
        (tall, y), (wide, x) = (_side(old, factor) for old in size)
        return Placement(tf.constant([tall / size[0], wide / size[1]]), tf.constant([y, x], tf.float32))

    return View(resize, placement)


def _side(old: int, factor: float) -> tuple[int, int]:
    """How long a side becomes, and where it begins in the view: below 0 where it is cut."""
    new = max(1, round(factor * old))
    return new, (old - new) // 2


def _step(side: int) -> int:
    return max(1, round(SHIFT * side))
