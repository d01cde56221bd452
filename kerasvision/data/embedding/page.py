"""The embedding of a data set as one HTML page that needs no internet connection, and the suspected labels as CSV."""

import csv
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from numpy.typing import NDArray

from kerasvision.data.class_colors import class_color
from kerasvision.data.embedding.axes import axes_of, restored_images
from kerasvision.data.embedding.embedding import Embedding
from kerasvision.data.embedding.sprite import columns_of, jpeg_url, sprite
from kerasvision.data.embedding.suspects import agreement
from kerasvision.data.examples import ExampleSet
from kerasvision.data.measuring.contact_sheets import THUMBNAIL_SIDE, pictures
from kerasvision.whole_files import write_whole

# Of the page: about 8 MB of sprite, 3 MB for 10,000 points, 3 MB of other pictures.
MOST_SPRITE_BYTES = 6_000_000
LONGEST_ID = 100
MOST_LEGEND = 20
MOST_CLASSES = 60
MOST_SUSPECTS = 60
MOST_IN_CLUSTER = 8
MOST_CLUSTERS = 40
MOST_NAMED = 20
NEAR_POINTS = 5
# The places on a map are whole numbers from 0 to this.
MAP = 4095
OTHER_COLOR = "#8b949e"
COLUMNS = ("id", "sha256", "reason", "label", "suggested", "confident")


@dataclass(frozen=True)
class ClassRow:
    """A class in numbers: its images, the share of their neighbours with its label, and the most frequent other label."""

    name: str
    count: int
    share: float
    other: str


@dataclass(frozen=True)
class ClusterRow:
    """A cluster in numbers; `purity` is the share of its images with its most frequent label, `shown` some ids."""

    number: int
    count: int
    silhouette: float
    label: str
    purity: float
    shown: list[str]


def write_embedding_page(
    embedding: Embedding, *, examples: ExampleSet, file: Path, title: str, unread: Mapping[str, str]
) -> None:
    """Writes the page. Its size is limited for any number of images: at most about 14 MB.

    Args:
        embedding: what the page shows.
        examples: the data set that it describes.
        file: the HTML file. It contains the pictures.
        title: the name of the data set.
        unread: id -> fault of each image that ingest left out.
    """
    clusters, suspected = _clusters(embedding), _suspects(embedding)[:MOST_SUSPECTS]
    near = {one.name: _ids(embedding, one.neighbours.index[0]) for one in embedding.asked}
    ends = axes_of(embedding)
    named = [
        *(name for row in clusters for name in row.shown),
        *(row["id"] for row in suspected),
        *(name for ids in near.values() for name in ids),
        *(one.name for one in embedding.asked if one.is_example),
        *(name for axis in ends for name in (*axis.low, *axis.high)),
    ]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("embedding.html").render(
        title=title,
        embedding=embedding,
        unread=list(unread.items()),
        most_named=MOST_NAMED,
        purity=_purity(clusters),
        classes=_classes(embedding),
        clusters=clusters,
        axes=ends,
        restored=restored_images(embedding),
        suspects=suspected,
        near=near,
        pictures=pictures(examples, named, side=min(THUMBNAIL_SIDE, 64)),
        points=_points(embedding),
        columns=columns_of(len(embedding.shown)),
        sprite=jpeg_url(sprite(embedding.thumbnails), most_bytes=MOST_SPRITE_BYTES),
    )
    write_whole(file, lambda beside: beside.write_text(page, encoding="utf-8"))


def write_suspects(embedding: Embedding, file: Path, *, digests: Mapping[str, str]) -> None:
    """Writes the images with suspected labels, the most suspicious first, as a file for `ingest.quarantine_file`.

    A person deletes the lines of the images whose labels are right first.

    Args:
        embedding: whose suspects are written; only the header if there are none.
        file: the CSV file: id, sha256, reason, label, suggested, confident (yes or no).
        digests: id -> SHA-256 of the encoded image.
    """

    def write(beside: Path) -> None:
        with beside.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(COLUMNS)
            for row in _suspects(embedding):
                reason = f"labelled {row['label']}, and {row['suggested_share']:.0%} of its neighbours {row['suggested']}"
                confident = "yes" if row["is_confident"] else "no"
                writer.writerow((row["id"], digests.get(row["id"], ""), reason, row["label"], row["suggested"], confident))

    write_whole(file, write)


def _suspects(embedding: Embedding) -> list[dict[str, Any]]:
    """A row per suspect: id, label, suggested, their shares, is_confident."""
    found = embedding.suspects
    if found is None:
        return []
    return [
        {
            "id": embedding.images["id"][image],
            "label": embedding.label(image),
            "suggested": embedding.classes[found.suggested[place]],
            "given_share": float(found.given_share[place]),
            "suggested_share": float(found.suggested_share[place]),
            "is_confident": bool(found.is_confident[place]),
        }
        for place, image in enumerate(found.image.tolist())
    ]


