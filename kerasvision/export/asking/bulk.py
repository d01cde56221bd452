"""Gets a saved model's answers for a hundred thousand images, in parts on disk: a killed run continues after the last part.

Until a run is done, it keeps these files next to `answers.parquet`, in `answers.parquet.parts/`:

    begun.json          the model, the files and the settings that these parts belong to
    listing.jsonl       the files, as they were listed at the start
    000000.parquet      answers for the first 1,000 of them, and so on; a part is complete or does not exist

If any of these inputs has changed, the parts cannot be used: they are deleted, with a message. At the end they are joined in
one rename. The images of a batch are never in two parts, so the answers do not depend on where a run was killed.
"""

import base64
import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from kerasvision.data.mapping.mapper import HERE, Mapper
from kerasvision.errors import ConfigError, DataError, ExportError
from kerasvision.export.asking.columns import FAULT, PATH, Columns
from kerasvision.export.asking.parts import part_schema, part_table
from kerasvision.export.asking.predict import BATCH_SIZE, MAX_PIXELS, AnswerWriter, ImagePredictor, Row
from kerasvision.progress import bar, say
from kerasvision.tasks.presentation import Presentation
from kerasvision.whole_files import write_whole

PART_ROWS = 1_000
MOST_NAMED = 20
BEGUN, LISTING = "begun.json", "listing.jsonl"


@dataclass(frozen=True)
class Summary:
    """The result of a run.

    Attributes:
        images: the number of images.
        faults: the number of images without an answer.
        named: (path, fault) of the first of those.
        went_on_from: the number of images that an earlier, killed run had answered.
    """

    images: int
    faults: int
    named: tuple[tuple[str, str], ...]
    went_on_from: int = 0


def predict_to_file(
    saved_model: Path | ImagePredictor,
    images: Callable[[], Iterator[Listed]],
    *,
    out: Path,
    parts: Path | None = None,
    top: int | None = None,
    batch_size: int = BATCH_SIZE,
    max_pixels: int = MAX_PIXELS,
    least_score: float = 0.0,
    each: bool = False,
    writers: Sequence[AnswerWriter] = (),
    mapper: Mapper = HERE,
) -> Summary:
    """Writes an answer for every image to a Parquet or CSV file. Memory does not grow with the number of images.

    Args:
        saved_model: a SavedModel, or a folder of versions: the highest is used; or one that is in memory.
        images: lists the files.
        out: `.parquet` or `.csv`; an existing file is replaced when all answers are there.
        parts: the folder for parts until then; next to `out` by default. A run after a killed one continues from there.
        top: the number of label and score columns; None means all that the model gives.
        batch_size, max_pixels, least_score: see `ImagePredictor.rows`.
        each: write a row for each part of an answer, see `part_table`, instead of a row for each image.
        writers: get the answer for each image when all images are answered.
        mapper: where the model is asked. Another process loads it from its folder.

    Raises:
        ConfigError: there is no saved model, `out` has another ending, `top` is too large, `each` or `least_score` does not
            fit the model, or another process writes to `out`.
        DataError: there are no images, or none can be used (the file is written anyway).
        ExportError: the saved model is incomplete or differs from what was pushed, or the file cannot be written.
    """
    check_out(out)
    model = ImagePredictor(saved_model) if isinstance(saved_model, Path) else saved_model
    numbers = model.presentation.named_numbers() if model.presentation else None
    columns = Columns.of(model.outputs, top=top, numbers=numbers)
    presentation = model.presented("a row for each part of an answer") if each else None
    if least_score:
        model.check_least_score()
    parts = parts or out.with_name(out.name + ".parts")
    with _writable(out), _held(parts, out):
        listing, count = _write_listing(_of_others(images(), out, parts), parts)
        limits = {"batch_size": batch_size, "max_pixels": max_pixels, "least_score": least_score}
        _keep_or_clear(parts, _begun(model, columns) | limits | {"files": listing, "images": count})
        rows = partial(model.rows, batch_size=batch_size, max_pixels=max_pixels, least_score=least_score)
        went_on_from = _answer(partial(_answer_parts, rows, columns, parts.absolute()), parts, count, mapper)
        summary = _join(parts, out, columns, presentation, went_on_from)
        for writer in writers:
            _hand_over(parts, columns, writer)
        shutil.rmtree(parts)
    if summary.faults == summary.images:
        path, fault = summary.named[0]
        message = f"none of {summary.images:,} files can be used, such as {path}: {fault}"
        raise DataError(message, hint=f"all are listed in {out}")
    return summary


