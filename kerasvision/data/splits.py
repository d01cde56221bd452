"""Which split an image belongs to. Its content decides, so that no two splits share an image or a group."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat

from kerasvision.config.preparing import Splits
from kerasvision.data.iterative_splits import deal_tags, with_rest

TRAIN, VALIDATION, TEST = "train", "validation", "test"

# If two splits claim an image, the split with the higher number keeps it.
STRICTNESS = {TRAIN: 0, VALIDATION: 1, TEST: 2}


def split_position(sha256: str, splits: Splits) -> float:
    """The position of an image in [0, 1), which depends on its content and the salt only.

    >>> 0 <= split_position("ab" * 32, Splits()) < 1
    True
    """
    digest = hashlib.sha256(f"{splits.salt}:{sha256}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def assign_splits(
    digests: Sequence[str],
    given: Sequence[str | None],
    splits: Splits,
    *,
    groups: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    tags: Sequence[tuple[str, ...]] | None = None,
    used: Sequence[bool] | None = None,
    previous: Mapping[str, str] | None = None,
    fold: int | None = None,
) -> list[tuple[str, str]]:
    """(split, fault) of every image; the fault is empty unless the image must not be used in its split.

    A split of the source is kept; a split that the source lacks is taken from the training images. Images that share their
    bytes or a group, directly or through others, are one unit and go to one split. The position of a unit in [0, 1) is that
    of its image, or the smallest of its groups' positions: test takes the first positions, then validation, then train. So
    a new image does not move old images, with one exception: if it belongs to two groups and so joins them, all of them go
    to the stricter of the two splits (test before validation before train).

    With `splits.stratify`, the units of each class are distributed separately, in the order of their positions, so that
    every split gets its exact share of them. The class of a group is the most frequent class of its images. If any image
    has tags, every split gets its share of the images of each tag and of each class, as far as possible; see `deal_tags`.
    A group has the tags of all its images. Then a new image may move old images, except for those that `previous` names.
    Folds are stratified in the same way, and ignore `previous`.

    If the source itself puts an image or a group into two splits, the images in the strictest split stay, and the others
    get a fault.

    Args:
        digests: SHA-256 of each image's bytes; "" for an image without usable bytes (for example an unreadable file).
        given: the split that the source puts each image in, or None.
        splits: the fractions.
        groups: name of each image's group, "" for an image without a group.
        labels: class name of each image; one class if not given.
        tags: the tags of each image; none if not given.
        used: whether each image will be used: the others are not leakage, and do not count in the shares.
        previous: SHA-256 -> the split that an earlier run with the same settings put the image in.
        fold: with `splits.folds`, the fold that is the test split, from 1; the source must then have no splits.

    >>> assign_splits(["aa", "aa"], ["train", "test"], Splits())
    [('train', 'leakage: the same bytes are in test'), ('test', '')]
    """
    groups = groups or [""] * len(digests)
    used = used or [True] * len(digests)
    brought = set(given)
    shares = {TEST: 0.0 if TEST in brought else splits.test, VALIDATION: 0.0 if VALIDATION in brought else splits.validation}
    units = unit_numbers(digests, groups)
    places = _places(units, digests, groups, splits)
    if fold is not None:
        classes = _majority(units, labels or [""] * len(digests), used)
        described = _described(units, tags, classes, used) if splits.stratify and tags is not None and any(tags) else None
        of_unit = fold_splits(folds_of(classes, places, splits=splits, described=described), splits=splits, fold=fold)
        return [(of_unit.get(unit, TRAIN), "") for unit in units]
    of_unit = {unit: _split_at(position, shares) for unit, position in places.items()}
    if splits.stratify:
        free = [ok and own not in (VALIDATION, TEST) for ok, own in zip(used, given, strict=True)]
        classes = _majority(units, labels or [""] * len(digests), free)
        pinned = _pinned(units, digests, previous or {}, {TRAIN, *(name for name in shares if shares[name])})
        if tags is not None and any(tags):
            described = _described(units, tags, classes, free)
            of_unit |= deal_tags(described, order=places, pinned=pinned, shares=with_rest(shares, rest=TRAIN))
        else:
            of_unit |= _deal(classes, places, pinned, shares)
    decided = [own if own in (VALIDATION, TEST) else of_unit[unit] for own, unit in zip(given, units, strict=True)]
    return list(zip(decided, _leakage(decided, digests, groups, used), strict=True))


def folds_of(
    classes: Mapping[int, str],
    places: Mapping[int, float],
    *,
    splits: Splits,
    described: Mapping[int, frozenset[tuple[str, str]]] | None = None,
) -> dict[int, int]:
    """Unit -> its fold, from 1.

    The position of a unit gives its fold, so that a new image does not move old ones. With `splits.stratify`, the units of
    each class go to the folds in turn, in the order of their positions; the next class begins where this one ends. If images
    have tags, every fold instead gets its share of the units of each tag and of each class, see `deal_tags`.

    Args:
        classes: unit -> its class, for the units that are used.
        places: unit -> its position in [0, 1).
        splits: `folds` and `stratify`.
        described: with `stratify`, unit -> its tags and its class; None if no image has tags.

    >>> folds_of({7: "a", 8: "a", 9: "b"}, {7: 0.1, 8: 0.2, 9: 0.9}, splits=Splits(folds=3))
    {7: 1, 8: 1, 9: 3}
    >>> folds_of({7: "a", 8: "a", 9: "b"}, {7: 0.1, 8: 0.2, 9: 0.9}, splits=Splits(folds=3, stratify=True))
    {7: 1, 8: 2, 9: 3}
    """
    folds = splits.folds or 1
    if not splits.stratify:
        return {unit: int(places[unit] * folds) + 1 for unit in classes}
    if described is not None:
        return deal_tags(described, order=places, pinned={}, shares=dict.fromkeys(range(1, folds + 1), 1 / folds))
    in_turn = sorted(classes, key=lambda unit: (classes[unit], places[unit], unit))
    return {unit: number % folds + 1 for number, unit in enumerate(in_turn)}


def fold_splits(folds: Mapping[int, int], *, splits: Splits, fold: int) -> dict[int, str]:
    """Unit -> split of the training that is judged on a fold. The next fold, after the last the first, is its validation.

    >>> fold_splits({7: 1, 8: 2, 9: 3}, splits=Splits(folds=3), fold=3)
    {7: 'validation', 8: 'train', 9: 'test'}
    """
    named = {fold: TEST} | ({fold % (splits.folds or 1) + 1: VALIDATION} if splits.validation else {})
    return {unit: named.get(its, TRAIN) for unit, its in folds.items()}


def unit_numbers(digests: Sequence[str], groups: Sequence[str]) -> list[int]:
    """The number of each image's unit: images that share bytes or a group, directly or through others, have one number.

    >>> unit_numbers(["aa", "bb", "bb", "cc", ""], ["tom", "tom", "", "", ""])
    [0, 0, 0, 3, 4]
    """
    parent = list(range(len(digests)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = number = parent[parent[number]]
        return number

    for names in (digests, groups):
        first: dict[str, int] = {}
        for number, name in enumerate(names):
            if name:
                one, other = sorted((root(number), root(first.setdefault(name, number))))
                parent[other] = one
    return [root(number) for number in range(len(parent))]


def _places(units: Sequence[int], digests: Sequence[str], groups: Sequence[str], splits: Splits) -> dict[int, float]:
    """Unit -> its position: the smallest of its groups' positions, or that of its image if it has no group."""
    of_group = {group: split_position(f"group:{group}", splits) for group in set(groups) if group}
    places: dict[int, float] = {}
    for unit, group in zip(units, groups, strict=True):
        if group:
            places[unit] = min(of_group[group], places.get(unit, 1.0))
    for unit, digest in zip(units, digests, strict=True):
        if unit not in places:
            places[unit] = split_position(digest, splits)
    return places


