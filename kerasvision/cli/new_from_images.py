"""`new --images`: looks at a folder, chooses a recipe, and says what it saw, what it chose and what comes next."""

import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape
from rich.table import Table

from kerasvision.cli.tables import print_whole, table_of
from kerasvision.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping, Sequence

    from kerasvision.config.sources import Source
    from kerasvision.config.table_source import Table as ImageTable
    from kerasvision.data.first_look import FirstLook
    from kerasvision.data.maps_look import MapsLook
    from kerasvision.data.objects_look import ObjectsLook
    from kerasvision.data.recipe import Recipe
    from kerasvision.data.tags_look import TagsLook
    from kerasvision.data.values_look import ValuesLook
    from kerasvision.training.probes.training_time import TrainingTime

# A table of more classes than this shows the largest and the smallest.
MOST_CLASSES = 12
SHOWN_OF_MANY = 5


def write_for_images(name: str, *, images: Path, folder: Path, minutes: float | None) -> None:
    """Writes `<folder>/<name>.py`, and prints what the folder holds, the recipe and the next commands.

    Args:
        name: the experiment's name.
        images: class folders, with or without split folders; images with objects in COCO's, YOLO's or Pascal VOC's form; a
            folder of images and a folder of label maps; or a table of images with tags or numbers, or its folder.
        folder: the folder for the file; it is created if it does not exist.
        minutes: how long the training may take; a step is measured. None: the recipe's own number of epochs.

    Raises:
        ConfigError: an invalid name, a file that already exists, or minutes that are not above 0.
        DataError: no folder and no such table, neither class folders nor COCO's, YOLO's or Pascal VOC's form, too few
            classes or images, or no readable image.
    """
    from kerasvision.config.forms import source_of_form
    from kerasvision.config.inference import is_table
    from kerasvision.config.number_tables import table_of_numbers
    from kerasvision.config.tag_tables import table_of_tags
    from kerasvision.data.first_look import look_at
    from kerasvision.data.recipes import choose, installed_network
    from kerasvision.data.scaffold import new_file, pipeline_text

    if minutes is not None and minutes <= 0:
        raise ConfigError("--minutes must be above 0", received=minutes, hint="for example, --minutes 10")
    if not images.exists():
        raise DataError(
            f"there is no folder {images} (looked in {Path.cwd()})",
            hint="give --images a folder that has a folder of images for each class, or images with objects",
        )
    if tags := table_of_tags(images):
        _write_for_tags(name, tags, folder=folder, minutes=minutes)
        return
    if (table := table_of_numbers(images)) is not None:
        _write_for_values(name, table, images=images, folder=folder, minutes=minutes)
        return
    if not images.is_dir():
        # A photo is usually in the folder of its class.
        above = images.resolve().parent if is_table(images) else images.resolve().parent.parent
        raise DataError(
            f"--images must be a folder, or a table of images with tags or numbers; {images} is another file",
            hint=f"give --images the folder that has a folder of images for each class, such as {above}; a table needs a "
            "column image, path or file with paths, and a column tags or columns of numbers",
        )
    source = source_of_form(images)
    if source is not None and source.way_to("objects"):  # it has label maps only
        _write_for_maps(name, source, images=images, folder=folder, minutes=minutes)
        return
    if source is not None:
        _write_for_objects(name, source, images=images, folder=folder, minutes=minutes)
        return
    file, look = new_file(name, folder=folder), look_at(images)
    chosen = partial(choose, look, network=installed_network())
    recipe, time = _fitted(chosen, partial(pipeline_text, name, look=look), minutes=minutes, files=look.of_class)
    _write(file, pipeline_text(name, look=look, recipe=recipe))
    print_whole(_classes(look.counts, "images"))
    for line in (*_seen(look, recipe), f"recipe: {recipe.summary}, because {recipe.reason}", *_time(time, recipe)):
        typer.echo(line)
    typer.echo("\n".join(_next(file)))


def _write_for_objects(name: str, source: "Source", *, images: Path, folder: Path, minutes: float | None) -> None:
    from kerasvision.data.objects_look import look_at_objects
    from kerasvision.data.recipes import installed_network
    from kerasvision.data.recipes_objects import choose_for_objects
    from kerasvision.data.scaffold import new_file, pipeline_text

    file, look = new_file(name, folder=folder), look_at_objects(source, images=images)
    choose = partial(choose_for_objects, look, network=installed_network())
    recipe, time = _fitted(choose, partial(pipeline_text, name, look=look), minutes=minutes)
    _write(file, pipeline_text(name, look=look, recipe=recipe))
    print_whole(_classes(look.counts, "objects"))
    reason = f"recipe: {recipe.summary}, because {recipe.reason}"
    for line in (*_seen_objects(look, recipe), reason, *recipe.also, *_time(time, recipe), *_next(file)):
        typer.echo(line)


