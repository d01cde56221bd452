"""The measurements of each epoch, as a table on disk that grows during the training."""

import csv
import io
import time
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from kerasvision.whole_files import flush_stream, write_whole

# A row: "epoch" from 1, "time" in seconds since 1970, and the history's values.
Row = dict[str, float | int]


class EpochLog(keras.callbacks.Callback):
    """A log with one entry per epoch.

    The rows are its state, and so part of every checkpoint (see callback_state). A new process writes all of them again
    before it adds its first row. So an epoch that was logged, and is repeated because its checkpoint was lost, is not logged
    twice. If the disk cannot be written, there is a warning, and the next epoch writes all rows again.
    """

    remembers = ("rows",)

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self._is_open = False

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Starts without rows."""
        self.rows, self._is_open = [], False

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Adds a row with all values that are scalars."""
        values = {name: float(value) for name, value in (logs or {}).items() if np.ndim(value) == 0}
        self.rows = [*self.rows, {"epoch": epoch + 1, "time": time.time(), **values}]
        try:
            if self._is_open:
                self.add(self.rows[-1])
            else:
                self.begin(self.rows)
            self._is_open = True
        except OSError as error:
            self._is_open = False
            warnings.warn(f"epoch {epoch + 1} could not be logged: {error.strerror}", stacklevel=2)

    @abstractmethod
    def begin(self, rows: list[Row]) -> None:
        """Writes a new log with these rows; replaces an existing one."""

    @abstractmethod
    def add(self, row: Row) -> None:
        """Adds a row to the log."""


class CsvHistory(EpochLog):
    """The history as a CSV file: `epoch` from 1 and the values, with all digits that are needed to restore them exactly.

    A row is written to the disk before the epoch's checkpoint.

    Args:
        file: what to write.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     history = CsvHistory(Path(folder) / "history.csv")
    ...     history.on_epoch_end(0, {"loss": 0.1})
    ...     history.on_epoch_end(1, {"loss": 0.05})
    ...     print((Path(folder) / "history.csv").read_text())
    epoch,loss
    1,0.1
    2,0.05
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        self._columns: list[str] = []

    def begin(self, rows: list[Row]) -> None:
        """Writes the whole file under another name and renames it. A value that a row does not have is left empty."""
        self._columns = [name for name in dict.fromkeys(name for row in rows for name in row) if name != "time"]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        heads = dict(zip(self._columns, self._columns, strict=True))
        text = "".join([self._line(heads), *map(self._line, rows)])
        write_whole(self._file, lambda beside: beside.write_bytes(text.encode()))

    def add(self, row: Row) -> None:
        """Appends a line. If the row has new columns, it writes the whole file again."""
        if not row.keys() - {"time"} <= set(self._columns):
            self.begin(self.rows)
            return
        with self._file.open("ab") as stream:
            stream.write(self._line(row).encode())
            flush_stream(stream)

    def _line(self, row: Mapping[str, object]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow([row.get(name, "") for name in self._columns])
        return text.getvalue()
