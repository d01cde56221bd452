"""The statistics of a data set as one page that opens without a network."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
from PIL import Image

from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TRAIN
from kerasvision.data.statistics import Statistics
from kerasvision.ops.images import decode_image

PICTURES_PER_CLASS = 12
THUMBNAIL = (96, 96)


def write_statistics_page(statistics: Statistics, images: pd.DataFrame, *, examples: ExampleSet, file: Path) -> None:
    """Writes counts, colour, what was left out, and a contact sheet per class. Names of files and labels are escaped."""
    colour = images.groupby("split").agg(
        images=("id", "size"), brightness=("brightness", "mean"), contrast=("contrast", "mean")
    )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("statistics.html").render(
        statistics=statistics,
        total=len(images),
        colour=list(colour.reset_index().itertuples()),
        sheets=contact_sheets(examples),
    )
    file.write_text(page, encoding="utf-8")


def contact_sheets(examples: ExampleSet) -> dict[str, list[str]]:
    """Class -> its first training images, as data URLs of thumbnails."""
    sheets: dict[str, list[str]] = {name: [] for name in examples.classes}
    for label, data in _first_of_each_class(examples):
        sheets[examples.classes[label]].append(thumbnail_url(decode_image(data, color_mode="rgb").numpy()))
    return sheets


def thumbnail_url(pixels: np.ndarray) -> str:
    """A data URL of uint8 (H, W, 3) pixels, made small where they are large."""
    image = Image.fromarray(pixels)
    image.thumbnail(THUMBNAIL)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _first_of_each_class(examples: ExampleSet) -> Iterator[tuple[int, bytes]]:
    taken = [0] * len(examples.classes)
    for example in examples.dataset(TRAIN).as_numpy_iterator():
        if taken[example["label"]] < PICTURES_PER_CLASS:
            taken[example["label"]] += 1
            yield example["label"], example["image"]
        if min(taken) == PICTURES_PER_CLASS:
            return
