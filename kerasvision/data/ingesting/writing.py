"""Writes the usable images of a source as examples. Each is read again, and must not have changed since it was inspected."""

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from kerasvision.config.listing import printable
from kerasvision.data.example_encoder import Example, ExampleEncoder, ExampleParts, features_of
from kerasvision.data.examples import ExampleWriter
from kerasvision.data.ingesting.class_order import class_order
from kerasvision.data.ingesting.manifest import CHUNK_IMAGES, CHUNK_ROWS, ScannedSource, tags_of
from kerasvision.data.inspecting.annotations import encode_objects, usable_annotations
from kerasvision.data.inspecting.label_maps import encode_map, name_of
from kerasvision.data.mapping.mapper import Mapper
from kerasvision.data.records import Record, sha256
from kerasvision.errors import StageError
from kerasvision.progress import bar


class Wanted(NamedTuple):
    """An image that becomes an example: its record, and what its row of the manifest says."""

    record: Record
    row: int
    id: str
    split: str
    label: str
    sha256: str
    width: int
    height: int
    tag_names: str


class Encoded(NamedTuple):
    """An encoded example, and notes on its masks."""

    row: int
    id: str
    split: str
    data: bytes
    notes: tuple[str, ...]


def write_source(records: Iterable[Record], scanned: ScannedSource, data: Path, *, mapper: Mapper) -> None:
    """Writes the images whose row in the table has no fault, and adds notes on their masks to it.

    Args:
        records: the source's records, as when it was scanned.
        scanned: the source, with the split of each image.
        data: folder for the prepared data set; it is created.
        mapper: where the examples are encoded.

    Raises:
        StageError: the source or an image changed since it was scanned.
    """
    table, parts = scanned.table, _parts(scanned)
    notes: dict[int, str] = {}
    writer = ExampleWriter(data, **vars(parts), category_ids=scanned.category_ids)
    with writer, bar("writing examples", total=int((table["fault"] == "").sum())) as advance:
        encoded = mapper.map(partial(_encoded, parts=parts), _wanted(records, table), chunk=CHUNK_IMAGES)
        for example in encoded:
            if example.notes:
                notes[example.row] = "; ".join(filter(None, (str(table.at[example.row, "notes"]), *example.notes)))
            writer.add(example.split, example.id, example.data)
            advance(1)
    table.loc[list(notes), "notes"] = list(notes.values())


def _parts(scanned: ScannedSource) -> ExampleParts:
    table = scanned.table
    good = table["fault"] == ""
    tags = {tag for names in table.loc[good, "tag_names"].unique() for tag in tags_of(str(names))}
    return ExampleParts(
        classes=tuple(class_order(str(label) for label in table["label"].unique() if label)),
        object_classes=tuple(class_order(scanned.object_classes)),
        captions=bool((table.loc[good, "captions"] > 0).any()),
        masks=scanned.masks,
        map_classes=scanned.map_classes,
        value_names=scanned.value_names,
        tag_classes=tuple(class_order(tags)),
    )


def _wanted(records: Iterable[Record], table: pd.DataFrame) -> Iterator[Wanted]:
    """The records whose row of the table has no fault.

    Raises:
        StageError: the source yields other records than the first time.
    """
    chunks = (table.iloc[start : start + CHUNK_ROWS] for start in range(0, len(table), CHUNK_ROWS))
    rows: Iterator[Any] = (row for chunk in chunks for row in chunk.itertuples())
    for record, row in zip_longest(records, rows):
        if record is None or row is None or printable(record.name) != row.id:
            raise StageError("the source changed while it was read: it now lists other images", hint="run again")
        if not row.fault:
            yield Wanted(record, row.Index, row.id, row.split, row.label, row.sha256, row.width, row.height, row.tag_names)


def _encoded(wanted: Iterable[Wanted], *, parts: ExampleParts) -> Iterator[Encoded]:
    """Encodes examples; nothing of an example depends on the others."""
    encoder = ExampleEncoder(features_of(parts))
    map_numbers = {name: number for number, name in enumerate(parts.map_classes)}
    for image in wanted:
        example, notes = _example(image, parts, map_numbers)
        yield Encoded(image.row, image.id, image.split, encoder.encode(example), tuple(notes))


def _example(image: Wanted, parts: ExampleParts, map_numbers: Mapping[str, int]) -> tuple[Example, list[str]]:
    """The example for an image, and notes on its masks.

    Raises:
        StageError: the image, its tags or its label map changed since it was inspected.
    """
    record, width, height = image.record, image.width, image.height
    data = _unchanged(record, image.sha256)
    usable = usable_annotations(record, data, width=width, height=height)
    label_map = b""
    if record.label_map is not None and usable.label_map is not None:
        names = {name_of(number, record.label_map) for number in usable.label_map.found}
        if usable.fault or not names <= map_numbers.keys():
            raise StageError(f"the label map of {record.name} changed while it was read", hint="run again")
        label_map = encode_map(usable.label_map, record.label_map, map_numbers)
    if (usable.tags or ()) != (tags := tags_of(image.tag_names)):
        raise StageError(f"the tags of {record.name} changed while they were read", hint="run again")
    objects, notes = encode_objects(usable.objects, width=width, height=height, masks=parts.masks)
    values = [usable.values.get(name, math.nan) for name in parts.value_names]
    return Example(image.id, data, image.label, usable.captions, objects, label_map, tags, values), notes


def _unchanged(record: Record, digest: str) -> bytes:
    try:
        data = record.load()
    except OSError as error:
        message = f"{record.name} could be read the first time, but not the second: {error.strerror}"
        raise StageError(message, hint="run again") from error
    if sha256(data) != digest:
        raise StageError(f"{record.name} changed while it was read", hint="run again")
    return data
