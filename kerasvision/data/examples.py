"""Examples on disk: a prepared TFDS data set of encoded images, written and read."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, NotRequired, Self, TypedDict

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from numpy.typing import NDArray

from kerasvision.data.example_encoder import Example as Example
from kerasvision.data.example_encoder import ExampleEncoder, ExampleParts, Row, features_of
from kerasvision.data.many_hot import many_hot
from kerasvision.data.record_batches import read_in_batches
from kerasvision.data.shuffled_records import ShuffledRecords, write_shards
from kerasvision.errors import DataError

NAME = "examples"
VERSION = "1.0.0"
IDS_AT_ONCE = 1024
# Parts of the data set's metadata.json.
CATEGORY_IDS, MAP_CLASSES, VALUE_NAMES = "category_ids", "map_classes", "value_names"
# A label map has 8 bits, and the number 255 says nothing about a pixel.
MOST_MAP_CLASSES = 255


class EncodedObjects(TypedDict):
    """The objects of one image as NumPy arrays.

    Boxes (M, 4) in [0, 1]; class numbers, crowds and areas in pixels (M,); encoded masks (M,).
    """

    bbox: NDArray[np.float32]
    label: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    area: NDArray[np.float32]
    mask: NotRequired[NDArray[np.object_]]


class EncodedExample(TypedDict):
    """One example of `ExampleSet.dataset(...).as_numpy_iterator()`, with an encoded image and texts in UTF-8."""

    image: bytes
    id: bytes
    label: NotRequired[int]
    tags: NotRequired[NDArray[np.float32]]
    captions: NotRequired[NDArray[np.object_]]
    objects: NotRequired[EncodedObjects]
    label_map: NotRequired[bytes]
    values: NotRequired[NDArray[np.float32]]


class ExampleSet:
    """A prepared data set, opened for reading.

    Args:
        folder: the `data` folder of an Examples artifact, or any prepared TFDS folder with image and id, and perhaps label,
            tags, captions, objects, label_map and values.

    Attributes:
        folder: where it is.
        cached: what `cached_split` has read into memory, by what it was made of. Successive trainings on this object share
            it.
    """

    def __init__(self, folder: Path) -> None:
        self.cached: dict[tuple[Hashable, ...], Any] = {}
        self._datasets: dict[str, tf.data.Dataset] = {}
        self.folder = folder
        self._builder = tfds.builder_from_directory(str(folder))
        self._features = self._builder.info.features

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens the same folder, under the path that it has here."""
        return type(self), (self.folder,)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of their numbers; empty if the images have no labels."""
        return tuple(self._features["label"].names) if "label" in self._features else ()

    @property
    def tag_classes(self) -> tuple[str, ...]:
        """Names of the tags in the order of their numbers; empty if the images have no tags."""
        return tuple(self._features["tags"].feature.names) if "tags" in self._features else ()

    @property
    def object_classes(self) -> tuple[str, ...]:
        """Class names of the objects in the order of their numbers; empty if there are no objects."""
        return tuple(self._features["objects"]["label"].names) if "objects" in self._features else ()

    @property
    def category_ids(self) -> dict[str, int]:
        """Class name of objects -> its number in the source's own files; empty if classes have no numbers there."""
        return dict((self._builder.info.metadata or {}).get(CATEGORY_IDS, {}))

    @property
    def has_captions(self) -> bool:
        """Whether the images have captions."""
        return "captions" in self._features

    @property
    def has_masks(self) -> bool:
        """Whether the objects have masks."""
        return "objects" in self._features and "mask" in self._features["objects"]

    @property
    def map_classes(self) -> tuple[str, ...]:
        """Class names of the label maps in the order of their numbers, at most 255; empty if there are no label maps."""
        return tuple((self._builder.info.metadata or {}).get(MAP_CLASSES, ())) if self.has_label_maps else ()

    @property
    def has_label_maps(self) -> bool:
        """Whether the images have label maps."""
        return "label_map" in self._features

    @property
    def value_names(self) -> tuple[str, ...]:
        """Names of the numbers that the images have, in the order of `values`; empty without numbers."""
        return tuple((self._builder.info.metadata or {}).get(VALUE_NAMES, ())) if "values" in self._features else ()

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits with at least one example."""
        return tuple(self._builder.info.splits)

    def count(self, split: str) -> int:
        """How many examples a split has; 0 if there is no such split."""
        return self._builder.info.splits[split].num_examples if split in self.splits else 0

    def file_counts(self, split: str) -> list[int]:
        """How many examples each file of a split has, in the order of the files."""
        return list(self._builder.info.splits[split].shard_lengths)

    def encoded_bytes(self, split: str) -> int:
        """The size of a split's examples on disk in bytes, with encoded images; 0 if there is no such split."""
        return int(self._builder.info.splits[split].num_bytes) if split in self.splits else 0

    def ids(self, split: str) -> list[str]:
        """The ids of a split's examples, in the order of `dataset`."""
        # In batches, because to hand an example to Python takes longer than to read it.
        names = self.dataset(split).map(lambda example: example["id"]).batch(IDS_AT_ONCE)
        return [name.decode() for batch in names.as_numpy_iterator() for name in batch]

    def dataset(self, split: str) -> tf.data.Dataset:
        """One example at a time, in the same order every time.

        `split` may also name several splits: "train+test".

        `{"image": string, "id": string}`, the image encoded; with labels "label": int64; with tags "tags": float32 (C,), 1
        for each tag of the image and 0 for the others; with captions "captions": string (K,); with objects "objects":
        {"bbox": float32 (M, 4) y_min, x_min, y_max, x_max in [0, 1], "label": int64 (M,), "crowd": bool (M,), "area":
        float32 (M,) in pixels of the image}, and with masks in it "mask": string (M,), encoded; with label maps "label_map":
        string, a grey PNG of class numbers, where 255 says nothing about a pixel; with numbers "values": float32 (V,) in the
        order of `value_names`, NaN where one is missing.
        """
        # TFDS takes a tenth of a second to make one, and a page reads each split several times.
        if split not in self._datasets:
            self._datasets[split] = self._new_dataset(split)
        return self._datasets[split]

    def _new_dataset(self, split: str) -> tf.data.Dataset:
        decoders = {part: tfds.decode.SkipDecoding() for part in ("image", "label_map") if part in self._features}
        if self.has_masks:
            decoders["objects"] = {"mask": tfds.decode.SkipDecoding()}
        in_batches = read_in_batches(self._builder, split, skipped=decoders)
        if in_batches is not None:
            return in_batches
        dataset = self._builder.as_dataset(
            split=split, decoders=decoders, shuffle_files=False, read_config=tfds.ReadConfig(try_autocache=False)
        )
        if "tags" not in self._features:
            return dataset
        count = len(self.tag_classes)
        return dataset.map(lambda example: {**example, "tags": many_hot(example["tags"][tf.newaxis], count)[0]})