def _write_for_values(name: str, source: "ImageTable", *, images: Path, folder: Path, minutes: float | None) -> None:
    from kerasvision.data.recipes import installed_network
    from kerasvision.data.recipes_values import choose_for_values
    from kerasvision.data.scaffold import new_file, pipeline_text
    from kerasvision.data.values_look import look_at_values

    file, look = new_file(name, folder=folder), look_at_values(source, images=images)
    choose = partial(choose_for_values, look, network=installed_network())
    recipe, time = _fitted(choose, partial(pipeline_text, name, look=look), minutes=minutes)
    _write(file, pipeline_text(name, look=look, recipe=recipe))
    print_whole(_numbers(look))
    reason = f"recipe: {recipe.summary}, because {recipe.reason}"
    for line in (*_seen_values(look, recipe), reason, *_time(time, recipe), *_next(file)):
        typer.echo(line)


def _write_for_maps(name: str, source: "Source", *, images: Path, folder: Path, minutes: float | None) -> None:
    from kerasvision.data.maps_look import look_at_maps
    from kerasvision.data.recipes import installed_network
    from kerasvision.data.recipes_maps import choose_for_maps
    from kerasvision.data.scaffold import new_file, pipeline_text

    file, look = new_file(name, folder=folder), look_at_maps(source, images=images)
    choose = partial(choose_for_maps, look, network=installed_network())
    recipe, time = _fitted(choose, partial(pipeline_text, name, look=look), minutes=minutes)
    _write(file, pipeline_text(name, look=look, recipe=recipe))
    print_whole(_classes(look.counts, "maps with it"))
    reason = f"recipe: {recipe.summary}, because {recipe.reason}"
    for line in (*_seen_maps(look, recipe), reason, *_time(time, recipe), *_next(file)):
        typer.echo(line)


def _write_for_tags(name: str, source: "ImageTable", *, folder: Path, minutes: float | None) -> None:
    from kerasvision.data.recipes import installed_network
    from kerasvision.data.recipes_tags import choose_for_tags
    from kerasvision.data.scaffold import new_file, pipeline_text
    from kerasvision.data.tags_look import look_at_tags

    file, look = new_file(name, folder=folder), look_at_tags(source)
    choose = partial(choose_for_tags, look, network=installed_network())
    recipe, time = _fitted(choose, partial(pipeline_text, name, look=look), minutes=minutes)
    _write(file, pipeline_text(name, look=look, recipe=recipe))
    print_whole(_classes(look.counts, "images with it"))
    reason = f"recipe: {recipe.summary}, because {recipe.reason}"
    for line in (*_seen_tags(look, recipe), reason, *_time(time, recipe), *_next(file)):
        typer.echo(line)


def _fitted(
    choose: "Callable[..., Recipe]",
    text: "Callable[..., str]",
    *,
    minutes: float | None,
    files: "Mapping[str, Sequence[Path]] | None" = None,
) -> "tuple[Recipe, TrainingTime | None]":
    """The recipe with as many epochs as fit into these minutes, and the time of a training; None: its own epochs.

    Args:
        choose: (epochs=number) -> recipe; without epochs, with its own number.
        text: (recipe=recipe) -> the pipeline file.
        files: see `_measured`.
    """
    recipe = choose()
    if minutes is None:
        return recipe, None
    time = _measured(text(recipe=recipe), files)
    return choose(epochs=time.epochs_in(60 * minutes, images=recipe.trainings)), time


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    typer.echo(f"wrote {file}\n")


def _measured(text: str, files: "Mapping[str, Sequence[Path]] | None") -> "TrainingTime":
    """How long a training takes here, on these files or on the first images of the source.

    TensorFlow is imported only for this: it takes longer than all the rest.
    """
    import tempfile

    from kerasvision.config.loading import load_experiment
    from kerasvision.training.probes.training_time import training_time

    with tempfile.TemporaryDirectory(prefix="kerasvision-new-") as folder:
        file = Path(folder) / "measured.py"
        file.write_text(text, encoding="utf-8")
        return training_time(load_experiment(file), files)


