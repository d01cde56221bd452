"""The list of all images of a source: what each one is, and what is wrong with it. Every image is inspected once."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict

import pandas as pd

from kerasvision.config.listing import printable
from kerasvision.data.inspecting.annotations import Annotations, object_class, usable_annotations
from kerasvision.data.inspecting.inspection import WRONG_SUFFIX, ImageFacts, has_wrong_suffix, inspect_images, size_fault
from kerasvision.data.inspecting.label_maps import map_classes, name_of
from kerasvision.data.inspecting.numbers import known_names
from kerasvision.data.mapping.mapper import HERE, Mapper
from kerasvision.data.records import MISSING_VALUE, NO_MAP, Record, class_name, sha256
from kerasvision.data.sources.values import UnusableValue, Values
from kerasvision.errors import DataError
from kerasvision.progress import bar
from kerasvision.shortened import shortened

NO_LABEL, NO_TAGS = "no label", "no tags are given, not even an empty list"
# A user's source may give a label or a group as a number; our sources give texts.
_LABELS, _GROUPS = Values("Record.label"), Values("Record.group")

# How many rows become columns at a time: as Python objects they take several times the memory.
CHUNK_ROWS = 4096
# How many images another process gets at a time.
CHUNK_IMAGES = 256
MOST_NAMED = 5


class ManifestRow(TypedDict):
    """One image of a source: a row of `manifest.parquet`.

    `id`: its name; `path`: its file, "" without a file; `split`: its split, `source_split`: its split in the source;
    `sha256`, `size`: of the encoded bytes; `width`, `height`, `format`, `mode`: see `ImageFacts`; `notes`: joined by "; ";
    `fault`: why it cannot be used, or ""; `captions`, `objects`: how many usable ones it has; `map_classes`: how many
    classes its label map shows, 0 without a map; `tags`: how many tags it has; `tag_names`: their names as a JSON list, ""
    if it is not known which tags it has; `values`: how many numbers it has, without those that are missing; `span`: in
    which span it was added, see `image_spans`; 0 until that is known, and for an image that cannot be used.
    """

    id: str
    path: str
    split: str
    source_split: str
    label: str
    group: str
    sha256: str
    size: int
    width: int
    height: int
    format: str
    mode: str
    notes: str
    fault: str
    captions: int
    objects: int
    map_classes: int
    tags: int
    tag_names: str
    values: int
    span: int


class SeenObject(NamedTuple):
    """What a data set must know of an object: its class, whether it has a mask, and the class's number in the source."""

    name: str
    has_mask: bool
    category_id: int | None


class Inspected(NamedTuple):
    """What is kept of an image.

    Attributes:
        row: its row in the manifest.
        listed_classes: see `Record.listed_classes`.
        objects: the different ones, if the image can be used.
        has_map: whether its label map can be used.
        map_names, map_numbers: the names that its label map declares, and the numbers in it.
        values: its numbers, if it can be used.
    """

    row: ManifestRow
    listed_classes: tuple[str, ...]
    objects: tuple[SeenObject, ...] = ()
    has_map: bool = False
    map_names: Mapping[int, str] | None = None
    map_numbers: tuple[int, ...] = ()
    values: Mapping[str, float] = {}


@dataclass
class ScannedSource:
    """The result of inspecting every image of a source.

    Attributes:
        table: the manifest, with the splits that the source gives ("" for none) and the faults of single images.
        object_classes: class names of all objects.
        masks: whether any object has a mask.
        category_ids: class name -> its number in the source's own files, the least if it has several.
        listed_classes: class names of objects that the source's own files list.
        map_names: the different names that label maps declare, as they came first.
        map_numbers: the numbers in label maps without names.
        value_names: names of the numbers of all usable images, in the order in which they came first.
    """

    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    object_classes: set[str] = field(default_factory=set)
    masks: bool = False
    category_ids: dict[str, int] = field(default_factory=dict)
    listed_classes: set[str] = field(default_factory=set)
    map_names: list[Mapping[int, str]] = field(default_factory=list)
    map_numbers: set[int] = field(default_factory=set)
    value_names: tuple[str, ...] = ()

    @property
    def classes_without_objects(self) -> list[str]:
        """The class names that the source lists, and of which no usable image has an object; sorted."""
        return sorted({object_class(name) for name in self.listed_classes} - self.object_classes)

    @property
    def map_classes(self) -> tuple[str, ...]:
        """Class names of the label maps in the order of their numbers; empty if there are no maps."""
        return map_classes(self.map_names, self.map_numbers)

    def add(self, image: Inspected) -> None:
        """Notes the classes of the next image."""
        self.listed_classes.update(image.listed_classes)
        for name, has_mask, category_id in image.objects:
            self.object_classes.add(name)
            self.masks = self.masks or has_mask
            if category_id is not None:
                self.category_ids[name] = min(category_id, self.category_ids.get(name, category_id))
        if image.has_map and image.map_names is None:
            self.map_numbers.update(image.map_numbers)
        elif image.map_names is not None and not any(image.map_names == known for known in self.map_names):
            self.map_names.append(image.map_names)


