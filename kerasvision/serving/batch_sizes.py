"""How many rows a batch may have: the number at which the model answered most rows in a second.

A larger batch saves the cost of a call, but its maps may no longer fit into the processor's caches, and every request in it
waits for the whole. The best number depends on the network, the processor and the other work of the machine, so it is
measured while the server answers. Some batches of each size are tried, until a size is clearly slower than the best. The
first is the largest that the waiting rows fill: few clients never fill a larger one. From then on the best size is used, and
now and then the one above or below it: the machine may have changed. While no larger size than the best was ever filled, a
batch may have up to twice as many rows, because nothing says that they would be slower.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

# A smaller size is preferred if it reaches this share of the best rate: its requests wait for a shorter time.
NEARLY = 0.97
# Half a size that reached less than this share of the best rate is not tried.
FAR_BELOW = 0.85
# How many batches of a size are measured first; of these, the first one may be slow.
TRIES = 4
# One batch in this many has the size above or below the best one.
TRIED_AGAIN = 50
# The weight of the newest measurement in the mean.
NEWEST = 0.2
# Queues that are remembered: one for each signature and shape of rows.
MOST_QUEUES = 64


@dataclass
class _Measured:
    """Rows per second by size of a batch, how many batches of each size there were, and how many of any size."""

    rates: dict[int, float] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    batches: int = 0


class BatchSizes:
    """The sizes for all queues of a server, none larger than `most`.

    >>> sizes = BatchSizes(8)
    >>> for _ in range(16):
    ...     rows = sizes.largest("queue", waiting=8)
    ...     sizes.measured("queue", rows, seconds=0.01 + 0.001 * rows + (0.02 if rows > 4 else 0.0))
    >>> sizes.largest("queue", waiting=8), sizes.largest("another queue", waiting=3)
    (4, 2)
    """

    def __init__(self, most: int) -> None:
        self._sizes = [most]
        while self._sizes[-1] > 1:
            self._sizes.append(self._sizes[-1] // 2)
        self._queues: OrderedDict[Hashable, _Measured] = OrderedDict()

    def largest(self, queue: Hashable, *, waiting: int) -> int:
        """How many rows the next batch of a queue may have, if this many are waiting, at least 1."""
        known = self._queues.get(queue, _Measured())
        if (untried := self._untried(known, waiting)) is not None:
            return untried
        best = self._best(known.rates)
        place = self._sizes.index(best)
        neighbours = [size for size in self._sizes[max(place - 1, 0) : place + 2] if size != best and size <= waiting]
        if known.batches % TRIED_AGAIN == TRIED_AGAIN - 1 and neighbours:
            return neighbours[known.batches // TRIED_AGAIN % len(neighbours)]
        return best

    def measured(self, queue: Hashable, rows: int, *, seconds: float) -> None:
        """What a batch of a queue took. Only batches as large as one of the sizes change its rates."""
        known = self._queues.setdefault(queue, _Measured())
        self._queues.move_to_end(queue)
        if len(self._queues) > MOST_QUEUES:
            self._queues.popitem(last=False)
        known.batches += 1
        if rows not in self._sizes or seconds <= 0:
            return
        count = known.counts.get(rows, 0)
        # A mean of all but the first, and later of the last ones.
        newest = 1.0 if count < 2 else max(NEWEST, 1 / count)
        known.rates[rows] = (1 - newest) * known.rates.get(rows, 0.0) + newest * rows / seconds
        known.counts[rows] = count + 1

    def _untried(self, known: _Measured, waiting: int) -> int | None:
        """The largest size that the rows fill and that was not tried enough, unless the next larger one was far too slow."""
        untried = next((size for size in self._sizes if size <= waiting and known.counts.get(size, 0) < TRIES), None)
        above = min((size for size in known.rates if untried is not None and size > untried), default=None)
        is_slow = above is not None and known.rates[above] < FAR_BELOW * max(known.rates.values())
        return None if is_slow else untried

    def _best(self, rates: dict[int, float]) -> int:
        """The smallest size whose rate is nearly that of the fastest; if that is the largest measured, the one above it."""
        fastest = max(rates.values())
        best = min(size for size, rate in rates.items() if rate >= NEARLY * fastest)
        return self._sizes[max(self._sizes.index(best) - 1, 0)] if best == max(rates) else best
