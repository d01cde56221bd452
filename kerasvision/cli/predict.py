"""`predict`: runs a saved model on image files, folders and tables."""

import base64
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from kerasvision.cli.tables import print_whole, table_of
from kerasvision.config.answer_files import MAPS
from kerasvision.config.listing import printable, storable
from kerasvision.errors import ConfigError, DataError
from kerasvision.shortened import and_more

if TYPE_CHECKING:
    from kerasvision.config.inference import Listed
    from kerasvision.export.asking.bulk import Summary
    from kerasvision.export.asking.columns import Columns
    from kerasvision.export.asking.predict import Answer, AnswerWriter, ImagePredictor

# How many rows a printed table has, and how many labels it shows after the best one.
LINES = 100
MOST_NEXT = 2
MOST_NAMED = 20
FORMATS = "use JPEG, PNG, GIF, BMP or WebP files"

Draw = Annotated[
    Path | None,
    typer.Option(
        "--draw", "--overlay", metavar="FOLDER", help="Also draw each answer over its image, into this new folder."
    ),
]
Tiles = Annotated[
    int | None,
    typer.Option(
        "--tiles",
        min=0,
        metavar="OVERLAP",
        help="For classes of pixels: cut each image into tiles of the network's size, which overlap by this many pixels.",
    ),
]
AnswerMaps = Annotated[Path | None, typer.Option(MAPS.option, metavar="FOLDER", help=MAPS.help)]
Coco = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Also write the answers in the form of COCO's results, which pycocotools reads."),
]
CocoImages = Annotated[
    Path | None,
    typer.Option(
        "--coco-images",
        metavar="FILE",
        help="With --coco: annotations in COCO's form, whose numbers of images and categories are used.",
    ),
]
Heat = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="For a classifier: also draw where in each image it sees a class, into this new folder."
    ),
]
Network = Annotated[
    Path | None, typer.Option(metavar="FILE", help="With --heat: the .keras file of the training of this saved model.")
]
HeatClass = Annotated[
    str | None, typer.Option("--class", metavar="LABEL", help="With --heat: this class, instead of the best one.")
]
LeastScore = Annotated[
    float | None,
    typer.Option(
        "--least-score",
        min=0.0,
        max=1.0,
        help="Leave out objects and tags with a lower score, and classes of a smaller share of the pixels. Lines and "
        "pictures of objects: 0.3.",
    ),
]


def predict(
    saved_model: Annotated[Path, typer.Argument(metavar="SAVED_MODEL", help="saved_models/<name>, or one version of it.")],
    what: Annotated[
        list[Path], typer.Argument(metavar="WHAT...", help="Image files, folders of them, or tables with a column of paths.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write to this .parquet or .csv file; the same command continues a killed run."),
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="With --out: a row for each object, each tag, or each class of pixels.")
    ] = False,
    draw: Draw = None,
    maps: AnswerMaps = None,
    tiles: Tiles = None,
    heat: Heat = None,
    network: Network = None,
    heat_class: HeatClass = None,
    coco: Coco = None,
    coco_images: CocoImages = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per image, with all outputs.")] = False,
    top: Annotated[int | None, typer.Option(min=1, help="How many of the best labels.")] = None,
    least_score: LeastScore = None,
    batch_size: Annotated[int, typer.Option(min=1, max=4096, help="Images per batch.")] = 32,
    column: Annotated[str | None, typer.Option(help="A table's column of paths; by default path, image or file.")] = None,
    images: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The folder of a table's paths; by default the table's own.")
    ] = None,
    recursive: Annotated[bool, typer.Option(help="Also predict the images in subfolders.")] = True,
    strict: Annotated[bool, typer.Option("--strict", help="With --out: exit code 3 if a file cannot be used.")] = False,
) -> None:
    """Predict images with a saved model: print a line for each, or write a file for any number of them."""
    _refuse_unfit(out=out, as_json=as_json, strict=strict, each=each, coco=coco, coco_images=coco_images)
    _refuse_half(heat=heat, network=network, heat_class=heat_class)
    from kerasvision.config.inference import asked_for

    def listed() -> "Iterator[Listed]":
        return asked_for(what, column=column, images=images, recursive=recursive)

    from kerasvision.export.asking.tiles import predictor

    model = predictor(saved_model, tiles=tiles)
    writers = _writers(model, draw=draw, maps=maps, coco=coco, coco_images=coco_images, least_score=least_score)
    if heat is not None and network is not None:
        from kerasvision.export.asking.heat import HeatPictures

        writers.append(HeatPictures(heat, saved_model=model.folder, network=network, label=heat_class))
    if out is not None:
        from kerasvision.export.asking.bulk import predict_to_file

        least = least_score or 0.0
        summary = predict_to_file(
            model, listed, out=out, top=top, batch_size=batch_size, least_score=least, each=each, writers=writers
        )
        _tell(summary, out, strict=strict)
    else:
        _print(model, listed(), as_json=as_json, top=top, batch_size=batch_size, least_score=least_score, writers=writers)
    for writer in writers:
        typer.echo(writer.finish(), err=as_json)


