"""The true class of every pixel of an image, as it is judged: in the upright original image, kept encoded."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kerasvision import config as c
from kerasvision.errors import DataError
from kerasvision.tasks.segmentation.painting import BACKGROUND, in_order, painted_masks

Pixels = npt.NDArray[np.uint8]


class ImageMap(NamedTuple):
    """The true map of one image. It is decoded when it is needed: a batch of large maps would take much memory.

    Attributes:
        png: a map, as a grey PNG of class numbers; empty if the objects of the image have masks instead.
        masks: a grey PNG for each object, 255 inside, in the order of painting.
        numbers: the class number of each of them.
    """

    png: bytes = b""
    masks: tuple[bytes, ...] = ()
    numbers: tuple[int, ...] = ()

    def pixels(self, size: tuple[int, int]) -> Pixels:
        """uint8 (H, W): class numbers, 255 where the map says nothing.

        Args:
            size: (H, W) for an image without objects, whose size is not known here.
        """
        if self.png:
            return decoded(self.png)
        if not self.masks:
            return np.full(size, BACKGROUND, np.uint8)
        masks = [decoded(mask) for mask in self.masks]
        return painted_masks(masks, self.numbers, size=masks[0].shape[:2])


def image_maps(batch: Mapping[str, Any], *, settings: c.Segmentation) -> npt.NDArray[np.object_]:
    """The true maps of a batch of a data set, object (N,) of `ImageMap`.

    Args:
        batch: `label_map` string (N,), or `objects`, ragged or filled up with labels -1: `mask` string (N, M), `label`
            int64 (N, M) and `area` float32 (N, M).
        settings: the order of painting.

    Raises:
        DataError: the examples have neither.
    """
    if "label_map" in batch:
        return _as_objects([ImageMap(png=png) for png in batch["label_map"].numpy()])
    if "mask" not in batch.get("objects", {}):
        raise no_maps()
    parts = {name: _rows(batch["objects"][name]) for name in ("mask", "label", "area")}
    return _as_objects([_painted(*row, settings=settings) for row in zip(*parts.values(), strict=True)])


def decoded(png: bytes) -> Pixels:
    """uint8 (H, W) of a grey PNG."""
    pixels: Pixels = tf.io.decode_png(png, channels=1).numpy()[..., 0]
    return pixels


def resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """A map stretched to another size: each pixel has the number of the nearest one. uint8 (H, W).

    >>> resized(np.array([[1, 2]], np.uint8), (2, 4)).tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    rows, columns = ((np.arange(new) * 2 + 1) * old // (2 * new) for old, new in zip(pixels.shape, size, strict=True))
    found: Pixels = pixels[rows[:, None], columns]
    return found


def no_maps() -> DataError:
    """The error for examples without maps and masks."""
    return DataError(
        "segmentation requires label maps, or objects with masks; these images have neither",
        hint="choose a source with maps or masks, or another task",
    )


def _painted(masks: Any, labels: Any, areas: Any, *, settings: c.Segmentation) -> ImageMap:
    order = [place for place in in_order(areas, settings=settings) if labels[place] >= 0]
    return ImageMap(masks=tuple(masks[place] for place in order), numbers=tuple(int(labels[place]) + 1 for place in order))


def _as_objects(maps: list[ImageMap]) -> npt.NDArray[np.object_]:
    # np.array(maps) would make a table of their fields.
    found = np.empty(len(maps), object)
    for row, one in enumerate(maps):
        found[row] = one
    return found


def _rows(part: Any) -> list[Any]:
    if isinstance(part, tf.RaggedTensor):
        flat = part.values
        values = (flat.to_tensor() if isinstance(flat, tf.RaggedTensor) else flat).numpy()
        return [values[first:last] for first, last in pairwise(part.row_splits.numpy())]
    return list(part.numpy())
