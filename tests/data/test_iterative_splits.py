"""Iterative stratification gives every tag its share, and depends on the order alone."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasvision.data.iterative_splits import deal_tags, with_rest

SHARES = {"test": 0.2, "validation": 0.2, "train": 0.6}


def deal(tags, pinned=None, shares=SHARES):
    order = {item: np.random.default_rng(item).random() for item in tags}
    return deal_tags(tags, order=order, pinned=pinned or {}, shares=shares)


def counts(dealt, tags, tag):
    return [sum(tag in tags[item] for item in dealt if dealt[item] == split) for split in SHARES]


def test_a_tag_of_five_images_is_in_every_split_where_chance_may_leave_it_out():
    random = np.random.default_rng(0)
    tags = {item: frozenset(np.flatnonzero(random.random(20) < 0.1).tolist()) for item in range(500)}
    rare = dict.fromkeys(range(500, 505), frozenset(["rare"]))
    dealt = deal(tags | rare)
    assert counts(dealt, tags | rare, "rare") == [1, 1, 3]
    for tag in range(20):
        exact = [share * sum(tag in of for of in tags.values()) for share in SHARES.values()]
        # Twenty tags that occur together cannot all be exact.
        assert np.abs(np.subtract(counts(dealt, tags | rare, tag), exact)).max() <= 3


def test_one_tag_for_each_image_gives_the_exact_shares_of_plain_stratification():
    tags = {item: frozenset([item % 4]) for item in range(100)}
    dealt = deal(tags)
    assert [counts(dealt, tags, tag) for tag in range(4)] == [[5, 5, 15]] * 4


@settings(max_examples=40, deadline=None)
@given(st.lists(st.frozensets(st.integers(0, 6), max_size=4), min_size=1, max_size=40), st.data())
def test_every_image_is_dealt_once_and_pinned_images_stay(sets, data):
    tags = dict(enumerate(sets))
    pinned = data.draw(st.dictionaries(st.sampled_from(sorted(tags)), st.sampled_from(sorted(SHARES))))
    dealt = deal(tags, pinned)
    assert dealt.keys() == tags.keys()
    assert {item: dealt[item] for item in pinned} == pinned
    assert deal(dict(reversed(tags.items())), pinned) == dealt


def test_a_split_without_a_share_gets_nothing():
    dealt = deal({item: frozenset([item % 3]) for item in range(30)}, shares=with_rest({"test": 0.0}, rest="train"))
    assert set(dealt.values()) == {"train"}
