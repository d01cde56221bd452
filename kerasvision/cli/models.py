"""`models list|show|check`: lists the networks, shows their layers and checks their gradients."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from kerasvision import lookup
from kerasvision.cli.tables import print_whole, table_of
from kerasvision.errors import ConfigError, KerasvisionError

# The largest number of classes.
MOST = 1_000_000
# Python cannot parse an integer of more than 4,300 digits, and no image has a side of ten digits.
MOST_DIGITS = 10
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tiff", ".pdf", ".svg")
app = typer.Typer(help="List, show and check the networks.", no_args_is_help=True)


@app.command("list")
def list_(
    keras: Annotated[bool, typer.Option("--keras", help="List the networks of keras.applications instead.")] = False,
) -> None:
    """List every network by family, with its source; those of keras.applications with the licence of their weights."""
    from kerasvision.models.table import NETWORKS

    if keras:
        _list_keras()
        return
    table = table_of("name", "family", "least side", "source", right=("least side",))
    for row in NETWORKS:
        table.add_row(row.name, row.family, str(row.smallest_side), row.source)
    print_whole(table)
    typer.echo(f"and {', '.join(lookup.GENERATORS)}, which make images: kerasvision settings task.generation")
    examples = ", ".join(list(lookup.OF_KERAS)[::13])
    typer.echo(f"and {len(lookup.OF_KERAS)} of keras.applications, such as {examples}: kerasvision models list --keras")


def _list_keras() -> None:
    from kerasvision.config.keras_networks import KERAS_NETWORKS

    numbers = ("made for", "least side", "weights")
    table = table_of("name", *numbers, "licence", "source", right=numbers)
    for name, row in KERAS_NETWORKS.items():
        family = row.family
        counts = (str(row.side), str(family.least_side), f"{row.weights:,}")
        table.add_row(name, *counts, family.licence, f"{family.paper}, {family.url}")
    print_whole(table)
    typer.echo("The weights are counted without a head. The licence is that of the published ImageNet weights.")


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A network's name, or module:function of a builder.")],
    image_shape: Annotated[str, typer.Option("--image-shape", help="Height,width,channels.")] = "",
    classes: Annotated[int | None, typer.Option("--classes", min=1, max=MOST, help="How many classes.")] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="An option of the builder: layout=paper. Repeatable.")
    ] = None,
) -> None:
    """Print output shape, weights, memory and multiply-adds of every layer, and compare the sums with published figures.

    For a network that finds things, also print what each of its maps answers, with the pixels that an answer depends on, or
    the windows that it chooses its regions from.
    """
    from kerasvision.config.published import origin_of
    from kerasvision.models import build
    from kerasvision.models.box_levels import level_lines
    from kerasvision.models.summary import layer_table, matching_figures
    from kerasvision.models.table import published, usual

    options = _options(name, option or [])
    shape = _shape(image_shape) if image_shape else usual(name).image_shape
    num_classes = classes or usual(name).num_classes
    with _in_memory(name):
        network = build(name, image_shape=shape, num_classes=num_classes, **options)
        summary, levels = layer_table(network), level_lines(network)
    table = table_of("layer", "type", "output", "weights", "KiB", "multiply-adds", right=("weights", "KiB", "multiply-adds"))
    for row in summary.rows:
        kib = f"{row.output_bytes / 1024:,.0f}"
        table.add_row(row.name, row.type, _shapes(row.output_shape), f"{row.weights:,}", kib, f"{row.multiply_adds:,}")
    print_whole(table)
    typer.echo(
        f"{name} at {' x '.join(map(str, shape))}, {num_classes} classes: "
        f"{summary.trainable_weights:,} trainable weights, {summary.total_weights:,} in all "
        f"({summary.total_weights * 4 / 2**20:,.1f} MiB in float32), {summary.output_bytes / 2**20:,.1f} MiB of outputs for "
        f"one image, {summary.multiply_adds:,} multiply-adds"
    )
    _print_levels(*levels)
    figures = published(name, image_shape=shape, num_classes=num_classes)
    for line in matching_figures(summary, figures):
        typer.echo(line)
    if not figures:
        typer.echo("no size was published for these images and classes")
    if origin := origin_of(lookup.MODELS.name(lookup.MODELS.path(name))):
        typer.echo(f"weights='imagenet': {origin}")


def _print_levels(rows: Sequence[Sequence[str]], sentence: str) -> None:
    """A table, headings first, and a sentence below it; nothing without rows."""
    if rows:
        table = table_of(*rows[0], right=("stride",))
        for row in rows[1:]:
            table.add_row(*row)
        print_whole(table)
        typer.echo(sentence)


@app.command()
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A network's name, or module:function of a builder.")],
    image_side: Annotated[
        int | None,
        typer.Option("--image-side", min=1, help="Pixels; by default the least side, with --activations the usual one."),
    ] = None,
    channels: Annotated[
        int | None, typer.Option("--channels", min=1, help="Channels of the images; by default as published, or 3.")
    ] = None,
    classes: Annotated[int, typer.Option("--classes", min=1, max=MOST, help="How many classes.")] = 10,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="An option of the builder: layout=paper. Repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of weights, images and the choice of what to compare.")] = 0,
    activations: Annotated[
        bool, typer.Option("--activations", help="Print mean, deviation and dead share of each layer's outputs instead.")
    ] = False,
    images: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="With --activations: of these images instead of random ones.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="With --activations: also draw the distributions into this file.")
    ] = None,
) -> None:
    """Compare gradients with finite differences, layer by layer, in float64. Exit code 1 unless all are proven right.

    With --activations, show the outputs of the layers before training instead: whether they vanish, grow or are dead.
    """
    from kerasvision.models.table import find
    from kerasvision.training.probes.gradient_check import check_builder

    row = find(lookup.MODELS.name(lookup.MODELS.path(name)))
    usual_side = row.figures[0].image_shape[0] if row and activations else row.smallest_side if row else 32
    side = image_side or usual_side
    depth = channels or (row.figures[0].image_shape[2] if row else 3)
    options = _options(name, option or [])
    if activations:
        _check_activations(name, (side, side, depth), classes=classes, seed=seed, images=images, output=output, **options)
        return
    if images is not None or output is not None:
        raise ConfigError("--images and --output require --activations", hint="add --activations")
    with _in_memory(name):
        found = check_builder(name, image_shape=(side, side, depth), num_classes=classes, seed=seed, **options)
    numbers = ("weights", "checked", "kinks", "rounding", "error")
    table = table_of("layer", *numbers, "verdict", right=numbers)
    for line in found.table.itertuples():
        counts = (f"{line.weights:,}", str(line.checked), str(line.kinks), str(line.rounding), f"{line.error:.1e}")
        table.add_row(str(line.layer), *counts, str(line.verdict))
    print_whole(table)
    typer.echo(found.text)
    if not found.passed:
        raise typer.Exit(KerasvisionError.exit_code)


def _check_activations(
    name: str,
    image_shape: tuple[int, int, int],
    *,
    classes: int,
    seed: int,
    images: Path | None,
    output: Path | None,
    **options: Any,
) -> None:
    if output is not None and output.suffix.lower() not in PICTURES:
        raise ConfigError(f"--output must end in {', '.join(PICTURES)}", received=str(output))
    from kerasvision.training.probes.activations import activations_of

    with _in_memory(name):
        found = activations_of(name, image_shape=image_shape, num_classes=classes, folder=images, seed=seed, **options)
    numbers = ("units", "mean", "deviation", "dead")
    table = table_of("layer", *numbers, right=numbers)
    for line in found.table.itertuples():
        table.add_row(str(line.layer), f"{line.units:,}", f"{line.mean:.3g}", f"{line.deviation:.3g}", f"{line.dead:.1%}")
    print_whole(table)
    typer.echo(found.text)
    if output is not None:
        found.save(output)
        typer.echo(f"drawn: {output}")


@contextmanager
def _in_memory(name: str) -> Iterator[None]:
    """Turns a lack of memory into a message that the network is too large for this machine."""
    try:
        yield
    except Exception as error:
        # TensorFlow's error is recognized by its name, because the command line does not import TensorFlow.
        if not isinstance(error, MemoryError) and type(error).__name__ != "ResourceExhaustedError":
            raise
        raise ConfigError(
            f"{name} of this size does not fit into the memory of this machine",
            hint="use smaller images, fewer classes or smaller options",
        ) from error


def _options(name: str, assignments: list[str]) -> dict[str, Any]:
    from kerasvision.config.model import Model
    from kerasvision.config.overrides import with_overrides

    return dict(with_overrides(Model(name=name), [f"options.{assignment}" for assignment in assignments]).options)


def _shapes(output: Mapping[str, Any] | Sequence[Any]) -> str:
    if isinstance(output, Mapping):
        return ", ".join(f"{level}: {_shapes(shape)}" for level, shape in output.items())
    if output and isinstance(output[0], tuple | list):
        return ", ".join(map(_shapes, output))
    # A size is None where it may vary, such as the number of objects.
    return " x ".join("any" if size is None else str(size) for size in output)


def _shape(text: str) -> tuple[int, int, int]:
    parts = [part.strip() for part in text.replace("x", ",").split(",")]
    if len(parts) != 3 or not all(part.isdecimal() and len(part) < MOST_DIGITS for part in parts):
        raise ConfigError("--image-shape must have the form height,width,channels", received=text)
    height, width, channels = map(int, parts)
    return height, width, channels
