"""The quarantine file: a list of images that a person wants left out, as CSV."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from kerasvision.errors import DataError

COLUMNS = ("id", "sha256", "reason")
LEFT_OUT = "left out by the quarantine file"


@dataclass(frozen=True)
class Quarantine:
    """The images to leave out.

    Attributes:
        by_sha256: SHA-256 -> why, for entries with one: they match any name, and only the unchanged image.
        by_id: id -> why, for entries without a SHA-256.
    """

    by_sha256: dict[str, str]
    by_id: dict[str, str]

    def faults(self, ids: pd.Series, digests: pd.Series) -> pd.Series:
        """The fault of every image; "" for an image that the file does not name.

        >>> quarantine = Quarantine({"ab": "blurred"}, {"2.jpg": ""})
        >>> quarantine.faults(pd.Series(["1.jpg", "2.jpg", "3.jpg"]), pd.Series(["ab", "cd", "ef"])).tolist()
        ['left out by the quarantine file: blurred', 'left out by the quarantine file', '']
        """

        def fault(name: str, digest: str) -> str:
            reason = self.by_sha256.get(digest, self.by_id.get(name))
            return "" if reason is None else f"{LEFT_OUT}: {reason}" if reason else LEFT_OUT

        return pd.Series([fault(*row) for row in zip(ids, digests, strict=True)], index=ids.index, dtype="str")

    def unmatched(self, ids: pd.Series, digests: pd.Series) -> list[str]:
        """The entries of the file that match no image of the source."""
        return sorted({*self.by_id} - {*ids}) + sorted({*self.by_sha256} - {*digests})


def read_quarantine(file: Path) -> Quarantine:
    """The images that a quarantine file names.

    Raises:
        DataError: there is no such file, or it is not a CSV text with a column `id` or `sha256`.
    """
    by_sha256, by_id = {}, {}
    for line, entry in _entries(file):
        digest, name = entry.get("sha256", "").strip().lower(), entry.get("id", "")
        if digest and not re.fullmatch("[0-9a-f]{64}", digest):
            raise DataError(f"{file}, line {line}: a sha256 must have 64 hexadecimal digits", received=digest)
        if not digest and not name:
            raise DataError(f"{file}, line {line}: an entry needs an id or a sha256")
        reason = " ".join(entry.get("reason", "").split())
        if digest:
            by_sha256[digest] = reason
        else:
            by_id[name] = reason
    return Quarantine(by_sha256, by_id)


def write_quarantine(rows: pd.DataFrame, file: Path) -> None:
    """Writes a quarantine file for a person to review.

    Args:
        rows: id, sha256, reason; one row per image.
        file: the CSV file.
    """
    rows.loc[:, list(COLUMNS)].sort_values(["id", "sha256"]).to_csv(file, index=False, lineterminator="\n")


def _entries(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, column -> text) of every entry; other columns are ignored."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            columns = [name.strip().lower() for name in next(reader, [])]
            if not {"id", "sha256"} & set(columns):
                raise DataError(
                    f"the quarantine file {file} needs a column 'id' or 'sha256'",
                    received=", ".join(columns)[:100],
                    hint="its first line names the columns: id,sha256,reason",
                )
            for cells in reader:
                if len(cells) > len(columns):
                    raise DataError(
                        f"{file}, line {reader.line_num}, has {len(cells)} cells under {len(columns)} columns",
                        hint="put a text with a comma into double quotes",
                    )
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, dict(zip(columns, cells, strict=False))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a CSV text in UTF-8"
        raise DataError(f"the quarantine file {file} cannot be read: {reason}") from error
