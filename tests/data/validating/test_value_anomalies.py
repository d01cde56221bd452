"""Numbers of the images are described by split, shown on the page, and checked against the schema."""

import numpy as np
import pytest

from kerasvision.data.measuring.page import write_statistics_page
from kerasvision.data.measuring.statistics import Statistics, compute_statistics
from kerasvision.data.validating.schema import DataSchema
from kerasvision.data.validating.validation import find_anomalies

NAN = float("nan")


def row(name, value, numbers):
    pixels = np.random.default_rng(value).integers(0, 255, (12, 12), np.uint8)
    return (name, pixels, "", [], [], b"", (), numbers)


@pytest.fixture(scope="module")
def examples(make_examples, tmp_path_factory):
    train = [row(f"a{number}", number, (20.0 + number, 5.0, NAN)) for number in range(6)]
    train += [row("copy1", 100, (1.0, 5.0, 3.0)), row("copy2", 100, (2.0, 5.0, NAN))]
    test = [row("t0", 50, (21.5, 5.0, NAN)), row("t1", 51, (NAN, 5.0, NAN))]
    folder = tmp_path_factory.mktemp("numbers") / "data"
    return make_examples(folder, value_names=("age", "grade", "<b>"), train=train, test=test)


@pytest.fixture(scope="module")
def measured(examples, manifest_of):
    return compute_statistics(examples, manifest_of(examples))


def test_numbers_are_summarised_by_split(measured, tmp_path):
    statistics, images = measured
    assert statistics.value_names == ["age", "grade", "<b>"]
    train = np.array([20.0, 21, 22, 23, 24, 25, 1, 2])
    expected = {"count": 8, "missing": 0, "mean": train.mean(), "deviation": train.std(), "least": 1.0, "most": 25.0}
    assert statistics.values["train"]["age"] == pytest.approx({**expected, "median": np.median(train)})
    nothing = dict.fromkeys(("mean", "deviation", "least", "median", "most"))
    assert statistics.values["test"]["<b>"] == {"count": 0, "missing": 2, **nothing}
    assert images.set_index("id")["value[age]"]["a3"] == 23.0
    statistics.save(tmp_path / "statistics.json")
    assert Statistics.load(tmp_path / "statistics.json") == statistics


def test_the_page_shows_numbers_of_splits_and_images(measured, examples, tmp_path):
    statistics, images = measured
    write_statistics_page(statistics, images, examples=examples, file=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<h2>Numbers" in page
    assert "<li>age 23</li><li>grade 5</li>" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert page.count("<figcaption><small>median: train") >= 2  # histograms of the numbers are among the others


def found(measured, schema, code):
    statistics, images = measured
    return [one for one in find_anomalies(statistics, schema, images=images) if one.code == code]


def test_what_is_odd_about_numbers_is_named(measured):
    schema = DataSchema.infer(measured[0])
    assert schema.values == {"age": (1.0, 25.0), "grade": (5.0, 5.0), "<b>": (3.0, 3.0)}
    (missing,) = found(measured, schema, "value_missing_in_split")
    assert missing.message == "no image of the test split has a number for '<b>'"
    (many,) = found(measured, schema, "many_missing_values")
    assert many.message == "87.5% of the images of the train split have no number for '<b>' (limit: 50.0%)"
    messages = [one.message for one in found(measured, schema, "constant_value")]
    assert messages == [f"'grade' is 5 in all images of the {split} split" for split in ("train", "test")]
    (copies,) = found(measured, schema, "value_contradiction")
    assert copies.message == "2 images are copies with different numbers for 'age': copy1 = copy2"
    assert copies.suspects == ("copy1", "copy2")
    assert not found(measured, schema, "value_out_of_range")


def test_numbers_are_compared_with_a_committed_schema(measured):
    inferred = DataSchema.infer(measured[0])
    schema = inferred.model_copy(update={"values": {"age": (15.0, 24.0), "grade": (5.0, 5.0), "size": (0.0, 1.0)}})
    (outside,) = found(measured, schema, "value_out_of_range")
    assert outside.message == "3 images have a number for 'age' outside 15 to 24, such as 25"
    assert set(outside.suspects) == {"a5", "copy1", "copy2"}
    assert [one.message for one in found(measured, schema, "missing_value_name")] == [
        "no image has the value 'size' of the schema"
    ]
    (unseen,) = found(measured, schema, "unseen_value_name")
    assert unseen.severity == "error"


def test_a_task_that_requires_numbers_reports_images_without(make_examples, manifest_of, tmp_path):
    plain = make_examples(tmp_path / "data", train=[row("a", 1, ())[:2]], test=[row("b", 2, ())[:2]])
    measured = compute_statistics(plain, manifest_of(plain))
    schema = DataSchema.infer(measured[0])
    assert not found(measured, schema, "no_values")
    (one,) = found(measured, schema.model_copy(update={"requires": ("values",)}), "no_values")
    assert one.severity == "error"


def test_drift_of_numbers_between_splits_is_found(make_examples, manifest_of, tmp_path):
    random = np.random.default_rng(0)
    sets = {
        split: [row(f"{split}{number}", number + 1000 * place, (random.normal(3.0 * place),)) for number in range(60)]
        for place, split in enumerate(("train", "test"))
    }
    examples = make_examples(tmp_path / "data", value_names=("age",), **sets)
    measured = compute_statistics(examples, manifest_of(examples))
    drifted = [one for one in found(measured, DataSchema.infer(measured[0]), "feature_drift") if "'age'" in one.message]
    assert len(drifted) == 1
    assert drifted[0].message.startswith("value 'age' is ")
