"""Small pictures of examples for a page: chosen by id, each a data URL, with boxes, captions and painted classes."""

import base64
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from kerasvision.data.class_colors import painted_map
from kerasvision.data.examples import EncodedExample, EncodedObjects, ExampleSet
from kerasvision.data.splits import TRAIN
from kerasvision.data.tensors import Tensors
from kerasvision.ops.images import decode_image
from kerasvision.ops.resize import fitted, place_masks, resize_image

THUMBNAIL_SIDE = 112
LARGE_SIDE = 240
PICTURES_PER_CLASS = 12
# About 5 kB each: a page of at most about 4 MB, whatever the number of classes.
MOST_PICTURES = 600
PICTURES_OF_ALL = 36
MOST_BOXES = 30
MOST_NUMBERS = 8
# Few, because large images are read as a batch too.
LOOKED_THROUGH = 16

# Class name, left, top, width, height.
NamedBox = tuple[str, float, float, float, float]


@dataclass(frozen=True)
class Picture:
    """One example, small.

    Attributes:
        id: its id.
        url: data URL of the thumbnail.
        width, height: of the thumbnail, in pixels.
        boxes: (class name, left, top, width, height) of its objects; numbers are in percent of the picture's sides.
        captions: its captions.
        numbers: its numbers with their names, as texts.
    """

    id: str
    url: str
    width: int
    height: int
    boxes: tuple[NamedBox, ...] = ()
    captions: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()


def ids_to_show(images: pd.DataFrame, classes: Iterable[str]) -> dict[str, list[str]]:
    """Class -> ids of training images to show, in an order by their hashes; all under "" if there are no classes.

    With many classes, each shows fewer images; only the first 600 classes are shown.

    >>> images = pd.DataFrame({"id": ["a", "b", "c"], "sha256": ["2", "1", "0"], "split": "train", "label": ["x", "x", "y"]})
    >>> ids_to_show(images, ["x", "y"])
    {'x': ['b', 'a'], 'y': ['c']}
    """
    train = images[images["split"] == TRAIN].drop_duplicates("sha256").sort_values("sha256")
    classes = list(classes)[:MOST_PICTURES]
    if not classes:
        return {"": train["id"].head(PICTURES_OF_ALL).tolist()}
    by_class = train.groupby("label")["id"]
    first = by_class.head(min(PICTURES_PER_CLASS, MOST_PICTURES // len(classes)))
    found = {label: ids.tolist() for label, ids in first.groupby(train["label"])}
    return {name: found.get(name, []) for name in classes}


def pictures(
    examples: ExampleSet, ids: Iterable[str], *, side: int, significant_bits: int = 16, painted: bool = False
) -> dict[str, Picture]:
    """id -> picture, for the examples with these ids. No other image is decoded.

    Args:
        examples: the data set.
        ids: the ids of the examples.
        side: the thumbnails' longer side in pixels; smaller images keep their size.
        significant_bits: see `kerasvision.ops.images.decode_image`.
        painted: whether the classes of a label map are painted over its image.
    """
    found: dict[str, Picture] = {}
    for example in chosen_examples(examples, ids):
        pixels = _small(decode_image(example["image"], color_mode="rgb", significant_bits=significant_bits), side=side)
        if painted and "label_map" in example:
            pixels = _painted(pixels, example["label_map"])
        picture = _picture(example, examples, pixels)
        found[picture.id] = picture
    return found


def chosen_examples(examples: ExampleSet, ids: Iterable[str]) -> Iterator[EncodedExample]:
    """The examples with these ids, of all splits, in the order of the data set."""
    wanted = sorted(set(ids))
    if not wanted:
        return
    keys = tf.lookup.KeyValueTensorInitializer(tf.constant(wanted), tf.range(len(wanted), dtype=tf.int64))
    table = tf.lookup.StaticHashTable(keys, default_value=-1)
    for split in examples.splits:
        yield from _only(examples.dataset(split), lambda ids: table.lookup(ids) >= 0).as_numpy_iterator()


def _only(examples: tf.data.Dataset, are_wanted: Callable[[tf.Tensor], tf.Tensor]) -> tf.data.Dataset:
    """The examples with the ids that are wanted. Examples without captions and objects are looked through in batches."""

    def wanted_of(batch: Tensors) -> Tensors:
        chosen = tf.where(are_wanted(batch["id"]))[:, 0]
        return {key: tf.gather(part, chosen) for key, part in batch.items()}

    if any(part.shape.rank != 0 for part in tf.nest.flatten(examples.element_spec)):
        return examples.filter(lambda example: are_wanted(example["id"]))
    return examples.batch(LOOKED_THROUGH).map(wanted_of).unbatch()


def thumbnail_url(pixels: NDArray[np.uint8]) -> str:
    """A data URL of uint8 (H, W, 3) pixels: PNG for small pictures, otherwise JPEG."""
    buffer = io.BytesIO()
    if max(pixels.shape) <= THUMBNAIL_SIDE // 2:
        kind = "png"
        Image.fromarray(pixels).save(buffer, "PNG")
    else:
        kind = "jpeg"
        Image.fromarray(pixels).save(buffer, "JPEG", quality=82)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()


def _picture(example: EncodedExample, examples: ExampleSet, pixels: NDArray[np.uint8]) -> Picture:
    numbers = zip(examples.value_names, example.get("values", ()), strict=False)
    boxes = _boxes(example["objects"], examples.object_classes) if "objects" in example else []
    return Picture(
        id=example["id"].decode(),
        url=thumbnail_url(pixels),
        width=pixels.shape[1],
        height=pixels.shape[0],
        boxes=tuple(sorted(boxes, key=lambda box: -box[3] * box[4]))[:MOST_BOXES],
        captions=tuple(caption.decode() for caption in example.get("captions", ())),
        numbers=tuple(f"{name} {number:.4g}" for name, number in numbers if not np.isnan(number))[:MOST_NUMBERS],
    )


def _boxes(objects: EncodedObjects, object_classes: tuple[str, ...]) -> list[NamedBox]:
    # A TFDS folder that another program wrote may not say which objects are crowds.
    crowds = objects.get("crowd", np.zeros(len(objects["label"]), bool))
    names = [object_classes[label] + " (crowd)" * bool(crowd) for label, crowd in zip(objects["label"], crowds, strict=True)]
    return [
        (name, 100.0 * x_min, 100.0 * y_min, 100.0 * (x_max - x_min), 100.0 * (y_max - y_min))
        for (y_min, x_min, y_max, x_max), name in zip(objects["bbox"], names, strict=True)
    ]


def _painted(pixels: NDArray[np.uint8], png: bytes) -> NDArray[np.uint8]:
    """The pixels, uint8 (H, W, 3), with the classes of a label map of any size over them."""
    height, width, _ = pixels.shape
    numbers = tf.io.decode_png(png, channels=1)[..., 0]
    placement = fitted(tf.shape(numbers), image_size=(height, width), fit="stretch")
    placed = place_masks(numbers[tf.newaxis], placement, image_size=(height, width))[0].numpy()
    return np.rint(painted_map(pixels.astype(np.float32), placed)).astype(np.uint8)


def _small(pixels: tf.Tensor, *, side: int) -> NDArray[np.uint8]:
    height, width, _ = pixels.shape
    share = min(1.0, side / max(height, width))
    size = (max(1, round(height * share)), max(1, round(width * share)))
    if size == (height, width):
        small: NDArray[np.float32] = pixels.numpy()
    else:
        small = resize_image(pixels, image_size=size, fit="stretch").numpy()
    return np.rint(small).astype(np.uint8)
