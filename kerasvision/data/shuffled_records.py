"""Records on disk in an order that depends on their keys only, not on the order in which they are added.

TensorFlow Datasets' own writer keeps up to 1 GB of records in memory before it writes to disk. This one keeps 24 bytes per
record.
"""

from array import array
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import Self

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from tensorflow_datasets.core.hashing import Hasher
from tensorflow_datasets.core.utils import shard_utils

from kerasvision.errors import DataError


class ShuffledRecords:
    """Byte strings, added in any order and returned in the order of their keys' hashes (TFDS' own order).

    Args:
        file: a temporary file for them; it is created, and removed at the end.
        salt: another salt gives another order.

    >>> import tempfile
    >>> with ShuffledRecords(Path(tempfile.mkdtemp(), "records"), salt="train") as records:
    ...     for word in (b"one", b"two", b"three"):
    ...         records.add(word.decode(), word)
    ...     list(records)
    [b'two', b'three', b'one']
    """

    def __init__(self, file: Path, *, salt: str) -> None:
        self.num_bytes = 0
        self._file, self._stream = file, file.open("w+b")
        self._hasher = Hasher(salt)
        # The two halves of each key's hash, and where each record ends.
        self._high, self._low, self._ends = array("Q"), array("Q"), array("Q", [0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._file.unlink()

    def __len__(self) -> int:
        return len(self._high)

    def add(self, key: str, record: bytes) -> None:
        """Keeps one record."""
        high, low = divmod(self._hasher.hash_key(key.encode()), 2**64)
        self._high.append(high)
        self._low.append(low)
        self._stream.write(record)
        self.num_bytes += len(record)
        self._ends.append(self.num_bytes)

    def __iter__(self) -> Iterator[bytes]:
        """All records, in order.

        Raises:
            DataError: two records have the same key.
        """
        high, low = np.frombuffer(self._high, np.uint64), np.frombuffer(self._low, np.uint64)
        order = np.lexsort((low, high))
        for before, after in pairwise(order):
            if high[before] == high[after] and low[before] == low[after]:
                raise DataError("every image of a data set needs a name of its own; two images share one")
        for number in order:
            self._stream.seek(self._ends[number])
            yield self._stream.read(self._ends[number + 1] - self._ends[number])


def write_shards(records: ShuffledRecords, template: tfds.core.ShardedFileTemplate) -> list[int]:
    """Writes the records as TFRecord files of 64 MB to 1 GB each (one file if they are fewer); returns each file's count."""
    shards = shard_utils.ShardConfig.calculate_number_shards(records.num_bytes, len(records))
    bounds = [0, *shard_utils.get_shard_boundaries(len(records), shards)]
    rest = iter(records)
    for number, (start, stop) in enumerate(pairwise(bounds)):
        path = template.sharded_filepath(shard_index=number, num_shards=shards)
        with tf.io.TFRecordWriter(str(path)) as writer:
            for record in islice(rest, stop - start):
                writer.write(record)
    return [stop - start for start, stop in pairwise(bounds)]
