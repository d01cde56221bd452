"""The highest version that is whole is served; a new one is taken up beside the old one, a damaged one is not."""

import gc
import logging
import shutil
import time
import weakref

import numpy as np
import pytest

from kerasvision.errors import ExportError
from kerasvision.serving.limits import Limits
from kerasvision.serving.measures import Measures
from kerasvision.serving.versions import Versions

DATA = "variables/variables.data-00000-of-00001"


def add(saved_model, folder, version):
    """Puts a version where servers look, at once."""
    shutil.copytree(saved_model, folder / ".copying")
    (folder / ".copying").rename(folder / str(version))


@pytest.fixture
def folder(saved_models, tmp_path):
    """`colours` with version 3."""
    folder = tmp_path / "colours"
    folder.mkdir()
    add(saved_models[0], folder, 3)
    return folder


def watched(folder):
    return Versions(folder, limits=Limits(), measures=Measures())


def total_of_zeros(model):
    """0 of the first SavedModel, 1 of the second."""
    return float(model.signatures["total"]({"image": np.zeros((1, 2, 2), np.float32)})["sum"][0])


def test_a_higher_version_takes_the_place_of_the_old_one_which_still_answers_and_is_freed(folder, saved_models):
    model = watched(folder)
    assert (model.name, model.current.version, model.look()) == ("colours", 3, False)
    old = model.current
    add(saved_models[1], folder, 10)
    assert (model.look(), model.look(), model.current.version) == (True, False, 10)
    assert [total_of_zeros(old), total_of_zeros(model.current)] == [0.0, 1.0]
    freed = weakref.ref(old._loaded)
    del old
    gc.collect()
    assert freed() is None


def test_a_lower_version_is_left_alone(folder, saved_models):
    model = watched(folder)
    add(saved_models[1], folder, 2)
    assert (model.look(), model.current.version) == (False, 3)


@pytest.mark.parametrize(
    ("file", "length", "fault"),
    [
        ("saved_model.pb", None, "it holds no saved_model.pb"),
        ("variables/variables.index", None, "its variables are missing"),
        ("saved_model.pb", 5000, "cannot be loaded, it is damaged"),
        (DATA, 5, "cannot be loaded, it is damaged"),
    ],
)
def test_half_a_version_is_refused_told_once_and_taken_up_when_it_is_whole(
    file, length, fault, folder, saved_models, caplog
):
    model = watched(folder)
    add(saved_models[1], folder, 4)
    whole = (folder / "4" / file).read_bytes()
    (folder / "4" / file).unlink()
    if length is not None:
        (folder / "4" / file).write_bytes(whole[:length])
    assert [model.look(), model.look(), model.current.version] == [False, False, 3]
    assert fault in model.faults[4]
    assert [record.message.split(":")[0] for record in caplog.records if record.levelno == logging.WARNING] == ["colours"]
    (folder / "4" / file).write_bytes(whole)
    assert [model.look(), model.current.version, model.faults] == [True, 4, {}]


def test_where_the_served_version_is_taken_away_the_highest_left_is_served(folder, saved_models):
    add(saved_models[1], folder, 4)
    model = watched(folder)
    assert model.current.version == 4
    (folder / "4").rename(folder / "withdrawn")
    assert (model.look(), model.current.version) == (True, 3)


def test_where_all_are_taken_away_the_last_one_goes_on(folder):
    model = watched(folder)
    (folder / "3").rename(folder / "withdrawn")
    assert (model.look(), model.current.version, total_of_zeros(model.current)) == (False, 3, 0.0)


def test_a_start_passes_over_what_is_damaged(folder):
    (folder / "9").mkdir()
    assert watched(folder).current.version == 3


def test_one_version_can_be_named_and_stays(folder, saved_models):
    model = watched(folder / "3")
    add(saved_models[1], folder, 4)
    model.start()
    model.stop()
    assert (model.name, model.current.version) == ("colours", 3)


def test_without_a_whole_version_there_is_no_server(tmp_path):
    with pytest.raises(ExportError, match="/nowhere is no saved model: there is no such folder"):
        watched(tmp_path / "nowhere")
    (tmp_path / "colours" / "1").mkdir(parents=True)
    with pytest.raises(ExportError, match="has no version that can be served: .*it holds no saved_model.pb"):
        watched(tmp_path / "colours")


def test_a_refused_version_is_told_in_the_status(folder, running):
    with running(folder, look_seconds=0.05) as server:
        (folder / "4").mkdir()
        states = {}
        while len(states) < 2:
            time.sleep(0.02)
            _, reply = server.ask("GET", "/v1/models/colours")
            states = {each["version"]: each for each in reply["model_version_status"]}
        assert [states[version]["state"] for version in "34"] == ["AVAILABLE", "END"]
        assert "it holds no saved_model.pb" in states["4"]["status"]["error_message"]
        assert server.ask("GET", "/v1/models/colours/versions/4")[0] == 200
        asked = {"signature_name": "total", "instances": [[[0, 0], [0, 0]]]}
        assert server.ask("POST", "/v1/models/colours/versions/4:predict", asked)[0] == 404
        assert server.ask("POST", "/v1/models/colours:predict", asked) == (200, {"predictions": [0.0]})
