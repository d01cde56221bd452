"""TFRecord files of TensorFlow's Models are read without keeping the images in memory, and a bad file is reported."""

import io
import struct
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasvision.config.sources import TfRecord
from kerasvision.data.sources.tfrecord import read_tfrecord
from kerasvision.errors import ConfigError, DataError


def png(height=4, width=6, mode="RGB", value=7, **options):
    buffer = io.BytesIO()
    Image.new(mode, (width, height), value).save(buffer, "PNG", **options)
    return buffer.getvalue()


def example(**features):
    """Bytes of a tf.train.Example; `image__class__label=[3]` stands for "image/class/label"."""

    def feature(values):
        if isinstance(values[0], bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        if isinstance(values[0], int):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    named = {name.replace("__", "/"): feature(values) if values else tf.train.Feature() for name, values in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=named)).SerializeToString()


def write(file, *records):
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in records:
            writer.write(record)
    return TfRecord(path=file)


def read(source):
    return list(read_tfrecord(source))


def test_files_of_a_pattern_give_splits_labels_and_captions(tmp_path):
    write(tmp_path / "birds-train-00000-of-00002", example(image__encoded=[b"one"], image__class__label=[3]))
    write(tmp_path / "birds-train-00001-of-00002")
    write(
        tmp_path / "birds-validation-00000-of-00001",
        example(image__encoded=[b"two"], image__class__label=[0], image__caption=[b"a", "ö".encode()]),
        example(image__encoded=[b"three"]),
    )
    source = TfRecord(path=tmp_path / "birds-*-of-*")
    told = [(r.name, r.load(), r.label, r.split, r.captions, r.objects, r.fault) for r in read(source)]
    assert told == [
        ("birds-train-00000-of-00002/000000", b"one", "3", "train", (), (), ""),
        ("birds-validation-00000-of-00001/000000", b"two", "0", "validation", ("a", "ö"), (), ""),
        ("birds-validation-00000-of-00001/000001", b"three", "", "validation", (), (), ""),
    ]
    assert [name for name, _ in source.files()] == [
        "birds-train-00000-of-00002",
        "birds-train-00001-of-00002",
        "birds-validation-00000-of-00001",
    ]


def test_files_of_one_name_in_several_folders_stay_apart_and_folders_say_the_split(tmp_path):
    for folder, value in (("train", b"one"), ("Val2017", b"two"), ("extra", b"three"), ("test_set", b"four")):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "00000.tfrecord", example(image__encoded=[value]))
    (tmp_path / "extra" / "Thumbs.db").write_bytes(b"no TFRecord")
    source = TfRecord(path=tmp_path / "*" / "*")
    assert [(r.name, r.load(), r.split) for r in read(source)] == [
        ("Val2017/00000.tfrecord/000000", b"two", "validation"),
        ("extra/00000.tfrecord/000000", b"three", None),
        ("test_set/00000.tfrecord/000000", b"four", "test"),
        ("train/00000.tfrecord/000000", b"one", "train"),
    ]
    assert [name for name, _ in source.files()] == [
        f"{folder}/00000.tfrecord" for folder in ("Val2017", "extra", "test_set", "train")
    ]


def test_a_file_that_may_not_be_read_is_told_in_words(tmp_path, monkeypatch):
    source = write(tmp_path / "a.tfrecord", example(image__encoded=[b"x"]))

    def refuse(path, *mode):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "open", refuse)
    with pytest.raises(DataError, match=r"a.tfrecord cannot be read: Permission denied"):
        read(source)


@pytest.mark.parametrize("name", ["a.tfrecord", "*"])
def test_a_folder_that_is_closed_is_told_in_words(name, tmp_path, monkeypatch):
    def refuse(path, *choices, **named):
        raise PermissionError(13, "Permission denied")

    for call in ("stat", "open"):
        monkeypatch.setattr(type(tmp_path), call, refuse)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        read(TfRecord(path=tmp_path / name))


def test_a_file_may_have_a_name_of_any_bytes(tmp_path):
    source = write(tmp_path / "plain", example(image__encoded=[b"x"]))
    (tmp_path / "plain").rename(tmp_path / "caf\udce9_val")
    (record,) = read(source.model_copy(update={"path": tmp_path / "caf*"}))
    assert (record.name, record.split, record.load()) == (r"caf\udce9_val/000000", "validation", b"x")


