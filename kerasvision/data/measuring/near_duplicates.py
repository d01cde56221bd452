"""Which images look alike although their bytes differ: the same photo encoded again, resized, trimmed or made lighter.

A perceptual hash finds candidates, and small pictures decide. Images whose 64-bit hashes (those of `imagehash.phash`, the
signs of the lowest frequencies) differ in at most 10 bits are candidates. A candidate pair counts if its thumbnails of 16 x
16 in colour correlate to at least 0.9, with similar brightness and contrast. The hash alone is not enough: 156,252 pairs of
10,000 pictures of Fashion-MNIST have such similar hashes. If different images are naturally alike (products on the same
background, digits), thumbnails must also agree to 5 levels after brightness and contrast are adjusted. Random pairs that
correlate although their hashes differ reveal such a data set: 0.00 % of photos, 1.24 % in Fashion-MNIST, 1.53 % of digits.

Copies found, of 226 photos (flowers and COCO) and of 200 pictures of Fashion-MNIST:

    JPEG at quality 95, 75, 50     100 %           99.5 %    1 % trimmed on every side      100 %       -
    JPEG at quality 30             100 %             78 %    2 %, 3 %, 5 %                  97, 84, 37 %  0
    PNG                            100 %            100 %    brightness x 0.8               100 %       99.5 %
    half the size                  100 %              0      brightness x 1.3                99 %         67 %
    a quarter                      100 %              0      contrast x 0.8, x 1.2          100 %         98 %
    double, 224 x 224              100 %           99.5 %    colour x 1.5                   99.6 %      (grey)
    made grey                       43 %          (grey)     mirrored                         0            0

No different images were mistaken for copies among 676 photos, 10,000 pictures of Fashion-MNIST and 1,797 digits of 8 x 8.
Groups of copies were found in two of these sets, 4 and 2; each shows one picture, judged by eye. Measured with
`python tests/benchmarks/near_duplicates.py ../shared/data/flowers ../shared/data/coco-open ../shared/data/fashion-mnist`.
"""

import hashlib
from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dct
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

HASHED_SIDE = 32
LOW_FREQUENCIES = 8  # along each axis
THUMBNAIL_SIDE = 16
THUMBNAIL_VALUES = THUMBNAIL_SIDE * THUMBNAIL_SIDE * 3

MOST_BITS = 10
LEAST_CORRELATION = 0.9
MOST_RESIDUAL = 5.0
LEAST_CONTRAST_RATIO = 0.6
MOST_BRIGHTER = 64.0
PLAIN_CONTRAST = 4.0  # below this a thumbnail is noise around one colour, and only an equal one counts as a copy
ALIKE_BY_NATURE = 1e-3

Hashes = NDArray[np.uint64]
Thumbnails = NDArray[np.uint8]
Places = NDArray[np.int64]

# With 6 differing bits, at least two of 8 bytes are equal, and with 10 usually too: near hashes agree in one of 28 pairs of
# bytes.
BLOCKS = [0xFF << shift for shift in range(0, 64, 8)]
# The first pair of blocks within a set of blocks, by the set as a number whose bits are its blocks; -1 without a pair.
FIRST_PAIRS = np.array(
    [
        next((number for number, (a, b) in enumerate(combinations(range(8), 2)) if blocks >> a & blocks >> b & 1), -1)
        for blocks in range(256)
    ]
)
# Images that agree in a pair of bytes are compared with this many next ones, so the cost is linear even if many look alike.
WINDOW = 64
PAIRS_AT_ONCE = 256  # with more, their numbers leave the cache
SAMPLED_PAIRS = 20_000


def fingerprints(images: NDArray[np.uint8]) -> tuple[Hashes, Thumbnails]:
    """Small fingerprints of images, for comparing them.

    Args:
        images: uint8 (N, 32, 32, 3), whole images stretched to this size.

    Returns:
        uint64 (N,) perceptual hashes, and uint8 (N, 768) thumbnails of 16 x 16 in colour.

    >>> hashes, thumbnails = fingerprints(np.zeros((2, 32, 32, 3), np.uint8))
    >>> (hashes[0] == hashes[1]).item(), thumbnails.shape
    (True, (2, 768))
    """
    rows = images[:, ::2].astype(np.uint16) + images[:, 1::2]
    means = (rows[:, :, ::2] + rows[:, :, 1::2] + 2) // 4
    return _perceptual_hashes(images), means.astype(np.uint8).reshape(len(images), THUMBNAIL_VALUES)


