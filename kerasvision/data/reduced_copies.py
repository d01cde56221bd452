"""Copies of examples whose images have a working size: a prepared data set with the same records in the same order.

An image that was reduced is stored as BMP, which is its pixels after a header. So it is read about as fast as memory is
copied. An image that was not reduced, and all that an example has in addition, stays as it is.

Source of the header: Microsoft, "Bitmap Storage": BITMAPFILEHEADER and BITMAPINFOHEADER.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kerasvision.config.preparing import Transform
from kerasvision.data.copy_sizes import BITMAP_HEADER, FOLDER, INFO, copies_of, copy_sizes
from kerasvision.disk import FULL, os_error, readable_size
from kerasvision.ops.tracing import without_autograph
from kerasvision.ops.working import open_working
from kerasvision.progress import Advance, bar, say


@dataclass(frozen=True)
class Copies:
    """What `write_copies` did.

    Attributes:
        images: how many images there are.
        reduced: how many of them were reduced.
        stored: bytes of all records.
        before: bytes of the same records with the images as they were.
    """

    images: int
    reduced: int
    stored: int
    before: int


def examples_to_train_on(examples: Path, transform_file: Path) -> Path:
    """The folder of the copies that belong to a transform, if it keeps some; otherwise that of the examples."""
    return copies_of(transform_file) or examples


def keep_copies(examples: Path, manifest_file: Path, transform_file: Path, *, settings: Transform) -> Path:
    """Writes copies for a transform if they save work and the disk has room for them, and says so in a line.

    They save work if at least a tenth of the images are larger than the working size.

    Args:
        examples: see `write_copies`.
        manifest_file: see `copy_sizes`.
        transform_file: the file of the transform; the copies go next to it.
        settings: of the transform.

    Returns:
        The folder of the copies, or `examples` if there are none.
    """
    side = settings.working_side
    if side is None or not settings.keeps_copies:
        return examples
    sizes = copy_sizes(examples, manifest_file, working_side=side)
    if not sizes.are_worth_it:
        return examples
    folder = transform_file.parent / FOLDER
    free = shutil.disk_usage(transform_file.parent).free
    if sizes.stored > free:
        return _without(examples, sizes.stored, free)
    try:
        done = write_copies(examples, folder, settings=settings)
    except Exception as error:
        # Something else filled the disk meanwhile, or a quota ends before the disk does.
        if (cause := os_error(error)) is None or cause.errno not in FULL:
            raise
        shutil.rmtree(folder)
        return _without(examples, sizes.stored, shutil.disk_usage(transform_file.parent).free)
    say(
        f"kept copies of {done.images:,} images, {done.reduced:,} of them reduced to a shorter side of {side}: "
        f"{readable_size(done.stored)}; the examples have {readable_size(done.before)}"
    )
    return folder


def _without(examples: Path, needed: int, free: int) -> Path:
    say(
        f"kept no reduced copies: they need {readable_size(needed)}, and {readable_size(free)} are free. Training decodes "
        "whole images, with the same results"
    )
    return examples


def write_copies(examples: Path, folder: Path, *, settings: Transform) -> Copies:
    """Writes the examples with images of the working size.

    Args:
        examples: a prepared TFDS data set in TFRecord files, each of whose images has been decoded before.
        folder: where the copies go; it is created.
        settings: with `working_side`.

    Raises:
        OSError, ResourceExhaustedError: the disk is full (see `os_error`), or something else prevents the writing.
    """
    folder.mkdir(parents=True)
    info = json.loads((examples / INFO).read_text(encoding="utf-8"))
    done, sizes = Copies(0, 0, 0, 0), Counter[str]()
    with bar("reducing", total=sum(int(count) for split in info["splits"] for count in split["shardLengths"])) as advance:
        for file in sorted(examples.iterdir()):
            if ".tfrecord" in file.name:
                copied = _copied_file(file, folder / file.name, settings, advance)
                sizes[file.name.split(".tfrecord")[0].rpartition("-")[2]] += copied.stored
                done = Copies(*map(sum, zip(astuple(done), astuple(copied), strict=True)))
            elif file.name != INFO:
                shutil.copyfile(file, folder / file.name)
    for split in info["splits"]:
        split["numBytes"] = str(sizes[split["name"]])
    # The last file: without it, the folder is no data set.
    (folder / INFO).write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
    return done


def _copied_file(file: Path, copy: Path, settings: Transform, advance: Advance) -> Copies:
    images = reduced = stored = before = 0
    with tf.io.TFRecordWriter(str(copy)) as writer:
        for record, pixels in _reduced_records(file, settings):
            data = record
            if pixels.size:
                example = tf.train.Example.FromString(record)
                example.features.feature["image"].bytes_list.value[:] = [bitmap(pixels)]
                data = example.SerializeToString(deterministic=True)
                reduced += 1
            writer.write(data)
            images, stored, before = images + 1, stored + len(data), before + len(record)
            advance()
    return Copies(images, reduced, stored, before)


def _reduced_records(file: Path, settings: Transform) -> Iterator[tuple[bytes, NDArray[np.uint8]]]:
    """Each record, and the pixels uint8 (h, w, C) of its image if it was reduced, otherwise (0, 0, C)."""
    side = settings.working_side

    @without_autograph
    def reduced(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        data = tf.io.parse_single_example(record, {"image": tf.io.FixedLenFeature([], tf.string)})["image"]
        image = open_working(data, **settings.opening)
        is_large = tf.reduce_min(image.file_size) > side
        return record, tf.cond(is_large, lambda: image.whole, lambda: image.whole[:0, :0])

    records = tf.data.TFRecordDataset(str(file)).map(reduced, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    yield from records.prefetch(1).as_numpy_iterator()


def bitmap(pixels: NDArray[np.uint8]) -> bytes:
    """A BMP file of 24 bits per pixel: rows from the bottom to the top, each filled up to a multiple of 4 bytes.

    Args:
        pixels: uint8 (H, W, 3), red, green and blue; or (H, W, 1), greys, which are stored as colours.

    >>> file = bitmap(np.array([[[255, 0, 0], [7, 7, 7]]], np.uint8))
    >>> tf.io.decode_image(file).numpy().tolist()
    [[[255, 0, 0], [7, 7, 7]]]
    """
    height, width, _ = pixels.shape
    rows = np.zeros((height, -(-3 * width // 4) * 4), np.uint8)
    rows[:, : 3 * width] = np.broadcast_to(pixels, (height, width, 3))[::-1, :, ::-1].reshape(height, -1)
    numbers = ((2, BITMAP_HEADER + rows.size), (10, BITMAP_HEADER), (14, 40), (18, width), (22, height), (34, rows.size))
    header = bytearray(BITMAP_HEADER)
    header[:2], header[26], header[28] = b"BM", 1, 24
    for at, number in numbers:
        header[at : at + 4] = number.to_bytes(4, "little")
    return bytes(header) + rows.tobytes()