def _classes(counts: "Counter[str]", what: str) -> Table:
    """A row per class, the largest first; of many classes, only the largest and the smallest."""
    rows = counts.most_common()
    table = table_of("class", what, right=(what,))
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
    held = ", ".join(f"{split} {count:,}" for split, count in recipe.split_sizes.items())
    images = f"{look.counts.total():,} images of {len(look.counts)} classes, {colour}"
    lines = [
        f"{images}; shorter side in pixels: {_spread(look.sides)}",
        f"splits: {held}",
    ]
    if recipe.is_final:
        lines.append("after the verdict another network is trained on all of them and pushed")
    if unjudged := recipe.unjudged:
        lines.append(f"no test image of {', '.join(map(repr, unjudged[:5]))}: too few images to judge by")
    return lines


def _seen_objects(look: "ObjectsLook", recipe: "Recipe") -> list[str]:
    colour = "grey" if look.is_grey else "in colour"
    left_out = f"; {look.left_out:,} cannot be used" if look.left_out else ""
    empty = sum(not count for count in look.per_image)
    held = ", ".join(f"{split} {count:,}" for split, count in recipe.split_sizes.items())
    return [
        f"{look.total:,} images with {look.counts.total():,} objects of {len(look.counts)} classes, {colour}{left_out}",
        f"longer side of an image in pixels: {_spread(look.sides)}",
        f"objects in an image: {_spread(look.per_image)}; images without objects: {empty:,}",
        f"side of an object in pixels, the root of its area: {_spread(look.object_sides)}",
        f"splits: {held}",
    ]


def _seen_maps(look: "MapsLook", recipe: "Recipe") -> list[str]:
    colour = "grey" if look.is_grey else "in colour"
    held = ", ".join(f"{split} {count:,}" for split, count in recipe.split_sizes.items())
    largest = sorted(look.shares.items(), key=lambda item: -item[1])[:SHOWN_OF_MANY]
    return [
        f"{look.total:,} images with maps of {len(look.counts)} classes, {colour}",
        f"longer side of an image in pixels: {_spread(look.sides)}",
        f"share of the pixels of {look.looked:,} maps: " + ", ".join(f"{name} {share:.1%}" for name, share in largest),
        f"splits: {held}",
        *_faults(look),
    ]


def _faults(look: "MapsLook") -> list[str]:
    """A line about the images that cannot be used, if there are any."""
    if not look.faults:
        return []
    return [f"images that cannot be used: {len(look.faults):,}; the first is {look.faults[0]}"]


def _numbers(look: "ValuesLook") -> Table:
    """A row per number."""
    table = table_of(
        "number", "least", "largest", "deviation", "missing", right=("least", "largest", "deviation", "missing")
    )
    for name, numbers in look.values.items():
        ends = (f"{number:.4g}" for number in (numbers.least, numbers.most, numbers.deviation))
        table.add_row(escape(name), *ends, f"{numbers.missing:,}")
    return table


def _seen_values(look: "ValuesLook", recipe: "Recipe") -> list[str]:
    colour = "grey" if look.is_grey else "in colour"
    left_out = f"; {look.left_out:,} cannot be used" if look.left_out else ""
    held = ", ".join(f"{split} {count:,}" for split, count in recipe.split_sizes.items())
    return [
        f"{look.total:,} images with numbers, {colour}{left_out}",
        f"longer side of an image in pixels: {_spread(look.sides)}",
        f"splits: {held}",
    ]


def _seen_tags(look: "TagsLook", recipe: "Recipe") -> list[str]:
    colour = "grey" if look.is_grey else "in colour"
    left_out = f"; {look.left_out:,} cannot be used" if look.left_out else ""
    without = sum(not count for count in look.per_image)
    held = ", ".join(f"{split} {count:,}" for split, count in recipe.split_sizes.items())
    return [
        f"{look.total:,} images with {len(look.counts):,} tags, {colour}{left_out}",
        f"longer side of an image in pixels: {_spread(look.sides)}",
        f"tags of an image: {_spread(look.per_image)}; images without a tag: {without:,}",
        f"splits: {held}",
    ]


def _spread(numbers: "Sequence[int]") -> str:
    """The least, the largest and the median of sorted numbers.

    >>> _spread((3, 4, 90)), _spread((5, 5))
    ('3 to 90, median 4', '5')
    """
    low, high = numbers[0], numbers[-1]
    return f"{low:,}" if low == high else f"{low:,} to {high:,}, median {numbers[len(numbers) // 2]:,}"


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
