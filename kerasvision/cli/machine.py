"""`doctor`: whether this machine can do the work."""

from pathlib import Path

import typer
from rich.markup import escape

from kerasvision import lookup
from kerasvision.cli.pipelines import Root
from kerasvision.cli.tables import print_whole, table_of


def doctor(root: Root = Path()) -> None:
    """Look at versions, devices, memory, disk and network, and say what stands in the way."""
    findings = lookup.load("kerasvision.training.machine:examine")(root)
    table = table_of("", "what", "found")
    for finding in findings:
        mark = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "wrong": "[red]wrong[/]"}[finding.state]
        table.add_row(mark, finding.what, escape(finding.found))
    print_whole(table)
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)