def scan_source(
    records: Iterable[Record],
    *,
    max_pixels: int,
    missing_values: Literal["quarantine", "ignore"] = "quarantine",
    mapper: Mapper = HERE,
) -> ScannedSource:
    """Inspects every image of a source once, and keeps only a row for it.

    Args:
        records: the source's records.
        max_pixels: images whose headers claim more cannot be used.
        missing_values: whether an image that lacks one of several numbers cannot be used, or only the number is missing.
        mapper: where the images are inspected.

    Raises:
        DataError: there are no images, or two images have the same name.
    """
    found, known = ScannedSource(), _KnownNumbers()

    def rows() -> Iterator[ManifestRow]:
        with bar("looking at images") as advance:
            for image in mapper.map(partial(_inspected, max_pixels=max_pixels), records, chunk=CHUNK_IMAGES):
                found.add(image)
                known.add(image.values)
                yield image.row
                advance(1)

    found.table = table = to_table(rows())
    _refuse_names(table)
    if (table["tag_names"] != "").any():
        table.loc[(table["tag_names"] == "") & (table["fault"] == ""), "fault"] = NO_TAGS
    # If no image has a label, no label is missing.
    if (table["label"] != "").any():
        table.loc[(table["label"] == "") & (table["fault"] == ""), "fault"] = NO_LABEL
    if (table["map_classes"] > 0).any():
        table.loc[(table["map_classes"] == 0) & (table["fault"] == ""), "fault"] = NO_MAP
    found.value_names = known.names
    for row, fault in known.faults(missing_values):
        if not table.at[row, "fault"]:
            table.at[row, "fault"] = fault
    return found


def _inspected(records: Iterable[Record], *, max_pixels: int) -> Iterator[Inspected]:
    """Inspects images; nothing of an image depends on the others."""
    for (record, fault), data, facts in inspect_images(_loaded(records, max_pixels), max_pixels=max_pixels):
        row, usable = _row(record, data, facts, fault)
        if row["fault"]:
            yield Inspected(row, record.listed_classes)
            continue
        seen = (SeenObject(object_class(one.label), one.mask is not None, one.category_id) for one in record.objects)
        objects = tuple(dict.fromkeys(seen))
        if record.label_map is None or usable.label_map is None:
            yield Inspected(row, record.listed_classes, objects, values=usable.values)
            continue
        numbers = tuple(usable.label_map.found)
        yield Inspected(row, record.listed_classes, objects, True, record.label_map.names, numbers, usable.values)


def tags_of(names: str) -> tuple[str, ...]:
    """The tags of an image, from the column `tag_names` of the manifest.

    >>> tags_of('["sea", "sun"]'), tags_of("")
    (('sea', 'sun'), ())
    """
    return tuple(json.loads(names)) if names else ()