def _refuse_unfit(
    *, out: Path | None, as_json: bool, strict: bool, each: bool, coco: Path | None, coco_images: Path | None
) -> None:
    """Rejects options that exclude each other, and an output file of another kind, before anything is loaded."""
    if out is None:
        if strict:
            raise ConfigError("--strict requires --out; without --out, a bad file always gives exit code 3")
        if each:
            raise ConfigError("--each requires --out", hint="--json prints the whole answer about each image")
    elif as_json:
        raise ConfigError("--json prints, but --out writes a file; use only one of them")
    if coco_images is not None and coco is None:
        raise ConfigError("--coco-images requires --coco")
    if out is not None:
        from kerasvision.export.asking.bulk import check_out

        check_out(out)


def _refuse_half(*, heat: Path | None, network: Path | None, heat_class: str | None) -> None:
    """Rejects --heat without a network, and what only --heat uses without it."""
    if heat is not None and network is None:
        raise ConfigError(
            "--heat requires --network, the .keras file of the training; a saved model has no layers to convert",
            hint="it is runs/artifacts/<pipeline>/trainer/model/<number>/Format-Keras/<name>.keras",
        )
    for option, value in (("--network", network), ("--class", heat_class)):
        if heat is None and value is not None:
            raise ConfigError(f"{option} requires --heat")


def _writers(
    model: "ImagePredictor",
    *,
    draw: Path | None,
    maps: Path | None,
    coco: Path | None,
    coco_images: Path | None,
    least_score: float | None,
) -> "list[AnswerWriter]":
    """What the options write in addition to the answers themselves."""
    from kerasvision.export.asking.pictures import picture_folders

    writers: list[AnswerWriter] = [*picture_folders(model, pictures=draw, maps=maps, least_score=least_score)]
    if coco is not None:
        from kerasvision.export.asking.coco_results import CocoResults

        writers.append(CocoResults(coco, model=model, presentation=model.presented("--coco"), annotations=coco_images))
    return writers


def _tell(summary: "Summary", out: Path, *, strict: bool) -> None:
    """Prints how many images were answered, and the first faults."""
    before = f", {summary.went_on_from:,} of them by an earlier run" if summary.went_on_from else ""
    typer.echo(f"{out}: {summary.images - summary.faults:,} of {summary.images:,} images answered{before}")
    if not summary.faults:
        return
    for path, fault in summary.named:
        typer.echo(f"  {path}: {fault}", err=True)
    more = summary.faults - len(summary.named)
    count = f"{summary.faults:,} of {summary.images:,} files cannot be used"
    if strict:
        raise DataError(count, hint=f"they are listed in the column fault of {out}")
    typer.echo(f"{count}" + (f" ({more:,} more than shown)" if more else "") + "; see the column fault", err=True)