def _split_at(position: float, shares: Mapping[str, float]) -> str:
    if position < shares[TEST]:
        return TEST
    return VALIDATION if position < shares[TEST] + shares[VALIDATION] else TRAIN


def _majority(units: Sequence[int], labels: Sequence[str], free: Sequence[bool]) -> dict[int, str]:
    """Unit -> the most frequent class of its images that may go to any split; of equals, the first by name."""
    counts: dict[int, Counter[str]] = {}
    for unit, label, ok in zip(units, labels, free, strict=True):
        if ok:
            counts.setdefault(unit, Counter())[label] += 1
    return {unit: min(of, key=lambda label: (-of[label], label)) for unit, of in counts.items()}


def _described(
    units: Sequence[int], tags: Sequence[tuple[str, ...]], classes: Mapping[int, str], free: Sequence[bool]
) -> dict[int, frozenset[tuple[str, str]]]:
    """Unit -> the tags of its images that may go to any split, and its class: what each split should get its share of."""
    found = {unit: {("class", name)} if name else set() for unit, name in classes.items()}
    for unit, names, ok in zip(units, tags, free, strict=True):
        if ok:
            found[unit].update(("tag", name) for name in names)
    return {unit: frozenset(names) for unit, names in found.items()}


def _pinned(units: Sequence[int], digests: Sequence[str], previous: Mapping[str, str], open_: set[str]) -> dict[int, str]:
    """Unit -> the split where an earlier run put it; the strictest one if new images join earlier units."""
    found: dict[int, str] = {}
    for unit, digest in zip(units, digests, strict=True):
        if previous.get(digest) in open_:
            found[unit] = _stricter(previous[digest], found.get(unit))
    return found


