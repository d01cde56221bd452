"""`doctor`: checks the machine, and an experiment before it is trained."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from kerasvision.cli.options import Overrides, Root
from kerasvision.cli.prepared import prepared
from kerasvision.cli.tables import print_whole, table_of
from kerasvision.errors import ConfigError, KerasvisionError

if TYPE_CHECKING:
    import pandas as pd

# How many rows of a long table are shown.
MOST_ROWS = 12


def doctor(
    overfit: Annotated[
        Path | None,
        typer.Option("--overfit", metavar="PIPELINE", help="Check whether the experiment can memorize one batch."),
    ] = None,
    distribute: Annotated[
        Path | None,
        typer.Option("--distribute", metavar="PIPELINE", help="Check whether one and several devices give equal results."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Training steps; by default at most 500, and 20 with --distribute.")
    ] = None,
    replicas: Annotated[
        int | None, typer.Option("--replicas", min=2, help="With --distribute: how many devices; by default 2.")
    ] = None,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    root: Root = Path(),
) -> None:
    """Check this machine, or train a few steps of an experiment and report problems.

    Without an option: check versions, devices, memory, disk and network. Exit code 1 if something is wrong.
    """
    _refuse_idle_options(overfit, distribute, steps=steps, replicas=replicas, overrides=overrides)
    if overfit is None and distribute is None:
        _examine_machine(root)
        return
    fine = True
    if overfit is not None:
        fine &= _overfits(overfit, steps, overrides, root)
    if distribute is not None:
        fine &= _agrees(distribute, steps, replicas, overrides, root)
    if not fine:
        raise typer.Exit(KerasvisionError.exit_code)


def _examine_machine(root: Path) -> None:
    from kerasvision.training.devices.machine import examine

    findings = examine(root)
    table = table_of("", "what", "found")
    for finding in findings:
        mark = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "wrong": "[red]wrong[/]"}[finding.state]
        table.add_row(mark, finding.what, escape(finding.found))
    print_whole(table)
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(KerasvisionError.exit_code)


def _refuse_idle_options(
    overfit: Path | None, distribute: Path | None, *, steps: int | None, replicas: int | None, overrides: list[str]
) -> None:
    if overfit is None and distribute is None and (steps or replicas or overrides):
        raise ConfigError("--steps, --replicas and --set require --overfit or --distribute")
    if distribute is None and replicas:
        raise ConfigError("--replicas requires --distribute")


def _overfits(pipeline_file: Path, steps: int | None, overrides: list[str], root: Path) -> bool:
    from kerasvision.training.probes import overfit

    ready = prepared(pipeline_file, overrides=overrides, root=root, purpose="doctor")
    found = overfit.overfit(
        ready.settings,
        examples=ready.examples(),
        classes=ready.classes(),
        transform=ready.transform(),
        steps=steps or overfit.STEPS,
    )
    _print_rows(found.table)
    typer.echo(found.text)
    return found.learned


def _agrees(pipeline_file: Path, steps: int | None, replicas: int | None, overrides: list[str], root: Path) -> bool:
    from kerasvision.config.loading import load_experiment
    from kerasvision.training.probes.agreement import agreement

    ready = prepared(pipeline_file, overrides=overrides, root=root, purpose="doctor")
    asked = {name: value for name, value in {"steps": steps, "replicas": replicas}.items() if value}
    experiment = load_experiment(pipeline_file, overrides=overrides)
    found = agreement(experiment, ready.examples_folder, ready.transform_file.parent, **asked)
    _print_rows(found.table)
    typer.echo(found.text)
    return found.agrees


def _print_rows(table: "pd.DataFrame") -> None:
    """Prints equally spaced rows of a pandas table, including the first and the last."""
    shown = sorted({round(place * (len(table) - 1) / (MOST_ROWS - 1)) for place in range(MOST_ROWS)}) if len(table) else []
    printed = table_of(*table.columns, right=tuple(table.columns))
    for row in table.iloc[shown].itertuples(index=False):
        printed.add_row(*(escape(f"{value:.4g}" if isinstance(value, float) else str(value)) for value in row))
    print_whole(printed)
