"""`settings`: lists the settings of pipeline files and `--set`."""

import shlex
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kerasvision.cli.tables import print_whole, table_of

if TYPE_CHECKING:
    from kerasvision.config.reference import Group, Setting

COLUMNS = ("type", "default", "what it is")
# A field of every component, which is shown once for all.
SHARED = "depends_on"


def settings(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="A setting or a group of settings; without it, the whole experiment.")
    ] = "",
) -> None:
    """List the settings of a pipeline file: type, range, default and meaning of each.

    kerasvision settings

    kerasvision settings training

    kerasvision settings training.optimizer

    kerasvision settings training.optimizer.adam.learning_rate

    kerasvision settings augment.my_module:Sepia
    """
    from kerasvision.config.reference import find

    found = find(path)
    if found.setting is not None and found.setting.is_choice:
        _print_settings([found.setting])
        typer.echo()
        _print_choice(found.groups)
    elif found.groups:
        (group,) = found.groups
        title = found.setting.description if found.setting else group.summary
        typer.echo(f"{group.path or 'an experiment'}: {title}\n")
        _print_group(group)
    else:
        single = [found.setting] if found.setting else found.alike
        _print_settings(single)
        typer.echo()
        for setting in single:
            typer.echo(_assignment(setting))


def _print_settings(settings: "Iterable[Setting]") -> None:
    table = table_of("setting", *COLUMNS)
    for setting in settings:
        table.add_row(escape(setting.path), *_cells(setting))
    _print(table)


def _print_group(group: "Group") -> None:
    table = table_of("setting", *COLUMNS)
    for setting in group.settings:
        table.add_row(escape(setting.name), *_cells(setting))
    _print(table)


def _print_choice(groups: "Iterable[Group]") -> None:
    """Prints every kind with its settings, and at the end those that all kinds share."""
    table = table_of("kind", "setting", *COLUMNS)
    shared: list[Setting] = []
    for group in groups:
        table.add_row(f"[bold]{group.name}[/]", "", "", "", escape(group.summary))
        for setting in group.settings:
            if setting.name == SHARED:
                shared = [setting]
            else:
                table.add_row("", escape(setting.name), *_cells(setting))
    for setting in shared:
        table.add_row("every kind", setting.name, *_cells(setting))
    _print(table)


def _cells(setting: "Setting") -> tuple[str, ...]:
    return (escape(setting.type), escape(setting.default), escape(setting.description))


def _assignment(setting: "Setting") -> str:
    """The sentence that says how to change a setting on the command line."""
    if setting.place is None:
        return "set it in the pipeline file"
    value = "..." if setting.default in ("required", "") else setting.default
    words = [*setting.needs, f"{setting.place}={value}"]
    return "set it with: " + " ".join(f"--set {shlex.quote(word)}" for word in words)


def _print(table: Table) -> None:
    """Prints a table; a terminal gets long cells wrapped to its width, other outputs one line per setting."""
    if sys.stdout.isatty():
        table.columns[0].no_wrap = True
        Console(highlight=False).print(table)
    else:
        print_whole(table)