def _perceptual_hashes(images: NDArray[np.uint8]) -> Hashes:
    """uint64 (N,): the hashes that `imagehash.phash` gives images of 32 x 32, for all of them at once."""
    count = len(images)
    # Grey as Pillow rounds it. One tall picture, because one call for each image takes longer than the transform.
    tall = Image.fromarray(images.reshape(count * HASHED_SIDE, HASHED_SIDE, 3)).convert("L")
    grey = np.asarray(tall, np.float64).reshape(count, HASHED_SIDE, HASHED_SIDE)
    low = dct(dct(grey, axis=1)[:, :LOW_FREQUENCIES], axis=2)[:, :, :LOW_FREQUENCIES].reshape(count, -1)
    hashes: Hashes = np.packbits(low > np.median(low, axis=1, keepdims=True), axis=1).view(np.uint64)[:, 0]
    return hashes


def near_duplicate_groups(hashes: Hashes, thumbnails: Thumbnails, *, contents: Places) -> Places:
    """Numbers the groups of images that look alike and are not all the same file.

    Args:
        hashes: uint64 (N,) from `fingerprints`.
        thumbnails: uint8 (N, 768) from `fingerprints`.
        contents: int64 (N,), equal if the bytes of two files are equal.

    Returns:
        int64 (N,): the number of the image's group, counted from 0 by first images, or -1. If A is like B and B is like C,
        all three are one group.

    >>> ramp = np.broadcast_to(np.arange(32, dtype=np.uint8)[:, None, None] * 6, (32, 32, 3))
    >>> hashes, thumbnails = fingerprints(np.stack([ramp, ramp[:, ::-1].swapaxes(0, 1), ramp + 20]))
    >>> near_duplicate_groups(hashes, thumbnails, contents=np.arange(3)).tolist()  # the third is the first, lighter
    [0, -1, 0]
    """
    count = len(hashes)
    if not count:
        return np.zeros(0, np.int64)
    equal = _first_equal(thumbnails)
    pairs = [(equal, np.arange(count)), *_confirmed(hashes, thumbnails, np.unique(equal))]
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    links = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    _, component = connected_components(links, directed=False)
    return _numbered(component, contents)


def _first_equal(thumbnails: Thumbnails) -> Places:
    """For every image, the number of the first image with the same thumbnail."""
    firsts: dict[bytes, int] = {}
    digests = (hashlib.blake2b(row, digest_size=16).digest() for row in thumbnails)
    return np.fromiter((firsts.setdefault(digest, number) for number, digest in enumerate(digests)), np.int64)


def _confirmed(hashes: Hashes, thumbnails: Thumbnails, distinct: Places) -> Iterator[tuple[Places, Places]]:
    """Pairs of different thumbnails that look alike."""
    levels = _Levels(thumbnails)
    telling = distinct[levels.contrast[distinct] >= PLAIN_CONTRAST]
    if len(telling) < 2:
        return
    # Sorted by hash and brightness, so that the most similar ones are adjacent if more agree than are compared.
    telling = telling[np.lexsort((levels.brightness[telling], hashes[telling]))]
    by_nature = _alike_at_random(hashes, levels, telling) > ALIKE_BY_NATURE
    for first, second in _candidates(hashes[telling]):
        for start in range(0, len(first), PAIRS_AT_ONCE):
            a, b = telling[first[start : start + PAIRS_AT_ONCE]], telling[second[start : start + PAIRS_AT_ONCE]]
            alike = levels.alike(a, b, most_residual=MOST_RESIDUAL if by_nature else np.inf)
            yield a[alike], b[alike]