class ExampleWriter:
    """Writes examples one by one, in any order of splits and with little memory.

    TFDS' `builder_from_directory` reads the result without kerasvision. The order on disk depends on the ids alone (by
    their hash, as in TFDS), so it is the same every time. A data set with GIF files must be read with
    `tfds.decode.SkipDecoding`, as `ExampleSet` does: TFDS' own decoder fails on them.

    Args:
        folder: the folder of the data set; it is created.
        classes: all class names, in the order of their numbers; empty if the images have no labels.
        object_classes: class names of the objects, in the order of their numbers; empty if there are no objects.
        captions: whether the images have captions.
        masks: whether the objects have masks.
        category_ids: class name of objects -> its number in the source's own files.
        map_classes: class names of the label maps, in the order of their numbers; empty if the images have no label maps.
        tag_classes: names of the tags, in the order of their numbers; empty if the images have no tags.
        value_names: names of the numbers that the images have; empty if they have none.

    Raises:
        DataError: more than 255 classes of label maps.
    """

    def __init__(
        self,
        folder: Path,
        *,
        classes: Iterable[str] = (),
        object_classes: Iterable[str] = (),
        captions: bool = False,
        masks: bool = False,
        category_ids: Mapping[str, int] = MappingProxyType({}),
        map_classes: Iterable[str] = (),
        tag_classes: Iterable[str] = (),
        value_names: Iterable[str] = (),
    ) -> None:
        names, numbers = list(map_classes), list(value_names)
        if len(names) > MOST_MAP_CLASSES:
            raise DataError(
                f"label maps may have at most {MOST_MAP_CLASSES} classes", received=len(names), hint="give several one name"
            )
        folder.mkdir(parents=True)
        self._folder = folder
        parts = ExampleParts(
            tuple(classes), tuple(object_classes), captions, masks, tuple(names), tuple(tag_classes), tuple(numbers)
        )
        known = {CATEGORY_IDS: dict(category_ids), MAP_CLASSES: names, VALUE_NAMES: numbers}
        self._info = _dataset_info(folder, features_of(parts), known)
        self._encoder = ExampleEncoder(self._info.features)
        self._splits: dict[str, ShuffledRecords] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        with self._open:
            if kind is None:
                self._finish()

    def write(self, split: str, row: Row) -> None:
        """Adds one example to a split."""
        self.add(split, row[0], self._encoder.encode(row))

    def add(self, split: str, name: str, encoded: bytes) -> None:
        """Adds one example, which an `ExampleEncoder` for the same parts has encoded, to a split; `name` is its id."""
        if split not in self._splits:
            records = ShuffledRecords(self._folder / f"{split}.unordered", salt=split)
            self._splits[split] = self._open.enter_context(records)
        self._splits[split].add(name, encoded)

    def _finish(self) -> None:
        splits = []
        for split, records in self._splits.items():
            template = tfds.core.ShardedFileTemplate(
                data_dir=self._folder, dataset_name=NAME, split=split, filetype_suffix="tfrecord"
            )
            splits.append(
                tfds.core.SplitInfo(
                    name=split,
                    shard_lengths=write_shards(records, template),
                    num_bytes=records.num_bytes,
                    filename_template=template,
                )
            )
        self._info.set_splits(tfds.core.SplitDict(splits))
        self._info.write_to_directory(self._folder)


