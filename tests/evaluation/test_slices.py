"""Slices by value and by band of numbers cover the whole split; each is scored like a separate split."""

import io
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn import metrics

from kerasvision import config as c
from kerasvision.errors import ConfigError, DataError
from kerasvision.evaluation.score import with_slices
from kerasvision.evaluation.slices import (
    NOTHING,
    OTHERS,
    cut_into_slices,
    described_examples,
    image_brightness,
    slice_table,
    values_in,
)
from kerasvision.tasks.base import make_task

RANDOM = np.random.default_rng(0)


def test_bands_hold_about_as_many_each_and_everything_once():
    values = RANDOM.normal(size=99)
    parts = cut_into_slices(pd.DataFrame({"brightness": values}), bands=3)
    assert [part.value for part in parts] == ["1 of 3", "2 of 3", "3 of 3"]
    assert [len(part.rows) for part in parts] == [33, 33, 33]
    assert sorted(np.concatenate([part.rows for part in parts])) == list(range(99))
    assert values[parts[0].rows].max() < values[parts[1].rows].min() < values[parts[2].rows].min()


def test_many_equal_numbers_make_fewer_bands():
    parts = cut_into_slices(pd.DataFrame({"width": [64] * 8 + [128] * 2}), bands=4)
    assert [(part.value, len(part.rows), part.range) for part in parts] == [
        ("1 of 2", 8, "up to 64"),
        ("2 of 2", 2, "above 64"),
    ]


def test_a_column_with_one_value_divides_nothing():
    assert cut_into_slices(pd.DataFrame({"width": [8, 8], "mode": ["L", "L"]}), bands=3) == []


def test_an_empty_text_is_a_value_and_rare_values_are_one():
    names = ["often"] * 5 + [""] * 3 + [f"rare {number:03d}" for number in range(150)]
    parts = cut_into_slices(pd.DataFrame({"group": names}), bands=3)
    assert len(parts) == 101
    assert [(part.value, len(part.rows)) for part in parts[:2]] == [("often", 5), (NOTHING, 3)]
    assert (parts[-1].value, len(parts[-1].rows)) == (OTHERS, 52)


def test_every_label_is_a_slice_however_many_there_are_and_so_is_each_value_that_is_asked_for():
    labels = [f"c{number:03d}" for number in range(150)]
    table = pd.DataFrame({"label": labels, "group": labels, "mode": "L"})
    parts = cut_into_slices(table, bands=3, every={"label", "group", "mode"})
    assert [part.value for part in parts] == [*labels, *labels, "L"]


def test_images_without_labels_are_not_divided_by_label():
    assert cut_into_slices(pd.DataFrame({"label": ["", ""]}), bands=3) == []


def test_images_without_a_number_are_a_slice():
    parts = cut_into_slices(pd.DataFrame({"width": [8, np.nan, 64]}), bands=2)
    assert [(part.value, part.rows.tolist()) for part in parts] == [("1 of 2", [0]), ("2 of 2", [2]), (NOTHING, [1])]


def test_the_values_of_all_splits_are_known_but_groups_which_are_in_one_split_only():
    manifest = pd.DataFrame({"split": ["train", "test", ""], "label": ["cat", "", "dog"], "group": list("abc"), "width": 1})
    found = values_in(manifest, splits=("train", "test"), slices=("label", "group", "width", "pixels"))
    assert found == {"label": ("cat",)}


CROSSED = pd.DataFrame({"label": ["cat", "dog", "cat", "cat", "dog"], "width": [8, 8, 16, 64, 64], "mode": list("LLLLP")})


def test_a_crossed_kind_has_each_combination_that_has_an_image():
    parts = cut_into_slices(CROSSED, bands=2, kinds=("label*width", "label"))
    assert [(part.name, part.value, part.rows.tolist(), part.range) for part in parts] == [
        ("label*width", "cat * 1 of 2", [0, 2], "up to 16"),
        ("label*width", "cat * 2 of 2", [3], "above 16"),
        ("label*width", "dog * 1 of 2", [1], "up to 16"),
        ("label*width", "dog * 2 of 2", [4], "above 16"),
        ("label", "cat", [0, 2, 3], ""),
        ("label", "dog", [1, 4], ""),
    ]


def test_three_columns_can_be_crossed():
    parts = cut_into_slices(CROSSED, bands=2, kinds=("mode*label*width",))
    assert [part.value for part in parts][-1] == "P * dog * 2 of 2"
    assert sorted(row for part in parts for row in part.rows) == [0, 1, 2, 3, 4]


def test_crossed_slices_are_the_pairs_of_each_example_counted_one_by_one():
    labels = RANDOM.integers(0, 1000, 20_000)
    table = pd.DataFrame({"label": np.char.add("c", labels.astype(str)), "brightness": RANDOM.normal(size=20_000)})
    singles = {kind: cut_into_slices(table, bands=3, kinds=(kind,)) for kind in table}
    of_row = {kind: {row: part.value for part in parts for row in part.rows} for kind, parts in singles.items()}
    began = time.process_time()
    parts = cut_into_slices(table, bands=3, kinds=("label*brightness",), every={"label*brightness"})
    assert time.process_time() - began < 1.5  # 0.04 s; comparing each label with each band takes 3.4 s
    expected = {}
    for row in range(20_000):
        expected.setdefault(f"{of_row['label'][row]} * {of_row['brightness'][row]}", []).append(row)
    assert {part.value: part.rows.tolist() for part in parts} == expected