def record_inference(record: Path, summary: Summary) -> None:
    """Writes the number of images with and without an answer, and the first of those without."""
    named = [{"path": path, "fault": fault} for path, fault in summary.named]
    _write_record(record, {"inferred": True, "images": summary.images, "faults": summary.faults, "named": named})


def record_unasked(record: Path, *, why: str) -> None:
    """Writes why no images were sent to the model."""
    _write_record(record, {"inferred": False, "why": why})


def check_out(out: Path) -> None:
    """Checks that answers can be written to a file of this name.

    Raises:
        ConfigError: its ending is not that of a table, or it is a folder.
    """
    if out.suffix.lower() not in (".parquet", ".csv"):
        raise ConfigError("answers must be written to a file that ends in .parquet or .csv", received=str(out))
    if out.is_dir():
        raise ConfigError(f"{out} is a folder", hint=f"name a file, such as {out / 'answers.parquet'}")


def _of_others(images: Iterable[Listed], out: Path, parts: Path) -> Iterator[Listed]:
    """Leaves out the files written here, in case they are in a folder whose images are listed."""
    own = {out.absolute(), parts.absolute()}
    return (image for image in images if own.isdisjoint((image.path.absolute(), image.path.absolute().parent)))


def _write_listing(images: Iterable[Listed], parts: Path) -> tuple[str, int]:
    """(SHA-256 of the listing's names, sizes and times; number of files). Exactly these files will be answered."""
    digest, count = hashlib.sha256(), 0
    file = parts / (LISTING + ".new")
    with file.open("w", encoding="ascii") as lines:
        for image in images:
            # ASCII: JSON can write every file name, while a text file cannot.
            line = json.dumps([image.name, str(image.path), image.fault])
            lines.write(line + "\n")
            digest.update(f"{line} {_state(image)}\n".encode("ascii"))
            count += 1
    return digest.hexdigest(), count


def _begun(model: ImagePredictor, columns: Columns) -> dict[str, object]:
    """What the answers depend on, apart from the images and the limits of a request."""
    return {
        "model": _tree_digest(model.folder),
        "columns": str(columns.schema),
        "part_rows": PART_ROWS,
        "tensorflow": tf.__version__,
        "tiles": model.tiles,
    }