def _classes(embedding: Embedding) -> list[ClassRow]:
    """The classes, those that keep together least first; of many, the first ones."""
    if not embedding.classes:
        return []
    labels = embedding.labels
    shares, others = agreement(embedding.neighbours.index, labels)
    counts = np.bincount(labels)
    order = [number for number in np.argsort(shares, kind="stable") if counts[number]][:MOST_CLASSES]
    return [
        ClassRow(
            name=embedding.classes[number],
            count=int(counts[number]),
            share=float(shares[number]),
            other=embedding.classes[others[number]] if others[number] != number else "",
        )
        for number in order
    ]


def _clusters(embedding: Embedding) -> list[ClusterRow]:
    """The clusters, the largest first; of many, the first ones."""
    found = embedding.clusters
    if found is None:
        return []
    rows = []
    for number in range(min(found.count, MOST_CLUSTERS)):
        members = np.flatnonzero(found.of_image == number)
        labels = np.bincount(embedding.labels[members]) if embedding.classes else np.ones(1, np.int64)
        rows.append(
            ClusterRow(
                number=number + 1,
                count=len(members),
                silhouette=float(found.silhouettes[number]),
                label=embedding.classes[labels.argmax()] if embedding.classes else "",
                purity=float(labels.max() / labels.sum()),
                shown=_ids(embedding, found.nearest(number, most=MOST_IN_CLUSTER)),
            )
        )
    return rows


def _purity(clusters: list[ClusterRow]) -> float:
    """The share of images that have the most frequent label of their cluster."""
    count = sum(row.count for row in clusters)
    return sum(row.purity * row.count for row in clusters) / count if count else float("nan")


def _ids(embedding: Embedding, rows: Iterable[int]) -> list[str]:
    return [embedding.images["id"][row] for row in rows]


def _points(embedding: Embedding) -> dict[str, Any]:
    """What the map needs of its points; their pictures are in the sprite, in the same order."""
    shown = embedding.shown
    maps = [("principal components 1 and 2", _two(embedding.coordinates[shown], 0))]
    if embedding.coordinates.shape[1] > 2:
        maps.append(("principal components 1 and 3", _two(embedding.coordinates[shown], 1)))
    if embedding.places is not None:
        maps.insert(0, ("t-SNE", embedding.places))
    return {
        "ids": [name if len(name) <= LONGEST_ID else f"...{name[-LONGEST_ID:]}" for name in embedding.images["id"][shown]],
        "maps": [{"name": name, **_scaled(places)} for name, places in maps],
        "colours": _colourings(embedding),
        "near": _near(embedding),
        "side": embedding.thumbnails.shape[1],
        "most": MAP,
    }


def _two(coordinates: NDArray[np.float32], second: int) -> NDArray[np.float32]:
    """The first coordinate, and the one after `second`; zeros if there is only one."""
    if coordinates.shape[1] == 1:
        return np.hstack([coordinates, np.zeros_like(coordinates)])
    return coordinates[:, [0, second + 1]]


def _scaled(places: NDArray[np.float32]) -> dict[str, list[int]]:
    """Whole numbers from 0 to `MAP`; both axes have the same scale, so that distances keep their ratios."""
    low, high = places.min(axis=0), places.max(axis=0)
    span = float((high - low).max()) or 1.0
    numbers = np.rint((places - (low + high) / 2) / span * MAP + MAP / 2).astype(int)
    return {"x": numbers[:, 0].tolist(), "y": (MAP - numbers[:, 1]).tolist()}


def _near(embedding: Embedding) -> list[list[int]]:
    """The nearest images of each point that are points too."""
    place = np.full(len(embedding.images), -1)
    place[embedding.shown] = np.arange(len(embedding.shown))
    near = place[embedding.neighbours.index[embedding.shown]].tolist()
    return [[one for one in row if one >= 0][:NEAR_POINTS] for row in near]


def _colourings(embedding: Embedding) -> list[dict[str, Any]]:
    """What the points can be coloured by: name, groups with their colours, and the group of each point."""
    shown, found = embedding.shown, []
    if embedding.classes:
        found.append(_coloured("label", embedding.labels[shown], lambda number: embedding.classes[number]))
    if embedding.clusters is not None:
        found.append(_coloured("cluster", embedding.clusters.of_image[shown], lambda number: f"cluster {number + 1}"))
    splits = embedding.images["split"][shown]
    names = list(dict.fromkeys(embedding.images["split"]))
    found.append(_coloured("split", splits.map(names.index).to_numpy(), lambda number: names[number]))
    return found


def _coloured(name: str, groups: NDArray[np.int64], name_of: Callable[[int], str]) -> dict[str, Any]:
    """The most frequent groups have a colour of their own, and a last group has all others."""
    numbers, counts = np.unique(groups, return_counts=True)
    first = numbers[np.argsort(-counts, kind="stable")][:MOST_LEGEND]
    first.sort()
    of_point = np.searchsorted(first, groups).clip(max=len(first) - 1)
    of_point[first[of_point] != groups] = len(first)
    legend = [{"name": name_of(int(number)), "colour": class_color(place)} for place, number in enumerate(first)]
    if len(numbers) > len(first):
        legend.append({"name": f"{len(numbers) - len(first):,} others", "colour": OTHER_COLOR})
    return {"name": name, "groups": legend, "of": of_point.tolist()}
