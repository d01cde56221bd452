"""The commands of `runs`: they show, compare, continue and pack earlier runs, and remove what nothing needs."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from kerasvision.cli import compare, runs_lineage, runs_pack, runs_resume, runs_space
from kerasvision.cli.options import Root, RunId
from kerasvision.cli.run_cells import artifact_line, heading, heading_cells, run_data
from kerasvision.cli.tables import print_whole, table_of

app = typer.Typer(
    help="Show, compare, continue and pack earlier runs, and what they take on the disk.", no_args_is_help=True
)
app.command("compare")(compare.compare)
# Other tools call it so.
app.command("diff", hidden=True)(compare.compare)
app.command("lineage")(runs_lineage.lineage)
app.command("resume")(runs_resume.resume)
app.command("pack")(runs_pack.pack)
app.command("replay")(runs_pack.replay)
app.command("disk")(runs_space.disk)
app.command("gc")(runs_space.gc)
# How many runs `list` shows: about a screen.
NEWEST = 40
# The columns of `heading_cells`.
COLUMNS = ("pipeline", "for", "started", "took", "state", "score", "verdict")


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per run.")] = False,
    newest: Annotated[int, typer.Option(min=1, metavar="N", help="List the newest N runs.")] = NEWEST,
    all_runs: Annotated[bool, typer.Option("--all", help="List all runs.")] = False,
    root: Root = Path(),
) -> None:
    """List the newest runs first: state, duration, the evaluator's main score, and what the stages did.

    The state is finished, failed, stopped (by Ctrl-C or SIGTERM), killed, or running, with the number of the process. The
    command that started a run is named if it was not `run`.
    """
    from kerasvision.pipeline.history import count_runs, list_runs

    table = table_of("run", *COLUMNS, "stages", right=("took",))
    listed = list_runs(root, newest=None if all_runs else newest)
    for run, executions in listed:
        if as_json:
            typer.echo(json.dumps(run_data(run, executions), ensure_ascii=False))
            continue
        states = [execution.outcome for execution in executions]
        counted = ", ".join(f"{states.count(one)} {one}" for one in dict.fromkeys(states))
        table.add_row(run.id, *map(escape, (*heading_cells(run, executions).values(), counted)))
    if table.row_count:
        print_whole(table)
    elif not as_json:
        typer.echo(f"nothing has run in {root.absolute()}")
    if (count := count_runs(root)) > len(listed):
        # Not into the lines of JSON.
        typer.echo(f"the newest {len(listed):,} of {count:,} runs; --newest N or --all lists more", err=as_json)


@app.command()
def show(run: RunId = "latest", root: Root = Path()) -> None:
    """Show what each stage of a run did."""
    from kerasvision.pipeline.history import show_run

    record, executions = show_run(run, root=root)
    table = table_of("stage", "", "seconds", "artifacts", right=("seconds",))
    for execution in executions:
        artifacts = "\n".join(escape(artifact_line(a, root)) for a in execution.outputs.values())
        seconds = f"{execution.seconds:.1f}" if execution.seconds else ""
        table.add_row(execution.node, escape(execution.outcome), seconds, escape(execution.error) or artifacts)
    typer.echo(heading(record))
    print_whole(table)


@app.command()
def why(
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="The stage's name.")],
    pipeline: Annotated[
        str | None, typer.Option("--pipeline", help="Its pipeline; by default that of the newest run.")
    ] = None,
    root: Root = Path(),
) -> None:
    """Show why a stage last ran: which input, setting, file or source changed since the run before."""
    from kerasvision.pipeline.history import why as reasons

    title, lines = reasons(stage, pipeline=pipeline, root=root)
    typer.echo(title)
    for line in lines:
        typer.echo(f"  {line}")
