"""What each epoch measured, as a table that grows on disk while the training goes on."""

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

    The rows are its memory, and so part of every checkpoint (see callback_state). A new process writes them all anew
    before it adds its first: an epoch that was logged and then lost is not logged twice. A disk that cannot be written is
    a warning, and the next epoch tries it all again.
    """

    remembers = ("rows",)

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self._is_open = False

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Begins with no rows."""
        self.rows, self._is_open = [], False

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Adds a row of all values that are single numbers."""
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
        """Makes the log, in place of one that may be there, of these rows."""

    @abstractmethod
    def add(self, row: Row) -> None:
        """Adds a row to the log."""


class CsvHistory(EpochLog):
    """The history as a CSV file: `epoch` from 1 and the values, so exact that `float` of the text is the value again.

    A row is on the disk before the epoch's checkpoint is.

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
        """Writes the whole file beside, and puts it in its place. A value that a row does not have is left empty."""
        self._columns = [name for name in dict.fromkeys(name for row in rows for name in row) if name != "time"]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        heads = dict(zip(self._columns, self._columns, strict=True))
        text = "".join([self._line(heads), *map(self._line, rows)])
        write_whole(self._file, lambda beside: beside.write_bytes(text.encode()))

    def add(self, row: Row) -> None:
        """Appends a line; where it has new columns, the whole file is written anew."""
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
