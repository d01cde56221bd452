"""`report`: writes a whole run as one page."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from kerasvision.cli.options import Root, RunId
from kerasvision.errors import KerasvisionError

if TYPE_CHECKING:
    from kerasvision.pipeline.local import RunResult


def report(
    run: RunId = "latest",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page here; by default to runs/reports/.")
    ] = None,
    root: Root = Path(),
) -> None:
    """Write a run as one HTML page: data, training, evaluation, verdict, infra validation, lineage."""
    from kerasvision.pipeline.report import report_run

    typer.echo(_shown(report_run(run, root=root, file=out), root))


def tell_report(result: "RunResult", root: Path) -> None:
    """Writes the report of a run that has something to report, and prints its path.

    If the report cannot be written, a warning says why. The result of the run stays the same.
    """
    from kerasvision.pipeline.report import is_worth_a_report, report_run

    if not is_worth_a_report(result):
        return
    try:
        typer.echo(f"report: {_shown(report_run(result.id, root=root), root)}")
        return
    except KerasvisionError as error:
        warning = str(error)
    except Exception as error:  # Any error, because the run itself has finished.
        warning = f"no report was written: {type(error).__name__}: {error}; `kerasvision report {result.id}` tries again"
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(warning, style="yellow")


def _shown(file: Path, root: Path) -> str:
    return os.path.relpath(file, root) if file.is_absolute() == root.is_absolute() else str(file)
