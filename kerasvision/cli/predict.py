"""`predict`: ask a saved model about image files."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from kerasvision import lookup
from kerasvision.cli.tables import print_whole, table_of
from kerasvision.errors import DataError


def predict(
    saved_model: Annotated[Path, typer.Argument(metavar="SAVED_MODEL", help="saved_models/<name>, or one version of it.")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per image, with all outputs.")] = False,
) -> None:
    """Ask a saved model about image files."""
    answers = list(lookup.load("kerasvision.export.predict:predict_files")(saved_model, images))
    if as_json:
        for answer in answers:
            typer.echo(json.dumps({"path": str(answer.path), **answer.outputs, "fault": answer.fault}, ensure_ascii=False))
    else:
        _print_table(answers)
    bad = [answer for answer in answers if answer.fault]
    if bad:
        raise DataError(
            f"{len(bad)} of {len(answers)} files cannot be used: "
            + "; ".join(f"{answer.path}: {answer.fault}" for answer in bad),
            hint="JPEG, PNG, GIF, BMP and WebP files can be read",
        )


def _print_table(answers: list) -> None:
    names = sorted({name for answer in answers for name in answer.outputs})
    table = table_of("image", *names)
    for answer in answers:
        if not answer.fault:
            table.add_row(escape(str(answer.path)), *(escape(_short(answer.outputs[name])) for name in names))
    if names:
        print_whole(table)


def _short(value: object) -> str:
    """A text as it is; of many numbers the largest."""
    if isinstance(value, list) and value and all(isinstance(item, float) for item in value):
        return f"{max(value):.4f}"
    return str(value)
