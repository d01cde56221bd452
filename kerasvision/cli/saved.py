"""`saved list|show|rollback`: lists, checks and rolls back pushed models."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from kerasvision.cli.options import Root
from kerasvision.cli.tables import print_whole, table_of

app = typer.Typer(help="List, check and roll back pushed models.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="A model's name under saved_models/, or the path of its folder.")]


@app.command("list")
def list_(root: Root = Path()) -> None:
    """List every version of every model, newest first: when and by which run it was pushed, and whether it is intact."""
    from kerasvision.served.versions import versions

    table = table_of("model", "version", "pushed", "by", "run", "", right=("version",))
    saved = root / "saved_models"
    for folder in sorted(saved.iterdir()) if saved.is_dir() else ():
        for number, version in enumerate(reversed(versions(folder))):
            table.add_row(folder.name, str(version), *map(escape, _told(folder / str(version), is_newest=number == 0)))
    print_whole(table)


@app.command()
def show(
    name: Name,
    version: Annotated[int | None, typer.Argument(metavar="[VERSION]", help="By default the newest.")] = None,
    root: Root = Path(),
) -> None:
    """Show the card of a version, and compare every file with what was pushed. Exit code 5 if one differs.

    A version that kerasvision did not push is loaded instead. Exit code 1 if that fails.
    """
    from kerasvision.errors import ExportError
    from kerasvision.served.versions import CARD, complaint, find_version, read_record

    folder = find_version(_folder(name, root), version)
    wrong = complaint(folder, thorough=True)
    if wrong:
        raise ExportError(
            f"{folder} is not intact: {wrong}", hint="return to an earlier version with `kerasvision saved rollback`"
        )
    files = read_record(folder).get("files", {})
    if not files:
        _load(folder)
    if (folder / CARD).is_file():
        typer.echo((folder / CARD).read_text(encoding="utf-8"))
    state = f"all {len(files)} files are as they were pushed" if files else "not pushed by kerasvision; it can be loaded"
    typer.echo(f"{folder}: {state}")


@app.command()
def rollback(
    name: Name,
    to: Annotated[int | None, typer.Option("--to", metavar="VERSION", help="By default the one before the newest.")] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; recorded with the version.")] = "",
    root: Root = Path(),
) -> None:
    """Push the content of an earlier version again, as a new highest version. Nothing is deleted."""
    from kerasvision.export.publishing.push import roll_back

    folder = _folder(name, root)
    version, source = roll_back(folder, to=to, reason=reason)
    typer.echo(f"{folder / str(version)} is a copy of version {source}")


def _folder(name: str, root: Path) -> Path:
    """A plain name is a folder in saved_models; anything else is a path."""
    is_bare = Path(name).name == name
    return root / "saved_models" / name if is_bare else Path(name)


def _load(folder: Path) -> None:
    """Exits with code 1 if a version without a record cannot be served."""
    from kerasvision.errors import ExportError, KerasvisionError
    from kerasvision.served.model import ServedModel

    try:
        ServedModel(folder)
    except ExportError as error:
        typer.echo(error, err=True)
        raise typer.Exit(KerasvisionError.exit_code) from error


def _told(version: Path, *, is_newest: bool) -> tuple[str, str, str, str]:
    """When a version was pushed, by whom, by which run, and remarks."""
    from kerasvision.served.versions import complaint, read_record

    wrong = complaint(version)
    try:
        record = {} if wrong else read_record(version)
    except ValueError:
        record = {}
    back, forced, pushed = record.get("rolled_back"), record.get("forced"), record.get("pushed") or {}
    final = record.get("final") or {}
    remarks = ["newest"] if is_newest else []
    remarks += [f"copy of version {back['to']}"] if back else []
    remarks += [f"forced: {forced['reason']}"] if forced else []
    remarks += [f"trained on all {final['all_images']:,} images after the verdict"] if final.get("trains") else []
    remarks += [f"not intact: {wrong}"] if wrong else []
    last = back or pushed
    run = (record.get("lineage") or {}).get("run", "")
    return last.get("at", ""), last.get("by", ""), run, ", ".join(remarks)
