"""Which split a name means: the name of a folder, a file or a COCO file, or a column's cell. One rule for all sources.

A name is divided into words at spaces, signs, digits and capitals: `seg_train`, `train2017`, `TestImages`. Only whole words
mean a split: `trains`, `tester` and `contest` do not.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from kerasvision.data.splits import TEST, TRAIN, VALIDATION

# The words that people use for splits -> our names.
SPLIT_NAMES: Mapping[str, str] = {
    "train": TRAIN, "training": TRAIN, "trainval": TRAIN, "minitrain": TRAIN,
    "validation": VALIDATION, "validate": VALIDATION, "val": VALIDATION, "valid": VALIDATION, "minival": VALIDATION,
    "dev": VALIDATION, "devel": VALIDATION, "eval": VALIDATION, "evaluation": VALIDATION,
    "test": TEST, "testing": TEST, "minitest": TEST, "testdev": TEST,
}  # fmt: skip

# Other words that a split's name may contain: `test_images`, `training-set`.
_PLAIN = frozenset(
    {
        "set",
        "data",
        "dataset",
        "split",
        "part",
        "fold",
        "subset",
        "folder",
        "dir",
        "full",
        "all",
        "image",
        "images",
        "img",
        "imgs",
        "pic",
        "pics",
        "picture",
        "pictures",
        "photo",
        "photos",
        "file",
        "files",
        "sample",
        "samples",
        "example",
        "examples",
        "v",
    }
)

# Both as one word: `trainset`, `testdata`.
_JOINED = re.compile(rf"({'|'.join(sorted(SPLIT_NAMES, key=len, reverse=True))})({'|'.join(sorted(_PLAIN - {'v'}))})")


def split_of(name: str) -> str | None:
    """The split that a whole name means: a split's word, and otherwise only digits and plain words such as `set`.

    >>> [split_of(name) for name in ("Training_set", "train2017", "testImages", "trains", "train station")]
    ['train', 'train', 'test', None, None]
    """
    split, others = _taken_apart(name)
    return None if others else split


def split_within(name: str) -> str | None:
    """The one split that a name contains, whatever else it contains; None if it contains none or two.

    >>> [split_within(name) for name in ("coco_val.record-00000-of-00010", "flowers.tfrecord", "train_or_test")]
    ['validation', None, None]
    """
    return _taken_apart(name)[0]


def splits_among(names: Iterable[str]) -> dict[str, str]:
    """Name -> split, for the names that are splits of one data set: `seg_train` and `seg_test`, for example.

    Either the other words must be the same in all these names, and there must be training data and another split; or all
    names mean splits. Otherwise no name is a split: `cats_train` and `dogs_test` are not the splits of one data set.

    >>> splits_among(["seg_train", "seg_test", "seg_pred"])
    {'seg_train': 'train', 'seg_test': 'test'}
    >>> splits_among(["train", "plane", "car"])
    {}
    """
    apart = {name: _taken_apart(name) for name in names}
    saying = {name: split for name, (split, _) in apart.items() if split is not None}
    if not saying or len({apart[name][1] for name in saying}) > 1:
        return {}
    if all(split_of(name) for name in apart):
        return saying
    return saying if TRAIN in saying.values() and len(set(saying.values())) > 1 else {}


def paired_splits(names: Iterable[str]) -> list[str]:
    """The names that differ from another name only in their split, if one of the two is training data; sorted.

    >>> paired_splits(["cats_train", "cats_test", "bullet train", "test tube"])
    ['cats_test', 'cats_train']
    """
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    for name in sorted(names):
        split, others = _taken_apart(name)
        if split is not None:
            groups.setdefault(others, {})[name] = split
    return sorted(name for group in groups.values() if {TRAIN} < set(group.values()) for name in group)


def _taken_apart(name: str) -> tuple[str | None, tuple[str, ...]]:
    """(the split that a name contains, its other words without the plain ones)."""
    splits, others = set(), []
    for word in _words(name):
        joined = _JOINED.fullmatch(word)
        split = SPLIT_NAMES.get(joined[1] if joined else word)
        if split is not None:
            splits.add(split)
        elif word not in _PLAIN:
            others.append(word)
    return (splits.pop() if len(splits) == 1 else None), tuple(others)


def _words(name: str) -> list[str]:
    """The words of a name in lower case. "test-dev", COCO's name of a test split, is one word.

    >>> _words("COCO_train2017"), _words("TestImages"), _words("test-dev2017")
    (['coco', 'train'], ['test', 'images'], ['testdev'])
    """
    # Composed, so that an accent does not separate the letters around it.
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", name))
    apart = re.sub(r"[\W\d_]+", " ", apart).lower()
    return re.sub(r"\btest dev\b", "testdev", apart).split()
