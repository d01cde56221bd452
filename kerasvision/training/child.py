"""How a process that only trains starts, before it imports TensorFlow."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection

from kerasvision import quiet
from kerasvision.progress import BarState, receiver, report_bars, report_lines
from kerasvision.training.interruption import end_with_parent


def begin(*, quietly: bool, reports: Connection | None = None) -> None:
    """The initializer of a process made by multiprocessing.

    Args:
        quietly: whether to keep TensorFlow's startup messages off the screen, as in the parent process.
        reports: receives bars and lines, if the parent process reports them to another one. None: they are drawn here.
    """
    end_with_parent()
    if quietly:
        quiet.install()
    if reports is not None:
        report_bars(reports.send)
        report_lines(reports.send)


@contextmanager
def reports_passed_on(pipe: Callable[[], tuple[Connection, Connection]]) -> Iterator[Connection | None]:
    """Within it, what a child reports is reported further; the child must have ended before it ends.

    Args:
        pipe: makes (the end that receives, the end that sends).

    Yields:
        What the child gets as `reports`; close it here once the child has started. None if this process draws itself.
    """
    receive = receiver()
    if receive is None:
        yield None
        return
    ours, theirs = pipe()
    passing = threading.Thread(target=_pass_on, args=(ours, receive), daemon=True)
    passing.start()
    try:
        yield theirs
    finally:
        theirs.close()
        # The last lines come before the result.
        passing.join()


def _pass_on(reports: Connection, receive: Callable[[BarState | str], None]) -> None:
    """Passes on until the other end is closed."""
    with reports, suppress(EOFError, OSError):
        while True:
            receive(reports.recv())
