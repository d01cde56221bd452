"""RandomResizedCrop: a random part of an image file, decoded alone and resized to the network's size."""

import tensorflow as tf

from kerasvision.config.augmentation import RandomResizedCrop
from kerasvision.config.experiment import Transform
from kerasvision.data.resized_objects import place_objects
from kerasvision.data.tensors import Tensors
from kerasvision.ops.images import decode_part, open_image
from kerasvision.ops.resize import cut_out, place_image


def random_resized_crop(
    example: Tensors, *, numbers: tf.Tensor, settings: RandomResizedCrop, transform: Transform
) -> Tensors:
    """An example with the pixels of a random part of its image, and with the objects in that part.

    Args:
        example: "image" string scalar, the encoded image; perhaps "objects", and other keys, which are kept.
        numbers: float32 (draws,) in [0, 1).
        settings: how large the part is.
        transform: the size and the colour mode of the network's input. Its `fit` is not used: the part is stretched.

    Returns:
        The example with "image" float32 (H, W, C) in [0, 255].
    """
    image, image_size = open_image(example["image"], **transform.decoding), transform.image_size
    part = random_part(image.size, numbers=numbers, settings=settings)
    within = cut_out(tf.concat([[0, 0], part[2:]], axis=0), image_size=image_size)
    cropped = {**example, "image": place_image(decode_part(image, part), within, image_size=image_size)}
    if "objects" in example:
        placement = cut_out(part, image_size=image_size)
        cropped["objects"] = place_objects(example["objects"], image.size, placement, image_size=image_size)
    return cropped


def random_part(size: tf.Tensor, *, numbers: tf.Tensor, settings: RandomResizedCrop) -> tf.Tensor:
    """int32 (4,): y, x, height and width of a random part of an image.

    All draws are uniform. The first number draws the area from the range; the second draws the logarithm of width over
    height from the values at which that area fits into the image; the others draw the place. So every draw is used, while
    torchvision draws both again until they fit, at most ten times. An area that fits at no allowed ratio is not drawn. If
    no area fits, as in a very long image, the result is the largest part with the nearest ratio.

    Args:
        size: int32 (2,), height and width of the image.
        numbers: float32 (4,) in [0, 1).
        settings: the ranges.

    >>> half = RandomResizedCrop(area=(0.5, 0.5), ratio=(2.0, 2.0))
    >>> random_part(tf.constant([10, 10]), numbers=tf.constant([0.0, 0.0, 0.0, 0.99]), settings=half).numpy().tolist()
    [0, 0, 5, 10]
    """
    height, width = tf.unstack(tf.cast(size, tf.float32))
    aspect = width / height
    for_area, for_ratio, _, _ = tf.unstack(numbers)
    (least, most), (narrowest, widest) = settings.area, settings.ratio
    # An area a of ratio r fits if a <= r / aspect (the height) and a <= aspect / r (the width).
    largest = tf.minimum(tf.minimum(aspect / narrowest, widest / aspect), most)
    area = tf.minimum(least + for_area * (largest - least), largest)
    first = tf.math.log(tf.clip_by_value(area * aspect, narrowest, widest))
    last = tf.math.log(tf.clip_by_value(aspect / area, narrowest, widest))
    ratio = tf.exp(first + for_ratio * (last - first))
    part = tf.sqrt(area * height * width * tf.stack([1.0 / ratio, ratio]))
    part = tf.clip_by_value(tf.cast(tf.round(part), tf.int32), 1, size)
    # The product of a number just below 1 and an integer may be rounded up.
    left = size - part
    place = tf.minimum(tf.cast(numbers[2:] * tf.cast(left + 1, tf.float32), tf.int32), left)
    return tf.concat([place, part], axis=0)
