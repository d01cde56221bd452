"""Reads the rows of a Parquet file in batches that fit in bounded memory, however strongly they are compressed.

A few kilobytes of Parquet can decompress to gigabytes: a dictionary stores a text of 3 MB once for 1,000 rows, and zeros
take almost no space. The decompressed size of a column is known before reading, and so is the longest value of its
dictionary.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kerasvision.errors import DataError

if TYPE_CHECKING:
    from pyarrow import RecordBatch
    from pyarrow.parquet import ColumnChunkMetaData, ParquetFile

BUFFER_BYTES = 1 << 20
# A batch of rows takes no more memory than this, unless a single row does.
MOST_BATCH_BYTES = 64_000_000
# We assume that a list (of captions, for example) has no more values than this in one row.
MOST_IN_LIST = 1_000
# A column of this size that decompresses a thousandfold is not data. Real ones are 100 times smaller, or compress less.
SUSPECT_BYTES, SUSPECT_RATIO = 256_000_000, 1_000
_DICTIONARIES = frozenset({"PLAIN_DICTIONARY", "RLE_DICTIONARY"})


def open_parquet(path: Path, *, as_dictionaries: Sequence[str] = ()) -> "ParquetFile":
    """Opens a Parquet file and reads its footer, but no rows.

    Args:
        path: of the file.
        as_dictionaries: paths of columns to read as dictionaries, without repeating values for each row.

    Raises:
        DataError: it is not a Parquet file.
    """
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        # Page by page. Otherwise a column's whole row group, often the whole column, is in memory (331 MB, not 32, for 300).
        return ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False, read_dictionary=list(as_dictionaries))
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a Parquet file: {str(error).splitlines()[0]}") from None


def row_batches(
    path: Path, columns: Sequence[str], *, most_rows: int, most_value_bytes: int | None = None, first_group: int = 0
) -> Iterator["RecordBatch"]:
    """The rows of a Parquet file in order, in batches of up to `most_rows`, and fewer if the rows are large.

    Args:
        path: of the file.
        columns: their names.
        most_rows: the largest number of rows in a batch.
        most_value_bytes: a dictionary with a longer value is rejected; None: no limit.
        first_group: the row group to begin with.

    Raises:
        DataError: it is not a Parquet file, or a column decompresses to too many bytes.
    """
    file = open_parquet(path)
    for group in range(first_group, file.metadata.num_row_groups):
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
    """How many bytes of a column one row may take: the worst case if it has a dictionary, else the average."""
    chunk = file.metadata.row_group(group).column(leaf)
    unpacked: int = chunk.total_uncompressed_size
    values: int = chunk.num_values
    if unpacked > max(SUSPECT_BYTES, SUSPECT_RATIO * chunk.total_compressed_size):
        raise DataError(
            f"column {chunk.path_in_schema!r} of {path} must not decompress to more than {SUSPECT_RATIO:,} times its size; "
            f"{chunk.total_compressed_size:,} bytes decompress to {unpacked:,}",
            hint="write the table again, with a dictionary for repeated values",
        )
    # No value is longer than its whole column.
    if unpacked * most_rows <= MOST_BATCH_BYTES or not values:
        return 0
    if "DELTA_BYTE_ARRAY" in chunk.encodings:  # each value may repeat most of the one before
        return unpacked
    if not _DICTIONARIES & set(chunk.encodings):
        return unpacked // values
    longest = _longest_in_dictionary(path, file, group, leaf, chunk)
    if most_value_bytes is not None and longest > most_value_bytes:
        raise DataError(
            f"column {chunk.path_in_schema!r} of {path} must have values of at most {most_value_bytes:,} bytes; "
            f"one has {longest:,}",
            hint="is it the right column? Labels, paths and captions are short texts",
        )
    return longest * (MOST_IN_LIST if file.schema.column(leaf).max_repetition_level else 1)


def _longest_in_dictionary(path: Path, file: "ParquetFile", group: int, leaf: int, chunk: "ColumnChunkMetaData") -> int:
    """Bytes of the longest value in a column's dictionary, found without decompressing the rows."""
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
