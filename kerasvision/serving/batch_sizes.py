"""How many rows a batch may have: the number at which the model answered most rows in a second.

A larger batch saves the cost of a call, but its maps may no longer fit into the processor's caches, and every request in it
waits for the whole. The best number depends on the network, the processor and the other work of the machine, so it is
measured while the server answers. Some batches of each size are tried, the largest first, until a size is clearly slower
than the best. From then on the best size is used, and now and then the one above or below it: the machine may have changed.
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
    """Rows per second by size of a batch, and how many batches of each size there were."""

    rates: dict[int, float] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)


class BatchSizes:
    """The sizes for all queues of a server, none larger than `most`.

    >>> sizes = BatchSizes(8)
    >>> for _ in range(16):
    ...     rows = sizes.largest("queue")
    ...     sizes.measured("queue", rows, seconds=0.01 + 0.001 * rows + (0.02 if rows > 4 else 0.0))
    >>> sizes.largest("queue")
    4
    """

    def __init__(self, most: int) -> None:
        self._sizes = [most]
        while self._sizes[-1] > 1:
            self._sizes.append(self._sizes[-1] // 2)
        self._queues: OrderedDict[Hashable, _Measured] = OrderedDict()

    def largest(self, queue: Hashable) -> int:
        """How many rows the next batch of a queue may have."""
        known = self._queues.get(queue, _Measured())
        if (untried := self._untried(known)) is not None:
            return untried
        best = self._best(known.rates)
        place = self._sizes.index(best)
        neighbours = [size for size in self._sizes[max(place - 1, 0) : place + 2] if size != best]
        batches = sum(known.counts.values())
        if batches % TRIED_AGAIN == TRIED_AGAIN - 1 and neighbours:
            return neighbours[batches // TRIED_AGAIN % len(neighbours)]
        return best

    def measured(self, queue: Hashable, rows: int, *, seconds: float) -> None:
        """What a batch of a queue took. Only batches as large as one of the sizes count."""
        if rows not in self._sizes or seconds <= 0:
            return
        known = self._queues.setdefault(queue, _Measured())
        self._queues.move_to_end(queue)
        if len(self._queues) > MOST_QUEUES:
            self._queues.popitem(last=False)
        count = known.counts.get(rows, 0)
        # A mean of all but the first, and later of the last ones.
        newest = 1.0 if count < 2 else max(NEWEST, 1 / count)
        known.rates[rows] = (1 - newest) * known.rates.get(rows, 0.0) + newest * rows / seconds
        known.counts[rows] = count + 1

    def _untried(self, known: _Measured) -> int | None:
        """The largest size that was not tried enough, unless the one above it was far below the best."""
        for above, size in zip([None, *self._sizes], self._sizes, strict=False):
            if known.counts.get(size, 0) < TRIES:
                is_slow = above is not None and known.rates[above] < FAR_BELOW * max(known.rates.values())
                return None if is_slow else size
        return None

    def _best(self, rates: dict[int, float]) -> int:
        """The smallest size whose rate is nearly that of the fastest."""
        fastest = max(rates.values())
        return min(size for size, rate in rates.items() if rate >= NEARLY * fastest)
