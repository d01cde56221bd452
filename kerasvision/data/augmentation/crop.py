"""RandomResizedCrop, RandomCrop and IouCrop: a random part of an image file, decoded alone, at the network's size."""

import tensorflow as tf

from kerasvision.config.augmentation import IouCrop, RandomCrop, RandomResizedCrop
from kerasvision.config.preparing import Transform
from kerasvision.data.augmentation.draws import integers
from kerasvision.data.augmentation.objects import VISIBLE, keep_objects, less_visible
from kerasvision.data.resized_maps import place_map
from kerasvision.data.resized_objects import place_objects
from kerasvision.data.tensors import Tensors
from kerasvision.data.tight_boxes import tight_boxes
from kerasvision.ops.boxes import pairwise_iou
from kerasvision.ops.images import OpenImage
from kerasvision.ops.reduced import place_part
from kerasvision.ops.resize import Placement, cut_out, needed_part
from kerasvision.ops.working import open_working


def random_resized_crop(
    example: Tensors, *, numbers: tf.Tensor, settings: RandomResizedCrop, transform: Transform
) -> Tensors:
    """An example with the pixels of a random part of its image, and with the objects and the label map of that part.

    Args:
        example: "image" string scalar, the encoded image; perhaps "objects" and "label_map", and other keys, which are kept.
        numbers: float32 (draws,) in [0, 1).
        settings: how large the part is.
        transform: the size and the colour mode of the network's input. Its `fit` is not used: the part is stretched.

    Returns:
        The example with "image" float32 (H, W, C) in [0, 255].
    """
    image = open_working(example["image"], **transform.opening)
    part = random_part(image.size, numbers=numbers, settings=settings)
    return _cropped(example, image, part, image_size=transform.image_size)


def random_crop(example: Tensors, *, numbers: tf.Tensor, settings: RandomCrop, transform: Transform) -> Tensors:
    """An example with the pixels of a random part of its resized image, and the objects and the label map of that part.

    Args:
        example: see `random_resized_crop`.
        numbers: float32 (3,) in [0, 1): they draw the length of the shorter side, and the place down and across.
        settings: the lengths, and where the part may be.
        transform: see `random_resized_crop`.

    Returns:
        The example with "image" float32 (H, W, C) in [0, 255].
    """
    settings.check_size(transform.image_size)
    image = open_working(example["image"], **transform.opening)
    placement = random_placement(image.size, numbers=numbers, settings=settings, image_size=transform.image_size)
    part = needed_part(image.size, placement, image_size=transform.image_size)
    pixels = place_part(image, part, placement, image_size=transform.image_size)
    return _with_annotations({**example, "image": pixels}, image.size, placement, image_size=transform.image_size)


def random_placement(size: tf.Tensor, *, numbers: tf.Tensor, settings: RandomCrop, image_size: tuple[int, int]) -> Placement:
    """Where an image lies in the part that is drawn.

    Args:
        size: int32 (2,), height and width of the image.
        numbers: see `random_crop`.
        settings: the lengths, and where the part may be.
        image_size: (height, width) of the part.

    >>> middle = tf.constant([0.0, 0.5, 0.5])
    >>> drawn = random_placement(
    ...     tf.constant([512, 1024]), numbers=middle, settings=RandomCrop(), image_size=(224, 224))
    >>> drawn.scale.numpy().tolist(), drawn.translation.numpy().tolist()  # 16 of 33 rows, 144 of 289 columns
    ([0.5, 0.5], [-16.0, -144.0])
    """
    shortest, longest = settings.shorter_side
    side = shortest + integers(numbers[0], longest - shortest + 1)
    ratio = tf.cast(side, tf.float64) / tf.cast(tf.reduce_min(size), tf.float64)
    resized = tf.maximum(tf.cast(tf.round(tf.cast(size, tf.float64) * ratio), tf.int32), side)
    window = resized if settings.within == "image" else tf.stack([side, side])
    start = (resized - window) // 2 + integers(numbers[1:], window - tf.constant(image_size) + 1)
    return Placement(tf.cast(resized, tf.float32) / tf.cast(size, tf.float32), -tf.cast(start, tf.float32))


