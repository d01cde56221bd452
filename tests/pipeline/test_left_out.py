"""The end of a run says what was not used, what has no value, and why."""

import json

import pytest

from kerasvision.cli import pipelines
from kerasvision.pipeline.artifacts import ExampleAnomalies, Examples, ExampleStatistics, ModelEvaluation
from kerasvision.pipeline.launcher import Result
from kerasvision.pipeline.left_out import left_out
from kerasvision.pipeline.local import RunResult
from kerasvision.pipeline.records import ArtifactRecord
from kerasvision.pipeline.tables import LIVE


@pytest.fixture
def recorded(tmp_path):
    """Writes one file of an artifact, and returns its record."""

    def make(kind, name="", content=None, **properties):
        folder = tmp_path / kind.TYPE_NAME
        folder.mkdir(exist_ok=True)
        if name:
            (folder / name).write_text(json.dumps(content))
        return ArtifactRecord(1, kind.TYPE_NAME, folder, LIVE, "", properties)

    return make


def anomalies(*severities):
    return {"anomalies": [{"severity": one, "code": f"code_{one}"} for one in severities]}


def test_images_are_counted_by_the_reason_for_which_they_were_left_out(recorded):
    faults = {f"{n}.jpg": fault for n, fault in enumerate(["empty", "cut off", "empty", "a", "b", "empty"])}
    statistics = {"quarantined": faults, "images": {"train": 12, "test": 2}}
    assert left_out([recorded(ExampleStatistics, "statistics.json", statistics)]) == [
        "6 of 20 images were left out: empty (3), cut off (1), a (1) and 1 more"
    ]


def test_a_metric_without_a_value_is_named_with_the_reason_and_the_splits(recorded):
    splits = {split: {"left_out": {"recall[owl]": "there is no example of this class"}} for split in ("test", "train")}
    splits["train"]["left_out"]["roc_auc"] = "one class is missing"
    assert left_out([recorded(ModelEvaluation, "scores.json", {"splits": splits})]) == [
        "recall[owl] on test and train: no value, because there is no example of this class",
        "roc_auc on train: no value, because one class is missing",
    ]


def test_of_many_metrics_the_first_are_named(recorded):
    many = {"test": {"left_out": {f"recall[{n}]": "no example" for n in range(8)}}}
    said = left_out([recorded(ModelEvaluation, "scores.json", {"splits": many})])
    assert (len(said), said[-1]) == (6, "and 3 more")


def test_warnings_are_counted_and_information_is_not(recorded):
    file = anomalies("warning", "info", "warning")
    assert left_out([recorded(ExampleAnomalies, "anomalies.json", file)]) == ["2 warnings about the images: code_warning"]


def test_what_a_file_names_in_vain_is_counted(recorded):
    assert left_out([recorded(Examples, quarantine_unmatched=2, classes_without_objects=1)]) == [
        "2 entries of ingest.quarantine_file match no image",
        "1 of the classes that the source lists has no object in an image that is used",
    ]


def test_nothing_is_said_if_all_was_used(recorded):
    whole = [
        recorded(Examples, span=1),
        recorded(ExampleStatistics, "statistics.json", {"quarantined": {}, "images": {"train": 9}}),
        recorded(ExampleAnomalies, "anomalies.json", anomalies("info")),
        recorded(ModelEvaluation, "scores.json", {"splits": {"test": {"left_out": {}}}}),
    ]
    assert left_out(whole) == []


def test_a_damaged_file_is_passed_over(recorded):
    record = recorded(ExampleAnomalies, "anomalies.json", anomalies("warning"))
    (record.uri / "anomalies.json").write_text("{")
    assert left_out([record, recorded(ModelEvaluation)]) == []


def test_the_end_of_a_run_prints_a_note_for_each(recorded, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pipelines, "tell_report", lambda *_: None)
    record = recorded(ExampleAnomalies, "anomalies.json", anomalies("warning"))
    stage = Result("example_validator", {"anomalies": record}, reused=True, seconds=0.0)
    pipelines.print_result(RunResult("r", (stage,)), tmp_path, 0.5)
    *_, run, note = capsys.readouterr().out.splitlines()
    assert run == "run r: 0 of 1 stages executed, 0.5 s"
    assert note == "note: 1 warning about the images: code_warning"
