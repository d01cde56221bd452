"""What the author of a network for tags asks: images per tag, tags per image, and which tags occur together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TypedDict

import pandas as pd

from kerasvision.data.ingesting.manifest import tags_of
from kerasvision.data.splits import TEST, TRAIN, VALIDATION

# How many pairs of tags are listed, and of how many tags a matrix shows the pairs.
MOST_PAIRS, MOST_IN_MATRIX = 200, 20


class TagStatistics(TypedDict, total=False):
    """The tags of a data set; empty without them.

    Attributes:
        images: split -> tag -> how many images have it.
        without: split -> how many images have no tag.
        per_image: number of tags -> how many images have that many; the numbers are texts, as JSON requires.
        together: [tag, other tag, how many images have both], the most frequent pairs first: all pairs of the 20 most
            frequent tags, and the 200 most frequent pairs of all.
    """

    images: dict[str, dict[str, int]]
    without: dict[str, int]
    per_image: dict[str, int]
    together: list[tuple[str, str, int]]


def tag_statistics(images: pd.DataFrame, *, names: Sequence[str]) -> TagStatistics:
    """The statistics of all tags.

    Args:
        images: a row for each usable image, with `split` and `tag_names`.
        names: of the tags, in the order of their numbers.

    >>> images = pd.DataFrame({"split": ["train", "train", "test"], "tag_names": ['["sea", "sun"]', '[]', '["sea"]']})
    >>> found = tag_statistics(images, names=("sea", "sun"))
    >>> found["images"], found["without"], found["together"]
    ({'train': {'sea': 1, 'sun': 1}, 'test': {'sea': 1, 'sun': 0}}, {'train': 1, 'test': 0}, [('sea', 'sun', 1)])
    """
    tags = images["tag_names"].map(tags_of)
    found = TagStatistics(images={}, without={})
    for split in sorted(images["split"].unique(), key=[TRAIN, VALIDATION, TEST].index):
        own = tags[images["split"] == split]
        counts = Counter(tag for of in own for tag in of)
        found["images"][str(split)] = {name: counts[name] for name in names}
        found["without"][str(split)] = int((own.map(len) == 0).sum())
    sizes = Counter(map(len, tags))
    found["per_image"] = {str(size): sizes[size] for size in sorted(sizes)}
    pairs = Counter(pair for of in tags for pair in combinations(of, 2))
    frequent = set(most_frequent(totals(found)))
    listed = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    found["together"] = [
        (*pair, count) for place, (pair, count) in enumerate(listed) if place < MOST_PAIRS or frequent.issuperset(pair)
    ]
    return found


def most_frequent(counts: Mapping[str, int]) -> list[str]:
    """The 20 tags that most images have, in the order in which they are counted.

    >>> most_frequent({"sea": 3, "sun": 5})
    ['sea', 'sun']
    """
    chosen = set(sorted(counts, key=lambda name: -counts[name])[:MOST_IN_MATRIX])
    return [name for name in counts if name in chosen]


def totals(statistics: TagStatistics) -> dict[str, int]:
    """Tag -> how many images of all splits have it.

    >>> totals(TagStatistics(images={"train": {"sea": 3}, "test": {"sea": 1}}))
    {'sea': 4}
    """
    counts: Counter[str] = Counter()
    for of in statistics.get("images", {}).values():
        counts.update(of)
    return dict(counts)
