"""Passes the events of a run on to several listeners: the first at once, those of the settings in threads of their own.

So a server that is down or does not answer neither stops nor delays the stages. Only the end of the run waits, for a limited
time.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread

from kerasvision import lookup
from kerasvision.config.listeners import Listener as Settings
from kerasvision.errors import KerasvisionError
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.launcher import Result
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.records import RunRecord

Event = Callable[[Listener], None]


@contextmanager
def followed(settings: Iterable[Settings], *, run: RunRecord, pipeline: Pipeline, first: Listener) -> Iterator[Listener]:
    """Within this context, listeners of the settings follow the run. Yields what receives the events.

    Args:
        settings: of the listeners.
        run: the run.
        pipeline: what is run.
        first: receives all events but `began` and `ended`, and a sentence about each listener that failed.
    """
    followers = [_Follower(one) for one in settings]
    listeners = Listeners(first, followers)
    for follower in followers:
        follower.tell(lambda listener: listener.began(run, pipeline))
    try:
        yield listeners
    except BaseException as error:
        listeners.close(error)
        raise
    listeners.close(None)


class Listeners(Listener):
    """Passes each event on to the first listener, and to all followers."""

    def __init__(self, first: Listener, followers: "Iterable[_Follower]") -> None:
        self._first = first
        self._followers = tuple(followers)

    def started(self, node: str) -> None:
        """A stage is about to be launched."""
        self._tell(lambda listener: listener.started(node))

    def waiting(self, node: str) -> None:
        """Another run is executing this stage."""
        self._tell(lambda listener: listener.waiting(node))

    def remark(self, node: str, sentence: str) -> None:
        """A sentence about a stage."""
        self._tell(lambda listener: listener.remark(node, sentence))

    def finished(self, result: Result) -> None:
        """A stage ran or was reused."""
        self._tell(lambda listener: listener.finished(result))

    def failed(self, node: str, error: BaseException) -> None:
        """A stage failed or was interrupted."""
        self._tell(lambda listener: listener.failed(node, error))

    def close(self, error: BaseException | None) -> None:
        """Tells the followers that the run ends, and waits until they have sent everything or their time is over.

        Args:
            error: why the run ends early; None if it does not.
        """
        for follower in self._followers:
            follower.tell(lambda listener: listener.ended(error))
            follower.close()
        began = time.monotonic()
        for follower in self._followers:
            if sentence := follower.wait(since=began):
                self._first.remark(follower.name, sentence)

    def _tell(self, event: Event) -> None:
        event(self._first)
        for follower in self._followers:
            follower.tell(event)


class _Follower:
    """Calls one listener in a thread of its own, with one event after the other."""

    def __init__(self, settings: Settings) -> None:
        self.name = settings.kind
        self._settings = settings
        self._events: SimpleQueue[tuple[int, Event] | None] = SimpleQueue()
        self._failure: Exception | None = None
        # A daemon does not keep the process alive if it hangs.
        self._thread = Thread(target=self._work, name=f"listener {self.name}", daemon=True)
        self._thread.start()

    def tell(self, event: Event) -> None:
        """Passes an event on; returns at once."""
        self._events.put((time.time_ns() // 1_000_000, event))

    def close(self) -> None:
        """Says that no more events come."""
        self._events.put(None)

    def wait(self, *, since: float) -> str:
        """Waits for the thread; returns what failed, or "".

        Args:
            since: the time of the monotonic clock at which the waiting began.
        """
        limit = self._settings.timeout_seconds
        self._thread.join(max(since + limit - time.monotonic(), 0))
        if self._failure is not None:
            # Our own errors already say what is wrong and the way out.
            own = isinstance(self._failure, KerasvisionError)
            what = str(self._failure) if own else f"{type(self._failure).__name__}: {_first_line(self._failure)}"
            return f"the listener {self.name} failed, which does not change the run: {what}"
        if self._thread.is_alive():
            way_out = "check its server, raise timeout_seconds, or leave it out of listeners"
            return f"the listener {self.name} has not sent everything after {limit:g} seconds, and was given up: {way_out}"
        return ""

    def _work(self) -> None:
        try:
            listener: Listener = lookup.load(self._settings.implementation)(self._settings)
            while (told := self._events.get()) is not None:
                listener.now_ms, event = told
                self._call(event, listener)
        except Exception as error:
            self._failure = self._failure or error

    def _call(self, event: Event, listener: Listener) -> None:
        """After a failure the next events are tried: a server may come back, and the end of a run should reach it."""
        try:
            event(listener)
        except Exception as error:
            self._failure = self._failure or error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "")
