"""A schema inferred from data fits them; a person's mistakes in it raise errors."""

import json
from dataclasses import replace

import pytest

from kerasvision.data.measuring.statistics import Statistics
from kerasvision.data.validating.schema import DataSchema
from kerasvision.errors import ConfigError

STATISTICS = Statistics(
    classes=["cat", "dog"],
    counts={"train": {"cat": 5, "dog": 5}},
    modes={"RGB": 6, "L": 4},
    formats={"PNG": 10},
    min_side=20,
    max_side=31,
    channel_mean=[1.0, 2.0, 3.0],
    channel_deviation=[1.0, 1.0, 1.0],
    quarantined={},
    notes={},
    duplicates=[],
    contradictions=[],
    shared_between_splits=[],
)


def test_an_inferred_schema_says_what_there_is():
    schema = DataSchema.infer(STATISTICS)
    assert schema.classes == ("cat", "dog")
    assert schema.modes == ("L", "RGB")
    assert (schema.min_side, schema.max_side) == (20, 31)


def test_classes_keep_the_order_of_their_numbers(tmp_path):
    schema = DataSchema(classes=("9", "10", "1"), modes=("L",), min_side=1, max_side=1)
    schema.save(tmp_path / "schema.json")
    assert DataSchema.load(tmp_path / "schema.json").classes == ("9", "10", "1")


def test_objects_and_captions_are_expected_where_there_are_any():
    assert (DataSchema.infer(STATISTICS).object_classes, DataSchema.infer(STATISTICS).min_captions) == ((), 0)
    scenes = replace(STATISTICS, object_classes=["cat", "cup"], captions={"least": 1})
    assert (DataSchema.infer(scenes).object_classes, DataSchema.infer(scenes).min_captions) == (("cat", "cup"), 1)


def test_unlabelled_images_have_a_schema_without_classes():
    assert DataSchema.infer(replace(STATISTICS, classes=[], counts={})).classes == ()


def test_a_schema_of_the_first_version_still_loads(tmp_path):
    # As version 0.1.0 wrote it, for two classes of grey digits.
    fields = {"classes": ["0", "1"], "modes": ["L"], "min_side": 8, "max_side": 8}
    fields |= {"min_train_examples": 2, "max_imbalance": 20.0}
    (tmp_path / "schema.json").write_text(json.dumps(fields))
    schema = DataSchema.load(tmp_path / "schema.json")
    assert schema == DataSchema(classes=("0", "1"), modes=("L",), min_side=8, max_side=8)
    assert schema.severities == {}


def test_every_field_is_described():
    assert [name for name, field in DataSchema.model_fields.items() if not field.description] == []


def test_a_saved_schema_is_equal_when_loaded(tmp_path):
    schema = DataSchema.infer(STATISTICS)
    schema.save(tmp_path / "schema.json")
    assert DataSchema.load(tmp_path / "schema.json") == schema


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"clases": []}, "DataSchema has no field 'clases'; did you mean 'classes'?"),
        ({"classes": "cat"}, "DataSchema.classes: input should be a valid tuple; received 'cat'."),
        ({"min_side": 0}, "DataSchema.min_side: input should be greater than or equal to 1; received 0."),
        ({"max_imbalance": 0.5}, "DataSchema.max_imbalance: input should be greater than or equal to 1"),
        ({"max_label_drift": 1.5}, "DataSchema.max_label_drift: input should be less than or equal to 1; received 1.5."),
        (
            {"severities": {"own_check": "info"}},
            "severities cannot change own_check, because each check has its own severity. Set it in the check: "
            '{"value": ..., "severity": "warning"}',
        ),
        ({"severities": {"leakge": "info"}}, "no anomaly has the code 'leakge'; did you mean 'leakage'?"),
        (
            {"severities": {"imbalance": "fatal"}},
            "DataSchema.severities.imbalance: input should be 'error', 'warning', 'info' or 'ignore'; received 'fatal'.",
        ),
    ],
)
def test_a_mistake_in_an_edited_schema_is_told(edit, message, tmp_path):
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(DataSchema.infer(STATISTICS).to_data() | edit))
    with pytest.raises(ConfigError) as told:
        DataSchema.load(file)
    assert message in str(told.value)


def test_a_schema_that_is_no_json_is_told_with_its_line(tmp_path):
    file = tmp_path / "schema.json"
    file.write_text('{"classes": ["cat"],\n "modes": [,]}')
    with pytest.raises(ConfigError, match=r"schema.json, line 2, is not JSON"):
        DataSchema.load(file)


def test_a_schema_that_an_editor_saved_with_the_mark_of_utf_8_is_read(tmp_path):
    schema = DataSchema(classes=("cat",), modes=("RGB",), min_side=8, max_side=64)
    schema.save(tmp_path / "schema.json")
    text = (tmp_path / "schema.json").read_text(encoding="utf-8")
    (tmp_path / "schema.json").write_text(text, encoding="utf-8-sig")
    assert DataSchema.load(tmp_path / "schema.json") == schema
    (tmp_path / "schema.json").write_bytes(text.encode("utf-16"))
    with pytest.raises(ConfigError, match=r"schema\.json is not JSON: not UTF-8 text \(byte 0\)"):
        DataSchema.load(tmp_path / "schema.json")
