"""`new`: from a folder of images to a pipeline file."""

from pathlib import Path
from typing import Annotated

import typer

from kerasvision import lookup


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The experiment's name; the file is pipelines/NAME.py.")],
    images: Annotated[Path, typer.Option("--images", metavar="DIR", help="A folder with a folder of images per class.")],
    folder: Annotated[Path, typer.Option("--folder", help="Where the file goes.")] = Path("pipelines"),
) -> None:
    """Look at a folder of images and write a pipeline file for it."""
    file = lookup.load("kerasvision.data.scaffold:write_pipeline_file")(name, images=images, folder=folder)
    typer.echo(f"wrote {file}; look it over, then: kerasvision run {file}")
