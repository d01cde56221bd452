"""Two models whose scores nearly agree may answer with other tags near the thresholds, and nowhere else."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from kerasvision import config as c
from kerasvision.export.proof.parity import compare_outputs
from kerasvision.export.writing.formats.writing import compare_numbers
from kerasvision.tasks.base import make_task

NAMES = ("sand", "sea", "sky", "sun")
THRESHOLDS = {"sand": 0.5, "sea": 0.3, "sky": 0.5, "sun": 0.9}


def task_with(most_tags=3):
    return make_task(c.MultiLabel(most_tags=most_tags), NAMES).with_decisions({"thresholds": THRESHOLDS})


def answer(*rows, most_tags=3):
    found = task_with(most_tags).in_frame({"scores": tf.constant(rows, tf.float32)})
    return {name: value.numpy() for name, value in found.items()}


def numbers(answers):
    return {name: value for name, value in answers.items() if name != "tags"}


def test_a_score_at_the_threshold_may_decide_either_way():
    wanted, received = answer([0.501, 0.8, 0.2, 0.1]), answer([0.499, 0.8, 0.2, 0.1])
    also_right = task_with().also_right
    assert compare_outputs(received, wanted, 0.01, also_right=also_right).complaints == []
    assert compare_outputs(received, wanted, 0.01).complaints == [
        "tags differ in 1 of 1 rows",
        "tag_scores differ by up to 0.8 (allowed: 0.01)",
    ]
    found = compare_numbers(numbers(received), numbers(wanted), closeness=0.01, also_right=also_right)
    assert found["max_difference"] == pytest.approx(0.002, abs=1e-6)
    assert compare_numbers(numbers(received), numbers(wanted), closeness=0.01)["max_difference"] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("tags", "tag_scores"),
    [
        (["sand", "sky", ""], [0.505, 0.8, 0]),  # "sun", 0.95, is surely there
        (["sand", "sun", ""], [0.505, 0.95, 0]),  # "sky", 0.8, is surely there
        (["sea", "sky", "sun"], [0.1, 0.8, 0.95]),  # "sea" is surely not there
        (["sky", "sun", "sand"], [0.8, 0.95, 0.505]),  # another order
        (["sky", "sky", "sun"], [0.8, 0.8, 0.95]),  # twice
        (["sky", "sun", ""], [0.95, 0.8, 0]),  # each with the score of the other
        (["sky", "", "sun"], [0.8, 0, 0.95]),  # a gap
        (["fog", "sky", "sun"], [0.505, 0.8, 0.95]),  # no such name
    ],
)
def test_every_other_answer_is_complained_about(tags, tag_scores):
    wanted = answer([0.505, 0.1, 0.8, 0.95])
    received = {**wanted, "tags": np.array([tags]), "tag_scores": np.float32([tag_scores])}
    found = compare_outputs(received, wanted, 0.01, also_right=task_with().also_right)
    assert any("tags differ in 1 of 1 rows" in one for one in found.complaints)
    if tags[0] != "fog":
        assert (
            compare_numbers(numbers(received), numbers(wanted), closeness=0.01, also_right=task_with().also_right)[
                "max_difference"
            ]
            > 0.01
        )


def test_a_full_answer_may_lack_what_is_not_clearly_better_than_its_worst_tag():
    wanted = answer([0.7, 0.705, 0.9, 0.1], most_tags=2)
    assert wanted["tags"].tolist() == [[b"sea", b"sky"]]

    def complaints(tags, tag_scores):
        received = {**wanted, "tags": np.array([tags]), "tag_scores": np.float32([tag_scores])}
        return compare_outputs(received, wanted, 0.01, also_right=task_with(most_tags=2).also_right).complaints

    assert complaints(["sand", "sky"], [0.708, 0.9]) == []
    assert "tags differ in 1 of 1 rows" in complaints(["sand", "sea"], [0.7, 0.705])


near_thresholds = st.lists(
    st.sampled_from([0.1, 0.295, 0.3, 0.305, 0.495, 0.5, 0.505, 0.7, 0.895, 0.9, 0.905]), min_size=4, max_size=4
)


@given(
    near_thresholds,
    st.lists(st.sampled_from([-0.0099, -0.004, 0.0, 0.004, 0.0099]), min_size=4, max_size=4),
    st.integers(1, 4),
)
def test_what_rounding_makes_of_the_scores_is_always_right(scores, changes, most_tags):
    wanted = answer(scores, most_tags=most_tags)
    received = answer(np.float32(scores) + np.float32(changes), most_tags=most_tags)
    also_right = task_with(most_tags).also_right
    assert compare_outputs(received, wanted, 0.01, also_right=also_right).complaints == []
    found = compare_numbers(numbers(received), numbers(wanted), closeness=0.01, also_right=also_right)
    assert found["max_difference"] <= 0.01
