"""Shows the progress of long work: a bar on a terminal, nothing in a log or a pipe; and lines that stay, in both.

A process that works for another process does not draw: it reports its bars and lines, and the other process shows all.

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
from rich.text import Text

if TYPE_CHECKING:  # a run that has nothing to do draws nothing, and does not need the import
    from rich.progress import Progress, TaskID

# A bar is reported and drawn at most this often.
SECONDS_BETWEEN_DRAWINGS = 0.1


class Advance(Protocol):
    """Advances a bar."""

    def __call__(self, steps: int = 1, note: str | None = None) -> None:
        """Advances it by `steps`; a note, such as the current loss, is shown until the next one."""


@dataclass(frozen=True)
class BarState:
    """The progress of a piece of work.

    Attributes:
        number: of the bar in its process.
        description, total: see `bar`.
        begun: steps that were done before the bar appeared.
        done: how many steps are done.
        note: a few words after the bar.
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
    """Where the bars and lines of this process are shown: on the screen, or by another process."""

    report: Callable[[BarState], None] | None = None
    report_line: Callable[[str], None] | None = None
    # Draws the current bar. Only this console can print a line above the bar.
    screen: Console | None = None
    numbers = itertools.count()


def report_bars(report: Callable[[BarState], None]) -> None:
    """From now on the bars of this process are not drawn; their states are reported instead.

    Args:
        report: receives each state: at most ten per second and bar, and always the last one.
    """
    _Bars.report = report


def report_lines(report: Callable[[str], None]) -> None:
    """From now on the lines of `say` in this process are not printed; they are reported instead.

    Args:
        report: receives each line, without a line break.
    """
    _Bars.report_line = report


@contextmanager
def without_lines() -> Iterator[None]:
    """Lines of `say` are dropped meanwhile: for work of which only the result matters.

    >>> with without_lines():
    ...     say("not shown")
    """
    before, _Bars.report_line = _Bars.report_line, lambda line: None
    try:
        yield
    finally:
        _Bars.report_line = before


def receiver() -> Callable[[BarState | str], None] | None:
    """Receives what a third process reports to this one, and reports it further; None if this process draws itself."""
    report, report_line = _Bars.report, _Bars.report_line
    if report is None or report_line is None:
        return None
    return lambda reported: report_line(reported) if isinstance(reported, str) else report(reported)


@contextmanager
def bar(description: str, *, total: int | None = None, done: int = 0) -> Iterator[Advance]:
    """A progress bar on standard error that disappears when the work is done.

    Args:
        description: the work, in two or three words.
        total: how many steps there are; None if that is not known.
        done: how many steps were done before; the remaining time is estimated from later steps only.

    Yields:
        `advance(steps, note)`: advances the bar, and shows a short note after it, such as the current loss.
    """
    if _Bars.report is not None:
        with _reported(description, total, done, _Bars.report) as advance:
            yield advance
        return
    console, before = Console(stderr=True), _Bars.screen
    with _progress(console) as progress:
        task = progress.add_task(description, total=total, completed=done, note="")

        def move(steps: int = 1, note: str | None = None) -> None:
            progress.update(task, advance=steps)
            if note is not None:
                progress.update(task, note=note)

        _Bars.screen = console
        try:
            yield move
        finally:
            _Bars.screen = before


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
    """The bars of several processes, drawn together on standard error if it is a terminal.

    Call `hide` before printing anything else. The next state draws the bars again.
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
            owner: the owner of the bar, shown before its description.
            state: reported through `report_bars` in the owner's process.
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
        """Removes the bars of an owner that has ended."""
        gone = [key for key in self._tasks if key[0] == owner]
        for key in gone:
            self._progress.remove_task(self._tasks.pop(key))
        if gone:
            self._draw(at_once=True)

    def hide(self) -> None:
        """Removes all bars from the screen until the next state arrives."""
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
    """Prints a line on standard error that stays, above a bar: an epoch of a training, or what was chosen automatically.

    It is printed exactly as it is, and not wrapped.
    """
    if _Bars.report_line is not None:
        _Bars.report_line(text)
        return
    console = _Bars.screen or Console(stderr=True)
    # A Text, because in a str rich replaces `:cat:` by a picture.
    console.print(Text(f"  {text}"), soft_wrap=True)
