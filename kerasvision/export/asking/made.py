"""Images that a saved model makes: as one picture, or as files that a training can read."""

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from PIL import Image

from kerasvision.errors import ConfigError, ExportError
from kerasvision.lookup import did_you_mean
from kerasvision.progress import bar
from kerasvision.served.model import ServedModel
from kerasvision.served.signatures import (
    LABEL_INPUT,
    NUMBER_INPUT,
    SAMPLE_PNG,
    SAMPLE_SIGNATURE,
    SEED_INPUT,
    VALID,
)
from kerasvision.served.versions import find_saved_model

BATCH_SIZE = 64
# One picture shows at most this many images; files have no such limit.
MOST_SHOWN = 1024
GAP, GREY = 2, 128
TABLE = "images.csv"


@dataclass(frozen=True)
class Made:
    """An image that a model made.

    Attributes:
        label: its class; "" if none can be asked for.
        seed, number: which one it is; see the signature.
        png: the file.
    """

    label: str
    seed: int
    number: int
    png: bytes


class ImageMaker:
    """A saved model that makes images.

    Args:
        saved_model: a SavedModel, or a folder of versions: the highest is used.

    Attributes:
        labels: the classes that can be asked for; empty if none can be.

    Raises:
        ConfigError: there is no saved model, or it makes no images.
        ExportError: it is damaged.
    """

    def __init__(self, saved_model: Path) -> None:
        self.folder = find_saved_model(saved_model)
        self._model = ServedModel(self.folder)
        if SAMPLE_SIGNATURE not in self._model.signatures:
            raise ConfigError(
                f"{self.folder} makes no images: it has no signature {SAMPLE_SIGNATURE!r}",
                hint="train a network with the task `generation`, as pipelines/fashion_mnist_vae.py does",
            )
        takes = self._model.signatures[SAMPLE_SIGNATURE].structured_input_signature[1]
        lines = (self.folder / "assets" / "labels.txt").read_text(encoding="utf-8").splitlines()
        self.labels = tuple(lines) if LABEL_INPUT in takes else ()

    def chosen(self, labels: Sequence[str]) -> tuple[str, ...]:
        """The classes to make images of: those asked for, or all; ("",) if none can be asked for.

        Raises:
            ConfigError: there is no such class, or none can be asked for.
        """
        if labels and not self.labels:
            raise ConfigError(
                f"{self.folder} makes images of no particular class", received=labels[0], hint="leave --label out"
            )
        for label in labels:
            if label not in self.labels:
                raise ConfigError(f"no class is named {label!r}; {did_you_mean(label, self.labels)}")
        return tuple(dict.fromkeys(labels)) or self.labels or ("",)

    def make(self, *, labels: Sequence[str], count: int, seed: int) -> Iterator[Made]:
        """`count` images of each class, in the order of `labels`, the results of `chosen`."""
        asked = [(label, number) for label in labels for number in range(count)]
        with bar("images", total=len(asked)) as advance:
            for start in range(0, len(asked), BATCH_SIZE):
                some = asked[start : start + BATCH_SIZE]
                inputs = {SEED_INPUT: tf.fill([len(some)], tf.constant(seed, tf.int64))}
                inputs[NUMBER_INPUT] = tf.constant([number for _, number in some], tf.int64)
                if self.labels:
                    inputs[LABEL_INPUT] = tf.constant([label for label, _ in some])
                answers = self._model(SAMPLE_SIGNATURE, **inputs)
                if not answers[VALID].numpy().all():
                    raise ExportError(f"{self.folder} rejects a class of its own labels.txt", hint="export the model again")
                for (label, number), file in zip(some, answers[SAMPLE_PNG].numpy(), strict=True):
                    yield Made(label, seed, number, file)
                advance(len(some))


def check_shown(count: int) -> None:
    """Raises ConfigError if one picture cannot show this many images."""
    if count > MOST_SHOWN:
        raise ConfigError(
            f"a picture shows at most {MOST_SHOWN:,} images", received=count, hint="write files with --folders"
        )


def check_outputs(out: Path | None, folders: Path | None) -> None:
    """Rejects outputs that cannot be written, before a model is loaded.

    Raises:
        ConfigError: not exactly one of them is given, the picture is no PNG file, or the folder is not empty.
    """
    if (out is None) == (folders is None):
        raise ConfigError("give either --out, a picture of all images, or --folders, a file for each image")
    if out is not None and out.suffix.lower() != ".png":
        raise ConfigError("--out must end in .png", received=str(out))
    if out is not None and not out.parent.is_dir():
        raise ConfigError(f"there is no folder {out.parent}", received=str(out))
    if folders is not None and folders.exists() and (not folders.is_dir() or any(folders.iterdir())):
        raise ConfigError("--folders must be a new or an empty folder", received=str(folders))


def write_picture(made: Sequence[Made], out: Path) -> None:
    """One picture of all images: a row for each class, or if there is one class, about as many rows as columns."""
    classes = len({one.label for one in made})
    columns = len(made) // classes if classes > 1 else math.ceil(math.sqrt(len(made)))
    images = [Image.open(io.BytesIO(one.png)) for one in made]
    width, height = images[0].size
    rows = -(-len(images) // columns)
    size = (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP)
    whole = Image.new(images[0].mode, size, GREY if images[0].mode == "L" else (GREY,) * 3)
    for place, image in enumerate(images):
        whole.paste(image, (place % columns * (width + GAP), place // columns * (height + GAP)))
    whole.save(out)


def write_files(made: Iterator[Made], folder: Path) -> int:
    """A PNG file for each image, in a folder for each class, and `images.csv` with `path` and `label`; returns how many.

    `ImageFolder` reads the folders, and `Table` the table. A character of a class that a folder's name cannot have becomes
    "-": the table has the class as it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("path", "label"))
        for one in made:
            within = Path(folder_name(one.label)) / f"{one.seed}-{one.number:06d}.png"
            (folder / within.parent).mkdir(exist_ok=True)
            (folder / within).write_bytes(one.png)
            table.writerow((within.as_posix(), one.label))
            count += 1
    return count


def folder_name(label: str) -> str:
    """The name of a class's folder; "images" without a class.

    >>> folder_name("T-shirt/top"), folder_name("")
    ('T-shirt-top', 'images')
    """
    return re.sub(r'[/\\:*?"<>|\x00-\x1f]', "-", label).strip(". ") or "images"