def iou_crop(example: Tensors, *, numbers: tf.Tensor, settings: IouCrop, transform: Transform) -> Tensors:
    """An example with the pixels of a part of its image that overlaps enough with an object, and the objects in that part.

    Args:
        example: see `random_resized_crop`.
        numbers: float32 (draws,) in [0, 1): the first draws the least overlap, four each a part.
        settings: the overlaps, and how large the parts are.
        transform: see `random_resized_crop`.

    Returns:
        The example with "image" float32 (H, W, C) in [0, 255].
    """
    image = open_working(example["image"], **transform.opening)
    objects = example.get("objects", {"bbox": tf.zeros((0, 4)), "label": tf.zeros(0, tf.int64)})
    part = overlapping_part(image.size, objects, numbers=numbers, settings=settings)
    cropped = _cropped(example, image, part, image_size=transform.image_size)
    if "objects" in example:
        place = tf.cast(part, tf.float32) / tf.cast(tf.tile(image.size, [2]), tf.float32)
        middle = (objects["bbox"][:, :2] + objects["bbox"][:, 2:]) / 2
        inside = tf.reduce_all((middle >= place[:2]) & (middle <= place[:2] + place[2:]), axis=1)
        kept = (inside | objects.get("crowd", False)) & (cropped["objects"]["label"] >= 0)
        cropped["objects"] = keep_objects(cropped["objects"], kept)
    return cropped


def overlapping_part(size: tf.Tensor, objects: Tensors, *, numbers: tf.Tensor, settings: IouCrop) -> tf.Tensor:
    """int32 (4,): y, x, height and width of the first random part with the overlap that is drawn; else of the whole image.

    Args:
        size: int32 (2,), height and width of the image.
        objects: "bbox" float32 (M, 4) in [0, 1], "label" int64 (M,), perhaps "crowd" bool (M,): crowds do not count.
        numbers: float32 (draws,) in [0, 1).
        settings: the overlaps, and how large the parts are.

    >>> objects = {"bbox": tf.constant([[0.0, 0.0, 0.5, 0.5]]), "label": tf.constant([3])}
    >>> quarter = IouCrop(overlaps=(0.9,), area=(0.25, 0.25), ratio=(1.0, 1.0), tries=2)
    >>> numbers = tf.constant([0.9] + [0.0, 0.0, 0.9, 0.9] + [0.0, 0.0, 0.0, 0.0])  # bottom right, then top left
    >>> overlapping_part(tf.constant([8, 8]), objects, numbers=numbers, settings=quarter).numpy().tolist()
    [0, 0, 4, 4]
    """
    parts = random_part(size, numbers=tf.reshape(numbers[1:], [-1, 4]), settings=settings)
    # 0: the whole image; 1: any part; then the overlaps.
    least = tf.gather(tf.constant([2.0, 0.0, *settings.overlaps]), integers(numbers[0], 2 + len(settings.overlaps)))
    counts = (objects["label"] >= 0) & ~objects.get("crowd", tf.zeros_like(objects["label"], tf.bool))
    corners = tf.concat([parts[:, :2], parts[:, :2] + parts[:, 2:]], axis=1)
    overlaps = pairwise_iou(tf.cast(corners, tf.float32), objects["bbox"] * tf.cast(tf.tile(size, [2]), tf.float32))
    best = tf.reduce_max(tf.where(counts, overlaps, 0.0), axis=1)
    best = tf.where(tf.reduce_any(counts), best, 1.0)
    fits = best >= least
    whole = tf.concat([[0, 0], size], axis=0)
    return tf.where(tf.reduce_any(fits), parts[tf.argmax(tf.cast(fits, tf.int32))], whole)