class _KnownNumbers:
    """Which numbers each image has. Which ones are missing is known only when all images were seen."""

    def __init__(self) -> None:
        self._order: dict[str, None] = {}
        self._same: dict[frozenset[str], frozenset[str]] = {}
        self._of_rows: list[frozenset[str]] = []

    def add(self, values: Mapping[str, float]) -> None:
        """Adds the numbers of the next image."""
        self._order |= dict.fromkeys(values)
        known = known_names(values)
        # Most images have the same names: one set of them is kept.
        self._of_rows.append(self._same.setdefault(known, known))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of numbers that at least one image has, in the order in which they came first."""
        having = frozenset().union(*self._same)
        return tuple(name for name in self._order if name in having)

    def faults(self, missing: Literal["quarantine", "ignore"]) -> Iterator[tuple[int, str]]:
        """(row, why its image cannot be used) of the images that lack numbers. If no image has numbers, none is missing."""
        names = self.names
        texts = {
            known: f"it {MISSING_VALUE} {shortened([name for name in names if name not in known], most=MOST_NAMED)}"
            for known in self._same
        }
        for row, known in enumerate(self._of_rows):
            if len(known) < len(names) and (missing == "quarantine" or not known):
                yield row, texts[known]


def to_table(rows: Iterable[Mapping[str, object]], *, chunk_rows: int = CHUNK_ROWS) -> pd.DataFrame:
    """Rows as a table; only few rows at a time are in memory as Python objects.

    >>> to_table([{"id": "a"}, {"id": "b"}, {"id": "c"}], chunk_rows=2)["id"].tolist()
    ['a', 'b', 'c']
    """
    chunks, waiting = [], []
    for row in rows:
        waiting.append(row)
        if len(waiting) == chunk_rows:
            chunks.append(pd.DataFrame(waiting))
            waiting.clear()
    return pd.concat([*chunks, pd.DataFrame(waiting)] if waiting or not chunks else chunks, ignore_index=True)


def _as_texts(records: Iterable[Record]) -> Iterator[Record]:
    """The records, with texts as labels and groups.

    Raises:
        DataError: a label or group that is neither a text nor a number.
    """
    for record in records:
        if type(record.label) is str and type(record.group) is str:
            yield record
            continue
        try:
            label, group = _LABELS.text(record.label, record.name), _GROUPS.text(record.group, record.name)
            yield replace(record, label=label, group=group)
        except UnusableValue as unusable:
            yield replace(record, label="", group="", fault=record.fault or str(unusable))


def _loaded(records: Iterable[Record], max_pixels: int) -> Iterator[tuple[tuple[Record, str], bytes]]:
    """((record, why it was not read), bytes) of each."""
    for record in _as_texts(records):
        fault, data = record.fault or size_fault(record.file_size(), max_pixels=max_pixels) or "", b""
        if not fault:
            try:
                data = record.load()
            except OSError as error:
                fault = f"cannot be read: {error.strerror or error}"
        yield (record, fault), data


def _row(record: Record, data: bytes, facts: ImageFacts, not_read: str) -> tuple[ManifestRow, Annotations]:
    """The row of an image, and the annotations that it counts."""
    fault = not_read or facts.fault or ""
    usable = Annotations(fault=fault) if fault else _annotations(record, data, facts)
    row: ManifestRow = {
        "id": printable(record.name),
        "path": printable(str(record.content)) if isinstance(record.content, Path) else "",
        "split": record.split or "",
        "source_split": record.split or "",
        "label": class_name(record.label),
        "group": record.group,
        "sha256": "" if not_read else sha256(data),
        "size": len(data),
        "width": facts.width,
        "height": facts.height,
        "format": facts.format,
        "mode": facts.mode,
        "notes": "; ".join(usable.notes),
        "fault": usable.fault,
        "captions": len(usable.captions),
        "objects": len(usable.objects),
        "map_classes": _count_classes(record, usable),
        "tags": len(usable.tags or ()),
        "tag_names": "" if usable.tags is None else json.dumps(usable.tags, ensure_ascii=False),
        "values": len(known_names(usable.values)),
        "span": 0,
    }
    return row, usable


def _count_classes(record: Record, usable: Annotations) -> int:
    if record.label_map is None or usable.label_map is None:
        return 0
    return len({name_of(number, record.label_map) for number in usable.label_map.found})


def _annotations(record: Record, data: bytes, facts: ImageFacts) -> Annotations:
    """The usable annotations of a usable image; the notes include those on the image."""
    usable = usable_annotations(record, data, width=facts.width, height=facts.height)
    if usable.fault:
        return Annotations(fault=usable.fault)
    named_wrong = isinstance(record.content, Path) and has_wrong_suffix(record.content, facts.format)
    notes = (*record.notes, *facts.notes, *((WRONG_SUFFIX,) if named_wrong else ()), *usable.notes)
    return replace(usable, notes=notes)


def _refuse_names(table: pd.DataFrame) -> None:
    if table.empty:
        raise DataError("the source holds no images", hint="check where it reads from: its function gave no Record")
    twice = table.loc[table["id"].duplicated(), "id"]
    if not twice.empty:
        raise DataError(
            f"every image of a source needs a name of its own; repeated names: {len(twice)}, such as {twice.iloc[0]!r}"
        )
