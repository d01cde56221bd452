"""TFRecord files of tf.train.Example, with the keys of TensorFlow's Models.

Source of the keys: object_detection/dataset_tools/create_coco_tf_record.py of https://github.com/tensorflow/models.
"""

import io
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from PIL import Image

from kerasvision.config.image_files import opened_file
from kerasvision.config.sources import TfRecord
from kerasvision.data.inspecting.headers import upright_size
from kerasvision.data.numbers import Numbers
from kerasvision.data.png import encode_png
from kerasvision.data.records import Object, Record
from kerasvision.data.sources.coco_fields import is_area
from kerasvision.data.sources.tag_values import ListedTags
from kerasvision.data.sources.values import Labels, UnusableValue, Values
from kerasvision.data.split_names import split_within
from kerasvision.errors import ConfigError, DataError
from kerasvision.lookup import did_you_mean

# Before each record: its length in 8 bytes and the checksum of the length in 4; after it: the checksum of the data in 4.
# https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
_BEFORE, _AFTER = 12, 4
_GZIP = b"\x1f\x8b"
# A box may reach beyond its image. A box of more than twice the image's size is in pixels.
MOST_SHARE = 2.0

Value = list[bytes] | list[int] | list[float]
Features = dict[str, Value]
ReadFeatures = Callable[[], Features]


def read_tfrecord(settings: TfRecord) -> Iterator[Record]:
    """The examples of all files, named `<file>/000000`, .... Checksums are verified; images are read again when needed.

    Raises:
        ConfigError: the first example has no such image feature.
        DataError: there is no file; a file is cut short, corrupt or not a TFRecord, or its records are not examples; or an
            example has several labels that are not one-hot.
    """
    readers = _FeatureReaders(settings)
    for name, path in settings.named_paths():
        split = _split_of(name)
        for number, (offset, data) in enumerate(_records(path)):
            features = _features(data, f"record {number} of {path}")
            if number == 0 and settings.image_key not in features:
                hint = did_you_mean(settings.image_key, features)
                raise ConfigError(f"{path} has no feature {settings.image_key!r}; {hint}")
            example = _Example(readers, path, offset, len(data), features)
            yield example.record(f"{name}/{number:06d}", f"record {number} of {path}", split)


def _split_of(name: str) -> str | None:
    """The split in a file's name, or otherwise in the name of the nearest folder that the pattern leaves open.

    >>> _split_of("train-00000-of-00010"), _split_of("val2017/00000.tfrecord"), _split_of("flowers.tfrecord")
    ('train', 'validation', None)
    """
    return next(filter(None, map(split_within, reversed(name.split("/")))), None)


class _FeatureReaders:
    """Reads the features of examples as texts."""

    def __init__(self, settings: TfRecord) -> None:
        self.settings = settings
        self.label = Labels(
            f"feature {settings.label_key!r}", names=settings.class_names or (), named_in="source.class_names"
        )
        self.object_label = Labels(
            f"feature {settings.object_label_key!r}",
            names=settings.object_class_names or (),
            named_in="source.object_class_names",
        )
        self.tags = ListedTags(f"feature {settings.tag_key!r}", names=settings.tag_names or ())
        self.caption = Values(f"feature {settings.caption_key!r}")
        self.numbers = {key: Numbers(f"feature {key!r}") for key in settings.value_keys}


