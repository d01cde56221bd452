"""`runs list|show|compare|resume|disk|gc|lineage|why`: shows and continues earlier runs, and removes what nothing needs."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.tree import Tree

from kerasvision.cli import compare, runs_resume, runs_space
from kerasvision.cli.options import Root, RunId
from kerasvision.cli.run_cells import clock_time, duration, heading_cells, run_data, side_purpose, state
from kerasvision.cli.tables import print_whole, table_of

if TYPE_CHECKING:
    from kerasvision.pipeline.history import Ancestry
    from kerasvision.pipeline.records import ArtifactRecord, RunRecord

app = typer.Typer(help="Show and continue earlier runs, and show what they take on the disk.", no_args_is_help=True)
app.command("compare")(compare.compare)
app.command("resume")(runs_resume.resume)
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
        artifacts = "\n".join(escape(_artifact(a, root)) for a in execution.outputs.values())
        seconds = f"{execution.seconds:.1f}" if execution.seconds else ""
        table.add_row(execution.node, escape(execution.outcome), seconds, escape(execution.error) or artifacts)
    typer.echo(_heading(record))
    print_whole(table)


@app.command()
def lineage(run: RunId = "latest", root: Root = Path()) -> None:
    """Show what the final artifacts of a run were made from, back to the source."""
    from kerasvision.pipeline.history import lineage as ancestries
    from kerasvision.pipeline.history import show_run

    record, _ = show_run(run, root=root)
    typer.echo(_heading(record))
    shown: set[int] = set()

    def grow(branch: Tree, ancestry: "Ancestry") -> None:
        for key, parent in ancestry.inputs.items():
            again = parent.artifact.id in shown
            text = f"{parent.artifact.type} {parent.artifact.id}, see above" if again else _ancestor(parent, root)
            below = branch.add(f"{key}: {escape(text)}")
            if not again:
                shown.add(parent.artifact.id)
                grow(below, parent)

    for ancestry in ancestries(record.id, root=root):
        tree = Tree(escape(_ancestor(ancestry, root)))
        grow(tree, ancestry)
        print_whole(tree)


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


def _heading(run: "RunRecord") -> str:
    purpose = f", for `{run.purpose}`" if side_purpose(run) else ""
    took = f" after {duration(run.seconds)}" if run.seconds and not run.pid else ""
    return f"run {run.id} of {run.pipeline}{purpose}, {clock_time(run.started_ms)}: {state(run)}{took}"


def _artifact(artifact: "ArtifactRecord", root: Path) -> str:
    known = artifact.properties
    forced = f"  forced by {known['forced_by']}: {known['forced_reason']}" if known.get("forced") else ""
    removed = "  (removed)" if artifact.is_removed else ""
    return f"{artifact.type} {artifact.id}  {os.path.relpath(artifact.uri, root)}{removed}{forced}"


def _ancestor(ancestry: "Ancestry", root: Path) -> str:
    by = f"  by {ancestry.producer.node}, {clock_time(ancestry.producer.started_ms)}" if ancestry.producer else ""
    return _artifact(ancestry.artifact, root) + by
