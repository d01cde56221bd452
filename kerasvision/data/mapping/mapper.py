"""Applies a function to many items. A runner of the settings decides where; the results and their order are the same."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

from kerasvision import lookup
from kerasvision.config.runners import LOCAL, Runner

T = TypeVar("T")
R = TypeVar("R")


class Mapper(Protocol):
    """Applies a function to many items, in one process or in several.

    Attributes:
        is_here: whether this process does all the work. It then gets all items in one call, and keeps what is in memory.
    """

    is_here: bool

    def map(self, function: Callable[[Iterable[T]], Iterator[R]], items: Iterable[T], *, chunk: int) -> Iterator[R]:
        """The results of the function, in the order of the items. Only few of them are in memory at a time.

        Args:
            function: items -> their results. What it returns for some items must not depend on the others: called with
                one part of them after the other, it must return the same results. For another process it must be
                picklable, and so must items and results.
            items: what it is applied to.
            chunk: how many items another process gets at a time.
        """


class Here:
    """Applies the function in this process.

    >>> list(Here().map(lambda numbers: (2 * number for number in numbers), [1, 2, 3], chunk=2))
    [2, 4, 6]
    """

    is_here = True

    def __init__(self, settings: Runner = LOCAL, scratch: Path | None = None) -> None:
        """It has no settings, and writes no files."""

    def map(self, function: Callable[[Iterable[T]], Iterator[R]], items: Iterable[T], *, chunk: int) -> Iterator[R]:
        """The results of one call with all items."""
        return function(items)


HERE = Here()


def mapper_of(runner: Runner, *, scratch: Path) -> Mapper:
    """The mapper of a runner.

    Args:
        runner: of the settings.
        scratch: a folder for its files, which it creates if it needs one, and removes at the end. All processes that work
            for it must be able to read and write there under this path.
    """
    mapper: Mapper = lookup.load(runner.implementation)(runner, scratch.absolute())
    return mapper
