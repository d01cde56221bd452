"""How much disk the reduced copies of images take, and how many pixels they save: from the manifest, without decoding.

A reduced image is stored as BMP: a header of 54 bytes, and rows of three bytes for each pixel, each filled up to a multiple
of 4 bytes (Microsoft, "Bitmap Storage").
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kerasvision.data.splits import TRAIN

FOLDER, INFO = "copies", "dataset_info.json"
# With fewer large images, copies of all would take more disk than they save time.
LEAST_SHARE = 0.1
BITMAP_HEADER = 54


@dataclass(frozen=True)
class CopySizes:
    """What the copies of some examples have, or would have.

    Attributes:
        images: how many images there are in all splits.
        large: how many of them are larger than the working size.
        stored: bytes of the copies on disk.
        train_images: how many images are in the training split.
        megapixels: of the training images, all together, as their files are.
        reduced_megapixels: the same, with the large ones at their working size.
    """

    images: int
    large: int
    stored: int
    train_images: int
    megapixels: float
    reduced_megapixels: float

    @property
    def are_worth_it(self) -> bool:
        """Whether at least a tenth of the images are larger than the working size."""
        return self.large > 0 and self.large >= LEAST_SHARE * self.images


def copy_sizes(examples: Path, manifest_file: Path, *, working_side: int) -> CopySizes:
    """The sizes of the copies of examples, whether these copies exist or not.

    Args:
        examples: the folder of a prepared data set.
        manifest_file: the Parquet file with `height`, `width`, `size`, `split` and `fault` of each image of its source.
        working_side: see `Transform`.

    Raises:
        OSError, ValueError, KeyError: one of the two cannot be read, or is of another kind.
    """
    # Imported here, because `plan` of small images does without it.
    import pyarrow.parquet as pq

    with pq.ParquetFile(manifest_file) as file:
        table = file.read(columns=["height", "width", "size", "split", "fault"])
    is_used = _equals(table["fault"], "")
    is_train = _equals(table["split"], TRAIN) & is_used
    whole = np.stack([_numbers(table["height"]), _numbers(table["width"])], axis=1)
    sizes, train, file_bytes = whole[is_used], whole[is_train], _numbers(table["size"])[is_used]
    others = folder_bytes(examples) - int(file_bytes.sum())
    return CopySizes(
        images=len(sizes),
        large=int((sizes.min(axis=1) > working_side).sum()),
        stored=others + needed_bytes(sizes, file_bytes, working_side),
        train_images=len(train),
        megapixels=float(train.prod(axis=1).sum() / 1e6),
        reduced_megapixels=float(reduced_sizes(train, working_side).prod(axis=1).sum() / 1e6),
    )


def _numbers(column: Any) -> NDArray[np.int64]:
    """A column of a Parquet file. Its own `to_numpy` imports pandas, which takes longer than the whole plan."""
    return np.from_dlpack(column.combine_chunks()).astype(np.int64, copy=False)


def _equals(column: Any, text: str) -> NDArray[np.bool_]:
    """Which rows of a column of texts are this text."""
    encoded = column.combine_chunks().dictionary_encode()
    known = encoded.dictionary.to_pylist()
    found: NDArray[np.bool_] = np.from_dlpack(encoded.indices) == (known.index(text) if text in known else -1)
    return found


def needed_bytes(sizes: NDArray[np.integer], file_bytes: NDArray[np.integer], working_side: int) -> int:
    """How much disk the images of copies take.

    Args:
        sizes: (N, 2), height and width of each image.
        file_bytes: (N,), the size of each file.
        working_side: see `Transform`.

    >>> needed_bytes(np.array([[3000, 4000], [100, 100]]), np.array([4_000_000, 9_000]), 300)  # 300 x 400 x 3, and a file
    369054
    """
    height, width = reduced_sizes(sizes, working_side).T
    bitmaps = BITMAP_HEADER + height * (-(-3 * width // 4) * 4)
    return int(np.where(sizes.min(axis=1) > working_side, bitmaps, file_bytes).sum())


def reduced_sizes(sizes: NDArray[np.integer], working_side: int) -> NDArray[np.int64]:
    """int64 (N, 2): height and width of each image at its working size.

    >>> reduced_sizes(np.array([[3000, 4001], [100, 2000]]), 300)
    array([[ 300,  400],
           [ 100, 2000]])
    """
    ratios = np.minimum(working_side / np.maximum(sizes.min(axis=1), 1), 1.0)
    reduced: NDArray[np.int64] = np.round(sizes * ratios[:, np.newaxis]).astype(np.int64)
    return reduced


def copies_of(transform_file: Path) -> Path | None:
    """The folder of the copies that a transform keeps; None if it keeps none."""
    folder = transform_file.parent / FOLDER
    return folder if (folder / INFO).exists() else None


def folder_bytes(folder: Path) -> int:
    """The size of all files in a folder, in bytes."""
    return sum(path.stat().st_size for path in folder.iterdir())
