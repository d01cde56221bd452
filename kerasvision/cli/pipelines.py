"""`run`, `plan`, `stage`, `push`, `compile`: the commands for a pipeline file."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from kerasvision.cli.options import Force, Overrides, PipelineFile, Root
from kerasvision.cli.report import tell_report
from kerasvision.cli.stage_folders import refuse_unpushed, run_between_folders
from kerasvision.cli.stage_lines import stage_lines
from kerasvision.cli.tables import print_whole, table_of
from kerasvision.config.listing import printable
from kerasvision.shortened import first_lines

if TYPE_CHECKING:
    from kerasvision.pipeline.local import RunResult

Target = Literal["kubeflow"]


def run(
    pipeline_file: PipelineFile,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    start: Annotated[str | None, typer.Option("--from", metavar="STAGE", help="Start at this stage.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="STAGE", help="Stop after this stage.")] = None,
    only: Annotated[str | None, typer.Option("--only", metavar="STAGE", help="Run only this stage.")] = None,
    force: Force = False,
    root: Root = Path(),
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            help="How many stages may run at the same time; by default as many as cores and memory allow, at most 4.",
        ),
    ] = None,
) -> None:
    """Run a pipeline: execute every stage that has no up-to-date result."""
    from kerasvision.pipeline.local import run as run_pipeline
    from kerasvision.pipeline.standard import load_pipeline

    began = time.monotonic()
    pipeline = load_pipeline(pipeline_file, overrides=overrides)
    result = run_pipeline(
        pipeline,
        root=root,
        start=start,
        until=until,
        only=only,
        force=force,
        listener=stage_lines(),
        workers=workers,
    )
    print_result(result, root, time.monotonic() - began)
    refuse_unblessed(result, pipeline_file)


def stage(
    pipeline_file: PipelineFile,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The stage's name, such as trainer.")],
    overrides: Overrides = [],  # noqa: B006
    force: Force = False,
    root: Root = Path(),
    inputs: Annotated[
        list[str],
        typer.Option(
            "--in",
            metavar="KEY=FOLDER",
            help="Read this input from what --out has written: a folder, or an address: s3://bucket/folder. Repeatable.",
        ),
    ] = [],  # noqa: B006
    outputs: Annotated[
        list[str],
        typer.Option(
            "--out",
            metavar="KEY=FOLDER",
            help="Copy this output to a new folder, or to an address such as s3://bucket/folder. Repeatable.",
        ),
    ] = [],  # noqa: B006
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run", metavar="RUN", help="With --in and --out: the run of this stage, whose other stages may run elsewhere."
        ),
    ] = None,
    executor_input: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="With --in and --out: the task as Kubeflow Pipelines describes it, {{$}}."),
    ] = None,
) -> None:
    """Run one stage. Its inputs must exist already: in the root, or in the folders that --in names."""
    from kerasvision.errors import ConfigError

    if inputs or outputs:
        began = time.monotonic()
        result = run_between_folders(
            pipeline_file,
            name,
            overrides=overrides,
            force=force,
            root=root,
            inputs=inputs,
            outputs=outputs,
            run_id=run_id,
            executor_input=executor_input,
        )
        print_result(result, root, time.monotonic() - began)
        refuse_unpushed(result)
        return
    if run_id is not None or executor_input is not None:
        raise ConfigError("--run and --executor-input require --in or --out", hint="name the folders, or leave them out")
    run(pipeline_file, overrides, only=name, force=force, root=root)


def push(
    pipeline_file: PipelineFile,
    overrides: Overrides = [],  # noqa: B006
    force: Annotated[
        bool, typer.Option("--force", help="Push a model that the gate or infra_validator rejected. Requires --reason.")
    ] = False,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; recorded with the version.")] = None,
    root: Root = Path(),
) -> None:
    """Push the blessed model of a pipeline that has run. --force --reason pushes a model that is not blessed."""
    from kerasvision.errors import ConfigError
    from kerasvision.pipeline.local import run as run_pipeline
    from kerasvision.pipeline.overrule import overruled, push_node
    from kerasvision.pipeline.standard import load_pipeline

    if force != (reason is not None):
        raise ConfigError("--force and --reason require each other: to overrule the gate, give a reason")
    began = time.monotonic()
    pipeline = load_pipeline(pipeline_file, overrides=overrides)
    pipeline = pipeline if reason is None else overruled(pipeline, reason=reason)
    result = run_pipeline(pipeline, root=root, only=push_node(pipeline).name, listener=stage_lines())
    print_result(result, root, time.monotonic() - began)
    refuse_unblessed(result, pipeline_file)


def plan(
    pipeline_file: PipelineFile,
    overrides: Overrides = [],  # noqa: B006
    root: Root = Path(),
) -> None:
    """Show what a run would do, and why. Nothing is executed or written."""
    from kerasvision.pipeline.local import plan as plan_pipeline
    from kerasvision.pipeline.standard import load_pipeline

    words = {"reuse": "[green]reuse[/]", "run": "[yellow]run[/]", "depends": "[dim]depends[/]"}
    table = table_of("stage", "would", "because")
    stages = plan_pipeline(load_pipeline(pipeline_file, overrides=overrides), root=root)
    for planned in stages:
        shown = first_lines(planned.why, most=MOST_REASONS)
        table.add_row(planned.node, words[planned.action], escape("\n".join(shown)))
    print_whole(table)
    for note in filter(None, (planned.note for planned in stages)):
        typer.echo(f"note: {printable(note)}")


def compile_(
    pipeline_file: PipelineFile,
    overrides: Overrides = [],  # noqa: B006
    target: Annotated[
        Target | None, typer.Option("--to", help="Write a file for Kubeflow Pipelines instead of canonical JSON.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="For Kubeflow: the container image, with the pipeline file in it.")
    ] = None,
    volume: Annotated[
        str | None,
        typer.Option(metavar="CLAIM", help="For Kubeflow: the PersistentVolumeClaim of runs/; by default kerasvision."),
    ] = None,
    mount: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="For Kubeflow: where the containers see it; by default /kerasvision."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write here; by default the text is printed.")
    ] = None,
) -> None:
    """Print the whole pipeline as canonical JSON: stages, connections, settings; or as YAML for Kubeflow Pipelines."""
    from kerasvision.errors import ConfigError
    from kerasvision.pipeline.kubeflow import Containers, kubeflow_text
    from kerasvision.pipeline.spec import compile_pipeline
    from kerasvision.pipeline.standard import load_pipeline

    named: dict[str, Any] = {name: value for name, value in {"claim": volume, "root": mount}.items() if value is not None}
    if (target is None) != (image is None):
        given = f"--to {target}" if target else f"--image {image}"
        hint = "add --image registry/name:tag, in which every stage runs" if target else "add --to kubeflow, or leave it out"
        raise ConfigError("--to kubeflow and --image require each other", received=f"{given} alone", hint=hint)
    if target is None and named:
        raise ConfigError("--volume and --mount require --to kubeflow", hint="add it and --image, or leave them out")
    pipeline = load_pipeline(pipeline_file, overrides=overrides)
    if image is None:
        text = compile_pipeline(pipeline)
    else:
        text = kubeflow_text(pipeline, Containers(image, pipeline_file, tuple(overrides), **named))
    if out is None:
        typer.echo(text, nl=False)
        return
    if out.exists() and not out.is_file():
        raise ConfigError("--out must name a file", received=str(out), hint=f"write {out / 'pipeline.yaml'}, for example")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    typer.echo(f"wrote {out}")


MOST_REASONS = 8


def print_result(result: "RunResult", root: Path, seconds: float) -> None:
    """Prints what each stage did, what was left out, and what to do next."""
    from kerasvision.pipeline.left_out import left_out

    table = table_of("stage", "", "seconds", "where to look", right=("seconds",))
    for done in result.stages:
        fronts = "\n".join(escape(os.path.relpath(record.open().front, root)) for record in done.outputs.values())
        table.add_row(done.node, "[dim]reused[/]" if done.reused else "[green]ran[/]", f"{done.seconds:.1f}", fronts)
    print_whole(table)
    executed = sum(not done.reused for done in result.stages)
    typer.echo(f"run {result.id}: {executed} of {len(result.stages)} stages executed, {seconds:.1f} s")
    for sentence in left_out(record for done in result.stages for record in done.outputs.values()):
        typer.echo(f"note: {printable(sentence)}")
    tell_report(result, root)
    _name_next(result, root)


def _name_next(result: "RunResult", root: Path) -> None:
    """Prints how to use a model that was pushed."""
    for done in result.stages:
        for record in done.outputs.values():
            if record.properties.get("pushed"):
                model = os.path.relpath((root / str(record.properties["pushed_destination"])).parent)
                typer.echo(f"next: kerasvision predict {model} IMAGE, or kerasvision serve {model}")


def refuse_unblessed(result: "RunResult", pipeline_file: Path) -> None:
    """Exit code 4 if a model was judged and not blessed; only a message if it was pushed with --force."""
    from kerasvision.errors import NotBlessedError

    found = [(done.node, record.properties) for done in result.stages for record in done.outputs.values()]
    # A proof that final_infra_validator passes on says the same again.
    said: dict[str, str] = {}
    for node, properties in found:
        if properties.get("blessed") == 0:
            said.setdefault(f"{properties.get('verdict', 'NOT_BLESSED')}: {properties['reason']}", node)
    refusals = [f"{node} says {why}" for why, node in said.items()]
    if not refusals:
        return
    forced = [properties for _, properties in found if properties.get("forced")]
    if forced:
        typer.echo(f"pushed to {forced[0]['pushed_destination']} although {'; '.join(refusals)}", err=True)
        return
    raise NotBlessedError(
        "; ".join(refusals), hint=f"`kerasvision push {pipeline_file} --force --reason TEXT` pushes it anyway"
    )
