"""`new`: writes a pipeline file for a folder of images, or copies one of the package's examples."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperCommand

from kerasvision.cli.tables import print_whole, table_of
from kerasvision.errors import ConfigError

LIST = ""


class ExampleWithoutName(TyperCommand):
    """Reads `--example` without a name as `--example ""`, which lists the examples."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses the words of the command, after inserting the missing name."""
        words: list[str] = []
        for place, word in enumerate(args):
            following = args[place + 1] if place + 1 < len(args) else "--"
            words += [word, LIST] if word == "--example" and following.startswith("-") else [word]
        return super().parse_args(ctx, words)


def new(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="With --images: the experiment's name; the file is NAME.py.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images",
            metavar="DIR",
            help="A folder of images for each class; images with objects: COCO, YOLO or VOC; images with label maps; or a "
            "table of images with tags or numbers.",
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", metavar="M", help="With --images: measure a step, and train for about this long."),
    ] = None,
    example: Annotated[
        str | None,
        typer.Option("--example", metavar="[EXAMPLE]", help="An example, such as digits; without a name, list them."),
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", help="Where the file goes.")] = Path("pipelines"),
) -> None:
    """Write a pipeline file: for a folder of images, or a copy of an example that comes with kerasvision.

    kerasvision new petals --images ~/Pictures/petals

    kerasvision new petals --images ~/Pictures/petals --minutes 10

    kerasvision new --example digits
    """
    if example is not None:
        _refuse_both(name, images, minutes)
        _list_examples() if example == LIST else _write_example(example, folder)
        return
    if name is None or images is None:
        missing = "NAME" if name is None else "--images"
        raise ConfigError(
            f"new requires NAME and --images, or --example; {missing} is missing",
            hint="`kerasvision new --example` lists the examples",
        )
    from kerasvision.cli.new_from_images import write_for_images

    write_for_images(name, images=images, folder=folder, minutes=minutes)


def _refuse_both(name: str | None, images: Path | None, minutes: float | None) -> None:
    for what, given in (("NAME", name), ("--images", images), ("--minutes", minutes)):
        if given is not None:
            raise ConfigError(
                f"--example copies a file under its own name, so it does not accept {what}",
                received=str(given),
                hint="use NAME and --images together, or --example alone",
            )


def _write_example(name: str, folder: Path) -> None:
    from kerasvision.config.examples import example, write_example

    file = write_example(name, folder=folder)
    typer.echo(f"wrote {file}")
    if missing := [str(path) for path in example(name).reads if not path.exists()]:
        typer.echo(f"it reads {' and '.join(missing)}, which you must provide; the path is in the file")
    typer.echo(f"next: kerasvision run {file}")


def _list_examples() -> None:
    from kerasvision.config.examples import example, example_names

    table = table_of("example", "you provide", "what it trains, and what was measured")
    for found in map(example, example_names()):
        table.add_row(found.name, escape(", ".join(map(str, found.reads))), escape(found.summary))
    print_whole(table)
    typer.echo("write one with: kerasvision new --example digits")
