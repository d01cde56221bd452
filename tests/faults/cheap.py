"""Five stages that take some ten milliseconds and need no TensorFlow, and the number with which they end."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from kerasvision.config.base import Config
from kerasvision.pipeline.artifacts import Examples, Model, Out
from kerasvision.pipeline.graph import Channel, Pipeline


class InputSettings(Config):
    locations: ClassVar[frozenset[str]] = frozenset({"path"})

    path: Path

    def files(self) -> Iterator[tuple[str, Path]]:
        yield "input", self.path


class FactorSettings(Config):
    factor: int = 1


class OffsetSettings(Config):
    offset: int = 0


def write(folder: Path, number: int) -> None:
    """The number, in two files of which one lies deeper, so that an output is more than one operation."""
    (folder / "deep").mkdir()
    (folder / "number.txt").write_text(str(number))
    (folder / "deep" / "copy.txt").write_text(str(number))


def number_in(folder: Path) -> int:
    one, other = (int((folder / name).read_text()) for name in ("number.txt", "deep/copy.txt"))
    if one != other:
        raise ValueError(f"{folder} has {one} and {other}")
    return one


def read(examples: Out[Examples], *, settings: InputSettings) -> None:
    write(examples.uri, int(settings.path.read_text()))


def multiply(examples: Examples, model: Out[Model], *, settings: FactorSettings) -> None:
    write(model.uri, number_in(examples.uri) * settings.factor)
    model.properties["number"] = number_in(model.uri)


def add(examples: Examples, model: Out[Model], *, settings: OffsetSettings) -> None:
    write(model.uri, number_in(examples.uri) + settings.offset)


def join(first: Model, second: Model, model: Out[Model]) -> None:
    write(model.uri, 100 * number_in(first.uri) + number_in(second.uri))


def copy(before: Model, model: Out[Model]) -> None:
    write(model.uri, number_in(before.uri))


def add_stages(made: Pipeline, path: Path, *, factor: int, offset: int) -> Channel:
    """Adds the stages to a pipeline; returns the output of the last."""
    source = made.add(read, settings=InputSettings(path=path)).examples
    product = made.add(multiply, examples=source, settings=FactorSettings(factor=factor)).model
    total = made.add(add, examples=source, settings=OffsetSettings(offset=offset)).model
    return made.add(copy, before=made.add(join, first=product, second=total).model).model


def pipeline(path: Path, factor: int, offset: int) -> Pipeline:
    made = Pipeline("campaign")
    add_stages(made, path, factor=factor, offset=offset)
    return made


def expected(number: int, factor: int, offset: int) -> int:
    """The number with which the stages end, in one line of arithmetic."""
    return 100 * number * factor + number + offset
