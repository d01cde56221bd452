"""One way to show that long work goes on: a bar on a terminal, nothing in a log or a pipe.

A process that works for another one does not draw: it reports its bars, and the other one draws those of all.

>>> with bar("reading", total=2) as advance:
...     advance(1)
...     advance(1)
"""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from rich.console import Console

if TYPE_CHECKING:  # a run that has nothing to do draws nothing, and need not wait for the import
    from rich.progress import Progress, TaskID

# A bar is reported and drawn at most this often.
SECONDS_BETWEEN_DRAWINGS = 0.1


class Advance(Protocol):
    """Moves a bar on."""

    def __call__(self, steps: int = 1, note: str | None = None) -> None:
        """Moves it on by `steps`; a note, such as the current loss, is shown until the next one."""


@dataclass(frozen=True)
class BarState:
    """How far a piece of work is.

    Attributes:
        number: which bar of its process this is.
        description, total: see `bar`.
        begun: steps that were done before the bar appeared.
        done: how many steps are done.
        note: a few words behind the bar.
        ended: whether the bar disappears.
    """

    number: int
    description: str
    total: int | None
    begun: int
    done: int
    note: str = ""
    ended: bool = False


class _Bars:
    """Where the bars of this process go: to the screen, or as states to another process."""

    report: Callable[[BarState], None] | None = None
    numbers = itertools.count()


def report_bars(report: Callable[[BarState], None]) -> None:
    """From now on the bars of this process are not drawn; their states are reported instead.

    Args:
        report: gets each state, at most ten a second of a bar, and always the last one.
    """
    _Bars.report = report


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
    if _Bars.report is not None:
        with _reported(description, total, done, _Bars.report) as advance:
            yield advance
        return
    console = Console(stderr=True)
    with _progress(console) as progress:
        task = progress.add_task(description, total=total, completed=done, note="")

        def move(steps: int = 1, note: str | None = None) -> None:
            progress.update(task, advance=steps)
            if note is not None:
                progress.update(task, note=note)

        yield move


@contextmanager
def _reported(description: str, total: int | None, begun: int, report: Callable[[BarState], None]) -> Iterator[Advance]:
    number, done, last_note, reported = next(_Bars.numbers), begun, "", 0.0

    def state(*, ended: bool = False) -> BarState:
        return BarState(number, description, total, begun, done, last_note, ended)

    def move(steps: int = 1, note: str | None = None) -> None:
        nonlocal done, last_note, reported
        done += steps
        last_note = last_note if note is None else note
        if time.monotonic() - reported >= SECONDS_BETWEEN_DRAWINGS:
            reported = time.monotonic()
            report(state())

    report(state())
    try:
        yield move
    finally:
        report(state(ended=True))


class Board:
    """The bars of several processes, drawn together on standard error; nothing where that is not a terminal.

    Nothing else may be printed while they are on the screen: first `hide` them. The next state draws them again.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._tasks: dict[tuple[str, int], TaskID] = {}
        self._is_shown, self._drawn = False, 0.0

    @cached_property
    def _progress(self) -> "Progress":
        return _progress(self._console, refreshes_itself=False)

    def show(self, owner: str, state: BarState) -> None:
        """Draws a bar in its new state.

        Args:
            owner: whose bar it is; stands before its description.
            state: what `report_bars` reported in the process of the owner.
        """
        key = (owner, state.number)
        if state.ended:
            if key in self._tasks:
                self._progress.remove_task(self._tasks.pop(key))
            self._draw(at_once=True)
            return
        if key not in self._tasks:
            text = f"{owner}: {state.description}"
            self._tasks[key] = self._progress.add_task(text, total=state.total, completed=state.begun, note="")
        self._progress.update(self._tasks[key], completed=state.done, note=state.note)
        self._draw()

    def forget(self, owner: str) -> None:
        """Takes the bars of an owner off that is gone."""
        gone = [key for key in self._tasks if key[0] == owner]
        for key in gone:
            self._progress.remove_task(self._tasks.pop(key))
        if gone:
            self._draw(at_once=True)

    def hide(self) -> None:
        """Takes all bars off the screen until the next state comes."""
        if self._is_shown:
            self._progress.stop()
            self._is_shown = False

    def _draw(self, *, at_once: bool = False) -> None:
        if not self._tasks:
            self.hide()
        elif not self._is_shown:
            self._progress.start()
            self._is_shown = True
        elif at_once or time.monotonic() - self._drawn >= SECONDS_BETWEEN_DRAWINGS:
            self._progress.refresh()
        else:
            return
        self._drawn = time.monotonic()


def _progress(console: Console, *, refreshes_itself: bool = True) -> "Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
        auto_refresh=refreshes_itself,
        disable=not console.is_terminal,
    )


def say(text: str) -> None:
    """A line on standard error that stays: what was chosen for a person who left it to be chosen."""
    Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(f"  {text}")
