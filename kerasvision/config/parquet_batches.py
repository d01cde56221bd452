"""The rows of a Parquet file, as many at a time as a bounded memory holds, however well they are compressed.

A few kilobytes of Parquet can stand for gigabytes: a dictionary keeps a text of 3 MB once for 1,000 rows, and zeros take no
space. What a column unpacks to is known before it is read, and so is the longest value of its dictionary.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kerasvision.errors import DataError

if TYPE_CHECKING:
    from pyarrow import RecordBatch
    from pyarrow.parquet import ColumnChunkMetaData, ParquetFile

BUFFER_BYTES = 1 << 20
# Rows that are in memory at a time take no more than this, as long as one row does not.
MOST_BATCH_BYTES = 64_000_000
# A list (of captions, say) is taken to hold no more values than this in a row.
MOST_IN_LIST = 1_000
# A column of this size that unpacks a thousandfold is no data. Ordinary columns are a hundredth of it, or compress less.
SUSPECT_BYTES, SUSPECT_RATIO = 256_000_000, 1_000
_DICTIONARIES = frozenset({"PLAIN_DICTIONARY", "RLE_DICTIONARY"})


def open_parquet(path: Path, *, as_dictionaries: Sequence[str] = ()) -> "ParquetFile":
    """A Parquet file; its footer is read, none of its rows.

    Args:
        path: of the file.
        as_dictionaries: paths of columns whose values are not to be repeated for each row.

    Raises:
        DataError: it is none.
    """
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        # Page by page: else a column's whole row group, often the whole column, is in memory (331 instead of 32 MB of 300).
        return ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False, read_dictionary=list(as_dictionaries))
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a Parquet file: {str(error).splitlines()[0]}") from None


def row_batches(
    path: Path, columns: Sequence[str], *, most_rows: int, most_value_bytes: int | None = None
) -> Iterator["RecordBatch"]:
    """The rows of a Parquet file in order, up to `most_rows` at a time, and fewer where they are large.

    Args:
        path: of the file.
        columns: their names.
        most_rows: how many rows a batch holds at most.
        most_value_bytes: a dictionary with a longer value is refused; None: however long.

    Raises:
        DataError: no Parquet file; or a column that unpacks to too much.
    """
    file = open_parquet(path)
    for group in range(file.metadata.num_row_groups):
        longest = [
            _row_bytes(path, file, group, leaf, most_rows, most_value_bytes) for leaf in _leaves(file, group, columns)
        ]
        rows = max(1, min(most_rows, MOST_BATCH_BYTES // max(1, sum(longest))))
        yield from file.iter_batches(batch_size=rows, row_groups=[group], columns=list(columns))


def _leaves(file: "ParquetFile", group: int, columns: Sequence[str]) -> list[int]:
    """Numbers of the columns on disk: a list or a structure is stored as one column for each of its parts."""
    on_disk = file.metadata.row_group(group)
    paths = [on_disk.column(number).path_in_schema for number in range(on_disk.num_columns)]
    return [n for n, path in enumerate(paths) if any(path == name or path.startswith(f"{name}.") for name in columns)]


def _row_bytes(path: Path, file: "ParquetFile", group: int, leaf: int, most_rows: int, most_value_bytes: int | None) -> int:
    """How many bytes of a column one row may take, at worst where it has a dictionary, and else on average."""
    chunk = file.metadata.row_group(group).column(leaf)
    unpacked: int = chunk.total_uncompressed_size
    values: int = chunk.num_values
    if unpacked > max(SUSPECT_BYTES, SUSPECT_RATIO * chunk.total_compressed_size):
        raise DataError(
            f"column {chunk.path_in_schema!r} of {path} must not unpack to more than {SUSPECT_RATIO:,} times its size; "
            f"{chunk.total_compressed_size:,} bytes unpack to {unpacked:,}",
            hint="write the table anew, with a dictionary for values that repeat",
        )
    # No value is longer than all of its column.
    if unpacked * most_rows <= MOST_BATCH_BYTES or not values:
        return 0
    if "DELTA_BYTE_ARRAY" in chunk.encodings:  # each value may repeat most of the one before
        return unpacked
    if not _DICTIONARIES & set(chunk.encodings):
        return unpacked // values
    longest = _longest_in_dictionary(path, file, group, leaf, chunk)
    if most_value_bytes is not None and longest > most_value_bytes:
        raise DataError(
            f"column {chunk.path_in_schema!r} of {path} must hold values of at most {most_value_bytes:,} bytes; "
            f"one has {longest:,}",
            hint="is it the right column? Labels, paths and captions are short texts",
        )
    return longest * (MOST_IN_LIST if file.schema.column(leaf).max_repetition_level else 1)


def _longest_in_dictionary(path: Path, file: "ParquetFile", group: int, leaf: int, chunk: "ColumnChunkMetaData") -> int:
    """Bytes of the longest value in a column's dictionary, of which none is repeated to find out."""
    import pyarrow
    import pyarrow.compute

    if chunk.physical_type != "BYTE_ARRAY":
        length: int = file.schema.column(leaf).length
        return max(length, 16)
    name = chunk.path_in_schema
    apart = open_parquet(path, as_dictionaries=[name])
    column = next(apart.iter_batches(batch_size=1, row_groups=[group], columns=[name])).column(0)
    while not pyarrow.types.is_dictionary(column.type):
        column = column.field(0) if pyarrow.types.is_struct(column.type) else column.values
    longest: int | None = pyarrow.compute.max(pyarrow.compute.binary_length(column.dictionary)).as_py()
    return longest or 0
