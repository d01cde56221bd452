"""An image's content decides its split; no two splits share an image."""

import hashlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasvision import config as c
from kerasvision.data.split_names import SPLIT_NAMES
from kerasvision.data.splits import TEST, TRAIN, VALIDATION, assign_splits, split_position

SPLITS = (TRAIN, VALIDATION, TEST)


def digests(count, *, first=0):
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in range(first, first + count)]


def of(count, given_split=None, *, splits=None):
    """The splits of `count` different images that all have the same split in the source."""
    return [split for split, _ in assign_splits(digests(count), [given_split] * count, splits or c.Splits())]


def assert_binomial(splits, name, share):
    deviation = math.sqrt(len(splits) * share * (1 - share))
    assert abs(splits.count(name) - len(splits) * share) < 4 * deviation


def test_copies_share_a_split_wherever_they_stand():
    decided = assign_splits([*digests(500), *reversed(digests(500))], [None] * 1000, c.Splits())
    assert decided[:500] == decided[500:][::-1]
    assert {fault for _, fault in decided} == {""}


def test_place_is_the_first_eight_bytes_of_the_salted_hash():
    digest = hashlib.sha256(b"salt:abc").hexdigest()
    assert split_position("abc", c.Splits(salt="salt")) == int(digest[:16], 16) / 16**16


def test_each_split_gets_its_share():
    decided = of(4000, splits=c.Splits(validation=0.1, test=0.3))
    for name, share in ((TRAIN, 0.6), (VALIDATION, 0.1), (TEST, 0.3)):
        assert_binomial(decided, name, share)


def test_no_validation_split_where_its_share_is_zero():
    assert set(of(1000, splits=c.Splits(validation=0.0, test=0.2))) == {TRAIN, TEST}


def test_another_salt_deals_anew():
    assert of(200, splits=c.Splits(salt="a")) != of(200, splits=c.Splits(salt="b"))


def test_new_images_move_no_old_one():
    old = assign_splits(digests(300), [None] * 300, c.Splits())
    both = assign_splits([*digests(200, first=300), *digests(300)], [None] * 500, c.Splits())
    assert both[200:] == old


def test_a_larger_test_share_keeps_every_test_image():
    small, large = (of(1000, splits=c.Splits(test=share)) for share in (0.1, 0.3))
    assert all(after == TEST for before, after in zip(small, large, strict=True) if before == TEST)


def test_given_splits_are_kept():
    given_splits = ["train", "validation", "test"] * 100
    decided = assign_splits(digests(300), given_splits, c.Splits(validation=0.4, test=0.4))
    assert decided == [(name, "") for name in given_splits]


@pytest.mark.parametrize(("brought", "cut"), [(TEST, VALIDATION), (VALIDATION, TEST)])
def test_a_missing_split_is_cut_from_train_alone(brought, cut):
    given_splits = [TRAIN] * 2000 + [brought] * 2000
    decided = [split for split, _ in assign_splits(digests(4000), given_splits, c.Splits(validation=0.25, test=0.25))]
    assert set(decided[2000:]) == {brought}
    assert set(decided[:2000]) == {TRAIN, cut}
    assert_binomial(decided[:2000], cut, 0.25)


def test_train_alone_is_cut_three_ways():
    assert set(of(500, TRAIN)) == {TRAIN, VALIDATION, TEST}


@pytest.mark.parametrize(("weaker", "stronger"), [(TRAIN, VALIDATION), (TRAIN, TEST), (VALIDATION, TEST)])
def test_of_two_copies_the_one_that_is_judged_on_stays(weaker, stronger):
    # The third image brings the split that the two do not, else it would be cut from train.
    other = ({TRAIN, VALIDATION, TEST} - {weaker, stronger}).pop()
    decided = assign_splits(["aa", "bb", "aa"], [weaker, other, stronger], c.Splits())
    assert decided == [(weaker, f"leakage: the same bytes are in {stronger}"), (other, ""), (stronger, "")]


def test_copies_within_one_split_are_no_leakage():
    assert assign_splits(["aa", "aa", "bb", "cc"], [TEST, TEST, TRAIN, VALIDATION], c.Splits())[:2] == [(TEST, "")] * 2


def test_peoples_names_of_splits_are_known():
    assert {SPLIT_NAMES[name] for name in ("val", "valid", "eval", "dev")} == {VALIDATION}
    assert set(SPLIT_NAMES.values()) == set(SPLITS)


ROWS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([None, *SPLITS])), max_size=40)


@given(rows=ROWS, validation=st.sampled_from([0.0, 0.2, 0.4]), test=st.sampled_from([0.1, 0.5]), salt=st.text(max_size=3))
def test_no_two_usable_images_with_one_content_lie_in_different_splits(rows, validation, test, salt):
    splits = c.Splits(validation=validation, test=test, salt=salt)
    decided = assign_splits([digest for digest, _ in rows], [own for _, own in rows], splits)
    usable = {(digest, split) for (digest, _), (split, fault) in zip(rows, decided, strict=True) if not fault}
    assert sorted(digest for digest, _ in usable) == sorted({digest for digest, _ in rows})


@given(rows=ROWS)
def test_what_the_source_judges_on_stays_where_it_is(rows):
    decided = assign_splits([digest for digest, _ in rows], [own for _, own in rows], c.Splits())
    for (_, own), (split, _) in zip(rows, decided, strict=True):
        assert own not in (VALIDATION, TEST) or split == own
