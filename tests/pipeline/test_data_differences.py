"""Runs with different examples are compared image by image."""

import pandas as pd
import pytest

from kerasvision.pipeline.artifacts import Examples
from kerasvision.pipeline.data_differences import data_differences
from kerasvision.pipeline.records import ArtifactRecord
from kerasvision.pipeline.tables import LIVE

FIRST = {
    "a": ("1", "train", "cat", ""),
    "b": ("2", "train", "dog", ""),
    "c": ("3", "test", "cat", ""),
    "d": ("", "", "", "empty"),
}


@pytest.fixture
def examples(tmp_path):
    """Examples with rows id -> (sha256, split, label, fault); without rows, they have no manifest."""

    def make(rows, digest):
        artifact = Examples(tmp_path / digest)
        artifact.uri.mkdir()
        if rows is not None:
            table = [(name, *row) for name, row in rows.items()]
            pd.DataFrame(table, columns=["id", "sha256", "split", "label", "fault"]).to_parquet(artifact.manifest)
        return ArtifactRecord(1, "Examples", artifact.uri, LIVE, digest, {})

    return make


def test_images_are_counted_that_were_added_removed_changed_moved_and_relabelled(examples):
    other = {
        "a": ("9", "train", "cat", ""),  # changed
        "b": ("2", "test", "wolf", ""),  # moved and relabelled
        "e": ("5", "test", "cat", ""),  # added; c was removed, and d is usable now
        "d": ("4", "test", "cat", ""),
    }
    found = data_differences({"one": examples(FIRST, "f" * 64), "two": examples(other, "0" * 64)})
    assert found == {
        "content": {"one": "f" * 12, "two": "0" * 12},
        "test": {"one": 1, "two": 3},
        "train": {"one": 2, "two": 1},
        "left out": {"one": 1, "two": 0},
        "added": {"two": 2},
        "removed": {"two": 1},
        "changed": {"two": 1},
        "moved": {"two": 1},
        "relabelled": {"two": 1},
    }


def test_the_same_examples_have_no_differences(examples):
    one = examples(FIRST, "aa")
    assert data_differences({"one": one, "two": one}) == {}


def test_examples_without_a_manifest_are_compared_by_their_content_alone(examples):
    found = data_differences({"one": examples(None, "aa"), "two": examples(FIRST, "bb")})
    assert found == {"content": {"one": "aa", "two": "bb"}}


def test_a_split_that_only_one_run_has_counts_0_in_the_other(examples):
    folds = {
        name: (sha256, "validation" if split == "test" else split, *rest) for name, (sha256, split, *rest) in FIRST.items()
    }
    found = data_differences({"one": examples(FIRST, "aa"), "two": examples(folds, "bb")})
    assert (found["test"], found["validation"]) == ({"one": 1, "two": 0}, {"one": 0, "two": 1})
