"""`sample`: images that a saved model makes."""

from pathlib import Path
from typing import Annotated

import typer

# Beyond these, a command is a mistake, or a seed is no int64.
MOST_IMAGES, LARGEST_SEED = 1_000_000, 2**63 - 1


def sample(
    saved_model: Annotated[Path, typer.Argument(metavar="SAVED_MODEL", help="saved_models/<name>, or one version of it.")],
    count: Annotated[int, typer.Option(min=1, max=MOST_IMAGES, help="How many images, of each class.")] = 16,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="The same seed gives the same images.")] = 0,
    label: Annotated[
        list[str] | None, typer.Option(help="Only images of this class. Repeatable; by default of all classes.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one picture of all images, a .png file.")] = None,
    folders: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write a file for each image in a folder for each class, and a table: a source of images."
        ),
    ] = None,
) -> None:
    """Make images with a saved model that can, as one picture or as files for a training."""
    from kerasvision.export.asking.made import ImageMaker, check_outputs, check_shown, write_files, write_picture

    check_outputs(out, folders)
    maker = ImageMaker(saved_model)
    labels = maker.chosen(label or ())
    made = maker.make(labels=labels, count=count, seed=seed)
    if out is not None:
        check_shown(count * len(labels))
        write_picture(list(made), out)
        typer.echo(f"{out}: {count * len(labels):,} images")
    elif folders is not None:
        typer.echo(f"{folders}: {write_files(made, folders):,} images, listed in images.csv")
