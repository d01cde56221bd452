"""Drift is reported if it is large and significant: never in clean random splits, always in splits that really differ."""

import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kerasvision.data.measuring.statistics import Statistics
from kerasvision.data.validating.drift import PreviousRun, drift_since, feature_difference, most_different_label, split_drift
from kerasvision.data.validating.schema import DataSchema

SCHEMA = DataSchema(classes=("cat", "dog", "owl"), modes=("RGB",), min_side=1, max_side=999)


def table(count, *, seed, split="train", start=0, shares=(0.5, 0.3, 0.2), brightness=120.0, **columns):
    """`count` images of random brightness, size and label, as `compute_statistics` lists them."""
    random = np.random.default_rng(seed)
    width = random.choice([375, 500, 640], count)
    rows = pd.DataFrame(
        {
            "id": [f"{number}.jpg" for number in range(start, start + count)],
            "sha256": [f"{seed}-{number}" for number in range(start, start + count)],
            "split": split,
            "group": "",
            "label": random.choice(["cat", "dog", "owl"], count, p=shares),
            "width": width,
            "height": random.choice([375, 500], count),
            "size": random.lognormal(10, 0.5, count).astype(int),
            "brightness": random.normal(brightness, 30, count),
            "contrast": random.gamma(4, 10, count),
        }
    )
    return rows.assign(aspect=rows["width"] / rows["height"], **columns)


def statistics(images):
    """Of a table of images: only the counts matter here."""
    crossed = pd.crosstab(images["split"], images["label"])
    counts = {split: {name: int(count) for name, count in row.items()} for split, row in crossed.iterrows()}
    return Statistics(
        classes=sorted(set(images["label"])),
        counts=counts,
        modes={},
        formats={},
        min_side=1,
        max_side=1,
        channel_mean=[],
        channel_deviation=[],
        quarantined={},
        notes={},
        duplicates=[],
        contradictions=[],
        shared_between_splits=[],
    )


def codes(found):
    return [one.code for one in found]


def between_splits(*tables, schema=SCHEMA):
    return list(split_drift(pd.concat(tables, ignore_index=True), schema))


def since(before, now):
    return list(drift_since(PreviousRun(statistics(before), before), statistics(now), now, SCHEMA))


def dealt(images, seed):
    """The images in random splits: 60 / 20 / 20."""
    splits = np.random.default_rng(seed).choice(["train", "validation", "test"], len(images), p=[0.6, 0.2, 0.2])
    return images.assign(split=splits)


def test_maps_of_fewer_classes_in_a_split_are_told():
    train, test = (table(100, seed=seed, split=split) for seed, split in ((1, "train"), (2, "test")))
    found = between_splits(train.assign(map_classes=5), test.assign(map_classes=2, id=test["id"] + "t"))
    assert [one.message.partition(",")[0] for one in found] == [
        "classes per label map is 5 in the train split and 2 in the test split"
    ]
    assert between_splits(train.assign(map_classes=0), test.assign(map_classes=0)) == []


@pytest.mark.parametrize("count", [15, 300])
@pytest.mark.parametrize("deals", [40, pytest.param(200, marks=pytest.mark.slow)])
def test_clean_random_splits_raise_nothing(count, deals):
    images = table(count, seed=count)
    alarms = [codes(split_drift(dealt(images, seed), SCHEMA)) for seed in range(deals)]
    assert [found for found in alarms if found] == []


def test_significance_alone_keeps_small_samples_quiet_and_size_alone_keeps_large_ones_quiet():
    # Without the other half of the rule each would be reported: 20 images differ by chance, 60,000 by very little.
    rule = SCHEMA.model_copy(update={"max_label_drift": 0.0, "max_feature_drift": 0.0})
    small = table(20, seed=1)
    assert [codes(split_drift(dealt(small, seed), rule)) for seed in range(50)] == [[]] * 50
    large = [table(30_000, seed=2), table(30_000, seed=3, split="test", brightness=122.0)]
    assert codes(between_splits(*large)) == []
    assert codes(between_splits(*large, schema=rule)) == ["feature_drift"]


@pytest.mark.parametrize("count", [25, pytest.param(100, marks=pytest.mark.slow)])
def test_new_images_like_the_old_raise_nothing(count):
    before = table(150, seed=0)
    draws = (pd.concat([before, table(60, seed=seed, start=1000)], ignore_index=True) for seed in range(1, count + 1))
    assert [found for found in (since(before, now) for now in draws) if found] == []


def test_a_dark_test_split_is_told_with_both_medians():
    train, test = table(300, seed=1), table(100, seed=2, split="test", brightness=60.0)
    (found,) = between_splits(train, test)
    assert (found.severity, found.code) == ("warning", "feature_drift")
    medians = [f"{images['brightness'].median():.4g}" for images in (train, test)]
    expected = f"brightness is {medians[0]} in the train split and {medians[1]} in the test split, by the median"
    assert found.message.startswith(f"{expected} (Kolmogorov-Smirnov distance 0.")


@pytest.mark.parametrize("feature", ["contrast", "size", "caption_words", "objects"])
def test_every_number_is_compared(feature):
    random = np.random.default_rng(0)
    train = table(200, seed=1).assign(**{feature: random.normal(10, 1, 200)})
    test = table(100, seed=2, split="test").assign(**{feature: random.normal(20, 1, 100)})
    (found,) = between_splits(train, test)
    assert found.code == "feature_drift"


