"""How people see the answers is written into the saved model, by the task, with the numbers of the source's classes."""

import json

import pytest

from kerasvision.export.writing.saved_model import export_saved_model
from kerasvision.tasks.classification.task import ClassificationTask


class Shown(ClassificationTask):
    def presentation(self):
        return {"presentation": "found_objects", "places": {"corners": "boxes"}}


@pytest.fixture
def answers(trained, tmp_path):
    """What a SavedModel says after an export with these numbers."""

    def export(task, category_ids):
        export_saved_model(
            trained.network, task=task, transform=trained.transform, folder=tmp_path / "saved", category_ids=category_ids
        )
        return json.loads((tmp_path / "saved" / "assets.extra" / "answers.json").read_text(encoding="utf-8"))

    return export


def test_the_numbers_of_the_tasks_own_classes_are_written(trained, answers):
    written = answers(Shown(trained.task.settings, trained.task.classes), {"über Kreuz": 17, "across": 3, "other": 5})
    assert written == {
        "presentation": "found_objects",
        "places": {"corners": "boxes"},
        "category_ids": {"across": 3, "über Kreuz": 17},
    }


def test_without_numbers_none_are_written(trained, answers):
    assert list(answers(Shown(trained.task.settings, trained.task.classes), {})) == ["presentation", "places"]


def test_answers_that_are_shown_as_they_are_have_no_file(trained):
    assert not (trained.saved_model / "assets.extra" / "answers.json").exists()
