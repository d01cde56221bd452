"""`data`: what is in the images of a pipeline, and how fast they are read."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from kerasvision.cli.anomalies import COLOURS, print_anomalies
from kerasvision.cli.embedding import Asked, show_embedding
from kerasvision.cli.options import Overrides, PipelineFile, Root
from kerasvision.cli.prepared import prepared
from kerasvision.cli.stage_lines import stage_lines
from kerasvision.cli.tables import print_whole, table_of
from kerasvision.errors import ConfigError, DataError
from kerasvision.shortened import and_more

if TYPE_CHECKING:
    from rich.table import Table

    from kerasvision.data.feeding.bench import TimedStep
    from kerasvision.data.label_counts import LabelCounts

app = typer.Typer(
    help="Look at the images of a pipeline, and measure how fast they are read.", no_args_is_help=True, rich_markup_mode=None
)

MOST_CLASSES = 30
# What a column of names counts, if it is not images that have the class or the tag.
HEADINGS = {"objects": "objects of", "label_maps": "images that show"}
# The file formats of pictures.
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tiff", ".pdf", ".svg")


def _positive(value: float) -> float:
    if value <= 0:
        raise typer.BadParameter(f"must be above 0; received {value}.")
    return value


@app.command("scan")
def scan(
    target: Annotated[Path, typer.Argument(metavar="PIPELINE|DIR", help="A pipeline file, or a folder of class folders.")],
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    root: Root = Path(),
) -> None:
    """Check every image and report what is wrong. Exit code 3 if there is an error."""
    from kerasvision.pipeline.scan import scan as scan_images

    # Anomalies are printed below, together with the harmless ones, not after their stage.
    found = scan_images(target, overrides=overrides, root=root, listener=stage_lines(anomalies=False))
    verdict = found.verdict
    print_anomalies(verdict["anomalies"], found.anomalies.file, Console(highlight=False))
    colour = COLOURS[verdict["verdict"]]
    images = sum(found.images.values())
    print_whole(f"[{colour}]{verdict['verdict']}[/]: {images} images to use, {found.left_out} left out")
    typer.echo(f"page with pictures: {os.path.relpath(found.statistics.page)}")
    if any(anomaly["severity"] != "info" for anomaly in verdict["anomalies"]) and found.anomalies.quarantine.exists():
        typer.echo(f"to leave out suspicious images: --set ingest.quarantine_file={_relative(found.anomalies.quarantine)}")
    if verdict["verdict"] == "fail":
        raise typer.Exit(DataError.exit_code)


@app.command("show")
def show(
    target: Annotated[Path, typer.Argument(metavar="PIPELINE|DIR", help="A pipeline file, or a folder of class folders.")],
    overrides: Overrides = [],  # noqa: B006
    augmented: Annotated[
        Path | None,
        typer.Option("--augmented", metavar="FILE.png", help="Draw training images as the network receives them."),
    ] = None,
    embed: Annotated[
        bool,
        typer.Option("--embed", help="Write a page with a map of the images, clusters, components and suspected labels."),
    ] = False,
    features: Annotated[
        str, typer.Option("--features", help="With --embed: what describes an image, pixels or hog.")
    ] = "pixels",
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="With --embed: describe images by a network with ImageNet's weights, such as efficientnet_lite0, or by a "
            "saved model with a signature features.",
        ),
    ] = None,
    clusters: Annotated[
        int | None, typer.Option("--clusters", help="With --embed: how many clusters; by default as many as fit best.")
    ] = None,
    neighbours: Annotated[
        list[str],
        typer.Option(
            "--neighbours", metavar="ID|FILE", help="With --embed: print the nearest images of this one. Repeatable."
        ),
    ] = [],  # noqa: B006
    projector: Annotated[
        Path | None,
        typer.Option("--projector", metavar="DIR", help="With --embed: write a folder for TensorBoard's projector."),
    ] = None,
    most: Annotated[int, typer.Option("--most", help="With --embed: how many images to put on the map.")] = 5_000,
    seed: Annotated[int, typer.Option("--seed", help="With --embed: of everything that is drawn.")] = 0,
    root: Root = Path(),
) -> None:
    """Print how many images of each class or tag are in each split, and what changed in the source."""
    from kerasvision.pipeline.scan import scan as scan_images

    if augmented is not None and augmented.suffix.lower() not in PICTURES:
        raise ConfigError(f"--augmented requires a file that ends in {', '.join(PICTURES)}", received=str(augmented))
    if augmented is not None and target.is_dir():
        raise ConfigError("--augmented requires a pipeline file", received=str(target))
    asked = Asked(features, model, clusters, tuple(neighbours), projector, most, seed)
    asked.check(embed=embed)
    purpose = "data show"
    found = scan_images(target, overrides=overrides, root=root, purpose=purpose, listener=stage_lines())
    for counted in found.counts:
        _print_counts(counted, found.images)
    if not found.counts:
        _print_all(table_of("images", *found.images, right=tuple(found.images)), found.images)
    print_whole(escape(_span_line(found.span)))
    _print_spans(found.spans, list(found.images))
    typer.echo(f"page with pictures: {_relative(found.statistics.page)}")
    if augmented is not None:
        from kerasvision.data.feeding.preview import draw_augmented

        ready = prepared(target, overrides=overrides, root=root, purpose=purpose)
        draw_augmented(settings=ready.settings, examples=ready.examples(), transform=ready.transform(), file=augmented)
        typer.echo(f"wrote {augmented}")
    if embed:
        show_embedding(found, asked, root=root)


@app.command("bench")
def bench(
    pipeline_file: PipelineFile,
    overrides: Overrides = [],  # noqa: B006
    seconds: Annotated[float, typer.Option("--seconds", callback=_positive, help="About how long to measure.")] = 20.0,
    target: Annotated[
        float, typer.Option("--target", callback=_positive, help="Images/s that the accelerator trains on.")
    ] = 3000.0,
    root: Root = Path(),
) -> None:
    """Measure how fast training images are prepared, step by step, and name the slowest step.

    One H200 trains a ResNet-50 on 3,000 images/s.
    """
    from kerasvision.data.copy_advice import advice_on_copies
    from kerasvision.data.examples import ExampleSet
    from kerasvision.data.feeding.bench import bench_input, bench_opening

    ready = prepared(pipeline_file, overrides=overrides, root=root, purpose="data bench")
    transform, training = ready.transform(), ready.settings
    wanted: dict[str, Any] = {"transform": transform, "augment": training.augment, "reads": training.reads}
    photos = ExampleSet(ready.examples_folder) if ready.training_folder != ready.examples_folder else None
    images, share = ready.examples(), seconds / 2 if photos else seconds
    _print_steps(bench_input(images, batch_size=training.training.batch_size, seconds=share, **wanted), target)
    if photos:
        took = bench_opening({"copies": images, "photos": photos}, seconds=share, **wanted)
        of_photo = f"{took['photos']:.2f} ms, {took['photos'] / took['copies']:.1f} times as long"
        typer.echo(
            f"these are reduced copies: reading and decoding one takes {took['copies']:.2f} ms, and its photo {of_photo}"
        )
    note = advice_on_copies(
        ready.examples_folder,
        ready.manifest_file,
        settings=transform.settings,
        trainings=[training],
        transform_file=ready.transform_file,
    )
    if note:
        typer.echo(f"note: {note}")


def _print_steps(steps: Sequence["TimedStep"], target: float) -> None:
    """Prints a row for each step, which is the slowest, and how many cores are needed for `target` images/s."""
    from kerasvision.data.feeding.bench import cores_to_feed, slowest_step

    table = table_of("step", "ms per image", "images/s up to here", right=("ms per image", "images/s up to here"))
    for step in steps:
        table.add_row(step.name, f"{step.milliseconds:.3f}", f"{step.images_per_second:,.0f}")
    print_whole(table)
    slow = slowest_step(steps)
    cores = cores_to_feed(steps, images_per_second=target)
    each = sum(step.milliseconds for step in steps)
    typer.echo(f"the slowest step is {slow.name}: {slow.milliseconds / each:.0%} of {each:.2f} ms of one core per image")
    needs = f"needs {cores:.1f} cores like these, {1e3 / each:,.0f} images/s each"
    typer.echo(f"an accelerator that trains on {target:,.0f} images/s {needs}")


def _relative(path: Path) -> str:
    return os.path.relpath(path)


def _print_counts(counted: "LabelCounts", images: dict[str, int]) -> None:
    """Prints a row for each class or tag, one for the images without any, and one for all images."""
    table = table_of(HEADINGS.get(counted.annotation, counted.one), *images, right=tuple(images))
    names = list(dict.fromkeys(name for split in counted.counts.values() for name in split))
    for name in names[:MOST_CLASSES]:
        table.add_row(escape(name), *(str(counted.counts.get(split, {}).get(name, 0)) for split in images))
    if more := and_more(len(names), most=MOST_CLASSES):
        table.add_row(more)
    if counted.without:
        table.add_row(f"({counted.nothing})", *(str(counted.without.get(split, 0)) for split in images))
    _print_all(table, images, name="all" if counted.things == "images" else "all images")


def _print_all(table: "Table", images: dict[str, int], *, name: str = "all") -> None:
    """Prints a table after a last row, which is about all images."""
    table.add_row(f"[bold]{name}[/]", *(f"[bold]{count}[/]" for count in images.values()))
    print_whole(table)


def _print_spans(spans: dict[int, dict[str, int]], splits: list[str]) -> None:
    """Prints in which span the images of each split were added; nothing if all came in one."""
    if len(spans) < 2:
        return
    columns = list(dict.fromkeys([*splits, *(name for of_span in spans.values() for name in of_span)]))
    table = table_of("added in span", *columns, right=tuple(columns))
    for number, of_span in spans.items():
        table.add_row(str(number), *(str(of_span.get(name, 0)) for name in columns))
    print_whole(table)


def _span_line(span: dict[str, Any]) -> str:
    """What changed since the previous examples, in one line."""
    if span["span"] == 1:
        return f"span 1: {span['added']} images, the first ones read here"
    new = ", ".join(f"{span[kind]} {kind}" for kind in ("added", "removed", "changed", "relabelled") if span[kind])
    return f"span {span['span']}: {new or 'nothing new'}; {span['unchanged']} unchanged"
