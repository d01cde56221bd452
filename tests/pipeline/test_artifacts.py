"""An artifact class of your own is opened as itself, and may not take a name that is in use."""

from pathlib import Path

import pytest

from kerasvision.errors import GraphError
from kerasvision.pipeline.artifacts import TYPES, Artifact, Model
from kerasvision.pipeline.records import ArtifactRecord


def opened(type_name):
    return ArtifactRecord(1, type_name, Path("here"), state=2, digest="", properties={}).open()


@pytest.fixture(autouse=True)
def forgets_notes():
    """What a test defines is not there for the others."""
    yield
    TYPES.pop("Notes", None)


def test_a_class_of_ones_own_is_opened_as_itself():
    class Notes(Artifact):
        TYPE_NAME = "Notes"
        FRONT = "notes.txt"

    assert isinstance(opened("Notes"), Notes)
    assert opened("Notes").front == Path("here", "notes.txt")
    assert isinstance(opened("Model"), Model)


def test_an_artifact_whose_class_is_not_imported_is_a_plain_folder():
    assert type(opened("Notes")) is Artifact
    assert opened("Notes").front == Path("here")


def test_a_class_without_a_type_name_is_stored_as_what_it_inherits_from():
    class SmallModel(Model):
        pass

    assert SmallModel.TYPE_NAME == "Model"
    assert type(opened("Model")) is Model


def test_a_pipeline_file_that_is_loaded_again_may_define_its_class_again():
    def load():
        class Notes(Artifact):
            TYPE_NAME = "Notes"

        return Notes

    load()
    again = load()
    assert type(opened("Notes")) is again


def test_a_type_name_that_is_in_use_is_refused():
    with pytest.raises(GraphError, match=r"kerasvision.pipeline.artifacts:Model has this one; received 'Model'\. Choose"):

        class Model(Artifact):
            TYPE_NAME = "Model"

    assert TYPES["Model"].__module__ == "kerasvision.pipeline.artifacts"