def test_of_many_combinations_the_smallest_are_one_slice_unless_a_rule_judges_each():
    table = pd.DataFrame({"group": [f"g{n % 90}" for n in range(270)], "mode": [f"m{n // 90}" for n in range(270)]})
    parts = cut_into_slices(table, bands=2, kinds=("group*mode",))
    assert (len(parts), parts[-1].value, len(parts[-1].rows)) == (101, OTHERS, 170)
    assert len(cut_into_slices(table, bands=2, kinds=("group*mode",), every={"group*mode"})) == 270


def test_the_combinations_of_all_splits_are_known_if_they_are_of_texts():
    manifest = pd.DataFrame(
        {"split": ["train", "test", "test"], "label": ["cat", "cat", "dog"], "mode": ["L", "RGB", "L"], "width": 1}
    )
    found = values_in(manifest, splits=("train", "test"), slices=("label*mode", "label*width"))
    assert found == {"label*mode": ("cat * L", "cat * RGB", "dog * L")}


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("label*widht", "images cannot be divided by 'widht'; did you mean 'width'"),
        ("label*label", "slices by several columns must name each column once; received 'label\\*label'"),
        ("label*", "images cannot be divided by ''"),
    ],
)
def test_a_crossed_kind_that_cannot_be_is_refused_when_the_file_is_read(kind, error):
    with pytest.raises(ConfigError, match=error):
        c.Evaluation(slices=(kind,))


def test_brightness_is_the_mean_of_all_values(trained):
    found = image_brightness(trained.examples, split="test")
    for example in trained.examples.dataset("test").take(3).as_numpy_iterator():
        expected = np.asarray(Image.open(io.BytesIO(example["image"]))).mean()
        assert found[example["id"].decode()] == pytest.approx(expected)


def described(trained, manifest, slices):
    ids = [example["id"].decode() for example in trained.examples.dataset("test").as_numpy_iterator()]
    return described_examples(trained.examples, manifest, split="test", ids=ids, slices=slices)


def test_examples_are_described_in_their_own_order(trained, manifest):
    table = described(trained, manifest.sample(frac=1, random_state=0), ("label", "pixels"))
    labels = [example["label"] for example in trained.examples.dataset("test").as_numpy_iterator()]
    assert table["label"].tolist() == [trained.examples.classes[label] for label in labels]
    assert set(table["pixels"]) == {256}


def test_a_column_that_the_manifest_lacks_is_refused(trained, manifest):
    with pytest.raises(ConfigError, match="the manifest has no column 'format'"):
        described(trained, manifest.drop(columns="format"), ("format",))


def test_a_manifest_of_another_ingest_is_refused(trained, manifest):
    with pytest.raises(DataError, match="lacks 24 examples of test"):
        described(trained, manifest[manifest["split"] == "train"], ("label",))


# --- Scores of slices


CLASSES = ("ant", "bee")
LABELS = RANDOM.integers(0, 2, 60)
SCORES = RANDOM.dirichlet([1, 1], 60)


@pytest.fixture(scope="module")
def parts():
    return cut_into_slices(pd.DataFrame({"label": np.array(CLASSES)[LABELS], "size": np.arange(60)}), bands=2)


@pytest.fixture(scope="module")
def judgement():
    names = np.array([name.encode() for name in CLASSES], object)
    predictions = {"scores": SCORES, "classes": names[SCORES.argmax(axis=1)]}
    ids = [str(number) for number in range(60)]
    return make_task(c.Classification(top_k=2), CLASSES).judge(ids=ids, truth=LABELS, predictions=predictions)


@pytest.fixture(scope="module")
def table(judgement, parts):
    return slice_table(judgement, parts, c.Evaluation(resamples=100)).set_index(["slice", "value", "metric"]).sort_index()


def test_a_slice_scores_like_a_split_of_its_own(table):
    rows = slice(0, 30)
    low = table.loc[("size", "1 of 2")]
    assert low["count"].unique().tolist() == [30]
    assert low.loc["accuracy", "score"] == metrics.accuracy_score(LABELS[rows], SCORES[rows].argmax(axis=1))
    assert low.loc["roc_auc[bee]", "score"] == pytest.approx(metrics.roc_auc_score(LABELS[rows], SCORES[rows, 1]))
    recall = metrics.recall_score(LABELS[rows], SCORES[rows].argmax(axis=1))
    assert low.loc["recall[bee]", "score"] == pytest.approx(recall)


def test_scores_of_a_label_in_a_band_leave_out_metrics_of_single_classes(judgement):
    table = pd.DataFrame({"label": np.array(CLASSES)[LABELS], "size": np.arange(60)})
    parts = cut_into_slices(table, bands=2, kinds=("label*size",))
    scores = slice_table(judgement, parts, c.Evaluation(resamples=100))
    assert not scores["metric"].str.contains("[", regex=False).any()
    right = scores[scores["metric"] == "accuracy"].set_index("value")["score"]
    assert len(right) == len(parts) == 4
    for part in parts:
        assert right[part.value] == pytest.approx((SCORES.argmax(axis=1) == LABELS)[part.rows].mean())


def test_within_a_label_nothing_is_said_of_classes_or_ranks(table):
    of_ants = table.loc[("label", "ant")]
    assert "accuracy" in of_ants.index
    assert not [metric for metric in of_ants.index if "[" in metric or metric == "roc_auc"]


def test_no_score_of_a_slice_is_nan_and_each_lies_in_its_interval(table):
    assert table["score"].notna().all()
    known = table.dropna(subset="low")
    assert len(known)
    assert (known["low"] <= known["score"]).all()
    assert (known["score"] <= known["high"]).all()


def test_every_row_says_which_slice_it_is_in(judgement, parts):
    rows = with_slices(judgement, parts).rows
    assert (rows["slice_label"] == rows["label"]).all()
    assert rows["slice_size"].tolist() == ["1 of 2"] * 30 + ["2 of 2"] * 30
    assert "slice_label" not in judgement.rows