def test_labels_get_their_names_or_are_texts_already(tmp_path):
    file = tmp_path / "a.tfrecord"
    labels = (1, 0, 2, -1)
    write(file, *(example(image__encoded=[b"x"], image__class__label=[label], text=["héron".encode()]) for label in labels))
    named = read(TfRecord(path=file, class_names=("duck", "goose")))
    assert [(record.label, record.fault) for record in named] == [
        ("goose", ""),
        ("duck", ""),
        ("", "label 2 has no name in source.class_names, which has 2"),
        ("", "label -1 has no name in source.class_names, which has 2"),
    ]
    assert {record.label for record in read(TfRecord(path=file, label_key="text"))} == {"héron"}
    assert {record.label for record in read(TfRecord(path=file, label_key=None))} == {""}


def test_boxes_become_pixels_with_crowds_and_areas_and_masks_become_0_and_255(tmp_path):
    mask = np.zeros((4, 6), np.uint8)
    mask[1:3, 2] = 1
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG")
    box = {"ymin": [0.25, 0.0], "xmin": [0.5, -0.5], "ymax": [0.75, 1.0], "xmax": [1.0, 2.0]}
    named = {f"image__object__bbox__{side}": values for side, values in box.items()}
    record = example(
        image__encoded=[png(4, 6)],
        image__object__class__text=[b"cat", b"dog"],
        image__object__mask=[buffer.getvalue(), png(4, 6, "L", 0)],
        image__object__is_crowd=[0, 1],
        image__object__area=[2.0, 7.5],
        **named,
    )
    (found,) = read(write(tmp_path / "a", record))
    # Of 4 rows and 6 columns.
    assert [(o.box, o.label) for o in found.objects] == [((1, 3, 3, 6), "cat"), ((0, -3, 4, 12), "dog")]
    assert [(o.crowd, o.area) for o in found.objects] == [(False, 2.0), (True, 7.5)]
    masks = [np.asarray(Image.open(io.BytesIO(o.mask()))) for o in found.objects]
    assert (masks[0] == 255 * mask).all() and not masks[1].any()


