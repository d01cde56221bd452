"""`new --images`: looks at a folder, chooses a recipe, and says what it saw, what it chose and what comes next."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape
from rich.table import Table

from kerasvision.cli.tables import print_whole, table_of
from kerasvision.errors import ConfigError, DataError

if TYPE_CHECKING:
    from kerasvision.data.first_look import FirstLook
    from kerasvision.data.recipes import Recipe
    from kerasvision.training.probes.training_time import TrainingTime

# A table of more classes than this shows the largest and the smallest.
MOST_CLASSES = 12
SHOWN_OF_MANY = 5


def write_for_images(name: str, *, images: Path, folder: Path, minutes: float | None) -> None:
    """Writes `<folder>/<name>.py`, and prints what the folder holds, the recipe and the next commands.

    Args:
        name: the experiment's name.
        images: class folders, with or without split folders.
        folder: the folder for the file; it is created if it does not exist.
        minutes: how long the training may take; a step is measured. None: the recipe's own number of epochs.

    Raises:
        ConfigError: an invalid name, a file that already exists, or minutes that are not above 0.
        DataError: no folder, no class folders, too few classes or images, or no readable image; or the folder has COCO's,
            YOLO's or Pascal VOC's form.
    """
    from kerasvision.config.meant import instead_of_class_folders
    from kerasvision.data.first_look import look_at
    from kerasvision.data.recipes import choose, installed_network
    from kerasvision.data.scaffold import new_file, pipeline_text

    if minutes is not None and minutes <= 0:
        raise ConfigError("--minutes must be above 0", received=minutes, hint="for example, --minutes 10")
    if not images.exists():
        raise DataError(
            f"there is no folder {images} (looked in {Path.cwd()})",
            hint="give --images a folder that has a folder of images for each class",
        )
    if form := instead_of_class_folders(images):
        raise DataError("new --images requires class folders", received=str(images), hint=form)
    file, look, network = new_file(name, folder=folder), look_at(images), installed_network()
    recipe, time = choose(look, network=network), None
    if minutes is not None:
        time = _measured(pipeline_text(name, look=look, recipe=recipe), look)
        epochs = time.epochs_in(60 * minutes, images=recipe.trainings)
        recipe = choose(look, network=network, epochs=epochs)
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(pipeline_text(name, look=look, recipe=recipe), encoding="utf-8")
    typer.echo(f"wrote {file}\n")
    print_whole(_classes(look))
    for line in (*_seen(look, recipe), f"recipe: {recipe.summary}, because {recipe.reason}", *_time(time, recipe)):
        typer.echo(line)
    typer.echo("\n".join(_next(file)))


def _measured(text: str, look: "FirstLook") -> "TrainingTime":
    """How long a training takes here. TensorFlow is imported only for this: it takes longer than all the rest."""
    import tempfile

    from kerasvision.config.loading import load_experiment
    from kerasvision.training.probes.training_time import training_time

    with tempfile.TemporaryDirectory(prefix="kerasvision-new-") as folder:
        file = Path(folder) / "measured.py"
        file.write_text(text, encoding="utf-8")
        return training_time(load_experiment(file), look.of_class)


def _classes(look: "FirstLook") -> Table:
    """A row per class, the largest first; of many classes, only the largest and the smallest."""
    rows = look.counts.most_common()
    table = table_of("class", "images", right=("images",))
    is_long = len(rows) > MOST_CLASSES
    for label, count in rows[:SHOWN_OF_MANY] if is_long else rows:
        table.add_row(escape(label), f"{count:,}")
    if is_long:
        between = rows[SHOWN_OF_MANY:-SHOWN_OF_MANY]
        table.add_row(f"and {len(between)} more", f"{between[-1][1]:,} to {between[0][1]:,}")
        for label, count in rows[-SHOWN_OF_MANY:]:
            table.add_row(escape(label), f"{count:,}")
    return table


def _seen(look: "FirstLook", recipe: "Recipe") -> list[str]:
    colour = "grey" if look.is_grey else "in colour"
    low, high = look.sides[0], look.sides[-1]
    sides = f"{low}" if low == high else f"{low} to {high}, median {look.median_side}"
    held = ", ".join(f"{split} {count:,}" for split, count in recipe.split_sizes.items())
    lines = [
        f"{look.counts.total():,} images of {len(look.counts)} classes, {colour}; shorter side in pixels: {sides}",
        f"splits: {held}",
    ]
    if recipe.is_final:
        lines.append("after the verdict another network is trained on all of them and pushed")
    if unjudged := recipe.unjudged:
        lines.append(f"no test image of {', '.join(map(repr, unjudged[:5]))}: too few images to judge by")
    return lines


def _time(time: "TrainingTime | None", recipe: "Recipe") -> list[str]:
    if time is None:
        return [f"{recipe.epochs} epochs; --minutes M measures a step on this machine, and chooses the epochs by it"]
    total = time.seconds(images=recipe.trainings, epochs=recipe.epochs) / 60
    images = " and then of ".join(f"{count:,}" for count in recipe.trainings)
    return [
        f"measured on {time.images} images: {time.start:.0f} s to start, {1e3 * time.image:.1f} ms once per image, "
        f"{1e3 * time.step_image:.1f} ms per image and epoch",
        f"{recipe.epochs} epochs of {images} images: about {total:.1f} minutes of training",
    ]


def _next(file: Path) -> list[str]:
    path = shlex.quote(str(file))
    return [
        "next:",
        f"  kerasvision data show {path}",
        f"  kerasvision run {path} --set training.epochs=1 --until trainer",
        f"  kerasvision run {path}",
    ]