def _print(
    model: "ImagePredictor",
    images: "Iterable[Listed]",
    *,
    as_json: bool,
    top: int | None,
    batch_size: int,
    least_score: float | None,
    writers: "Sequence[AnswerWriter]",
) -> None:
    """Prints a line for each image as soon as its batch is answered, and at the end the faults."""
    from kerasvision.export.asking.columns import Columns
    from kerasvision.export.asking.predict import predict_listed

    columns = Columns.of(model.outputs, top=top)
    lines = _lines(model, columns, shown=top or 1 + MOST_NEXT, least_score=least_score)
    answers = predict_listed(model, images, batch_size=batch_size, least_score=least_score or 0.0, writers=writers)
    count, bad = 0, 0
    named: list[str] = []
    while some := list(islice(answers, LINES)):
        faults = [f"{_name(answer)}: {answer.fault}" for answer in some if answer.fault]
        count, bad, named = count + len(some), bad + len(faults), (named + faults)[:MOST_NAMED]
        if as_json:
            for answer in some:
                row = {"path": storable(str(answer.path)), **columns.cut(answer.outputs), "fault": answer.fault}
                typer.echo(json.dumps(_finite(row), ensure_ascii=False, allow_nan=False))
        elif good := [answer for answer in some if not answer.fault]:
            lines(good)
    if bad:
        shown_faults = "; ".join(filter(None, (*named, and_more(bad, most=len(named)))))
        raise DataError(f"{bad} of {count} files cannot be used: {shown_faults}", hint=FORMATS)


def _lines(
    model: "ImagePredictor", columns: "Columns", *, shown: int, least_score: float | None
) -> "Callable[[Sequence[Answer]], None]":
    """A function that prints a line for each answer, in the way of the model's task."""
    presentation = model.presentation
    if presentation is None:
        return lambda answers: _print_table(answers, columns, shown=shown)
    least = presentation.shown_from if least_score is None else least_score

    def lines(answers: "Sequence[Answer]") -> None:
        table = table_of("image", presentation.heading)
        for answer in answers:
            line = presentation.line(presentation.kept(answer.outputs, least_score=least))
            table.add_row(escape(_name(answer)), escape(line))
        print_whole(table)

    return lines


def _print_table(answers: "Sequence[Answer]", columns: "Columns", *, shown: int) -> None:
    if columns.top:
        table = table_of("image", "label", "score", "then", right=("score",))
        for answer in answers:
            (label, score), *others = columns.best(answer.outputs)
            then = ", ".join(f"{other} {value:.4f}" for other, value in others[: shown - 1])
            table.add_row(escape(_name(answer)), escape(label), f"{score:.4f}", escape(then))
    else:
        names = sorted({name for answer in answers for name in answer.outputs})
        table = table_of("image", *names)
        for answer in answers:
            table.add_row(escape(_name(answer)), *(escape(_short(answer.outputs[name])) for name in names))
    print_whole(table)


def _name(answer: "Answer") -> str:
    return printable(str(answer.path))


def _finite(value: object) -> object:
    """The value with None for numbers that JSON cannot represent, and with bytes as TensorFlow Serving sends them.

    >>> _finite({"scores": [0.5, float("nan")], "picture_bytes": b"a"})
    {'scores': [0.5, None], 'picture_bytes': {'b64': 'YQ=='}}
    """
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _short(value: object) -> str:
    """A text itself, several texts joined, a number with six digits, or the largest of several numbers.

    >>> _short(["a red cat", "a cat", ""]), _short([-0.25, -1.5]), _short(7.265163421630859)
    ('a red cat | a cat', '-0.2500', '7.26516')
    """
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list) and value and all(isinstance(item, float) for item in value):
        return f"{max(value):.4f}"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return " | ".join(filter(None, value))
    return str(value)
