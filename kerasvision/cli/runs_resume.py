"""`runs resume`: continues a run that ended early."""

import time
from pathlib import Path
from typing import Annotated

import typer

from kerasvision.cli.options import Root
from kerasvision.cli.pipelines import print_result, refuse_unblessed
from kerasvision.cli.run_cells import clock_time
from kerasvision.cli.stage_lines import stage_lines
from kerasvision.config.listing import printable


def resume(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="The beginning of a run's id; by default the newest run that ended early."),
    ] = None,
    root: Root = Path(),
) -> None:
    """Continue a run that failed, was stopped or was killed, with the settings that it had.

    The settings are those of the run, with its --set, --from, --until, --only and --workers, even if the pipeline file has
    changed since. The code is that of today. What has changed is printed first.
    """
    from kerasvision.pipeline.resuming import find_resumption
    from kerasvision.pipeline.resuming import resume as resume_run

    began = time.monotonic()
    found = find_resumption(run, root=root)
    before = found.run
    typer.echo(f"run {before.id} of {before.pipeline}, {clock_time(before.started_ms)}: {before.outcome}; going on")
    for reason in found.skipped:
        typer.echo(f"  a newer run is skipped: {printable(reason)}")
    for change in found.changes:
        typer.echo(f"  {printable(change)}")
    result = resume_run(found, root=root, listener=stage_lines())
    print_result(result, root, time.monotonic() - began)
    refuse_unblessed(result, Path(found.request.file))
