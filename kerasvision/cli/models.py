"""`models list|show`: which networks there are, and what they are made of."""

from typing import Annotated

import typer

from kerasvision import lookup
from kerasvision.cli.tables import print_whole, table_of
from kerasvision.errors import ConfigError

app = typer.Typer(help="The networks.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """Every network by family, with its source."""
    table = table_of("name", "family", "least side", "source", right=("least side",))
    for row in lookup.load("kerasvision.models.table:NETWORKS"):
        table.add_row(row.name, row.family, str(row.smallest_side), row.source)
    print_whole(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A network's name, or module:function of a builder.")],
    image_shape: Annotated[str, typer.Option("--image-shape", help="Height,width,channels.")] = "",
    classes: Annotated[int | None, typer.Option("--classes", min=1, help="How many classes.")] = None,
    option: Annotated[list[str] | None, typer.Option("--option", help="What else the builder takes: layout=paper.")] = None,
) -> None:
    """Layer by layer: output shape, weights, memory, multiply-adds; and which published figures the sums equal."""
    usual = lookup.load("kerasvision.models.table:usual")
    options = _options(name, option or [])
    asked = {
        "image_shape": _shape(image_shape) if image_shape else usual(name).image_shape,
        "num_classes": classes or usual(name).num_classes,
    }
    summary = lookup.load("kerasvision.models.summary:layer_table")(
        lookup.load("kerasvision.models:build")(name, **asked, **options)
    )
    table = table_of("layer", "type", "output", "weights", "KiB", "multiply-adds", right=("weights", "KiB", "multiply-adds"))
    for row in summary.rows:
        kib = f"{row.output_bytes / 1024:,.0f}"
        table.add_row(row.name, row.type, _shapes(row.output_shape), f"{row.weights:,}", kib, f"{row.multiply_adds:,}")
    print_whole(table)
    typer.echo(
        f"{name} at {' x '.join(map(str, asked['image_shape']))}, {asked['num_classes']} classes: "
        f"{summary.trainable_weights:,} trainable weights, {summary.total_weights:,} in all "
        f"({summary.total_weights * 4 / 2**20:,.1f} MiB in float32), {summary.output_bytes / 2**20:,.1f} MiB of outputs for "
        f"one image, {summary.multiply_adds:,} multiply-adds"
    )
    figures = lookup.load("kerasvision.models.table:published")(name, **asked)
    for line in lookup.load("kerasvision.models.summary:agreement")(summary, figures):
        typer.echo(line)
    if not figures:
        typer.echo("no size was published for these images and classes")


def _options(name: str, assignments: list[str]) -> dict[str, object]:
    with_overrides = lookup.load("kerasvision.config.overrides:with_overrides")
    model = lookup.load("kerasvision.config:Model")(name=name)
    return dict(with_overrides(model, [f"options.{assignment}" for assignment in assignments]).options)


def _shapes(output: object) -> str:
    if isinstance(output, dict):
        return ", ".join(f"{level}: {_shapes(shape)}" for level, shape in output.items())
    return " x ".join(map(str, output))


def _shape(text: str) -> tuple[int, int, int]:
    parts = text.replace("x", ",").split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() for part in parts):
        raise ConfigError("--image-shape has the form height,width,channels", received=text)
    return tuple(int(part) for part in parts)