class _Example:
    """One example: its features, and the position of its bytes."""

    def __init__(self, readers: _FeatureReaders, path: Path, offset: int, size: int, features: Features) -> None:
        self.readers, self.settings, self.features = readers, readers.settings, features
        self.again = partial(_read_again, path, offset, size)

    def record(self, name: str, where: str, split: str | None) -> Record:
        label, fault = self.readers.label.read(self._values(self.settings.label_key), where)
        image = self.features.get(self.settings.image_key, [])
        if len(image) != 1 or not isinstance(image[0], bytes):
            return Record(name, bytes, label, split, fault=f"it has no encoded image in {self.settings.image_key!r}")
        captions: tuple[str, ...] = ()
        objects: tuple[Object, ...] = ()
        values: dict[str, float] = {}
        tags: tuple[str, ...] | None = None if self.settings.tag_key is None else ()
        try:
            if tags is not None:
                tags = self.readers.tags.read(self._values(self.settings.tag_key), where)
            captions = self.readers.caption.texts(self._values(self.settings.caption_key), where)
            values = self._numbers(where)
            objects, wrong = self._objects(image[0], where)
            fault = fault or wrong
        except UnusableValue as unusable:
            fault = fault or str(unusable)
        return Record(
            name,
            partial(_encoded, self.again, self.settings.image_key, 0),
            label,
            split,
            captions=captions,
            objects=objects,
            fault=fault,
            values=values or None,
            tags=tags,
        )

    def _numbers(self, where: str) -> dict[str, float]:
        """Name -> number: the key itself, or `key/0`, `key/1`, ... for a feature of several numbers; none if it is empty."""
        found: dict[str, float] = {}
        for key, numbers in self.readers.numbers.items():
            several = self._values(key)
            names = [key] if len(several) < 2 else [f"{key}/{place}" for place in range(len(several))]
            found |= {name: numbers.number(value, where) for name, value in zip(names, several, strict=False)}
        return found

    def _values(self, key: str | None) -> Value:
        return self.features.get(key, []) if key is not None else []

    def _objects(self, image: bytes, where: str) -> tuple[tuple[Object, ...], str]:
        """(objects, fault). Boxes are shares of the sides of the upright image."""
        key = self.settings.box_key
        sides = {side: self._values(f"{key}/{side}" if key else None) for side in ("ymin", "xmin", "ymax", "xmax")}
        boxes, labels = max(map(len, sides.values())), self._values(self.settings.object_label_key)
        settings = self.settings
        optional = {"masks": settings.mask_key, "crowds": settings.crowd_key, "areas": settings.area_key}
        masks, crowds, areas = map(self._values, optional.values())
        if not boxes:
            return (), ""
        required = {**sides, f"labels in {settings.object_label_key!r}": labels}
        if any(len(part) != boxes for part in required.values()) or {len(masks), len(crowds), len(areas)} - {0, boxes}:
            parts = {**required, **dict(zip(optional, (masks, crowds, areas), strict=True))}
            return (), f"its boxes do not fit together: {', '.join(f'{len(part)} {name}' for name, part in parts.items())}"
        if fault := _numbers_fault(sides.values(), crowds, areas):
            return (), fault
        names = [self.readers.object_label.name(label, where) for label in labels]
        if (size := upright_size(io.BytesIO(image))) is None:
            return (), ""
        pixels = np.asarray([*sides.values()], np.float64).T * (size * 2)
        return tuple(
            Object(
                tuple(box),
                name,
                mask=partial(_mask, self.again, settings.mask_key, at) if masks and settings.mask_key else None,
                crowd=bool(crowds and crowds[at]),
                area=float(areas[at]) if areas else None,
            )
            for at, (box, name) in enumerate(zip(pixels.tolist(), names, strict=True))
        ), ""


def _numbers_fault(sides: Iterable[Value], crowds: Value, areas: Value) -> str:
    """What is wrong with the numbers of an image's objects; "" if they can be used."""
    numbers = [number for side in sides for number in side]
    if wrong := [number for number in numbers if isinstance(number, bytes) or abs(number) > MOST_SHARE]:
        return f"its boxes must be shares of the image's sides, in [0, 1]; received {wrong[0]!r}"
    if wrong := [crowd for crowd in crowds if crowd not in (0, 1)]:
        return f"its boxes must have 0 or 1 as crowds; received {wrong[0]!r}"
    if wrong := [area for area in areas if not is_area(area)]:
        return f"its boxes must have areas of at least 0; received {wrong[0]!r}"
    return ""


def _records(path: Path) -> Iterator[tuple[int, bytes]]:
    """(offset of its data, data) of every record, checksums verified by TensorFlow."""
    with opened_file(path) as file:
        if file.read(2) == _GZIP:
            raise DataError(f"{path} is compressed, and cannot be read from the middle", hint="unpack it with gunzip first")
    offset, number = 0, 0
    try:
        for data in tf.data.TFRecordDataset(os.fsencode(path)).as_numpy_iterator():
            yield offset + _BEFORE, data
            offset += _BEFORE + len(data) + _AFTER
            number += 1
        # TensorFlow ignores some bytes at the end if they are too few for a record's length.
        whole = offset == path.stat().st_size
    except tf.errors.DataLossError:
        whole = False
    if not whole:
        kind = "is not a TFRecord file" if number == 0 else f"is cut short or corrupt after {number} records"
        raise DataError(f"{path} {kind} (byte {offset:,})")


def _features(data: bytes, where: str) -> Features:
    try:
        example = tf.train.Example.FromString(data)
    except DecodeError:
        raise DataError(f"{where} is not a tf.train.Example") from None
    kinds = ((name, feature, feature.WhichOneof("kind")) for name, feature in example.features.feature.items())
    return {name: list(getattr(feature, kind).value) if kind else [] for name, feature, kind in kinds}


def _read_again(path: Path, offset: int, size: int) -> Features:
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(size)
    try:
        return _features(data, str(path))
    except DataError as error:
        raise OSError(0, f"{path} changed while it was read") from error


def _encoded(again: ReadFeatures, key: str, place: int) -> bytes:
    """The encoded image at an index of a feature, read again."""
    value = again()[key][place]
    if not isinstance(value, bytes):
        raise OSError(0, f"feature {key!r} changed while it was read")
    return value


def _mask(again: ReadFeatures, key: str, place: int) -> bytes:
    """The mask with 0 and 255; the files of TensorFlow's Models have 0 and 1."""
    with Image.open(io.BytesIO(_encoded(again, key, place))) as mask:
        return encode_png(np.uint8(255) * (np.asarray(mask.convert("L")) > 0))
