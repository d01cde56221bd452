"""`tune learning-rate`: find settings by trying them."""

import os
from pathlib import Path
from typing import Annotated

import typer

from kerasvision import lookup
from kerasvision.cli.pipelines import Overrides, PipelineFile, Root
from kerasvision.cli.prepared import prepared

app = typer.Typer(help="Find settings by trying them.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Find settings by trying them."""


@app.command("learning-rate")
def learning_rate(
    pipeline_file: PipelineFile,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    steps: Annotated[int, typer.Option("--steps", help="How many learning rates to try, at least 20.")] = 200,
    lowest: Annotated[float, typer.Option("--lowest", help="The first of them.")] = 1e-6,
    highest: Annotated[float, typer.Option("--highest", help="The last of them.")] = 10.0,
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="DIR", help="For table and picture; by default runs/reports/NAME.")
    ] = None,
    root: Root = Path(),
) -> None:
    """Train a few steps with a learning rate that rises, and say where the loss falls fastest (Smith, 2015)."""
    ready = prepared(pipeline_file, overrides=overrides, root=root)
    found = lookup.load("kerasvision.training.probes.learning_rate_finder:find_learning_rate")(
        **ready.opened(), steps=steps, lowest=lowest, highest=highest
    )
    files = found.save(folder or root / "runs" / "reports" / ready.name)
    typer.echo(found.text)
    if found.suggestion is not None:
        typer.echo(f"to try it: --set training.optimizer.learning_rate={found.suggestion:.2g}")
    typer.echo(f"wrote {' and '.join(os.path.relpath(file) for file in files)}")
