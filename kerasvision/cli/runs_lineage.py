"""`runs lineage`: shows what the results of a run were made from, as a tree, as JSON or as a picture."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape
from rich.tree import Tree

from kerasvision.cli.options import Root, RunId
from kerasvision.cli.run_cells import artifact_line, clock_time, heading
from kerasvision.cli.tables import print_whole
from kerasvision.errors import ConfigError

if TYPE_CHECKING:
    from kerasvision.pipeline.history import Ancestry


def lineage(
    run: RunId = "latest",
    form: Annotated[
        Literal["text", "json", "svg"],
        typer.Option("--format", help="A tree; JSON with settings, hashes and versions; or an SVG picture for a browser."),
    ] = "text",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write JSON or SVG to this file instead of printing it."),
    ] = None,
    root: Root = Path(),
) -> None:
    """Show what the final artifacts of a run were made from, back to the source."""
    if form == "text":
        if out is not None:
            raise ConfigError("--out requires --format json or --format svg", received=str(out))
        _print_trees(run, root)
        return
    from kerasvision.pipeline.history import lineage_data
    from kerasvision.pipeline.lineage_picture import lineage_svg

    data = lineage_data(run, root=root)
    text = lineage_svg(data) if form == "svg" else json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    if out.exists() and not out.is_file():
        raise ConfigError("--out must name a file", received=str(out))
    out.write_text(text, encoding="utf-8", errors="backslashreplace")
    typer.echo(f"wrote {out}")


def _print_trees(run: str, root: Path) -> None:
    from kerasvision.pipeline.history import lineage as ancestries
    from kerasvision.pipeline.history import show_run

    record, _ = show_run(run, root=root)
    typer.echo(heading(record))
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


def _ancestor(ancestry: "Ancestry", root: Path) -> str:
    by = f"  by {ancestry.producer.node}, {clock_time(ancestry.producer.started_ms)}" if ancestry.producer else ""
    return artifact_line(ancestry.artifact, root) + by