def _candidates(hashes: Hashes) -> Iterator[tuple[Places, Places]]:
    """Positions of pairs of near hashes, each pair once."""
    for number, (one, other) in enumerate(combinations(BLOCKS, 2)):
        keys = hashes & np.uint64(one | other)
        order = np.argsort(keys, kind="stable")
        keys, ordered = keys[order], hashes[order]
        for step in range(1, min(WINDOW, len(order) - 1) + 1):
            same = np.flatnonzero(keys[:-step] == keys[step:])
            if not len(same):
                break
            different = ordered[same] ^ ordered[same + step]
            near = np.bitwise_count(different) <= MOST_BITS
            same = same[near][_first_agreement(different[near]) == number]
            yield order[same], order[same + step]


def _first_agreement(different: Hashes) -> Places:
    """The first pair of blocks without a differing bit. Only this one reports the pair of images."""
    equal_blocks = np.packbits(different.astype("<u8").view(np.uint8).reshape(-1, 8) == 0, axis=1, bitorder="little")
    return FIRST_PAIRS[equal_blocks[:, 0]]


def _alike_at_random(hashes: Hashes, levels: "_Levels", telling: Places) -> float:
    """Share of random pairs that correlate although their hashes differ, so that copies do not count."""
    first, second = np.random.default_rng(0).choice(telling, (2, SAMPLED_PAIRS))
    apart = np.bitwise_count(hashes[first] ^ hashes[second]) > MOST_BITS
    starts = range(0, SAMPLED_PAIRS, PAIRS_AT_ONCE)
    alike = [levels.correlation(first[s : s + PAIRS_AT_ONCE], second[s : s + PAIRS_AT_ONCE]) for s in starts]
    return float(np.mean(apart & (np.concatenate(alike) >= LEAST_CORRELATION)))


class _Levels:
    """Thumbnails with their brightness and contrast."""

    def __init__(self, thumbnails: Thumbnails) -> None:
        self._thumbnails = thumbnails
        chunks = [thumbnails[start : start + PAIRS_AT_ONCE] for start in range(0, len(thumbnails), PAIRS_AT_ONCE)]
        self.brightness: NDArray[np.float32] = np.concatenate([chunk.mean(axis=1, dtype=np.float32) for chunk in chunks])
        self.contrast: NDArray[np.float32] = np.concatenate([chunk.std(axis=1, dtype=np.float32) for chunk in chunks])

    def correlation(self, first: Places, second: Places) -> NDArray[np.float32]:
        """The correlation of two thumbnails' values, in [-1, 1]; none of them may be plain."""
        a = self._thumbnails[first] - self.brightness[first, np.newaxis]
        b = self._thumbnails[second] - self.brightness[second, np.newaxis]
        products: NDArray[np.float32] = np.einsum("np,np->n", a, b)
        products /= a.shape[1] * self.contrast[first] * self.contrast[second]
        return products

    def alike(self, first: Places, second: Places, *, most_residual: float) -> NDArray[np.bool_]:
        """Whether two thumbnails show the same, allowing for brightness and contrast."""
        weaker = np.minimum(self.contrast[first], self.contrast[second])
        stronger = np.maximum(self.contrast[first], self.contrast[second])
        alike: NDArray[np.bool_] = (weaker >= LEAST_CONTRAST_RATIO * stronger) & (
            np.abs(self.brightness[first] - self.brightness[second]) <= MOST_BRIGHTER
        )
        # The correlation reads all values of both, so it is computed for the remaining pairs only.
        correlation = np.minimum(self.correlation(first[alike], second[alike]), 1.0)
        residual = weaker[alike] * np.sqrt(1 - correlation**2)
        alike[alike] = (correlation >= LEAST_CORRELATION) & (residual <= most_residual)
        return alike


def _numbered(component: Places, contents: Places) -> Places:
    """Components of several contents, numbered by their first image; -1 for the others."""
    count = int(component.max()) + 1 if len(component) else 0
    distinct = np.unique(np.stack([component, contents], axis=1), axis=0)[:, 0]
    several = np.bincount(distinct, minlength=count) > 1
    numbers = np.full(count, -1)
    used, firsts = np.unique(component, return_index=True)
    used = used[np.argsort(firsts)]
    used = used[several[used]]
    numbers[used] = np.arange(len(used))
    return numbers[component]
