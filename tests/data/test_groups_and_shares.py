"""Groups stay whole, shares are exact if required, and new images do not move old ones."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasvision import config as c
from kerasvision.data.splits import TEST, TRAIN, VALIDATION, assign_splits, split_quotas, unit_numbers

SPLITS = (TRAIN, VALIDATION, TEST)
STRICT = {TRAIN: 0, VALIDATION: 1, TEST: 2}
STRATIFIED = c.Splits(stratify=True)

# Few contents and few groups, so that they often meet: (content, group, given split, class).
IMAGES = st.lists(
    st.tuples(
        st.sampled_from(["", *"abcdefgh"]),
        st.sampled_from(["", "", "tom", "ann", "eve"]),
        st.sampled_from([None, *SPLITS]),
        st.sampled_from("xy"),
    ),
    max_size=30,
)


def assign(images, splits, **more):
    digests, groups, own, labels = zip(*images, strict=True) if images else ((), (), (), ())
    return assign_splits(digests, own, splits, groups=groups, labels=labels, **more)


@given(images=IMAGES, stratify=st.booleans(), salt=st.text(max_size=2), left_out=st.sets(st.integers(0, 29)))
def test_no_two_splits_share_an_image_or_a_group(images, stratify, salt, left_out):
    used = [number not in left_out for number in range(len(images))]
    decided = assign(images, c.Splits(stratify=stratify, salt=salt), used=used)
    for column in (0, 1):
        where = {}
        for image, ok, (split, fault) in zip(images, used, decided, strict=True):
            if image[column] and ok and not fault:
                assert where.setdefault(image[column], split) == split


@given(images=IMAGES, stratify=st.booleans())
def test_nothing_is_faulty_where_the_source_brings_no_splits(images, stratify):
    images = [(digest, group, None, label) for digest, group, _, label in images]
    assert all(fault == "" for _, fault in assign(images, c.Splits(stratify=stratify)))


@given(images=IMAGES)
def test_given_splits_of_what_is_judged_on_are_kept_with_groups_too(images):
    for (_, _, own, _), (split, _) in zip(images, assign(images, c.Splits()), strict=True):
        assert own not in (VALIDATION, TEST) or split == own


def by_hand(images):
    """Units by the definition: merge sets that share a name until nothing changes."""
    sets = [{("image", number)} for number in range(len(images))]
    for found, (digest, group, *_) in zip(sets, images, strict=True):
        found |= {("bytes", digest)} if digest else set()
        found |= {("group", group)} if group else set()
    merged = True
    while merged:
        merged = False
        for one in sets:
            for other in sets:
                if one is not other and one & other and one != other:
                    one |= other
                    merged = True
    return sets


@given(images=IMAGES)
def test_images_are_tied_together_directly_or_through_others(images):
    units = unit_numbers([image[0] for image in images], [image[1] for image in images])
    sets = by_hand(images)
    for one in range(len(images)):
        for other in range(len(images)):
            assert (units[one] == units[other]) == bool(sets[one] & sets[other])


@given(images=IMAGES, added=IMAGES, data=st.data())
def test_new_images_move_an_old_one_only_where_they_tie_groups_together_and_then_to_the_stricter_split(images, added, data):
    images = [(digest, group, None, label) for digest, group, _, label in images]
    everything = images + [(digest, group, None, label) for digest, group, _, label in added]
    order = data.draw(st.permutations(range(len(everything))))
    before = assign(images, c.Splits())
    shuffled = assign([everything[number] for number in order], c.Splits())
    after = dict(zip(order, shuffled, strict=True))
    old_units, units = (unit_numbers([i[0] for i in some], [i[1] for i in some]) for some in (images, everything))
    for number, ((split, _), unit) in enumerate(zip(before, old_units, strict=True)):
        tied = {images[other][1] for other in range(len(images)) if old_units[other] == unit} - {""}
        now_tied = {everything[other][1] for other in range(len(everything)) if units[other] == units[number]} - {""}
        if tied == now_tied:
            assert after[number][0] == split
        elif tied:
            assert STRICT[after[number][0]] >= STRICT[split]


@given(shares=st.sampled_from([(0.2, 0.2), (0.1, 0.3), (0.0, 0.5)]), salt=st.text(max_size=2))
def test_groups_fill_the_splits_by_their_shares(shares, salt):
    validation, test = shares
    images = [(f"{group}-{number}", f"group {group}", None, "x") for group in range(1000) for number in range(2)]
    splits = c.Splits(validation=validation, test=test, salt=salt)
    counts = Counter(split for split, _ in assign(images, splits))
    for name, share in ((TEST, test), (VALIDATION, validation)):
        # Five deviations of a binomial of 1000 groups.
        assert abs(counts[name] / 2 - 1000 * share) <= 5 * (1000 * share * (1 - share)) ** 0.5


def test_a_group_that_the_source_tears_apart_keeps_what_is_judged_on():
    images = [("a", "tom", TRAIN, ""), ("b", "tom", TEST, ""), ("c", "", TRAIN, ""), ("d", "", VALIDATION, "")]
    torn = (TRAIN, "leakage: its group is in test")
    assert assign(images, c.Splits()) == [torn, (TEST, ""), (TRAIN, ""), (VALIDATION, "")]


def test_a_copy_that_was_left_out_is_no_leakage():
    images = [("a", "", TRAIN, ""), ("a", "", TEST, ""), ("b", "", TEST, ""), ("d", "", VALIDATION, "")]
    assert assign(images, c.Splits(), used=[True, False, True, True])[0] == (TRAIN, "")


# --- Shares that are exact


@given(
    fresh=st.integers(0, 60),
    there=st.fixed_dictionaries({name: st.integers(0, 20) for name in SPLITS}),
    percent=st.sampled_from([(20, 20), (10, 15), (0, 30), (33, 33)]),
)
def test_every_split_gets_its_share_to_within_one_where_there_is_room(fresh, there, percent):
    validation, test = percent
    quotas = split_quotas(fresh, there, {TEST: test / 100, VALIDATION: validation / 100})
    assert sum(quotas.values()) == fresh and min(quotas.values()) >= 0
    total = fresh + sum(there.values())
    exact = {TEST: Fraction(test, 100), VALIDATION: Fraction(validation, 100)}
    exact[TRAIN] = 1 - sum(exact.values())
    room = all(there[name] <= exact[name] * total for name in SPLITS)
    for name in SPLITS:
        assert not room or abs(there[name] + quotas[name] - exact[name] * total) < 1


@pytest.mark.parametrize(
    ("fresh", "expected"),
    [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (2, 0, 1)), (5, (3, 1, 1)), (35, (21, 7, 7)), (36, (22, 7, 7))],
)
def test_largest_remainders_by_hand(fresh, expected):
    quotas = split_quotas(fresh, {}, {TEST: 0.2, VALIDATION: 0.2})
    assert (quotas[TRAIN], quotas[VALIDATION], quotas[TEST]) == expected


def numbered(count, label, *, first=0):
    return [(f"{label}{number}", "", None, label) for number in range(first, first + count)]


def test_every_class_gets_its_exact_share():
    images = numbered(50, "cat") + numbered(10, "rare") + numbered(35, "dog")
    decided = assign(images, STRATIFIED)
    counts = Counter((label, split) for (_, _, _, label), (split, _) in zip(images, decided, strict=True))
    assert counts == {
        ("cat", TRAIN): 30,
        ("cat", VALIDATION): 10,
        ("cat", TEST): 10,
        ("rare", TRAIN): 6,
        ("rare", VALIDATION): 2,
        ("rare", TEST): 2,
        ("dog", TRAIN): 21,
        ("dog", VALIDATION): 7,
        ("dog", TEST): 7,
    }


def test_a_rare_class_reaches_the_test_split_where_chance_alone_may_leave_it_out():
    images = numbered(500, "cat") + numbered(3, "rare")
    for salt in "abcdef":
        decided = assign(images, c.Splits(stratify=True, salt=salt))
        assert TEST in {split for split, _ in decided[500:]}


@given(old=st.integers(1, 40), new=st.integers(0, 40), rounds=st.integers(1, 3))
def test_adding_images_moves_none_that_an_earlier_run_placed(old, new, rounds):
    images, placed = numbered(old, "cat"), {}
    for number in range(rounds + 1):
        decided = assign(images, STRATIFIED, previous=placed)
        for (digest, *_), (split, _) in zip(images, decided, strict=True):
            assert placed.setdefault(digest, split) == split
        counts = Counter(split for split, _ in decided)
        assert abs(counts[TEST] - 0.2 * len(images)) <= 1 and abs(counts[VALIDATION] - 0.2 * len(images)) <= 1
        images = images + numbered(new, "cat", first=1000 * (number + 1))


def test_the_share_of_a_class_is_counted_without_what_cannot_be_used():
    images = numbered(20, "cat")
    decided = assign(images, STRATIFIED, used=[number >= 10 for number in range(20)])
    assert Counter(split for split, _ in decided[10:]) == {TRAIN: 6, VALIDATION: 2, TEST: 2}


def test_groups_share_out_by_the_class_of_most_of_their_images():
    images = [(f"{group}{n}", f"g{group}", None, "cat" if n < 2 else "dog") for group in range(10) for n in range(3)]
    decided = assign(images, STRATIFIED)
    assert Counter(split for split, _ in decided[::3]) == {TRAIN: 6, VALIDATION: 2, TEST: 2}
    assert [decided[3 * group + 1] for group in range(10)] == decided[::3] == decided[2::3]


def test_a_split_that_the_source_brings_is_not_dealt_into():
    images = numbered(30, "cat") + [(f"t{n}", "", TEST, "cat") for n in range(10)]
    decided = assign(images, STRATIFIED, previous={"cat0": TEST, "cat1": VALIDATION})
    assert Counter(split for split, _ in decided[:30]) == {TRAIN: 24, VALIDATION: 6}
    assert decided[1] == (VALIDATION, "")
