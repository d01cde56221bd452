"""`run`, `plan`, `stage`, `push`, `compile`: what is done with a pipeline file."""

import json
import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from kerasvision.cli.anomalies import print_anomalies
from kerasvision.cli.tables import print_whole, table_of

PipelineFile = Annotated[Path, typer.Argument(metavar="PIPELINE", help="A pipeline file, such as pipelines/digits.py.")]
Overrides = Annotated[
    list[str], typer.Option("--set", metavar="PATH=VALUE", help="Change one setting: --set training.epochs=3. Repeatable.")
]
Root = Annotated[Path, typer.Option("--root", help="The folder that holds runs/ and saved_models/.")]
Force = Annotated[bool, typer.Option("--force", help="Execute the chosen stages even where nothing changed.")]


def run(
    pipeline_file: PipelineFile,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    start: Annotated[str | None, typer.Option("--from", metavar="STAGE", help="Begin here.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="STAGE", help="Stop after this stage.")] = None,
    only: Annotated[str | None, typer.Option("--only", metavar="STAGE", help="This stage alone.")] = None,
    force: Force = False,
    root: Root = Path(),
) -> None:
    """Run a pipeline: every stage whose result is not there yet."""
    from kerasvision.pipeline.local import run as run_pipeline
    from kerasvision.pipeline.standard import load_pipeline

    began = time.monotonic()
    pipeline = load_pipeline(pipeline_file, overrides=overrides)
    result = run_pipeline(pipeline, root=root, start=start, until=until, only=only, force=force, listener=stage_lines())
    _print_result(result, root, time.monotonic() - began)
    _refuse_unblessed(result, pipeline_file)


def stage(
    pipeline_file: PipelineFile,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The stage's name, such as trainer.")],
    overrides: Overrides = [],  # noqa: B006
    force: Force = False,
    root: Root = Path(),
) -> None:
    """Run one stage. What it reads must be there already."""
    run(pipeline_file, overrides, only=name, force=force, root=root)


def push(
    pipeline_file: PipelineFile,
    overrides: Overrides = [],  # noqa: B006
    force: Annotated[
        bool, typer.Option("--force", help="Push although the gate or the proof refused it. Needs --reason.")
    ] = False,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; recorded with the version.")] = None,
    root: Root = Path(),
) -> None:
    """Push the model of a pipeline that has run: where it is blessed, or with --force --reason where it is not."""
    from kerasvision.errors import ConfigError
    from kerasvision.pipeline.local import run as run_pipeline
    from kerasvision.pipeline.overrule import overruled, push_node
    from kerasvision.pipeline.standard import load_pipeline

    if force != (reason is not None):
        raise ConfigError("--force and --reason go together: who overrules the gate says why")
    began = time.monotonic()
    pipeline = load_pipeline(pipeline_file, overrides=overrides)
    pipeline = overruled(pipeline, reason=reason) if force else pipeline
    result = run_pipeline(pipeline, root=root, only=push_node(pipeline).name, listener=stage_lines())
    _print_result(result, root, time.monotonic() - began)
    _refuse_unblessed(result, pipeline_file)


def plan(
    pipeline_file: PipelineFile,
    overrides: Overrides = [],  # noqa: B006
    root: Root = Path(),
) -> None:
    """Say what a run would do, and why. Nothing is executed or written."""
    from kerasvision.pipeline.local import plan as plan_pipeline
    from kerasvision.pipeline.standard import load_pipeline

    words = {"reuse": "[green]reuse[/]", "run": "[yellow]run[/]", "depends": "[dim]depends[/]"}
    table = table_of("stage", "would", "because")
    for planned in plan_pipeline(load_pipeline(pipeline_file, overrides=overrides), root=root):
        shown = [escape(line) for line in planned.why[:MOST_REASONS]]
        if len(planned.why) > MOST_REASONS:
            shown.append(f"and {len(planned.why) - MOST_REASONS} more")
        table.add_row(planned.node, words[planned.action], "\n".join(shown))
    print_whole(table)


def compile_(pipeline_file: PipelineFile, overrides: Overrides = []) -> None:  # noqa: B006
    """Print the whole pipeline as canonical JSON: stages, connections, settings."""
    from kerasvision.pipeline.spec import compile_pipeline
    from kerasvision.pipeline.standard import load_pipeline

    typer.echo(compile_pipeline(load_pipeline(pipeline_file, overrides=overrides)), nl=False)


MOST_REASONS = 8


def stage_lines(*, anomalies: bool = True) -> object:
    """A listener that prints one line per stage on standard error, as it happens.

    Args:
        anomalies: whether to print what was found wrong with the images below the line of the stage that found it.
    """
    from kerasvision.errors import Interrupted
    from kerasvision.pipeline.local import Listener

    console = Console(stderr=True, highlight=False)

    class Lines(Listener):
        """One line per stage on standard error, as it happens."""

        def started(self, node: str) -> None:
            console.print(f"[dim]{node} ...[/]")

        def waiting(self, node: str) -> None:
            console.print(f"another run is at {node}; waiting for it")

        def remark(self, node: str, sentence: str) -> None:
            console.print(f"  {escape(sentence)}", soft_wrap=True)

        def finished(self, result: object) -> None:
            word = "reused" if result.reused else f"ran in {result.seconds:.1f} s"
            word += "; the chief has the result, and goes on" if result.took_part else ""
            console.print(f"[green]{result.node}[/] {word}{_facts(result)}", soft_wrap=True)
            if anomalies:
                _print_anomalies(result, console)

        def failed(self, node: str, error: BaseException) -> None:
            how = "was stopped" if isinstance(error, (KeyboardInterrupt, Interrupted)) else "failed"
            console.print(
                f"[red]{node} {how}[/]. What finished before it is kept: run the same command again to go on from there.",
                soft_wrap=True,
            )

    return Lines()


def _print_anomalies(result: object, console: Console) -> None:
    """The errors and warnings that a stage wrote; what should only be known is on its page."""
    from kerasvision.pipeline.artifacts import ExampleAnomalies

    for artifact in (record.open() for record in result.outputs.values()):
        if isinstance(artifact, ExampleAnomalies):
            found = json.loads(artifact.file.read_text(encoding="utf-8"))["anomalies"]
            print_anomalies([one for one in found if one["severity"] != "info"], artifact.file, console)


def _facts(result: object) -> str:
    """What a stage said of its artifacts, in a few words."""
    facts = {name: value for record in result.outputs.values() for name, value in record.properties.items()}
    # Reasons are told at the end.
    facts = {name: value for name, value in facts.items() if name != "reason" and not name.startswith("forced_")}
    shown = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in facts.items())
    return escape(f" ({shown})") if shown else ""


def _print_result(result: object, root: Path, seconds: float) -> None:
    from kerasvision.cli.report import tell_report

    table = table_of("stage", "", "seconds", "where to look", right=("seconds",))
    for done in result.stages:
        fronts = "\n".join(escape(os.path.relpath(record.open().front, root)) for record in done.outputs.values())
        table.add_row(done.node, "[dim]reused[/]" if done.reused else "[green]ran[/]", f"{done.seconds:.1f}", fronts)
    print_whole(table)
    executed = sum(not done.reused for done in result.stages)
    typer.echo(f"run {result.id}: {executed} of {len(result.stages)} stages executed, {seconds:.1f} s")
    tell_report(result, root)


def _refuse_unblessed(result: object, pipeline_file: Path) -> None:
    """Exit code 4 where a model was judged, and not blessed; a line where it was pushed all the same."""
    from kerasvision.errors import NotBlessedError

    found = [(done.node, record.properties) for done in result.stages for record in done.outputs.values()]
    refusals = [
        f"{node} says {properties.get('verdict', 'NOT_BLESSED')}: {properties['reason']}"
        for node, properties in found
        if properties.get("blessed") == 0
    ]
    if not refusals:
        return
    forced = [properties for _, properties in found if properties.get("forced")]
    if forced:
        typer.echo(f"pushed to {forced[0]['pushed_destination']} although {'; '.join(refusals)}", err=True)
        return
    raise NotBlessedError(
        "; ".join(refusals), hint=f"`kerasvision push {pipeline_file} --force --reason TEXT` pushes it all the same"
    )
