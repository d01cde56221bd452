"""Ask a saved model about a hundred thousand images: parts on disk, so that a killed run goes on from the last whole one.

What a run leaves beside `answers.parquet` until it is done, in `answers.parquet.parts/`:

    begun.json          the model, the files and the settings that these parts belong to
    listing.jsonl       the files, as they were listed when it began
    000000.parquet      answers for the first 1,000 of them, and so on; a part is there whole or not at all

Where one of these changed since, the parts are of no use: they are thrown away, and that is said. Joined at the end in one
rename. The images of a batch never lie in two parts, so the answers do not depend on where a run was killed.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from filelock import FileLock, Timeout
from pyarrow import compute, csv

from kerasvision.config.inference import Listed
from kerasvision.errors import ConfigError, DataError, ExportError
from kerasvision.export.asking.columns import FAULT, PATH, Columns
from kerasvision.export.asking.predict import BATCH_SIZE, MAX_PIXELS, ImagePredictor
from kerasvision.progress import bar, say
from kerasvision.whole_files import write_whole

PART_ROWS = 1_000
MOST_NAMED = 20
BEGUN, LISTING = "begun.json", "listing.jsonl"


@dataclass(frozen=True)
class Summary:
    """What came of it.

    Attributes:
        images: how many were asked for.
        faults: how many of them have no answer.
        named: (path, fault) of the first of those.
        went_on_from: how many images an earlier, killed run had answered.
    """

    images: int
    faults: int
    named: tuple[tuple[str, str], ...]
    went_on_from: int = 0


def predict_to_file(
    saved_model: Path,
    images: Callable[[], Iterator[Listed]],
    *,
    out: Path,
    parts: Path | None = None,
    top: int | None = None,
    batch_size: int = BATCH_SIZE,
    max_pixels: int = MAX_PIXELS,
) -> Summary:
    """Writes an answer for every image to a Parquet or CSV file. Memory does not grow with their number.

    Args:
        saved_model: a SavedModel, or a folder of versions, of which the highest is asked.
        images: lists the files.
        out: `.parquet` or `.csv`; what was there is replaced when all is answered.
        parts: where the parts lie meanwhile; beside `out` where not given. A run that is killed goes on from there.
        top: label and score columns; as many as the model gives where None.
        batch_size, max_pixels: see `ImagePredictor.rows`.

    Raises:
        ConfigError: there is no saved model, `out` ends otherwise, `top` is too large, or another process writes to `out`.
        DataError: there are no images, or none that can be used (the file is written all the same).
        ExportError: the saved model is not whole or not what was pushed, or the file cannot be written.
    """
    check_out(out)
    model = ImagePredictor(saved_model)
    columns = Columns.of(model.outputs, top=top)
    parts = parts or out.with_name(out.name + ".parts")
    with _writable(out), _held(parts, out):
        listing, count = _write_listing(_of_others(images(), out, parts), parts)
        belongs_to = {"files": listing, "images": count, "batch_size": batch_size, "max_pixels": max_pixels}
        _keep_or_clear(parts, _begun(model, columns) | belongs_to)
        went_on_from = _answer(model, columns, parts, count, batch_size=batch_size, max_pixels=max_pixels)
        summary = _join(parts, out, columns.schema, went_on_from)
        shutil.rmtree(parts)
    if summary.faults == summary.images:
        path, fault = summary.named[0]
        told = f"none of {summary.images:,} files can be used, such as {path}: {fault}"
        raise DataError(told, hint=f"all are listed in {out}")
    return summary


def record_inference(record: Path, summary: Summary) -> None:
    """Writes how many images were answered, and the first of those that could not be."""
    named = [{"path": path, "fault": fault} for path, fault in summary.named]
    _write_record(record, {"inferred": True, "images": summary.images, "faults": summary.faults, "named": named})


def record_unasked(record: Path, *, why: str) -> None:
    """Writes why nothing was asked."""
    _write_record(record, {"inferred": False, "why": why})


def check_out(out: Path) -> None:
    """A file that answers may be written to.

    Raises:
        ConfigError: its name ends otherwise than a table's, or it is a folder.
    """
    if out.suffix.lower() not in (".parquet", ".csv"):
        raise ConfigError("answers are written to a file that ends in .parquet or .csv", received=str(out))
    if out.is_dir():
        raise ConfigError(f"{out} is a folder", hint=f"name a file, such as {out / 'answers.parquet'}")


def _of_others(images: Iterable[Listed], out: Path, parts: Path) -> Iterator[Listed]:
    """Without what is written here itself, where that lies in a folder whose images are asked about."""
    own = {out.absolute(), parts.absolute()}
    return (image for image in images if own.isdisjoint((image.path.absolute(), image.path.absolute().parent)))


def _write_listing(images: Iterable[Listed], parts: Path) -> tuple[str, int]:
    """(digest of the listing: names, sizes, times; how many). What is listed now is what will be answered."""
    digest, count = hashlib.sha256(), 0
    file = parts / (LISTING + ".new")
    with file.open("w", encoding="ascii") as lines:
        for image in images:
            # ASCII: JSON spells what a file name may hold and a text file may not.
            line = json.dumps([image.name, str(image.path), image.fault])
            lines.write(line + "\n")
            digest.update(f"{line} {_state(image)}\n".encode("ascii"))
            count += 1
    return digest.hexdigest(), count


def _begun(model: ImagePredictor, columns: Columns) -> dict[str, object]:
    """What the answers depend on, apart from the images and how they are asked about."""
    return {
        "model": _tree_digest(model.folder),
        "columns": str(columns.schema),
        "part_rows": PART_ROWS,
        "tensorflow": tf.__version__,
    }


def _keep_or_clear(parts: Path, begun: dict[str, object]) -> None:
    """Leaves parts that belong to what is asked now; clears away those of something else, and says so."""
    try:
        before = json.loads((parts / BEGUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    if before != begun:
        if before is not None:
            changed = [name for name in begun if before.get(name) != begun[name]]
            say(f"begun anew: since the last, unfinished run, this changed: {', '.join(changed)}")
        for path in parts.glob("[0-9]*.parquet*"):
            path.unlink()
        write_whole(parts / BEGUN, lambda file: file.write_text(json.dumps(begun, indent=2) + "\n", encoding="utf-8"))
    (parts / (LISTING + ".new")).replace(parts / LISTING)


def _answer(model: ImagePredictor, columns: Columns, parts: Path, count: int, *, batch_size: int, max_pixels: int) -> int:
    """Writes the parts that are not there yet; returns how many images those answered that were."""
    ready = 0
    images = _read_listing(parts / LISTING)
    with bar("predicting", total=count) as advance:
        for number in range(-(-count // PART_ROWS)):
            chosen = list(islice(images, PART_ROWS))
            part = parts / f"{number:06d}.parquet"
            if _rows_in(part) == len(chosen):
                ready += len(chosen)
                advance(len(chosen))
                continue
            rows = []
            for row in model.rows(chosen, batch_size=batch_size, max_pixels=max_pixels):
                rows.append(row)
                advance(1)
            write_whole(part, partial(pq.write_table, columns.table(rows)))
    return ready


def _join(parts: Path, out: Path, schema: pa.Schema, went_on_from: int) -> Summary:
    """All parts as one file, which appears under its name when it is whole."""
    images, faults = 0, 0
    named: list[tuple[str, str]] = []

    def write(file: Path) -> None:
        nonlocal images, faults
        with _writer(file, schema, is_csv=out.suffix.lower() == ".csv") as add:
            for part in sorted(parts.glob("[0-9]*.parquet")):
                table = pq.read_table(part)
                bad = table.select([PATH, FAULT]).filter(compute.not_equal(table[FAULT], ""))
                images, faults = images + len(table), faults + len(bad)
                named.extend((row[PATH], row[FAULT]) for row in bad.slice(0, MOST_NAMED - len(named)).to_pylist())
                add(table)

    write_whole(out, write)
    return Summary(images, faults, tuple(named), went_on_from)


@contextmanager
def _writer(file: Path, schema: pa.Schema, *, is_csv: bool) -> Iterator[Callable[[pa.Table], None]]:
    if not is_csv:
        with pq.ParquetWriter(file, schema) as writer:
            yield writer.write_table
        return
    flat = pa.schema([(field.name, pa.string() if pa.types.is_list(field.type) else field.type) for field in schema])
    with csv.CSVWriter(str(file), flat) as writer:
        yield lambda table: writer.write_table(_flat(table, flat))


def _flat(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Lists as JSON, which a cell of a CSV file can hold."""
    columns = [
        column if column.type == field.type else pa.array(_as_json(column.combine_chunks()), pa.string())
        for column, field in zip(table.columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _as_json(lists: pa.ListArray) -> list[str | None]:
    """
    >>> _as_json(pa.array([[0.1, float("nan")], None], pa.list_(pa.float32()))), _as_json(pa.array([["a"], []]))
    (['[0.1, null]', None], ['["a"]', '[]'])
    """
    if not pa.types.is_floating(lists.type.value_type):
        return [None if value is None else json.dumps(value, ensure_ascii=False) for value in lists.to_pylist()]
    # As texts, a float32 is the shortest number that means it: 0.1, not 0.10000000149011612. JSON knows no NaN.
    texts = lists.cast(pa.list_(pa.string())).to_pylist()
    none = ("nan", "inf", "-inf")
    return [None if t is None else "[" + ", ".join("null" if x in none else x for x in t) + "]" for t in texts]


def _read_listing(file: Path) -> Iterator[Listed]:
    with file.open(encoding="ascii") as lines:
        for line in lines:
            name, path, fault = json.loads(line)
            yield Listed(name, Path(path), fault)


def _rows_in(part: Path) -> int:
    try:
        return int(pq.read_metadata(part).num_rows)
    except (OSError, pa.ArrowException):
        return -1


def _write_record(record: Path, data: dict[str, object]) -> None:
    record.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _state(image: Listed) -> str:
    try:
        state = image.path.stat()
    except (OSError, ValueError):
        return "-"
    return f"{state.st_size} {state.st_mtime_ns}"


def _tree_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


@contextmanager
def _held(parts: Path, out: Path) -> Iterator[None]:
    """No other process works on these parts."""
    parts.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(parts / ".lock", timeout=0):
            try:
                yield
            finally:
                if not (parts / BEGUN).exists():  # it failed before anything was answered, or is done
                    shutil.rmtree(parts, ignore_errors=True)
    except Timeout:
        raise ConfigError(f"another process is writing {out}", hint="wait for it, or name another file") from None


@contextmanager
def _writable(out: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or error
        raise ExportError(
            f"{out} cannot be written: {reason}", hint="what was answered is kept: run the same command again"
        ) from error
