"""Describes the images of a data set, and finds what is near what: components, a map, clusters, neighbours, wrong labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kerasvision.data.embedding.clusters import Clusters, find_clusters
from kerasvision.data.embedding.describing import Described, describe_examples, describe_file
from kerasvision.data.embedding.feature_file import FeatureFile
from kerasvision.data.embedding.features import Features
from kerasvision.data.embedding.neighbour_map import neighbour_map
from kerasvision.data.embedding.neighbours import Neighbours, nearest_of_each, nearest_to
from kerasvision.data.embedding.principal_components import PrincipalComponents, principal_components
from kerasvision.data.embedding.suspects import Suspects, suspects
from kerasvision.data.examples import ExampleSet
from kerasvision.errors import ConfigError, DataError

# Of these coordinates everything else is made. Few enough to be fast, and noise is left out.
COORDINATES = 50
# For the page, which restores images from more of them.
MOST_COMPONENTS = 256
# Fewer shares than with 10 are equal: more wrong labels come first.
NEIGHBOURS = 20
MOST_SHOWN = 10_000
RESTORED = 6


@dataclass(frozen=True)
class Asked:
    """An image whose neighbours were asked for.

    Attributes:
        name: its id, or the path of a file.
        is_example: whether it is one of the images itself.
        neighbours: of this one image.
    """

    name: str
    is_example: bool
    neighbours: Neighbours


@dataclass(frozen=True)
class Embedding:
    """What was found about N images, of which M are on the map.

    Attributes:
        features: what the images were described by.
        classes: names of the labels, in the order of their numbers; empty without labels.
        images: id, split and label (a number, or -1) of each image.
        left_out: ids of images that could not be described.
        components: principal components of the features.
        coordinates: float32 (N, K), K at most 50: along the axes of the components. All else is made of them.
        shown, thumbnails: see `Described`.
        places: float32 (M, 2), where t-SNE puts them; None if fewer than five of them differ.
        clusters: of all images; None if fewer than three differ.
        neighbours: the 20 nearest other images of each image.
        suspects: images whose label is probably wrong; None without labels, or if all images have the same features.
        asked: the images whose neighbours were asked for.
        restored: rows of a few of the shown images; their pixels, (n, D), under None, and as restored from k coordinates,
            under k. Only if the features are pixels.
        seed: of everything that is drawn.
    """

    features: Features
    classes: tuple[str, ...]
    images: pd.DataFrame
    left_out: list[str]
    components: PrincipalComponents
    coordinates: NDArray[np.float32]
    shown: NDArray[np.int64]
    thumbnails: NDArray[np.uint8]
    places: NDArray[np.float32] | None
    clusters: Clusters | None
    neighbours: Neighbours
    suspects: Suspects | None
    asked: list[Asked]
    restored: dict[int | None, NDArray[np.float32]]
    seed: int

    @property
    def labels(self) -> NDArray[np.int64]:
        """The number of each image's label, -1 without labels."""
        return self.images["label"].to_numpy(np.int64)

    def label(self, row: int) -> str:
        """The name of an image's label; "" without labels."""
        return self.classes[self.labels[row]] if self.classes else ""


def embed(
    examples: ExampleSet,
    features: Features,
    *,
    side: int,
    most_shown: int = MOST_SHOWN,
    clusters: int | None = None,
    asked: Sequence[str] = (),
    seed: int = 0,
) -> Embedding:
    """Describes all images of a data set, and finds what is near what.

    An image is decoded once. What is in memory does not depend on the size of the images, and is less than 1 kB for each.
    The same seed gives the same numbers, on the same machine.

    Args:
        examples: the data set, all its splits.
        features: describes the images.
        side: of the thumbnails, in pixels.
        most_shown: how many images are on the map; of more, a part is drawn.
        clusters: how many clusters; None for as many as fit best.
        asked: ids, or paths of image files, whose neighbours are wanted.
        seed: of everything that is drawn.

    Raises:
        DataError: there are fewer than two images, or a file that was asked for is not an image.
        ConfigError: one that was asked for is neither an image of the data set nor a file, or there are fewer different
            images than clusters.
    """
    files = _files(examples, asked)
    with FeatureFile() as file:
        described = describe_examples(examples, features, file=file, most_shown=most_shown, side=side, seed=seed)
        if len(file) < 2:
            raise DataError(
                "an embedding requires at least two images",
                received=len(file),
                hint="add images" if not described.left_out else f"{features.name} rejects the others",
            )
        components = principal_components(file.batches(), most=MOST_COMPONENTS)
        coordinates = np.concatenate([_coordinates(components, rows) for rows in file.batches()])
        restored = _restored(components, file, described.shown) if features.are_pixels else {}
    found = find_clusters(coordinates, count=clusters, seed=seed)
    neighbours = nearest_of_each(coordinates, most=NEIGHBOURS)
    labels = described.images["label"].to_numpy(np.int64)
    rows = {name: _coordinates(components, describe_file(data, features, name=name)) for name, data in files.items()}
    return Embedding(
        features=features,
        classes=examples.classes,
        images=described.images,
        left_out=described.left_out,
        components=components,
        coordinates=coordinates,
        shown=described.shown,
        thumbnails=described.thumbnails,
        places=neighbour_map(coordinates[described.shown], seed=seed),
        clusters=found,
        neighbours=neighbours,
        suspects=suspects(neighbours.index, labels) if examples.classes and not components.is_flat else None,
        asked=[_answer(name, rows, coordinates, described, neighbours) for name in asked],
        restored=restored,
        seed=seed,
    )


def _files(examples: ExampleSet, asked: Sequence[str]) -> dict[str, bytes]:
    """The bytes of those that are files. An id comes first, if there is also a file of that name."""
    if not asked:
        return {}
    ids = {name for split in examples.splits for name in examples.ids(split)}
    files = {}
    for name in asked:
        if name in ids:
            continue
        try:
            files[name] = Path(name).read_bytes()
        except OSError as error:
            raise ConfigError(
                f"no image has the id {name!r}, and it is not a file that can be read: {error.strerror}",
                hint=f"give the path of an image, or an id such as {min(ids)}",
            ) from error
    return files


def _coordinates(components: PrincipalComponents, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first coordinates; zeros if all images are the same, because only rounding tells them apart."""
    projected = components.project(rows)[:, :COORDINATES]
    return projected * 0 if components.is_flat else projected


def _restored(
    components: PrincipalComponents, file: FeatureFile, shown: NDArray[np.int64]
) -> dict[int | None, NDArray[np.float32]]:
    """A few images as they are, and from 1, 4, 16, ... coordinates."""
    pixels = file.rows(np.random.default_rng(0).permutation(shown)[:RESTORED].tolist())
    coordinates = components.project(pixels)
    most = coordinates.shape[1]
    counts = [number for number in (1, 4, 16, 64, 256) if number < most] + [most]
    return {None: pixels, **{number: components.restore(coordinates[:, :number]) for number in counts}}


def _answer(
    name: str,
    files: dict[str, NDArray[np.float32]],
    coordinates: NDArray[np.float32],
    described: Described,
    neighbours: Neighbours,
) -> Asked:
    if name in files:
        return Asked(name, False, nearest_to(coordinates, files[name], most=NEIGHBOURS))
    rows = np.flatnonzero(described.images["id"] == name)
    if not len(rows):
        raise DataError(f"{name} has no neighbours: it could not be described")
    return Asked(name, True, Neighbours(neighbours.index[rows], neighbours.distance[rows]))
