"""Folds: every image judges exactly one training, and images that belong together stay together."""

import itertools
from collections import Counter

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasvision.config import Splits
from kerasvision.data.ingesting.folds import check_folds
from kerasvision.data.splits import assign_splits
from kerasvision.errors import DataError

IMAGES = [f"{number:064x}" for number in range(200)]


def splits_by_fold(splits, digests=IMAGES, **columns):
    """Per fold, the split of each image."""
    return [
        [split for split, _ in assign_splits(digests, [None] * len(digests), splits, fold=fold, **columns)]
        for fold in range(1, splits.folds + 1)
    ]


@pytest.mark.parametrize("stratify", [False, True])
def test_every_image_judges_once_and_validates_once(stratify):
    of_folds = splits_by_fold(Splits(folds=5, stratify=stratify))
    for of_image in zip(*of_folds, strict=True):
        assert Counter(of_image) == {"test": 1, "validation": 1, "train": 3}
    # The images that judge in a fold validate in the fold before.
    for one, following in itertools.pairwise(of_folds):
        assert [split == "validation" for split in one] == [split == "test" for split in following]


def test_without_validation_all_other_images_train():
    for of_fold in splits_by_fold(Splits(folds=2, validation=0)):
        assert set(of_fold) == {"test", "train"}


@settings(max_examples=8)
@given(labels=st.lists(st.sampled_from("abc"), min_size=30, max_size=60), folds=st.integers(3, 6), salt=st.text(max_size=2))
def test_stratified_folds_have_equal_shares_of_each_class(labels, folds, salt):
    digests = IMAGES[: len(labels)]
    for of_fold in splits_by_fold(Splits(folds=folds, stratify=True, salt=salt), digests, labels=labels):
        tests = Counter(label for label, split in zip(labels, of_fold, strict=True) if split == "test")
        for label, count in Counter(labels).items():
            assert tests[label] in (count // folds, -(-count // folds))


@pytest.mark.parametrize("stratify", [False, True])
def test_copies_and_groups_are_never_in_two_splits(stratify):
    digests = [*IMAGES[:30], *IMAGES[:10]]
    groups = [f"g{number % 7}" if number < 20 else "" for number in range(40)]
    for of_fold in splits_by_fold(Splits(folds=3, stratify=stratify), digests, groups=groups, labels=["a", "b"] * 20):
        for names in (digests, groups):
            together = {}
            for name, split in zip(names, of_fold, strict=True):
                if name:
                    together.setdefault(name, set()).add(split)
            assert all(len(found) == 1 for found in together.values())


def test_a_new_image_does_not_move_others():
    before = splits_by_fold(Splits(folds=4))
    after = splits_by_fold(Splits(folds=4), [*IMAGES, "f" * 64])
    assert [of_fold[:-1] for of_fold in after] == before


@settings(max_examples=8)
@given(st.integers(3, 6), st.integers(10, 40), st.text(max_size=2))
def test_stratified_folds_have_equal_shares_of_a_rare_tag_and_of_images(folds, rare, salt):
    tags = [("sun",) if number < rare else () for number in range(200)]
    for of_fold in splits_by_fold(Splits(folds=folds, stratify=True, salt=salt), tags=tags):
        tests = [own for own, split in zip(tags, of_fold, strict=True) if split == "test"]
        assert tests.count(("sun",)) in (rare // folds, -(-rare // folds))
        assert abs(len(tests) - 200 / folds) <= 1


def test_tags_of_a_group_and_classes_are_stratified_together():
    groups = [f"g{number // 2}" for number in range(200)]  # every group has one image with the tag
    tags, labels = [("sun",), ("sea", "sun")] * 20 + [("sea",)] * 160, ["cat"] * 100 + ["dog"] * 100
    for of_fold in splits_by_fold(Splits(folds=5, stratify=True), groups=groups, tags=tags, labels=labels):
        tests = [number for number, split in enumerate(of_fold) if split == "test"]
        assert Counter(groups[number] for number in tests).keys() == {groups[number] for number in tests}
        assert set(Counter(groups[number] for number in tests).values()) == {2}
        assert sum("sun" in tags[number] for number in tests) == 8
        assert Counter(labels[number] for number in tests) == {"cat": 20, "dog": 20}


def test_without_stratify_tags_change_no_fold():
    tags = [("sun",)] * 10 + [()] * 190
    assert splits_by_fold(Splits(folds=5), tags=tags) == splits_by_fold(Splits(folds=5))


def table(labels, *, split="", groups=None, fault="", tags=None):
    rows = len(labels)
    given = {"split": split, "label": labels, "group": groups or [""] * rows, "fault": fault, "tag_names": tags or ""}
    return pd.DataFrame({"sha256": IMAGES[:rows], **given})


def test_classes_that_are_rarer_than_the_folds_are_said_or_refused(capsys):
    labels = ["a"] * 9 + ["b"] * 2 + ["c"]
    check_folds(table(labels), Splits(folds=5))
    assert "not every one of the 5 folds has images of each class: 'c' has 1, 'b' has 2" in capsys.readouterr().err
    with pytest.raises(DataError, match="requires at least 5 images of each class.*'c' has 1, 'b' has 2"):
        check_folds(table(labels), Splits(folds=5, stratify=True))
    check_folds(table(["a"] * 9), Splits(folds=5))
    assert capsys.readouterr().err == ""


def test_tags_that_are_rarer_than_the_folds_are_said_or_refused(capsys):
    tags = ['["sea", "sun"]'] * 4 + ['["sea"]'] * 5 + ["[]"]
    tagged = table([""] * 10, tags=tags, groups=["x", "x", *[""] * 8])
    check_folds(tagged, Splits(folds=5))
    assert "not every one of the 5 folds has images of each tag: 'sun' has 3\n" in capsys.readouterr().err
    with pytest.raises(DataError, match="at least 5 images of each tag, where copies and groups count once: 'sun' has 3\\."):
        check_folds(tagged, Splits(folds=5, stratify=True))
    check_folds(tagged, Splits(folds=3, stratify=True))
    assert capsys.readouterr().err == ""


def test_more_folds_than_images_and_splits_of_the_source_are_refused():
    with pytest.raises(DataError, match="must not exceed the number of images, 4, where copies and groups count once"):
        check_folds(table(["a"] * 9, groups=["x"] * 6 + [""] * 3), Splits(folds=5))
    with pytest.raises(DataError, match="this source has splits of its own: test"):
        check_folds(table(["a"] * 9, split="test"), Splits(folds=5))
