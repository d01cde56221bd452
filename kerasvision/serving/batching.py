"""Joins requests: one thread runs the model on all rows that are waiting, up to the best size of a batch.

`batch_sizes` says how that size is found.

While the model is free, no request waits for a larger batch, with one exception. If fewer rows are waiting than the last
batch had, the thread waits for a moment, because clients that wait for their answers ask again at nearly the same time. A
single client never waits.

Requests to the same signature with rows of the same shape queue together. A long request gets the rows of one batch at a
time and then goes to the end of the queue, so that short ones pass. Queues of different signatures take turns. If the model
raises an error for a batch, the batch is halved until the failing request is alone: the others get their answers.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from kerasvision.serving.batch_sizes import BatchSizes
from kerasvision.serving.limits import Limits, Refused
from kerasvision.serving.loaded import Columns, ServedSignature
from kerasvision.serving.measures import Measures
from kerasvision.serving.protocol import Asked

log = logging.getLogger(__name__)

# Who waits, and the outcome.
Answered = tuple[asyncio.Future[Columns], Columns | Exception]


@dataclass(eq=False)
class _Request:
    """A waiting request: how much of it is done, and where its answer goes."""

    asked: Asked
    rows: int
    future: asyncio.Future[Columns]
    taken: int = 0
    parts: list[Columns] = field(default_factory=list)

    @property
    def key(self) -> Hashable:
        """Requests with the same key may be joined."""
        if not self.asked.signature.joins:
            return id(self)
        return self.asked.signature, *(array.shape[1:] for array in self.asked.columns.values())


@dataclass(frozen=True)
class _Piece:
    """Some rows of a request; `stop` is None if rows cannot be told apart."""

    request: _Request
    start: int
    stop: int | None

    @property
    def rows(self) -> int:
        return 1 if self.stop is None else self.stop - self.start

    @property
    def is_all(self) -> bool:
        return self.stop is None or self.rows == self.request.rows

    def columns(self) -> Columns:
        """The input of these rows: name -> array, rows first."""
        given = self.request.asked.columns
        return given if self.is_all else {name: array[self.start : self.stop] for name, array in given.items()}


class Batcher:
    """A thread that answers requests together. `start`, then `answer` from an event loop, then `stop`.

    Args:
        limits: the largest batch, the longest wait, and the most waiting rows.
        measures: what Prometheus reads.
    """

    def __init__(self, limits: Limits, measures: Measures) -> None:
        self._limits = limits
        self._measures = measures
        self._queues: OrderedDict[Hashable, deque[_Request]] = OrderedDict()
        self._change = threading.Condition()
        self._waiting_rows = 0
        self._sizes = BatchSizes(limits.max_batch_size)
        self._last = (0, 0)  # of the last batch: the hash of its queue's key (which keeps no model alive), and its rows
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)

    def start(self) -> None:
        """Starts to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answers all waiting requests, and ends."""
        with self._change:
            self._stopping = True
            self._change.notify()
        self._thread.join()

    async def answer(self, asked: Asked) -> Columns:
        """Output name -> array, for the rows of this request.

        Raises:
            Refused: 503, too many rows are waiting; 400, the model cannot use this input; 500, the model failed.
        """
        rows = len(asked.pixels) or 1
        request = _Request(asked, rows, asyncio.get_running_loop().create_future())
        with self._change:
            if self._waiting_rows + rows > self._limits.max_waiting_rows:
                raise Refused(503, f"{self._waiting_rows:,} rows are waiting; try again later")
            self._queues.setdefault(request.key, deque()).append(request)
            self._count(rows)
            self._change.notify()
        return await request.future

    def _work(self) -> None:
        while self._answer_batch():
            pass

    def _answer_batch(self) -> bool:
        """Whether there was a batch. Nothing of it stays referenced during the next wait: its model may have to be freed."""
        pieces = self._next_batch()
        if pieces:
            queue, rows = self._last
            self._measures.batch_rows.observe(rows)
            began = time.perf_counter()
            outcomes = self._outcomes(pieces)
            are_joined = pieces[0].stop is not None  # Each of the others is a queue of its own, which never comes back.
            if are_joined and not any(isinstance(outcome, Exception) for outcome in outcomes):
                self._sizes.measured(queue, rows, seconds=time.perf_counter() - began)
            self._hand_out(pieces, outcomes)
        return bool(pieces)

    def _next_batch(self) -> list[_Piece]:
        """The rows to answer next; empty when it is time to stop."""
        with self._change:
            while not self._queues and not self._stopping:
                self._change.wait()
            if not self._queues:
                return []
            key = next(iter(self._queues))
            self._await_company(key)
            queue = self._queues.pop(key)
            pieces = self._take(queue, room=self._sizes.largest(hash(key), waiting=self._waiting(queue)))
            if queue:
                self._queues[key] = queue  # behind the others
            rows = sum(piece.rows for piece in pieces)
            self._last = (hash(key), rows)
            self._count(-rows)
            return pieces

    def _await_company(self, key: Hashable) -> None:
        last_queue, last_rows = self._last
        if hash(key) != last_queue:
            return
        deadline = time.monotonic() + self._limits.max_delay_seconds
        while not self._stopping and sum(request.rows - request.taken for request in self._queues[key]) < last_rows:
            if (left := deadline - time.monotonic()) <= 0:
                return
            self._change.wait(left)

    def _waiting(self, queue: deque[_Request]) -> int:
        """How many of the waiting rows fit into one batch of any size."""
        if not queue[0].asked.signature.joins:
            return 1
        return sum(piece.rows for piece in self._fitting(queue, room=self._limits.max_batch_size))

    def _take(self, queue: deque[_Request], *, room: int) -> list[_Piece]:
        """Takes at least one row from the queue, and as many as `room` and the limits allow."""
        if not queue[0].asked.signature.joins:
            return [_Piece(queue.popleft(), 0, None)]
        pieces = self._fitting(queue, room=room)
        for piece in pieces:
            request = queue.popleft()
            request.taken += piece.rows
            if request.taken < request.rows:
                queue.append(request)
        return pieces

    def _fitting(self, queue: Iterable[_Request], *, room: int) -> list[_Piece]:
        """What `_take` takes, with the rows of a request in one piece."""
        pixels = self._limits.max_pixels
        pieces: list[_Piece] = []
        for request in queue:
            start = stop = request.taken
            while stop < request.rows and room and (request.asked.pixels[stop] <= pixels or not (pieces or stop > start)):
                room, pixels, stop = room - 1, pixels - request.asked.pixels[stop], stop + 1
            if stop == start:
                break
            pieces.append(_Piece(request, start, stop))
        return pieces

    def _outcomes(self, pieces: Sequence[_Piece]) -> Sequence[Columns | Exception]:
        """For each piece, its outputs or the error."""
        try:
            return _ask(pieces[0].request.asked.signature, pieces)
        except Exception as error:  # No error may reach the other requests, or end the thread.
            if len(pieces) == 1:
                return [error]
            middle = len(pieces) // 2
            return [*self._outcomes(pieces[:middle]), *self._outcomes(pieces[middle:])]

    def _hand_out(self, pieces: Sequence[_Piece], outcomes: Sequence[Columns | Exception]) -> None:
        ready: list[Answered] = []
        for piece, outcome in zip(pieces, outcomes, strict=True):
            request = piece.request
            if isinstance(outcome, Exception):
                self._drop_rest(request)
                ready.append((request.future, _as_refusal(outcome)))
                continue
            request.parts.append(outcome)
            if piece.stop in (None, request.rows):
                ready.append((request.future, _joined(request.parts)))
        if ready:
            # One call for all of them, because each call would wake the loop.
            with contextlib.suppress(RuntimeError):  # The loop was closed: nobody is waiting.
                ready[0][0].get_loop().call_soon_threadsafe(_deliver, ready)

    def _drop_rest(self, request: _Request) -> None:
        """Drops the remaining rows of a request that failed."""
        with self._change:
            queue = self._queues.get(request.key)
            if queue is not None and request in queue:
                queue.remove(request)
                self._count(request.taken - request.rows)
                if not queue:
                    del self._queues[request.key]

    def _count(self, rows: int) -> None:
        self._waiting_rows += rows
        self._measures.waiting_rows.set(self._waiting_rows)


def _ask(signature: ServedSignature, pieces: Sequence[_Piece]) -> list[Columns]:
    if len(pieces) == 1 and pieces[0].is_all:
        return [signature(pieces[0].columns())]
    given = [piece.columns() for piece in pieces]
    outputs = signature({name: np.concatenate([columns[name] for columns in given]) for name in signature.inputs})
    rows = sum(piece.rows for piece in pieces)
    if any(len(values) != rows for values in outputs.values()):
        raise Refused(500, f"{signature.name} does not answer row by row, so it cannot be asked for several rows at once")
    ends = np.cumsum([piece.rows for piece in pieces])
    return [
        {name: values[end - piece.rows : end] for name, values in outputs.items()}
        for piece, end in zip(pieces, ends, strict=True)
    ]


def _joined(parts: Sequence[Columns]) -> Columns:
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _as_refusal(error: Exception) -> Refused:
    """The error as a refusal: TensorFlow's error type says whether the input is the cause."""
    if isinstance(error, Refused):
        return error
    text = _reason(str(error))[:300] or type(error).__name__
    if type(error).__name__ in ("InvalidArgumentError", "OutOfRangeError"):
        return Refused(400, f"the model cannot use this input: {text}")
    log.error("the model failed: %s: %s", type(error).__name__, text)
    return Refused(500, f"the model failed: {text}")


def _reason(text: str) -> str:
    """The reason in a TensorFlow message: the line before the first that names a node.

    >>> _reason("Graph execution error:\\n\\nDetected at node x\\nno positive number\\n\\t [[{{node x}}]]")
    'no positive number'
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    nodes = [number for number, line in enumerate(lines) if line.startswith("[[")]
    return lines[max(nodes[0] - 1, 0) if nodes else 0] if lines else ""


def _deliver(ready: Sequence[Answered]) -> None:
    for future, outcome in ready:
        if future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
