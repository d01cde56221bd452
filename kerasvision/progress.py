"""One way to show that long work goes on: a bar on a terminal, nothing in a log or a pipe.

>>> with bar("reading", total=2) as advance:
...     advance(1)
...     advance(1)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Advance(Protocol):
    """Moves a bar on."""

    def __call__(self, steps: int = 1, note: str | None = None) -> None:
        """By so many steps, with a new note if one is given."""


@contextmanager
def bar(description: str, *, total: int | None = None, done: int = 0) -> Iterator[Advance]:
    """A progress bar on standard error that disappears when the work is done.

    Args:
        description: what is being done, two or three words.
        total: how many steps there are; None where that is not known.
        done: how many of them were done before; the time left goes by those that follow.

    Yields:
        `advance(steps, note)`: moves the bar on, and shows a short note behind it, such as the current loss.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=total, completed=done, note="")

        def advance(steps: int = 1, note: str | None = None) -> None:
            if note is not None:
                progress.update(task, note=note)
            progress.update(task, advance=steps)

        yield advance


def say(text: str) -> None:
    """A line on standard error that stays: what was chosen for a person who left it to be chosen."""
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(f"  {text}")
