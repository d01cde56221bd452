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
) -> None:
    """Layer by layer: output shape, weights, multiply-adds."""
    usual = lookup.load("kerasvision.models.table:usual")
    shape = _shape(image_shape) if image_shape else usual(name).image_shape
    classes = classes or usual(name).num_classes
    model = lookup.load("kerasvision.models:build")(name, image_shape=shape, num_classes=classes)
    summary = lookup.load("kerasvision.models.summary:layer_table")(model)
    table = table_of("layer", "type", "output", "weights", "multiply-adds", right=("weights", "multiply-adds"))
    for row in summary.rows:
        output = " x ".join(map(str, row.output_shape))
        table.add_row(row.name, row.type, output, f"{row.weights:,}", f"{row.multiply_adds:,}")
    print_whole(table)
    typer.echo(
        f"{name} at {' x '.join(map(str, shape))}, {classes} classes: {summary.trainable_weights:,} trainable weights, "
        f"{summary.total_weights:,} in all, {summary.multiply_adds:,} multiply-adds"
    )


def _shape(text: str) -> tuple[int, int, int]:
    parts = text.replace("x", ",").split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() for part in parts):
        raise ConfigError("--image-shape has the form height,width,channels", received=text)
    return tuple(int(part) for part in parts)