def write_examples(
    rows: Callable[[str], Iterable[Row]],
    *,
    splits: Iterable[str],
    classes: Iterable[str],
    folder: Path,
    object_classes: Iterable[str] = (),
    captions: bool = False,
    masks: bool = False,
    map_classes: Iterable[str] = (),
    tag_classes: Iterable[str] = (),
    value_names: Iterable[str] = (),
) -> None:
    """Writes a whole data set split by split: `ExampleWriter` in one call.

    Args:
        rows: split -> its rows; called once per split.
        splits: the splits to write, each with at least one row.
        classes, folder, object_classes, captions, masks, map_classes, tag_classes, value_names: see `ExampleWriter`.
    """
    writer = ExampleWriter(
        folder,
        classes=classes,
        object_classes=object_classes,
        captions=captions,
        masks=masks,
        map_classes=map_classes,
        tag_classes=tag_classes,
        value_names=value_names,
    )
    with writer:
        for split in splits:
            for row in rows(split):
                writer.write(split, row)


def _dataset_info(folder: Path, features: tfds.features.FeaturesDict, named: Mapping[str, Any]) -> tfds.core.DatasetInfo:
    identity = tfds.core.dataset_info.DatasetIdentity(
        name=NAME, version=tfds.core.Version(VERSION), data_dir=str(folder), module_name=__name__
    )
    supervised = ("image", "label") if "label" in features else None
    known = {key: value for key, value in named.items() if value}
    metadata = tfds.core.MetadataDict(known) if known else None
    info = tfds.core.DatasetInfo(builder=identity, features=features, supervised_keys=supervised, metadata=metadata)
    info.set_file_format(tfds.core.FileFormat.TFRECORD)
    return info
