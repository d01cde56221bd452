"""Writes a first pipeline file for a folder of images, for a person to edit."""

import math
from collections import Counter
from pathlib import Path
from string import Template

from PIL import Image, UnidentifiedImageError
from pydantic import TypeAdapter

from kerasvision.config.experiment import Experiment
from kerasvision.config.listing import is_file
from kerasvision.config.sources import ImageFolder
from kerasvision.data.records import Record
from kerasvision.data.sources.image_folder import read_image_folder
from kerasvision.errors import ConfigError, DataError

SAMPLED_IMAGES = 200
SMALL_SIDE = 48

_FILE = Template('''"""$classes classes, $images images in $folder. Written by `kerasvision new`; not measured yet."""

from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="$name",
    source=c.ImageFolder(path=$path),
    transform=c.Transform(image_size=($side, $side), fit="crop", color_mode="$color_mode", scale="standardize"),
    augment=(c.RandomFlip(), c.PadCrop(pad=$pad)),
    task=c.Classification(),
    model=c.Model(name="$model"),
    training=c.Training(
        epochs=$epochs, batch_size=$batch_size, optimizer=c.Adam(learning_rate=1e-3), schedule="cosine", warmup_epochs=1
    ),
    # A model that always predicts the largest class, $largest, is right for $majority of the images.
    gate=c.Gate(c.AtLeast("accuracy", $bound)),
)
''')


def write_pipeline_file(name: str, *, images: Path, folder: Path) -> Path:
    """Looks at the images and writes `<folder>/<name>.py`.

    Args:
        name: the experiment's name.
        images: class folders, with or without split folders.
        folder: the folder for the file; it is created if it does not exist.

    Raises:
        ConfigError: an invalid name, or a file that already exists.
        DataError: no folder, no class folders, fewer than two classes, or no readable image.
    """
    checked = Experiment.model_fields["name"]
    try:
        TypeAdapter(checked.rebuild_annotation()).validate_python(name)
    except ValueError:
        raise ConfigError("a name contains lower-case letters, digits, - and _, and is not a path", received=name) from None
    file = folder / f"{name}.py"
    if file.exists():
        raise ConfigError(f"{file} exists already, and is not overwritten", hint="choose another name")
    source = ImageFolder(path=images)
    records = [record for record in read_image_folder(source) if not record.fault]
    counts = Counter(record.label for record in records)
    if len(counts) < 2:
        raise DataError(f"{images} must hold images of at least two classes", received=list(counts))
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(_FILE.substitute(_choices(name, images, records, counts)), encoding="utf-8")
    return file


def _choices(name: str, images: Path, records: list[Record], counts: Counter[str]) -> dict[str, str | float]:
    median_side, is_grey = _look(records)
    small = median_side <= SMALL_SIDE
    side = 32 if small else 128
    largest, most = counts.most_common(1)[0]
    share = most / len(records)
    return {
        "name": name,
        "path": repr(str(images)),
        "folder": escape_docstring(str(images)),
        "classes": len(counts),
        "images": len(records),
        "side": side,
        "pad": side // 16,
        "color_mode": "grayscale" if is_grey else "rgb",
        "model": "resnet20" if small else "resnet18",
        "epochs": 20,
        "batch_size": max(4, min(32, len(records) // 20)),
        "largest": repr(largest),
        "majority": f"{share:.1%}",
        "bound": math.ceil(share * 100) / 100,
    }


def escape_docstring(text: str) -> str:
    """A text for use between three double quotes: backslashes, quotes and unprintable characters are escaped.

    >>> escape_docstring('C:\\\\photos "new"')
    'C:\\\\\\\\photos \\\\"new\\\\"'
    """
    # repr chooses double quotes for a text with a single quote and without a double one.
    return repr(f'"{text}')[2:-1].replace("\\'", "'").replace('"', '\\"')


def _look(records: list[Record]) -> tuple[float, bool]:
    """(median of the shorter side in pixels, whether all are grey), from some images spread over the source."""
    sides, modes = [], set()
    for record in records[:: max(1, len(records) // SAMPLED_IMAGES)]:
        if not isinstance(record.content, Path) or not is_file(record.content):  # opening a pipe may block for ever
            continue
        try:
            with Image.open(record.content) as image:
                sides.append(min(image.size))
                modes.add(image.mode)
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError):
            continue  # the run itself names every bad file
    if not sides:
        raise DataError("none of the sampled files is a readable image", received=str(records[0].name))
    return sorted(sides)[len(sides) // 2], modes <= {"L", "1", "I;16"}
