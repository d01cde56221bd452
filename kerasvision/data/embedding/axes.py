"""Principal components for people: the axes as images, the images at their ends, and images restored from few of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kerasvision.data.embedding.embedding import Embedding
from kerasvision.data.measuring.contact_sheets import thumbnail_url

MOST_AXES = 12
MOST_AT_END = 3


@dataclass(frozen=True)
class Axis:
    """A principal component.

    Attributes:
        number: from 1.
        share, share_so_far: of the variance that it keeps, and that it keeps with all axes before it.
        url: data URL of the axis as an image: grey where it has 0; "" if the features are not pixels.
        low, high: ids of the images at both ends, the last ones first.
    """

    number: int
    share: float
    share_so_far: float
    url: str
    low: list[str]
    high: list[str]


@dataclass(frozen=True)
class Restored:
    """Images restored from `count` coordinates, None for the images themselves.

    `share` is of the variance that is kept, `error` the root of the mean squared error of a pixel over all images, in grey
    levels, and `urls` are data URLs.
    """

    count: int | None
    share: float
    error: float
    urls: list[str]


def axes_of(embedding: Embedding) -> list[Axis]:
    """The first axes; none if all images have the same features."""
    components, ids = embedding.components, embedding.images["id"]
    if components.is_flat:
        return []
    found = []
    for number in range(min(MOST_AXES, embedding.coordinates.shape[1])):
        order = np.argsort(embedding.coordinates[:, number], kind="stable")
        found.append(
            Axis(
                number=number + 1,
                share=components.share_kept(number + 1) - components.share_kept(number),
                share_so_far=components.share_kept(number + 1),
                url=_axis_url(components.axes[number], embedding) if embedding.features.are_pixels else "",
                low=[ids[row] for row in order[:MOST_AT_END]],
                high=[ids[row] for row in order[::-1][:MOST_AT_END]],
            )
        )
    return found


def restored_images(embedding: Embedding) -> list[Restored]:
    """A few images as they are, and restored from more and more coordinates; empty if the features are not pixels."""
    components = embedding.components
    return [
        Restored(
            count=count,
            share=1.0 if count is None else components.share_kept(count),
            error=0.0 if count is None else components.error(count),
            urls=[_url(row, embedding) for row in rows],
        )
        for count, rows in embedding.restored.items()
    ]


def _axis_url(axis: NDArray[np.float64], embedding: Embedding) -> str:
    return _url(127.5 + 127.5 * axis / np.abs(axis).max(), embedding)


def _url(row: NDArray[np.float32] | NDArray[np.float64], embedding: Embedding) -> str:
    """A data URL of the pixels of one image, (D,) in [0, 255]."""
    pixels = np.rint(row.clip(0, 255)).astype(np.uint8).reshape(embedding.features.image_shape)
    return thumbnail_url(np.repeat(pixels, 3 // pixels.shape[-1], axis=-1))