def _deal(
    classes: Mapping[int, str], places: Mapping[int, float], pinned: Mapping[int, str], shares: Mapping[str, float]
) -> dict[int, str]:
    """Unit -> split: each split gets its exact share of each class's units, as far as the pinned units allow."""
    by_class: dict[str, list[int]] = {}
    for unit in sorted(classes, key=lambda unit: (places[unit], unit)):
        by_class.setdefault(classes[unit], []).append(unit)
    dealt: dict[int, str] = {}
    for members in by_class.values():
        dealt |= {unit: pinned[unit] for unit in members if unit in pinned}
        fresh = [unit for unit in members if unit not in pinned]
        quotas = split_quotas(len(fresh), Counter(pinned[unit] for unit in members if unit in pinned), shares)
        dealt |= dict(zip(fresh, _repeated(quotas), strict=True))
    return dealt


def split_quotas(fresh: int, existing: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, int]:
    """How many of `fresh` new units go to each split, by largest remainders.

    Args:
        fresh: how many new units.
        existing: split -> how many units it already has.
        shares: the fractions of test and validation; the rest is for train.

    >>> split_quotas(7, {}, {"test": 0.2, "validation": 0.2})
    {'test': 2, 'validation': 1, 'train': 4}
    >>> split_quotas(5, {"train": 5}, {"test": 0.2, "validation": 0.2})
    {'test': 2, 'validation': 2, 'train': 1}
    """
    shares = {TEST: shares[TEST], VALIDATION: shares[VALIDATION]}
    shares[TRAIN] = 1 - sum(shares.values())
    total = fresh + sum(existing.values())
    wanted = {split: max(share * total - existing.get(split, 0), 0.0) for split, share in shares.items()}
    scale = fresh / (sum(wanted.values()) or 1)
    # Rounding removes floating-point errors: 0.2 * 35 is 7.000000000000001.
    exact = {split: round(scale * value, 9) for split, value in wanted.items()}
    quotas = {split: int(value) for split, value in exact.items()}
    by_remainder = sorted(exact, key=lambda split: quotas[split] - exact[split])
    for split in by_remainder[: fresh - sum(quotas.values())]:
        quotas[split] += 1
    return quotas


def _repeated(quotas: Mapping[str, int]) -> Iterator[str]:
    for split in (TEST, VALIDATION, TRAIN):
        yield from repeat(split, quotas[split])


def _leakage(decided: Sequence[str], digests: Sequence[str], groups: Sequence[str], used: Sequence[bool]) -> list[str]:
    """The fault of each image whose bytes or group are also in a stricter split; otherwise ""."""
    of_bytes, of_group = _strictest(digests, decided, used), _strictest(groups, decided, used)

    def fault(split: str, digest: str, group: str) -> str:
        if of_bytes.get(digest, split) != split:
            return f"leakage: the same bytes are in {of_bytes[digest]}"
        if of_group.get(group, split) != split:
            return f"leakage: its group is in {of_group[group]}"
        return ""

    rows = zip(decided, digests, groups, used, strict=True)
    return [fault(split, digest, group) if ok else "" for split, digest, group, ok in rows]


def _strictest(names: Iterable[str], decided: Iterable[str], used: Iterable[bool]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, split, ok in zip(names, decided, used, strict=True):
        if name and ok:
            found[name] = _stricter(split, found.get(name))
    return found


def _stricter(split: str, other: str | None) -> str:
    return split if other is None else max(split, other, key=STRICTNESS.__getitem__)
