"""`doctor`: whether this machine can do the work."""

from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kerasvision import lookup
from kerasvision.cli.pipelines import Root


def doctor(root: Root = Path()) -> None:
    """Look at versions, devices, memory, disk and network, and say what stands in the way."""
    findings = lookup.load("kerasvision.training.machine:examine")(root)
    table = Table(box=None, header_style="bold")
    for column in ("", "what", "found"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        mark = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "wrong": "[red]wrong[/]"}[finding.state]
        table.add_row(mark, finding.what, escape(finding.found))
    Console(highlight=False).print(table)
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)
