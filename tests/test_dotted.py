"""Nested settings by dotted path."""

from kerasvision.dotted import changes, leaves, set_leaves


def test_everything_that_nothing_lies_below_is_a_leaf():
    data = {"a": {"b": [1, {"c": None}]}, "empty": {}, "none": [], "text": "x"}
    assert dict(leaves(data)) == {"a.b.0": 1, "a.b.1.c": None, "empty": {}, "none": [], "text": "x"}
    assert list(leaves({})) == [("", {})]
    assert list(leaves(3)) == [("", 3)]


def test_what_is_false_but_set_stays():
    assert set_leaves({"a": 0, "b": False, "c": "", "d": None, "e": [], "f": {"g": {}}}) == {"a": 0, "b": False, "c": ""}


def test_of_many_changes_the_first_eight_are_named():
    lines = changes({"same": 1}, {"same": 1, **{f"field_{number}": number for number in range(10)}})
    assert lines == [*(f"field_{number}: absent -> {number}" for number in range(8)), "and 2 more"]
    assert len(changes({"same": 1}, {"same": 1, **{f"field_{number}": number for number in range(8)}})) == 8