def _keep_or_clear(parts: Path, begun: dict[str, object]) -> None:
    """Keeps parts that belong to these inputs; deletes parts of other inputs, with a message."""
    try:
        before = json.loads((parts / BEGUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    if before != begun:
        if before is not None:
            changed = [name for name in begun if before.get(name) != begun[name]]
            say(f"starting again: since the last, unfinished run, this changed: {', '.join(changed)}")
        for path in parts.glob("[0-9]*.parquet*"):
            path.unlink()
        write_whole(parts / BEGUN, lambda file: file.write_text(json.dumps(begun, indent=2) + "\n", encoding="utf-8"))
    (parts / (LISTING + ".new")).replace(parts / LISTING)


@dataclass
class _Part:
    """The images of a part."""

    number: int
    images: list[Listed]

    def file(self, parts: Path) -> Path:
        return parts / f"{self.number:06d}.parquet"


def _answer(answer: Callable[[Iterable[_Part]], Iterator[int]], parts: Path, count: int, mapper: Mapper) -> int:
    """Writes the missing parts; returns the number of images that the existing parts answer."""
    ready = 0

    def missing() -> Iterator[_Part]:
        nonlocal ready
        images = _read_listing(parts / LISTING)
        for number in range(-(-count // PART_ROWS)):
            part = _Part(number, list(islice(images, PART_ROWS)))
            if _rows_in(part.file(parts)) == len(part.images):
                ready += len(part.images)
                advance(len(part.images))
            else:
                yield part

    with bar("predicting", total=count) as advance:
        for answered in mapper.map(answer, missing(), chunk=1):
            advance(answered)
    return ready


def _answer_parts(
    rows_of: Callable[[list[Listed]], Iterator[Row]], columns: Columns, parts: Path, missing: Iterable[_Part]
) -> Iterator[int]:
    """Writes parts; yields 1 for each answered image."""
    for part in missing:
        rows = []
        for row in rows_of(part.images):
            rows.append(row)
            yield 1
        # Another process may be writing the same part.
        suffix = f".{uuid.uuid4().hex}.tmp"
        write_whole(part.file(parts), partial(pq.write_table, columns.table(rows)), suffix=suffix)


def _join(parts: Path, out: Path, columns: Columns, presentation: Presentation | None, went_on_from: int) -> Summary:
    """Joins all parts into one file, which appears under its name when it is complete."""
    schema = part_schema(presentation) if presentation else columns.schema
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
                add(part_table(columns.answers(table), presentation) if presentation else table)

    write_whole(out, write)
    return Summary(images, faults, tuple(named), went_on_from)


def _hand_over(parts: Path, columns: Columns, writer: AnswerWriter) -> None:
    """Gives a writer the answer for every image."""
    images = _read_listing(parts / LISTING)
    for part in sorted(parts.glob("[0-9]*.parquet")):
        for answer in columns.answers(pq.read_table(part)):
            writer.add(next(images), None if answer[FAULT] else answer)


@contextmanager
def _writer(file: Path, schema: pa.Schema, *, is_csv: bool) -> Iterator[Callable[[pa.Table], None]]:
    if not is_csv:
        with pq.ParquetWriter(file, schema) as writer:
            yield writer.write_table
        return
    kinds = [pa.string() if pa.types.is_list(one.type) or pa.types.is_binary(one.type) else one.type for one in schema]
    flat = pa.schema(list(zip(schema.names, kinds, strict=True)))
    with csv.CSVWriter(str(file), flat) as writer:
        yield lambda table: writer.write_table(_flat(table, flat))


def _flat(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Lists as JSON, and bytes as base64, because a cell of a CSV file cannot contain them."""
    columns = [
        column if column.type == field.type else pa.array(_as_text(column.combine_chunks()), pa.string())
        for column, field in zip(table.columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _as_text(values: pa.Array) -> list[str | None]:
    """
    >>> _as_text(pa.array([b"a", None], pa.binary()))
    ['YQ==', None]
    """
    if not pa.types.is_binary(values.type):
        return _as_json(values)
    return [None if value is None else base64.b64encode(value).decode() for value in values.to_pylist()]


def _as_json(lists: pa.ListArray) -> list[str | None]:
    """
    >>> _as_json(pa.array([[0.1, float("nan")], None], pa.list_(pa.float32()))), _as_json(pa.array([["a"], []]))
    (['[0.1, null]', None], ['["a"]', '[]'])
    """
    if not pa.types.is_floating(lists.type.value_type):
        return [None if value is None else json.dumps(value, ensure_ascii=False) for value in lists.to_pylist()]
    # As text, a float32 is the shortest number that has its value: 0.1, not 0.10000000149011612. JSON has no NaN.
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
    """Prevents other processes from working on these parts."""
    parts.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(parts / ".lock", timeout=0):
            try:
                yield
            finally:
                if not (parts / BEGUN).exists():  # it failed before the first answer, or is done
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
            f"{out} cannot be written: {reason}", hint="the answers so far are kept: run the same command again"
        ) from error
