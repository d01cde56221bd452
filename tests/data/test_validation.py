"""Each thing that can be wrong with a data set has a code of its own, and a clean set has none."""

import json
from dataclasses import replace

import pytest

from kerasvision.data.schema import DataSchema
from kerasvision.data.statistics import Statistics
from kerasvision.data.validation import find_anomalies, refuse_errors, save_anomalies
from kerasvision.errors import DataError

CLEAN = Statistics(
    classes=["cat", "dog"],
    counts={"train": {"cat": 40, "dog": 60}, "validation": {"cat": 5, "dog": 5}, "test": {"cat": 5, "dog": 5}},
    modes={"RGB": 120}, formats={"JPEG": 120}, min_side=20, max_side=30, channel_mean=[100.0, 100.0, 100.0],
    channel_deviation=[50.0, 50.0, 50.0], quarantined={}, notes={}, duplicates=[], contradictions=[],
    shared_between_splits=[],
)  # fmt: skip
SCHEMA = DataSchema.infer(CLEAN)


def counts(train, test=None):
    return {"train": train, "test": test or {"cat": 5, "dog": 5}}


def found(statistics=CLEAN, schema=SCHEMA, **changed):
    return [(anomaly.severity, anomaly.code) for anomaly in find_anomalies(replace(statistics, **changed), schema)]


def schema(**changed):
    return SCHEMA.model_copy(update=changed)


def test_a_clean_set_has_no_anomalies():
    assert found() == []


# Each row: what is changed in the clean set, what in its schema, and everything that must be found.
@pytest.mark.parametrize(
    ("changed", "normal", "expected"),
    [
        ({"counts": {"train": {"cat": 9}, "test": {"cat": 5}}}, {"classes": ("cat",)}, [("error", "one_class")]),
        ({}, {"classes": ("cat",)}, [("error", "unseen_label")]),
        ({}, {"classes": ("cat", "dog", "owl")}, [("error", "missing_label")]),
        (
            {"counts": counts({"cat": 9, "dog": 9, "Dog ": 9})},
            {"classes": ("cat", "dog", "Dog ")},
            [("warning", "label_variants")],
        ),
        ({"counts": counts({"cat": 40, "dog": 1})}, {"max_imbalance": 50}, [("error", "too_few_examples")]),
        ({"counts": counts({"cat": 40, "dog": 0})}, {}, [("error", "too_few_examples")]),
        ({"counts": counts({"cat": 9, "dog": 9}, {"cat": 5, "dog": 0})}, {}, [("warning", "label_missing_in_split")]),
        ({"counts": counts({"cat": 41, "dog": 2})}, {}, [("warning", "imbalance")]),
        ({"counts": counts({"cat": 40, "dog": 2})}, {}, []),
        ({"quarantined": {"a": "empty", "b": "empty"}}, {}, [("warning", "quarantined")]),
        ({"quarantined": {"a": "empty", "b": "cut"}}, {}, [("warning", "quarantined")] * 2),
        ({"min_side": 19}, {}, [("warning", "small_image")]),
        ({"max_side": 31}, {}, [("warning", "large_image")]),
        ({"modes": {"RGB": 100, "L": 20}}, {}, [("warning", "unseen_mode")]),
        ({"notes": {"alpha channel dropped": 2}}, {}, [("info", "changed_by_decoding")]),
        ({"shared_between_splits": [["a", "b"]]}, {}, [("error", "leakage")]),
        ({"contradictions": [["a", "b"]]}, {}, [("warning", "contradiction")]),
        ({"duplicates": [["a", "b"], ["c", "d", "e"]]}, {}, [("info", "duplicates")]),
    ],
)
def test_each_anomaly_is_found_alone(changed, normal, expected):
    assert found(schema=schema(**normal), **changed) == expected


def test_the_worst_comes_first():
    several = found(duplicates=[["a", "b"]], contradictions=[["a", "b"]], shared_between_splits=[["a", "b"]])
    assert [severity for severity, _ in several] == ["error", "warning", "info"]


def test_messages_carry_numbers_and_names():
    changed = replace(CLEAN, duplicates=[["a", "b"], ["c", "d", "e"]], quarantined=dict.fromkeys("123456", "empty"))
    quarantined, duplicates = find_anomalies(changed, SCHEMA)
    assert quarantined.message == "6 images were left out: empty"
    assert quarantined.examples == ("1", "2", "3", "4", "5")
    assert duplicates.message.startswith("3 images are exact copies")
    assert duplicates.examples == ("a", "b")


def test_no_class_at_all_is_told():
    empty = replace(CLEAN, counts={})
    messages = [anomaly.message for anomaly in find_anomalies(empty, SCHEMA) if anomaly.code == "one_class"]
    assert messages == ["there must be at least two classes, and no class has images"]


def saved(tmp_path, **changed):
    file = tmp_path / "anomalies.json"
    save_anomalies(find_anomalies(replace(CLEAN, **changed), SCHEMA), file)
    return file


def test_saved_anomalies_are_counted_by_severity(tmp_path):
    file = saved(tmp_path, shared_between_splits=[["a", "b"]], duplicates=[["a", "b"]])
    data = json.loads(file.read_text())
    assert data["counts"] == {"error": 1, "warning": 0, "info": 1}
    assert data["anomalies"][0] == {
        "severity": "error", "code": "leakage", "message": "one image lies in two splits", "examples": ["a", "b"]
    }  # fmt: skip


def test_errors_are_refused_by_their_messages(tmp_path):
    with pytest.raises(DataError, match=r"cannot be trained on: one image lies in two splits. All anomalies are in"):
        refuse_errors(saved(tmp_path, shared_between_splits=[["a", "b"]]))


def test_warnings_are_not_refused(tmp_path):
    assert refuse_errors(saved(tmp_path, contradictions=[["a", "b"]], min_side=1)) is None
