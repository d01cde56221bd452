"""The objects of an image move with it when it is resized to the network's size."""

import tensorflow as tf

from kerasvision.ops.resize import Placement, place_boxes, place_masks

Objects = dict[str, tf.Tensor]


def place_objects(objects: Objects, size: tf.Tensor, placement: Placement, *, image_size: tuple[int, int]) -> Objects:
    """Boxes clipped to the result, masks decoded and moved. For an object outside the result the label is -1, the rest 0.

    The area stays that in the whole image, in its pixels.

    Args:
        objects: of one image: "bbox" float32 (M, 4) y_min, x_min, y_max, x_max in [0, 1], "label" int64 (M,), and perhaps
            "crowd" bool (M,), "area" float32 (M,) in pixels, and "mask" string (M,), PNG of the image's size.
        size: int32 (2,), height and width of the image in pixels; its masks may be larger, if the image was reduced.
        placement: where the image goes.
        image_size: (height, width) of the result.

    Returns:
        The same keys; "mask" is uint8 (M, height, width), 1 inside the object and 0 elsewhere.
    """
    boxes = place_boxes(objects["bbox"], size, placement, image_size=image_size)
    is_left = tf.reduce_all(boxes[:, 2:] > boxes[:, :2], axis=1)
    placed = {
        "bbox": boxes * tf.cast(is_left, tf.float32)[:, tf.newaxis],
        "label": tf.where(is_left, objects["label"], tf.constant(-1, tf.int64)),
    }
    if "crowd" in objects:
        placed["crowd"] = objects["crowd"] & is_left
    if "area" in objects:
        placed["area"] = tf.where(is_left, objects["area"], 0.0)
    if "mask" in objects:
        masks = tf.map_fn(
            lambda png: _placed_mask(png, size, placement, image_size=image_size),
            objects["mask"],
            fn_output_signature=tf.TensorSpec(image_size, tf.uint8),
        )
        placed["mask"] = masks * tf.cast(is_left, tf.uint8)[:, tf.newaxis, tf.newaxis]
    return placed


def _placed_mask(png: tf.Tensor, size: tf.Tensor, placement: Placement, *, image_size: tuple[int, int]) -> tf.Tensor:
    def placed() -> tf.Tensor:
        mask = tf.io.decode_png(png, channels=1)[tf.newaxis, :, :, 0]
        return tf.cast(place_masks(mask, placement, image_size=image_size, size=size)[0] > 127, tf.uint8)

    # Batches in memory pad their rows with empty strings.
    return tf.cond(tf.strings.length(png) > 0, placed, lambda: tf.zeros(image_size, tf.uint8))
