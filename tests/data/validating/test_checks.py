"""A person's own checks bound any number of the statistics; each has its own severity."""

import json
from pathlib import Path

import pytest

from kerasvision.data.measuring.statistics import Statistics
from kerasvision.data.validating.checks import StatisticsCheck, number_at
from kerasvision.data.validating.schema import DataSchema
from kerasvision.data.validating.validation import find_anomalies
from kerasvision.errors import ConfigError, DataError

STATISTICS = Statistics(
    classes=["cat", "dog"],
    counts={"train": {"cat": 40, "dog": 60}, "test": {"cat": 5, "dog": 5}},
    modes={"RGB": 110},
    formats={"JPEG": 110},
    min_side=20,
    max_side=30,
    channel_mean=[100.0, 110.0, 120.0],
    channel_deviation=[50.0, 50.0, 50.0],
    quarantined={},
    notes={},
    duplicates=[["a", "b"], ["c", "d"]],
    contradictions=[],
    shared_between_splits=[],
    images={"train": 100, "test": 10},
)


def found(*checks):
    schema = DataSchema.infer(STATISTICS).to_data() | {"checks": checks}
    anomalies = find_anomalies(STATISTICS, DataSchema.parse(schema))
    return [(one.severity, one.message) for one in anomalies if one.code == "own_check"]


# As docs/how-to/data.md shows them.
SHOWN = """\
{"checks": [
  {"value": "counts.train.cat", "per": "images.train", "at_least": 0.1, "why": "half of our users have cats"},
  {"value": "duplicates", "at_most": 20, "severity": "warning"}
]}
"""


def test_the_checks_of_the_page_are_valid_and_hold_here():
    page = Path(__file__).parents[3] / "docs" / "how-to" / "data.md"
    assert SHOWN in page.read_text(encoding="utf-8")
    assert found(*json.loads(SHOWN)["checks"]) == []


def test_checks_that_hold_say_nothing():
    assert found(
        {"value": "images.train", "at_least": 100},
        {"value": "counts.train.cat", "per": "images.train", "at_least": 0.4, "at_most": 0.4},
        {"value": "duplicates", "at_most": 2},
        {"value": "channel_mean.2", "at_least": 119, "at_most": 121},
    ) == []  # fmt: skip


def test_a_check_that_does_not_hold_says_the_number_the_bound_and_why():
    assert found(
        {"value": "counts.test.dog", "per": "images.test", "at_least": 0.6, "why": "half of our users have dogs"},
        {"value": "duplicates", "at_most": 1, "severity": "warning"},
    ) == [
        ("error", "counts.test.dog / images.test is 0.5, and must be at least 0.6: half of our users have dogs"),
        ("warning", "duplicates is 2, and must be at most 1"),
    ]


def test_many_checks_are_all_listed_with_their_own_severities_worst_first():
    checks = [{"value": "min_side", "at_least": 30 + n, "severity": "info"} for n in range(14)]
    severities = [severity for severity, _ in found(*checks, {"value": "max_side", "at_most": 1})]
    assert severities == ["error", *["info"] * 14]


def test_a_share_of_nothing_does_not_hold():
    assert found({"value": "images.test", "per": "quarantined", "at_most": 1}) == [
        ("error", "images.test / quarantined is nan, and must be at most 1")
    ]


def test_what_no_image_has_counts_as_zero_and_a_misspelt_name_does_not():
    absent = ("modes.CMYK", "modes.RGBA", "formats.GIF", "images.validation", "counts.train.fox", "notes.first frame")
    schema = DataSchema.infer(STATISTICS).to_data() | {"classes": ["cat", "dog", "fox"]}
    at_most = [{"value": path, "at_most": 0} for path in absent]
    at_least = [{"value": path, "at_least": 1} for path in absent]
    said = find_anomalies(STATISTICS, DataSchema.parse(schema | {"checks": at_most + at_least}))
    assert [one.message for one in said if one.code == "own_check"] == [
        f"{path} is 0, and must be at least 1" for path in absent
    ]
    for wrong in ("modes.CMKY", "formats.GIFF", "images.trian", "counts.train.fix"):
        with pytest.raises(DataError, match=f"the statistics have no number at '{wrong}'"):
            found({"value": wrong, "at_most": 0})


def test_statistics_are_not_copied_without_checks(monkeypatch):
    monkeypatch.setattr("kerasvision.data.validating.checks.asdict", lambda statistics: pytest.fail("copied"))
    assert found() == []


def test_a_path_that_leads_to_nothing_is_refused_with_the_nearest():
    with pytest.raises(DataError, match=r"the statistics have no number at 'counts.train.cta'; did you mean 'cat'"):
        found({"value": "counts.train.cta", "at_least": 1})


def test_a_path_that_leads_to_a_text_is_refused():
    with pytest.raises(DataError, match=r"'classes.0' is 'cat'"):
        found({"value": "classes.0", "at_least": 1})


@pytest.mark.parametrize(
    ("check", "error"),
    [
        ({"value": "images.train"}, "a check requires at_least or at_most; received neither for images.train"),
        ({"value": "images.train", "at_least": 2, "at_most": 1}, "at_least must not exceed at_most; received at_least=2"),
        ({"value": "imagse.train", "at_least": 2}, "the statistics have no 'imagse'; did you mean 'images'"),
        ({"value": "min_side", "per": "widht", "at_least": 2}, "the statistics have no 'widht'"),
        ({"value": "min_side", "at_last": 2}, "StatisticsCheck has no field 'at_last'; did you mean 'at_least'"),
    ],
)
def test_a_mistake_in_a_check_is_refused_when_the_schema_is_read(check, error):
    with pytest.raises(ConfigError, match=error):
        DataSchema.parse(DataSchema.infer(STATISTICS).to_data() | {"checks": [check]})


def test_a_name_with_dots_is_a_key():
    data = {"counts": {"train": {"St. Bernard": 7, "St": {" Bernard": 8}}}}
    assert number_at(data, "counts.train.St. Bernard") == 7.0
    assert StatisticsCheck(value="counts.train.St. Bernard", at_least=1).name == "counts.train.St. Bernard"
