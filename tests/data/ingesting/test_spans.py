"""A span says what was added, removed, changed and relabelled since the examples before."""

import json

import pandas as pd
import pytest

from kerasvision import config as c
from kerasvision.data.ingesting.spans import PreviousExamples, Span, next_span


def manifest(*rows):
    """Rows of id, content, label, fault."""
    table = pd.DataFrame([(*row, *("x", "")[len(row) - 2 :]) for row in rows], columns=["id", "sha256", "label", "fault"])
    return table.assign(split="train")


@pytest.fixture
def saved(tmp_path):
    """Writes a span of a manifest and the manifest itself."""

    def save(table, before=None, splits=None):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        span = next_span(table, previous=before, splits=splits or c.Splits())
        span.save(folder / "span.json")
        table.to_parquet(folder / "manifest.parquet")
        return span, PreviousExamples(folder / "manifest.parquet", folder / "span.json")

    return save


def test_the_first_span_counts_and_leaves_the_names_to_the_manifest(saved):
    span, files = saved(manifest(("a", "1"), ("b", "2"), ("bad", "3", "x", "the file is empty")))
    assert json.loads(files.span.read_text()) == {
        "span": 1,
        "added": 2,
        "removed": 0,
        "changed": 0,
        "relabelled": 0,
        "unchanged": 0,
        "ids": {},
        "splits": {"validation": 0.2, "test": 0.2, "salt": "", "stratify": False},
    }
    assert Span.load(files.span) == span


def test_what_is_new_is_named(saved):
    _, before = saved(manifest(("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5", "x", "no label")))
    span, files = saved(manifest(("z", "9"), ("y", "2"), ("a", "1"), ("c", "33"), ("d", "4", "other"), ("e", "5")), before)
    assert span.number == 2
    assert span.ids == {"added": ["e", "y", "z"], "removed": ["b"], "changed": ["c"], "relabelled": ["d"]}
    assert span.counts == {"added": 3, "removed": 1, "changed": 1, "relabelled": 1, "unchanged": 1}
    assert Span.load(files.span) == span


def test_spans_count_on(saved):
    before = None
    for number in range(1, 4):
        span, before = saved(manifest(*((str(row), str(row)) for row in range(number))), before)
        assert (span.number, span.counts["added"], span.counts["unchanged"]) == (number, 1, number - 1)


def test_what_is_read_again_is_the_same_span(saved):
    _, first = saved(manifest(("a", "1")))
    second, files = saved(manifest(("a", "1"), ("b", "2")), first)
    again, again_files = saved(manifest(("a", "1"), ("b", "2")), files)
    assert again == second
    assert again_files.span.read_bytes() == files.span.read_bytes()
    assert saved(manifest(("a", "1"), ("b", "2")), files, c.Splits(salt="other"))[0].splits["salt"] == "other"


def test_where_images_lay_counts_only_under_the_settings_that_put_them_there(saved):
    _, before = saved(manifest(("a", "1"), ("b", "2", "x", "no label")), splits=c.Splits(stratify=True))
    assert before.split_by_sha256(c.Splits(stratify=True)) == {"1": "train"}
    assert before.split_by_sha256(c.Splits(stratify=True, test=0.3)) == {}