def random_part(size: tf.Tensor, *, numbers: tf.Tensor, settings: RandomResizedCrop | IouCrop) -> tf.Tensor:
    """int32 (..., 4): y, x, height and width of random parts of an image.

    All draws are uniform. The first number draws the area from the range; the second draws the logarithm of width over
    height from the values at which that area fits into the image; the others draw the place. So every draw is used, while
    torchvision draws both again until they fit, at most ten times. An area that fits at no allowed ratio is not drawn. If
    no area fits, as in a very long image, the result is the largest part with the nearest ratio.

    Args:
        size: int32 (2,), height and width of the image.
        numbers: float32 (..., 4) in [0, 1).
        settings: the ranges.

    >>> half = RandomResizedCrop(area=(0.5, 0.5), ratio=(2.0, 2.0))
    >>> random_part(tf.constant([10, 10]), numbers=tf.constant([0.0, 0.0, 0.0, 0.99]), settings=half).numpy().tolist()
    [0, 0, 5, 10]
    """
    height, width = tf.unstack(tf.cast(size, tf.float32))
    aspect = width / height
    for_area, for_ratio, _, _ = tf.unstack(numbers, axis=-1)
    (least, most), (narrowest, widest) = settings.area, settings.ratio
    # An area a of ratio r fits if a <= r / aspect (the height) and a <= aspect / r (the width).
    largest = tf.minimum(tf.minimum(aspect / narrowest, widest / aspect), most)
    area = tf.minimum(least + for_area * (largest - least), largest)
    first = tf.math.log(tf.clip_by_value(area * aspect, narrowest, widest))
    last = tf.math.log(tf.clip_by_value(aspect / area, narrowest, widest))
    ratio = tf.exp(first + for_ratio * (last - first))
    part = tf.sqrt((area * height * width)[..., None] * tf.stack([1.0 / ratio, ratio], axis=-1))
    part = tf.clip_by_value(tf.cast(tf.round(part), tf.int32), 1, size)
    # The product of a number just below 1 and an integer may be rounded up.
    left = size - part
    place = tf.minimum(tf.cast(numbers[..., 2:] * tf.cast(left + 1, tf.float32), tf.int32), left)
    return tf.concat([place, part], axis=-1)


def _cropped(example: Tensors, image: OpenImage, part: tf.Tensor, *, image_size: tuple[int, int]) -> Tensors:
    """The example with the pixels, the objects and the label map of a part, int32 (4,), of its image."""
    placement = cut_out(part, image_size=image_size)
    cropped = {**example, "image": place_part(image, part, placement, image_size=image_size)}
    return _with_annotations(cropped, image.size, placement, image_size=image_size)


def _with_annotations(example: Tensors, size: tf.Tensor, placement: Placement, *, image_size: tuple[int, int]) -> Tensors:
    """The example with the objects and the label map where the placement puts them; size is int32 (2,), of the image."""
    placed = dict(example)
    if "label_map" in example:
        placed["label_map"] = place_map(example["label_map"], size, placement, image_size=image_size)
    if "objects" in example:
        placed["objects"] = _placed(example["objects"], size, placement, image_size=image_size)
    return placed


def _placed(objects: Tensors, size: tf.Tensor, placement: Placement, *, image_size: tuple[int, int]) -> Tensors:
    """The objects that are left, as augmentations give them: with boxes that end at their masks, and visible shares."""
    placed = place_objects(objects, size, placement, image_size=image_size)
    if VISIBLE in objects:
        sides = tf.constant(image_size, tf.float32)
        scale, translation = tf.cast(size, tf.float32) * placement.scale / sides, placement.translation / sides
        whole = objects["bbox"] * tf.tile(scale, [2]) + tf.tile(translation, [2])
        placed[VISIBLE] = less_visible(objects, whole, placed["bbox"])[VISIBLE]
    if "mask" in placed:
        placed["bbox"] = tight_boxes(placed["bbox"], placed["mask"])
    return placed
