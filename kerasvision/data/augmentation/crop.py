"""RandomResizedCrop: a random part of an image file, decoded by itself and brought to the network's size."""

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
    """An example with pixels, of a random part of its image, and with what that part holds of its objects.

    Args:
        example: "image" string, the encoded image; perhaps "objects", and whatever else, which is passed on.
        numbers: float32 (draws,) in [0, 1).
        settings: how large the part is.
        transform: the size and the colour mode that the network takes. Its `fit` plays no part: the crop is stretched.

    Returns:
        the example with "image" float32 (H, W, C) in [0, 255].
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

    The first number draws the area, evenly from the range; the second the logarithm of width over height, evenly from
    those at which such an area fits into the image; the others the place, evenly. So every draw is used,
    where torchvision draws both anew until they fit, at most ten times. Areas that fit at no allowed ratio are not drawn;
    where none fits at all, as in a very long image, it is the largest part of the nearest ratio.

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
    # An area a of ratio r fits where a <= r / aspect (the height) and a <= aspect / r (the width).
    largest = tf.minimum(tf.minimum(aspect / narrowest, widest / aspect), most)
    area = tf.minimum(least + for_area * (largest - least), largest)
    first = tf.math.log(tf.clip_by_value(area * aspect, narrowest, widest))
    last = tf.math.log(tf.clip_by_value(aspect / area, narrowest, widest))
    ratio = tf.exp(first + for_ratio * (last - first))
    part = tf.sqrt(area * height * width * tf.stack([1.0 / ratio, ratio]))
    part = tf.clip_by_value(tf.cast(tf.round(part), tf.int32), 1, size)
    # A number just below 1 times a whole one may be rounded up.
    left = size - part
    place = tf.minimum(tf.cast(numbers[2:] * tf.cast(left + 1, tf.float32), tf.int32), left)
    return tf.concat([place, part], axis=0)
