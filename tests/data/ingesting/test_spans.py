"""A span says what was added, removed, changed and relabelled since the examples before."""

import json

import pandas as pd
import pytest

from kerasvision import config as c
from kerasvision.data.ingesting.spans import PreviousExamples, Span, image_spans, leave_out_older, next_span


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


# --- In which span an image was added


@pytest.fixture
def grown(tmp_path):
    """Writes the next state of a source, given as id -> content; returns id -> span, and the files."""

    def grow(contents, before=None, faults=(), labels=()):
        folder = tmp_path / f"grown{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        table = manifest(
            *((one, text, dict(labels).get(one, "x"), dict(faults).get(one, "")) for one, text in contents.items())
        )
        span = next_span(table, previous=before, splits=c.Splits())
        table["span"] = image_spans(table, number=span.number, previous=before)
        span.save(folder / "span.json")
        table.to_parquet(folder / "manifest.parquet")
        spans = dict(zip(table["id"], table["span"].tolist(), strict=True))
        return spans, PreviousExamples(folder / "manifest.parquet", folder / "span.json")

    return grow


def test_an_image_keeps_the_span_in_which_it_was_added(grown):
    spans, files = grown({"a": "1", "b": "2"})
    assert spans == {"a": 1, "b": 1}
    _, files = grown({"a": "1", "b": "2", "c": "3"}, files)
    spans, _ = grown({"a": "1", "b": "2", "c": "3", "d": "4"}, files)
    assert spans == {"a": 1, "b": 1, "c": 2, "d": 3}


def test_a_renamed_or_relabelled_image_is_the_same_and_a_changed_one_is_new(grown):
    _, files = grown({"a": "1", "b": "2", "c": "3"})
    spans, _ = grown({"a": "1", "renamed": "2", "c": "33"}, files, labels={"a": "other"}.items())
    assert spans == {"a": 1, "renamed": 1, "c": 2}


def test_an_image_that_comes_back_is_new(grown):
    _, files = grown({"a": "1", "b": "2"})
    _, files = grown({"a": "1"}, files)
    spans, _ = grown({"a": "1", "b": "2"}, files)
    assert spans == {"a": 1, "b": 3}


def test_an_unusable_image_is_in_no_span_until_it_can_be_used(grown):
    spans, files = grown({"a": "1", "b": "2"}, faults={"b": "no label"}.items())
    assert spans == {"a": 1, "b": 0}
    assert grown({"a": "1", "b": "2"}, files)[0] == {"a": 1, "b": 2}


def test_images_of_an_older_version_are_all_in_span_1(grown):
    _, files = grown({"a": "1"})
    _, files = grown({"a": "1", "b": "2"}, files)
    pd.read_parquet(files.manifest).drop(columns="span").to_parquet(files.manifest)
    assert grown({"a": "1", "b": "2", "c": "3"}, files)[0] == {"a": 1, "b": 1, "c": 3}


def windowed(*rows, last):
    """The ids that stay, of rows of id, split, span."""
    table = pd.DataFrame(rows, columns=["id", "split", "span"]).assign(fault="")
    leave_out_older(table, last=last)
    return table.loc[table["fault"] == "", "id"].tolist()


def test_a_window_keeps_the_newest_training_images_and_all_others():
    rows = [("a", "train", 1), ("b", "test", 1), ("c", "validation", 1), ("d", "train", 2), ("e", "train", 4)]
    assert windowed(*rows, last=1) == ["b", "c", "e"]
    assert windowed(*rows, last=2) == ["b", "c", "d", "e"]
    assert windowed(*rows, last=9) == ["a", "b", "c", "d", "e"]


def test_a_span_without_training_images_does_not_move_the_window():
    assert windowed(("a", "train", 1), ("b", "train", 2), ("c", "test", 3), last=1) == ["b", "c"]


def test_an_image_that_cannot_be_used_does_not_count_in_a_window():
    table = pd.DataFrame({"id": ["a", "b"], "split": "train", "span": [1, 0], "fault": ["", "the file is empty"]})
    leave_out_older(table, last=1)
    assert table["fault"].tolist() == ["", "the file is empty"]
