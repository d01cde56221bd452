"""Splits in which each of several tags has its share of images: iterative stratification.

Source: Sechidis et al., On the Stratification of Multi-Label Data, 2011,
https://doi.org/10.1007/978-3-642-23808-6_10, algorithm 1. Where it draws at random, the given order decides here.
"""

import heapq
from collections import defaultdict
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Tag = TypeVar("Tag", bound=Hashable)
# Splits have names, and folds have numbers.
Part = TypeVar("Part", bound=Hashable)


def with_rest(shares: Mapping[str, float], *, rest: str) -> dict[str, float]:
    """The shares, and what they leave for one more split.

    >>> with_rest({"test": 0.25, "validation": 0.25}, rest="train")
    {'test': 0.25, 'validation': 0.25, 'train': 0.5}
    """
    return {**shares, rest: 1 - sum(shares.values())}


def deal_tags(
    tags: Mapping[int, frozenset[Tag]],
    *,
    order: Mapping[int, float],
    pinned: Mapping[int, Part],
    shares: Mapping[Part, float],
) -> dict[int, Part]:
    """Item -> split or fold, so that each split gets its share of the items of every tag, and of all items.

    The tag with the fewest items that are left is dealt first, because later there would be nothing to choose. Each of its
    items goes to the split that needs this tag most; of equals, to the one that needs items most; of equals, to the first.
    At the end, the items without a tag fill the splits up.

    Args:
        tags: item -> its tags, which may be none.
        order: item -> its position: the first items of a tag are dealt first.
        pinned: item -> its split, if that is decided; it counts in the shares.
        shares: split -> its share; they sum to 1.

    >>> deal_tags({0: frozenset("a"), 1: frozenset("a"), 2: frozenset("ab"), 3: frozenset("b")},
    ...           order={0: 0.1, 1: 0.2, 2: 0.3, 3: 0.4}, pinned={}, shares={"test": 0.5, "train": 0.5})
    {2: 'test', 3: 'train', 0: 'train', 1: 'test'}
    """
    items: dict[Tag, list[int]] = defaultdict(list)
    for item in sorted(tags, key=lambda item: (order[item], item)):
        for tag in tags[item]:
            items[tag].append(item)
    needs = _Needs(len(tags), {tag: len(of) for tag, of in items.items()}, shares)
    dealt = {item: pinned[item] for item in tags if item in pinned}
    left = {tag: len(of) for tag, of in items.items()}
    for item, split in dealt.items():
        needs.give(split, tags[item])
        for tag in tags[item]:
            left[tag] -= 1
    # A tag is in the heap once for every number of items that it had left; all but the newest are out of date.
    waiting = [(count, tag) for tag, count in left.items()]
    heapq.heapify(waiting)
    while waiting:
        count, tag = heapq.heappop(waiting)
        if count != left[tag] or not count:
            continue
        for item in items[tag]:
            if item not in dealt:
                dealt[item] = split = needs.most(tag)
                needs.give(split, tags[item])
                for other in tags[item]:
                    left[other] -= 1
                    heapq.heappush(waiting, (left[other], other))
    for item in sorted(tags.keys() - dealt.keys(), key=lambda item: (order[item], item)):
        dealt[item] = split = needs.most(None)
        needs.give(split, frozenset())
    return dealt


class _Needs(Generic[Tag, Part]):
    """How many more items each split should get, in all and of each tag."""

    def __init__(self, count: int, counts: Mapping[Tag, int], shares: Mapping[Part, float]) -> None:
        # Rounding removes floating-point errors, so that equal needs are equal: 0.2 * 35 is 7.000000000000001.
        self._items = {split: round(share * count, 9) for split, share in shares.items()}
        self._of_tag = {tag: {split: round(share * of, 9) for split, share in shares.items()} for tag, of in counts.items()}

    def most(self, tag: Tag | None) -> Part:
        """The split that needs this tag most; without a tag, the one that needs items most."""
        own = self._items if tag is None else self._of_tag[tag]
        return max(self._items, key=lambda split: (own[split], self._items[split]))

    def give(self, split: Part, tags: frozenset[Tag]) -> None:
        """Counts an item that a split gets."""
        self._items[split] = round(self._items[split] - 1, 9)
        for tag in tags:
            self._of_tag[tag][split] = round(self._of_tag[tag][split] - 1, 9)