def test_boxes_of_a_turned_photo_are_parts_of_what_one_sees(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    sides = {
        f"image__object__bbox__{side}": [value]
        for side, value in {"ymin": 0.0, "xmin": 0.0, "ymax": 1.0, "xmax": 1.0}.items()
    }
    record = example(image__encoded=[png(4, 6, exif=exif)], image__object__class__text=[b"all"], **sides)
    assert read(write(tmp_path / "a", record))[0].objects[0].box == (0, 0, 6, 4)


@pytest.mark.parametrize(
    ("features", "fault"),
    [
        ({"image__encoded": [3]}, "it has no encoded image in 'image/encoded'"),
        ({"image__encoded": [b"a", b"b"]}, "it has no encoded image in 'image/encoded'"),
        ({"image__encoded": []}, "it has no encoded image in 'image/encoded'"),
        ({"image__class__label": [1.5]}, "feature 'image/class/label' holds 1.5 in record 0 of"),
        ({"image__object__bbox__ymin": [0.1, 0.2]}, "its boxes do not fit together: 2 ymin, 1 xmin, 1 ymax, 1 xmax"),
        (
            {"image__object__class__text": [b"a", b"b"]},
            "1 ymax, 1 xmax, 2 labels in 'image/object/class/text', 0 masks, 0 crowds",
        ),
        ({"image__object__bbox__ymin": []}, "its boxes do not fit together: 0 ymin, 1 xmin"),
        ({"image__object__bbox__ymin": [b"0.5"]}, "shares of the image's sides, in [0, 1]; received b'0.5'"),
        ({"image__object__bbox__xmax": [30.0]}, "shares of the image's sides, in [0, 1]; received 30.0"),
        ({"image__object__mask": [b"", b""]}, "1 labels in 'image/object/class/text', 2 masks, 0 crowds, 0 areas"),
        ({"image__object__is_crowd": [0, 0]}, "0 masks, 2 crowds, 0 areas"),
        ({"image__object__is_crowd": [2]}, "its boxes must have 0 or 1 as crowds; received 2"),
        ({"image__object__area": [-1.0]}, "its boxes must have areas of at least 0; received -1.0"),
        ({"image__object__area": [float("nan")]}, "its boxes must have areas of at least 0; received nan"),
    ],
)
def test_an_example_that_does_not_fit_is_a_fault_of_its_own(features, fault, tmp_path):
    good = {f"image__object__bbox__{side}": [0.5] for side in ("ymin", "xmin", "ymax", "xmax")}
    good |= {"image__encoded": [png()], "image__object__class__text": [b"cat"]}
    bad, other = read(write(tmp_path / "a", example(**good | features), example(**good)))
    assert fault in bad.fault
    assert other.fault == "" and len(other.objects) == 1


def test_boxes_of_an_image_without_a_header_wait_for_what_looks_at_images(tmp_path):
    sides = {f"image__object__bbox__{side}": [0.5] for side in ("ymin", "xmin", "ymax", "xmax")}
    record = example(image__encoded=[b"no image"], image__object__class__text=[b"cat"], **sides)
    assert [(r.objects, r.fault, r.load()) for r in read(write(tmp_path / "a", record))] == [((), "", b"no image")]


# --- files that cannot be read

RECORDS = [example(image__encoded=[bytes(100)], image__class__label=[number]) for number in range(3)]


def whole(tmp_path):
    write(tmp_path / "a.tfrecord", *RECORDS)
    return (tmp_path / "a.tfrecord").read_bytes()


@pytest.mark.parametrize("cut", [1, 4, 5, 100, len(RECORDS[0]) + 4, len(RECORDS[0]) + 13])
def test_a_file_that_is_cut_short_is_named(cut, tmp_path):
    data = whole(tmp_path)
    (tmp_path / "a.tfrecord").write_bytes(data[:-cut])
    with pytest.raises(DataError, match=r"a.tfrecord is cut short or corrupt after 2 records \(byte \d+\)"):
        read(TfRecord(path=tmp_path / "a.tfrecord"))


def test_a_changed_byte_is_noticed_by_the_checksum(tmp_path):
    data = bytearray(whole(tmp_path))
    data[60] ^= 1
    (tmp_path / "a.tfrecord").write_bytes(data)
    with pytest.raises(DataError, match="a.tfrecord is not a TFRecord file"):
        read(TfRecord(path=tmp_path / "a.tfrecord"))


@pytest.mark.parametrize("data", [b"hello", b"\0" * 1000, b"image,label\n" * 1000, struct.pack("<Q", 2**62) + b"x" * 50])
def test_what_is_no_tfrecord_is_named(data, tmp_path):
    (tmp_path / "a.tfrecord").write_bytes(data)
    with pytest.raises(DataError, match="a.tfrecord is not a TFRecord file"):
        read(TfRecord(path=tmp_path / "a.tfrecord"))


def test_a_compressed_file_is_told_from_a_broken_one(tmp_path):
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    with tf.io.TFRecordWriter(str(tmp_path / "a"), options) as writer:
        writer.write(RECORDS[0])
    with pytest.raises(DataError, match="is compressed, and cannot be read from the middle. Unpack it with gunzip first"):
        read(TfRecord(path=tmp_path / "a"))


def test_records_that_are_no_examples_are_told(tmp_path):
    with pytest.raises(DataError, match="record 1 of .*a is not a tf.train.Example"):
        read(write(tmp_path / "a", RECORDS[0], b"\xff\xff\xff"))


def test_a_key_that_no_example_has_is_told_with_the_closest(tmp_path):
    source = write(tmp_path / "a", example(image__encode=[b"x"]))
    with pytest.raises(ConfigError, match=r"has no feature 'image/encoded'; did you mean 'image/encode'\?"):
        read(source)


def test_a_pattern_without_files_is_told(tmp_path):
    for path in (tmp_path / "nothing-*", tmp_path, tmp_path / "a[*"):
        with pytest.raises(DataError, match=r"there is no file .* Set source.path to a file or a pattern"):
            list(TfRecord(path=path).files())


def test_records_do_not_keep_their_images(tmp_path):
    images = [bytes([number]) * 100_000 for number in range(100)]
    source = write(tmp_path / "a", *(example(image__encoded=[image]) for image in images))
    tracemalloc.start()
    records = read(source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000  # of 10,000,000 bytes of images
    assert [record.load() for record in reversed(records)] == images[::-1]


def test_a_file_that_changed_meanwhile_cannot_be_read(tmp_path):
    source = write(tmp_path / "a", *RECORDS)
    last = read(source)[-1]
    (tmp_path / "a").write_bytes(b"\xff" * 10_000)
    with pytest.raises(OSError, match="changed while it was read"):
        last.load()


def test_numbers_that_took_the_place_of_an_image_meanwhile_are_not_given_as_bytes(tmp_path):
    (record,) = read(write(tmp_path / "a", example(image__encoded=[b"abc"])))
    write(tmp_path / "a", example(image__encoded=[1, 2, 3]))  # as many bytes, another kind of feature
    with pytest.raises(OSError, match="'image/encoded' changed while it was read"):
        record.load()