def test_a_split_of_other_shape_and_size_is_told():
    wide = table(100, seed=2, split="validation").assign(width=2000, height=500, aspect=4.0)
    found = between_splits(table(200, seed=1), wide)
    assert [one.message.split(" is ")[0] for one in found] == ["aspect ratio", "size in pixels"]


def test_a_label_that_one_split_has_more_of_is_named_with_its_shares():
    test = table(100, seed=2, split="test", shares=(0.1, 0.3, 0.6))
    (found,) = between_splits(table(300, seed=1), test)
    share = (test["label"] == "owl").mean()
    assert (found.severity, found.code) == ("warning", "label_drift")
    assert found.message.startswith("label 'owl' is ")
    assert f"of the train split, and {share:.1%} of the test split (limit of the difference: 10.0%)" in found.message
    assert set(found.examples) <= set(test.loc[test["label"] == "owl", "id"])


def test_images_of_one_group_count_once():
    # 4 people, 50 pictures each: the test split holds the one in the dark room. One person of four proves nothing.
    groups = [table(50, seed=seed, start=50 * seed, group=str(seed)) for seed in range(3)]
    dark = table(50, seed=3, start=150, group="3", split="test", brightness=20.0)
    assert codes(between_splits(*groups, dark)) == []
    assert codes(between_splits(*(images.assign(group="") for images in (*groups, dark)))) == ["feature_drift"]


def test_added_images_are_compared_with_the_last_run_however_few_they_are():
    before = table(1000, seed=1)
    now = pd.concat([before, table(40, seed=2, start=5000, brightness=30.0)], ignore_index=True)
    (found,) = since(before, now)
    assert found.code == "feature_drift_since_last_run"
    assert "in the last run and " in found.message
    assert "in the images added since" in found.message


def test_images_taken_away_on_one_side_are_told():
    before = table(600, seed=1)
    found = since(before, before[before["brightness"] > 120.0])
    assert codes(found) == ["feature_drift_since_last_run"]
    assert "in this run" in found[0].message


def test_classes_that_come_and_go_are_named():
    before = table(60, seed=1)
    now = before.assign(label=before["label"].replace({"owl": "bat"}))
    appeared, vanished = [one for one in since(before, now) if one.code.startswith("class")]
    assert (appeared.severity, appeared.message) == ("info", "label 'bat' was not there in the last run")
    assert set(appeared.examples) <= set(now.loc[now["label"] == "bat", "id"])
    owls = (before["label"] == "owl").sum()
    assert vanished.severity == "warning"
    assert vanished.message == f"label 'owl' had {owls} images in the last run, and has none now"


def test_half_the_images_gone_is_told_and_less_is_not():
    before = table(100, seed=1)
    assert codes(since(before, before[:50])) == []
    (found,) = since(before, before[:49])
    assert found.message == "there are 49 usable images; in the last run there were 100"


def test_the_same_images_again_raise_nothing():
    images = table(80, seed=1)
    assert since(images, images) == []


def test_a_last_run_that_knew_fewer_columns_can_still_be_compared():
    before = table(200, seed=1).drop(columns=["aspect", "group"])
    assert codes(since(before, pd.concat([before, table(50, seed=2, brightness=20.0)]))) == ["feature_drift_since_last_run"]


def test_the_distance_of_labels_is_the_largest_difference_of_one_share():
    first, second = pd.Series(["a"] * 6 + ["b"] * 3 + ["c"]), pd.Series(["a"] * 2 + ["b"] * 2 + ["c"] * 6)
    name, counts = most_different_label(first, second)
    assert name == "c"
    assert counts.tolist() == [[1, 9], [6, 4]]


def test_the_distance_of_numbers_is_the_largest_gap_of_their_cumulated_shares():
    random = np.random.default_rng(0)
    a, b = random.normal(size=50), random.normal(0.5, size=70)
    points = np.concatenate([a, b])
    gaps = [abs((a <= point).mean() - (b <= point).mean()) for point in points]
    assert feature_difference(a, b)[0] == pytest.approx(max(gaps))


@pytest.mark.parametrize(
    ("first", "second"), [(1, 1), (1, 2), (2, 3), (1, 50), (3, 40), (5, 5), (12, 12), (20, 90), (60, 60)]
)
def test_the_bound_on_chance_is_never_below_the_exact_probability(first, second):
    # Samples drawn apart from each other more and more reach every distance; scipy counts the paths.
    for shift in np.linspace(0, 4, 15):
        random = np.random.default_rng(int(10 * shift))
        a, b = random.normal(size=first), random.normal(shift, size=second)
        exact = stats.ks_2samp(a, b, method="exact")
        distance, chance = feature_difference(a, b)
        assert distance == pytest.approx(exact.statistic)
        assert chance >= exact.pvalue * (1 - 1e-9)


def test_100_000_images_are_compared_in_seconds():
    images = dealt(table(100_000, seed=1), seed=0)
    started = time.perf_counter()
    assert list(split_drift(images, SCHEMA)) == []
    assert time.perf_counter() - started < 20
