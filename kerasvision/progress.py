"""One way to show that long work goes on: a bar on a terminal, nothing in a log or a pipe.

>>> with bar("reading", total=2) as advance:
...     advance(1)
...     advance(1)
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def bar(description: str, *, total: int | None = None, done: int = 0) -> Iterator[Callable[..., None]]:
    """A progress bar on standard error that disappears when the work is done.

    Args:
        description: what is being done, two or three words.
        total: how many steps there are; None where that is not known.
        done: how many of them were done before; the time left goes by those that follow.

    Yields:
        `advance(steps, note="")`: moves the bar on, and shows a short note (the current loss, say) beside it.
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
        yield lambda steps=1, note=None: progress.update(task, advance=steps, **({} if note is None else {"note": note}))


def say(text: str) -> None:
    """A line on standard error that stays: what was chosen for a person who left it to be chosen."""
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(f"  {text}")
