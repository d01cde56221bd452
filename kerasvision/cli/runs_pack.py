"""`runs pack|replay`: packs a run into one file, and runs a packed one again."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from kerasvision.cli.options import Root, RunId
from kerasvision.cli.pipelines import print_result
from kerasvision.cli.stage_lines import stage_lines
from kerasvision.cli.tables import print_whole, table_of
from kerasvision.config.listing import printable
from kerasvision.shortened import and_more

if TYPE_CHECKING:
    from kerasvision.pipeline.replaying import Replay

# How many rows of a table are shown.
MOST_SHOWN = 20


def pack(
    run: RunId = "latest",
    file: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.zip", help="The file to write; by default RUN.zip.")
    ] = None,
    root: Root = Path(),
) -> None:
    """Pack a run into one zip file, from which `runs replay` runs it again.

    The file has the settings with all seeds, the pipeline file and your own modules, the versions of all packages, a hash of
    each image, and the scores. It has no images and no weights.
    """
    from kerasvision.pipeline.packing import pack_run

    written = pack_run(run, file, root=root)
    typer.echo(f"wrote {written}, {written.stat().st_size:,} bytes; `kerasvision runs replay {written}` runs it again")


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="A file of `kerasvision runs pack`.")],
    root: Annotated[
        Path | None, typer.Option("--root", help="A new folder for runs/ and saved_models/; by default replay-RUN.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="How many stages may run at the same time.")
    ] = None,
) -> None:
    """Run a packed run again in a fresh folder, and say what differs: versions, code, images, scores, outputs.

    A pack contains code, which is executed: replay only packs of people whom you trust. Relative paths in the settings begin
    in the current folder, so give the command where the images are.
    """
    import time

    from kerasvision.errors import ConfigError
    from kerasvision.pipeline.pack import Pack
    from kerasvision.pipeline.replaying import replay as replay_run

    if not file.is_file():
        raise ConfigError(f"there is no file {file}", hint="`kerasvision runs pack` writes one")
    began = time.monotonic()
    packed = Pack.load(file)
    root = root or Path(f"replay-{packed.run}")
    typer.echo(f"run {packed.run} of {packed.pipeline}, {packed.started}, in {os.path.relpath(root)}")
    done = replay_run(packed, root, listener=stage_lines(), workers=workers)
    print_result(done.result, root, time.monotonic() - began)
    _print_differences(done)


def _print_differences(done: "Replay") -> None:
    typer.echo(f"\ncompared with run {done.pack.run}:")
    for change in done.changes:
        typer.echo(f"  {printable(change)}")
    if not done.changes:
        typer.echo("  settings, code and files are the same")
    _print("packages", done.packages)
    _print("images", done.data)
    for split, rows in done.scores.items():
        _print(f"scores on {split}", rows)
    typer.echo(f"  {done.equal_scores} scores are exactly equal" + ("" if done.scores else ", and none differs"))
    then, now = done.verdicts
    if then or now:
        typer.echo(
            f"  verdict: {now or 'none'}" + (", as in the packed run" if then == now else f"; it was {then or 'none'}")
        )
    typer.echo(f"  outputs with the same content: {', '.join(done.same) or 'none'}")
    if done.other:
        typer.echo(f"  outputs with other content: {', '.join(done.other)}")
        typer.echo("  (files that contain times, such as .keras and certificates, differ in every run)")


def _print(title: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Prints a table of what differs; a cell without a value is empty."""
    if not rows:
        return
    table = table_of(title, "packed", "now")
    for name, row in list(rows.items())[:MOST_SHOWN]:
        table.add_row(escape(name), *(escape(_cell(row.get(key))) for key in ("packed", "now")))
    print_whole(table)
    if more := and_more(len(rows), most=MOST_SHOWN):
        typer.echo(f" {more}")


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
